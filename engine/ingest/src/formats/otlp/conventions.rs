//! The attributes that programs of several conventions have for the same things: one table.
//!
//! `gen_ai.*` are OpenTelemetry's, in their names of today and those before; `llm.*`, `input.*`,
//! `tool.*` and `openinference.*` are `OpenInference`'s; `traceloop.*` and `ai.*` are those of two
//! libraries. Names without a dot are those of the logs of Claude Code and Codex.

use forebear_readings::json::JsonStr;

/// What an attribute says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Session,
    Agent,
    AgentName,
    Service,
    /// What is done: a step of a model, a tool, an agent.
    Operation,
    EventName,
    Tool,
    Call,
    Arguments,
    CallResult,
    Input,
    Output,
    InputMessages,
    OutputMessages,
    Model,
    Response,
    Error,
    Success,
    DurationMs,
    InputTokens,
    OutputTokens,
    CacheRead,
    CacheWritten,
}

impl Field {
    pub(super) const COUNT: usize = Self::CacheWritten as usize + 1;
}

/// What an attribute of this name says; of several that say the same the least number counts.
pub(super) fn field(name: &str) -> Option<(Field, u8)> {
    Some(match name {
        "session.id" => (Field::Session, 0),
        "gen_ai.conversation.id" => (Field::Session, 1),
        "conversation.id" => (Field::Session, 2),
        "langfuse.session.id" => (Field::Session, 3),
        "traceloop.association.properties.session_id" => (Field::Session, 4),

        "gen_ai.agent.id" => (Field::Agent, 0),
        "agent_id" => (Field::Agent, 1),
        "gen_ai.agent.name" => (Field::AgentName, 0),
        "agent.name" => (Field::AgentName, 1),
        "service.name" => (Field::Service, 0),

        "gen_ai.operation.name" => (Field::Operation, 0),
        "openinference.span.kind" => (Field::Operation, 1),
        "traceloop.span.kind" => (Field::Operation, 2),
        "llm.request.type" => (Field::Operation, 3),
        "event.name" => (Field::EventName, 0),
        "event.kind" => (Field::EventName, 1),

        "gen_ai.tool.name" => (Field::Tool, 0),
        "tool.name" => (Field::Tool, 1),
        "tool_name" => (Field::Tool, 2),
        "ai.toolCall.name" => (Field::Tool, 3),
        "traceloop.entity.name" => (Field::Tool, 4),
        "gen_ai.tool.call.id" => (Field::Call, 0),
        "tool_use_id" => (Field::Call, 1),
        "call_id" => (Field::Call, 2),
        "tool_call.id" => (Field::Call, 3),
        "ai.toolCall.id" => (Field::Call, 4),
        "gen_ai.tool.call.arguments" => (Field::Arguments, 0),
        "tool.parameters" => (Field::Arguments, 1),
        "tool_parameters" => (Field::Arguments, 2),
        "arguments" => (Field::Arguments, 3),
        "ai.toolCall.args" => (Field::Arguments, 4),
        "gen_ai.tool.call.result" => (Field::CallResult, 0),
        "output" => (Field::CallResult, 1),
        "ai.toolCall.result" => (Field::CallResult, 2),

        "input.value" => (Field::Input, 0),
        "traceloop.entity.input" => (Field::Input, 1),
        "prompt" => (Field::Input, 2),
        "output.value" => (Field::Output, 0),
        "traceloop.entity.output" => (Field::Output, 1),
        "ai.response.text" => (Field::Output, 2),
        "gen_ai.input.messages" => (Field::InputMessages, 0),
        "gen_ai.output.messages" => (Field::OutputMessages, 0),

        "gen_ai.response.model" => (Field::Model, 0),
        "gen_ai.request.model" => (Field::Model, 1),
        "llm.model_name" => (Field::Model, 2),
        "model" => (Field::Model, 3),
        "gen_ai.response.id" => (Field::Response, 0),
        "request_id" => (Field::Response, 1),

        "error.message" => (Field::Error, 0),
        "exception.message" => (Field::Error, 1),
        "error" => (Field::Error, 2),
        "error.type" => (Field::Error, 3),
        "success" => (Field::Success, 0),
        "duration_ms" => (Field::DurationMs, 0),

        "gen_ai.usage.input_tokens" => (Field::InputTokens, 0),
        "gen_ai.usage.prompt_tokens" => (Field::InputTokens, 1),
        "llm.token_count.prompt" => (Field::InputTokens, 2),
        "input_tokens" => (Field::InputTokens, 3),
        "input_token_count" => (Field::InputTokens, 4),
        "gen_ai.usage.output_tokens" => (Field::OutputTokens, 0),
        "gen_ai.usage.completion_tokens" => (Field::OutputTokens, 1),
        "llm.token_count.completion" => (Field::OutputTokens, 2),
        "output_tokens" => (Field::OutputTokens, 3),
        "output_token_count" => (Field::OutputTokens, 4),
        "gen_ai.usage.cache_read.input_tokens" => (Field::CacheRead, 0),
        "gen_ai.usage.cache_read_input_tokens" => (Field::CacheRead, 1),
        "gen_ai.usage.input_tokens.cached" => (Field::CacheRead, 2),
        "gen_ai.usage.cached_tokens" => (Field::CacheRead, 3),
        "llm.token_count.prompt_details.cache_read" => (Field::CacheRead, 4),
        "cache_read_tokens" => (Field::CacheRead, 5),
        "cached_token_count" => (Field::CacheRead, 6),
        "gen_ai.usage.cache_creation.input_tokens" => (Field::CacheWritten, 0),
        "gen_ai.usage.cache_creation_input_tokens" => (Field::CacheWritten, 1),
        "gen_ai.usage.cache_write.input_tokens" => (Field::CacheWritten, 2),
        "gen_ai.usage.input_tokens.cache_write" => (Field::CacheWritten, 3),
        "llm.token_count.prompt_details.cache_write" => (Field::CacheWritten, 4),
        "cache_creation_tokens" => (Field::CacheWritten, 5),
        _ => return None,
    })
}

