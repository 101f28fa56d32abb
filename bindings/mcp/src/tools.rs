//! The tools, a file for each.

mod audit;
mod chain;
mod children;
mod failure_chain;
mod get_event;
mod listed;
mod performance;
mod resume;
mod search;
mod session_tree;
mod sessions;

use rmcp::model::{Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::args::{self, MaxBytes};
use crate::failure::Answered;
use crate::question::Question;
use crate::reply::Reply;

/// The arguments of a tool, and what it answers.
trait Ask: DeserializeOwned + JsonSchema {
    const NAME: &'static str;
    const TITLE: &'static str;
    /// What it does and when to use it.
    const DESCRIPTION: &'static str;

    /// The schema of the reply.
    fn output() -> Map<String, Value>;

    fn max_bytes(&self) -> MaxBytes;

    fn ask(&self, question: &Question<'_>) -> Answered<Reply>;
}

/// What answers.
type AnswerFn = dyn Fn(&Question<'_>) -> Answered<Reply> + Send;

/// A question to a tool, its arguments read.
pub(crate) struct Asked {
    /// Bytes that the reply may have.
    pub(crate) max_bytes: usize,
    answer: Box<AnswerFn>,
}

impl Asked {
    /// Answers it.
    pub(crate) fn answer(&self, question: &Question<'_>) -> Answered<Reply> {
        (self.answer)(question)
    }
}

/// Reads the arguments of a call; none where there is no such tool.
pub(crate) fn read(name: &str, arguments: Map<String, Value>) -> Option<Answered<Asked>> {
    let entry = ENTRIES.iter().find(|entry| entry.name == name)?;
    Some((entry.read)(arguments))
}

/// The tools as they are listed.
pub(crate) fn list() -> Vec<Tool> {
    ENTRIES.iter().map(|entry| (entry.tool)()).collect()
}

struct ToolEntry {
    name: &'static str,
    tool: fn() -> Tool,
    read: fn(Map<String, Value>) -> Answered<Asked>,
}

const ENTRIES: &[ToolEntry] = &[
    entry::<failure_chain::FailureChainToolArgs>(),
    entry::<chain::ChainToolArgs>(),
    entry::<children::ChildrenToolArgs>(),
    entry::<resume::ResumeToolArgs>(),
    entry::<search::SearchToolArgs>(),
    entry::<sessions::SessionsToolArgs>(),
    entry::<session_tree::SessionTreeToolArgs>(),
    entry::<get_event::EventToolArgs>(),
    entry::<performance::PerformanceToolArgs>(),
    entry::<audit::AuditToolArgs>(),
];

const fn entry<T: Ask + Send + 'static>() -> ToolEntry {
    ToolEntry { name: T::NAME, tool: tool::<T>, read: read_args::<T> }
}

fn tool<T: Ask>() -> Tool {
    let annotations = ToolAnnotations::with_title(T::TITLE)
        .read_only(true)
        .destructive(false)
        .idempotent(true)
        .open_world(false);
    Tool::new(T::NAME, T::DESCRIPTION, args::schema::<T>())
        .with_title(T::TITLE)
        .with_raw_output_schema(T::output().into())
        .with_annotations(annotations)
}

fn read_args<T: Ask + Send + 'static>(arguments: Map<String, Value>) -> Answered<Asked> {
    let args: T = args::read(arguments)?;
    let max_bytes = args.max_bytes().checked()?;
    Ok(Asked { max_bytes, answer: Box::new(move |question| args.ask(question)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_have_no_formats_that_only_rust_knows() {
        for tool in list() {
            for schema in [Some(&tool.input_schema), tool.output_schema.as_ref()] {
                let schema = schema.expect("both");
                let text = serde_json::to_string(schema).expect("JSON");
                assert!(!text.contains("\"uint") && !text.contains("$defs"), "{text}");
                assert_eq!(schema["type"], "object", "{text}");
            }
            let properties = &tool.input_schema["properties"];
            assert_eq!(properties["max_bytes"]["default"], 20_000, "{properties}");
            for (name, property) in properties.as_object().expect("an object") {
                assert!(property["description"].is_string(), "{}: {name}", tool.name);
            }
        }
    }
}
