//! Words of the program that stand where the user's would.

use forebear_readings::{Interruption, Mishap, Text, Texts};

/// Whether the program put these words in, and the user didn't type them.
pub(super) fn is_injected(text: &Texts<'_>) -> bool {
    INJECTED.iter().any(|start| text.begins(start))
        || text.begins("<command-name>") && !has_command_message(text)
}

/// Whether these words say that the user stopped what went on.
pub(super) fn is_interruption(text: &Texts<'_>) -> bool {
    text.begins(INTERRUPTED)
}

/// The command that the user typed, where the words are how the program tells of one:
/// `/review the parser`.
pub(super) fn typed_command(text: &Texts<'_>) -> Option<String> {
    if !text.begins("<command-message>") && !text.begins("<bash-input>") {
        return None;
    }
    let whole = text.to_string();
    if let Some(command) = between(&whole, "<bash-input>", "</bash-input>") {
        return Some(format!("!{command}"));
    }
    let name = between(&whole, "<command-name>", "</command-name>")?;
    match between(&whole, "<command-args>", "</command-args>") {
        Some(arguments) if !arguments.is_empty() => Some(format!("{name} {arguments}")),
        _ => Some(name.to_owned()),
    }
}

/// Whether a command says nothing to the model.
pub(super) fn is_own_command(command: &str) -> bool {
    command.split(' ').next().is_some_and(|name| OWN_COMMANDS.contains(&name))
}

/// That someone refused a call or stopped it, as its result tells it.
pub(super) fn interruption_of(result: &Texts<'_>) -> Option<Interruption> {
    if result.begins(INTERRUPTED) {
        return Some(Interruption::Stopped);
    }
    let is_refusal = REFUSED.iter().any(|start| result.begins(start))
        || PERMISSION.iter().any(|(start, then)| {
            result.begins(start) && result.start(LOOKED_AT_BYTES).contains(then)
        });
    is_refusal.then_some(Interruption::Refused)
}

/// What the user said when refusing a call.
pub(super) fn of_refusal(result: &Texts<'_>) -> Option<String> {
    let whole = result.to_string();
    let (_, said) = whole.split_once(SAID_IN_REFUSAL)?;
    let said = said.split(SAID_NO_MORE).next().unwrap_or(said).trim();
    (!said.is_empty()).then(|| said.to_owned())
}

/// Why a call failed that had better not be made so.
pub(super) fn mishap_of(result: &Texts<'_>) -> Option<Mishap> {
    let start = result.start(LOOKED_AT_BYTES);
    let start = start.trim_start().trim_start_matches("<tool_use_error>");
    let start = start.trim_start_matches("Error: ");
    MISHAPS.iter().find(|(words, _)| start.starts_with(words)).map(|(_, mishap)| *mishap).or_else(
        || {
            let is_ambiguous =
                start.starts_with("Found ") && start.contains("matches of the string");
            is_ambiguous.then_some(Mishap::BadInput)
        },
    )
}

/// The exit code that stands on the first line of a command's result.
pub(super) fn exit_code_of(text: &Text<'_>) -> Option<i64> {
    let start = text.start(LOOKED_AT_BYTES);
    let line = start.trim_start().strip_prefix("Exit code ")?.lines().next()?;
    line.trim().parse().ok()
}

/// Older versions told of a command of the program itself by its name first.
fn has_command_message(text: &Texts<'_>) -> bool {
    text.start(LOOKED_AT_BYTES).contains("<command-message>")
        && !OWN_COMMANDS
            .iter()
            .any(|name| text.begins(&format!("<command-name>{name}</command-name>")))
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0.trim())
}

const INTERRUPTED: &str = "[Request interrupted by user";
/// What leads to the user's words, and what the program adds behind them.
const SAID_IN_REFUSAL: &str = "the user said:";
const SAID_NO_MORE: &str = "\n\nNote: The user's next message";
/// How much of a result is looked at.
const LOOKED_AT_BYTES: usize = 512;

const INJECTED: [&str; 15] = [
    "<task-notification>",
    "<teammate-message",
    "Another Claude session sent a message:",
    "<local-command-stdout>",
    "<local-command-stderr>",
    "<local-command-caveat>",
    "Caveat: The messages below were generated",
    "<bash-stdout>",
    "<bash-stderr>",
    "<system-reminder>",
    "<user-prompt-submit-hook>",
    "<session-start-hook>",
    "This session is being continued from a previous conversation",
    "[SUGGESTION MODE",
    "Stop hook feedback:",
];

/// Commands that say nothing to the model.
const OWN_COMMANDS: [&str; 10] = [
    "/clear", "/exit", "/quit", "/model", "/compact", "/login", "/logout", "/status", "/resume",
    "/config",
];

const REFUSED: [&str; 8] = [
    "The user doesn't want to proceed with this tool use",
    "The user doesn't want to take this action right now",
    "User rejected tool use",
    "User rejected the tool use",
    "User chose to stay in plan mode",
    "User rejected Claude's plan",
    "The agent proposed a plan that was rejected by the user",
    "User declined to answer questions",
];
/// A beginning, and what has to follow.
const PERMISSION: [(&str, &str); 3] = [
    ("Permission to use ", "has been denied"),
    ("Permission for this action has been denied", ""),
    ("Claude requested permissions to ", "haven't granted it yet"),
];

const MISHAPS: [(&str, Mishap); 21] = [
    ("File has not been read yet", Mishap::BadInput),
    ("File has been modified since read", Mishap::BadInput),
    ("File has been unexpectedly modified", Mishap::BadInput),
    ("String to replace not found", Mishap::BadInput),
    ("InputValidationError", Mishap::BadInput),
    ("Invalid tool parameters", Mishap::BadInput),
    ("Invalid regex", Mishap::BadInput),
    ("EISDIR", Mishap::BadInput),
    ("File content (", Mishap::BadInput),
    ("File does not exist", Mishap::NotFound),
    ("Path does not exist", Mishap::NotFound),
    ("Directory does not exist", Mishap::NotFound),
    ("ENOENT: no such file or directory, open", Mishap::NotFound),
    ("ENOENT: no such file or directory, stat", Mishap::NotFound),
    ("No such tool available", Mishap::Unknown),
    ("Unknown skill", Mishap::Unknown),
    ("Agent type '", Mishap::Unknown),
    ("No task found with ID", Mishap::Unknown),
    ("Sibling tool call errored", Mishap::Sibling),
    ("Cancelled: parallel tool call", Mishap::Sibling),
    ("No changes to make", Mishap::NoChange),
];