/// Whether an attribute of this name is what a model answered, a text a message.
pub(super) fn is_answer(name: &str) -> bool {
    name.starts_with("llm.output_messages.") && name.ends_with(".message.content")
        || name.starts_with("gen_ai.completion.") && name.ends_with(".content")
}

/// What sort of step a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepSort {
    /// An answer of a model, which takes tokens.
    Model,
    Tool,
    Agent,
    /// What the user typed.
    Request,
    Other,
}

/// The sort of step that an operation is, by the words that conventions have, and the kind of
/// its event; none where it is no known one.
pub(super) fn step_of_operation(word: &str) -> Option<(StepSort, &'static str)> {
    Some(match word {
        "chat" | "text_completion" | "generate_content" | "completion" | "LLM" | "llm" => {
            (StepSort::Model, "llm_request")
        }
        "embeddings" | "EMBEDDING" | "embedding" => (StepSort::Model, "embeddings"),
        "execute_tool" | "TOOL" | "tool" => (StepSort::Tool, "tool_use"),
        "invoke_agent" | "create_agent" | "invoke_workflow" | "AGENT" | "agent" | "workflow" => {
            (StepSort::Agent, "agent")
        }
        "retrieval" | "RETRIEVER" => (StepSort::Other, "retrieval"),
        "CHAIN" => (StepSort::Other, "chain"),
        "RERANKER" => (StepSort::Other, "reranker"),
        "GUARDRAIL" => (StepSort::Other, "guardrail"),
        "EVALUATOR" => (StepSort::Other, "evaluator"),
        "PROMPT" => (StepSort::Other, "prompt"),
        "DECISION" => (StepSort::Other, "decision"),
        "task" => (StepSort::Other, "task"),
        _ => return None,
    })
}

/// The sort of step that a span or a log record of this name is, of programs whose names say it.
pub(super) fn step_of_name(name: &str, is_log: bool) -> Option<(StepSort, &'static str)> {
    let own = ["claude_code.", "codex."].iter().find_map(|program| name.strip_prefix(program));
    // The name of a log record's event may stand without its program.
    let own = own.or(is_log.then_some(name))?;
    Some(match own {
        "llm_request" | "api_request" => (StepSort::Model, "llm_request"),
        "sse_event" | "response.completed" => (StepSort::Model, "llm_response"),
        "tool" => (StepSort::Tool, "tool_use"),
        "tool_result" => (StepSort::Tool, "tool_result"),
        "user_prompt" => (StepSort::Request, "user_message"),
        "interaction" => (StepSort::Agent, "interaction"),
        "api_error" => (StepSort::Other, "error"),
        _ => return None,
    })
}

/// The name of the tool that a span is a call of, where only the span's own name says it.
pub(super) fn tool_of_name(name: JsonStr<'_>) -> String {
    let name = name.decode();
    name.strip_prefix("execute_tool ").unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_attributes_say_the_same_as_surely() {
        let table = include_str!("conventions.rs");
        let names =
            table.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next());
        let mut ranks: Vec<_> =
            names.filter_map(field).map(|(field, rank)| (field as usize, rank)).collect();
        let all = ranks.len();
        ranks.sort_unstable();
        ranks.dedup();
        assert_eq!((ranks.len(), all > 60), (all, true));
    }
}
