//! What can be said on the command line.

use std::env;
use std::fmt::Write as _;

use clap::{Command as ClapCommand, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::Command;
use crate::commands::generate::Generate;
use crate::failure::CommandResult;
use crate::global::Global;

/// Why did this happen? Keeps events that name their cause, and shows the chain
/// of causes behind any of them.
#[derive(Debug, Parser)]
#[command(
    name = "forebear",
    version,
    after_help = "Start with `forebear why`, or see `forebear demo`. Each command's --help has examples;\n\
        `forebear man | man -l -` says what all commands share: ids, times, JSON, exit codes.",
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    command: AnyCommand,
}

#[derive(Debug, Subcommand)]
enum AnyCommand {
    #[command(flatten)]
    Store(Box<Command>),
    #[command(flatten)]
    Program(Generate),
}

impl Cli {
    /// Reads the command line.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        let mut program = in_groups(Self::command());
        let matches = program.try_get_matches_from_mut(env::args_os())?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut program))
    }

    /// Does what was asked.
    pub(crate) fn run(&self) -> CommandResult {
        match &self.command {
            AnyCommand::Store(command) => command.run(&self.global),
            AnyCommand::Program(generate) => {
                generate.run(&mut Self::command().after_long_help(PROGRAM_HELP))
            }
        }
    }
}

/// The program with its commands listed in groups.
fn in_groups(program: ClapCommand) -> ClapCommand {
    let styles = program.get_styles();
    let (header, literal) = (*styles.get_header(), *styles.get_literal());
    let mut text = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    let about = |name: &str| {
        let command = program.find_subcommand(name)?;
        Some(command.get_about().map(ToString::to_string).unwrap_or_default())
    };
    for (group, names) in GROUPS {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{header}{group}{header:#}\n");
        for name in *names {
            if let Some(about) = about(name) {
                let _ = writeln!(text, "  {literal}{name:<13}{literal:#} {about}");
            }
        }
    }
    text.push_str("\n{options}{after-help}");
    program.help_template(text)
}

/// The commands, by what they are for.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "Look",
        &[
            "why", "search", "show", "chain", "tree", "children", "siblings", "common", "recent",
            "events", "tail", "roots", "missing", "links", "count", "timeline", "stats", "export",
        ],
    ),
    (
        "Sessions",
        &[
            "sessions",
            "session",
            "session-tree",
            "resume",
            "transcript",
            "slow",
            "decisions",
            "usage",
            "alerts",
            "waves",
            "relate",
            "relationships",
            "check",
        ],
    ),
    ("Write", &["setup", "import", "watch", "append", "hook", "link", "mcp", "serve", "demo"]),
    (
        "Keep",
        &[
            "status",
            "quarantine",
            "segments",
            "seal",
            "retain",
            "verify",
            "rebuild",
            "repair",
            "backup",
            "completions",
            "man",
        ],
    ),
];

const PROGRAM_HELP: &str = "\
Ids: a UUID can be shortened to any beginning that only one event has.

Times: printed in local time on a terminal, elsewhere and with --utc in UTC, in JSON as
RFC 3339 in UTC; read as RFC 3339, as a date, `today` or `yesterday` (their beginning, in the
zone that is shown), as integer nanoseconds since the Unix epoch, or as how long ago (`90m`,
`2h`, `3d`).

JSON: an event is an object with the keys
  id, parent, link (caused, continues, spawned), root, depth, seq, time, kind,
  instance, session, labels
where parent, link and session are null if there is none. `version` is true on a
later version of an event, `derived_id` on an event that came without an id; `scope`
is own where its instance is an actor of its own in the session, and `payload_type`
says what the payload is in, where that is known; `revision` is true on one that
replaced what its id said before. `events` and `recent` add `parent_session` and
`session_depth`, what is above its session.
With --payload, `payload` is the payload as the JSON it is; one that is not JSON
comes as `payload_text` or, where it is not UTF-8, as `payload_base64`. All objects of a
listing have one shape; where it does not end with the page the last has `next`, a cursor
for --after, and the last event of a chain has `end`, which says how the walk ended. Where
there is no object to say it in, it is one by itself.

Exit codes:
  0  done
  1  failed, or part of the answer is damaged: what could be read was given
  2  usage: the command line, or an id that fits several events
  3  nothing found: no event has the id, or a search matched nothing

What finds nothing: `why` exits 3 where no failure mattered; `chain`, `children`, `common`,
`show`, `siblings`, `tree` and --root where no event has the id; `common` also where there is
none, `count`, `events`, `export`, `recent`, `search`, `tail` (without -f) and `timeline` where
no event matches, `alerts` where nothing is the matter, `decisions` where nothing was decided,
`resume`, `session`, `session-tree`, `sessions`, `slow` and `transcript` where there is no such
session, `relationships` where none matches, `show --raw` where there is no
payload, `quarantine show` and `quarantine retry` where there is nothing of that number, and
`status` where nothing was ever imported or followed. `children`, `links`, `missing`,
`quarantine`, `roots`, `siblings`, `tree` and `waves` list what there is, be it nothing,
and exit 0.

Examples:
  forebear demo
  forebear import
  forebear events --errors --since 2h
  forebear chain 5f0c
  forebear chain 5f0c --json --payload | jq .payload.message";

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn every_command_is_listed_in_the_docs() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md");
        let page = fs::read_to_string(path).unwrap();
        let listed: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        let program = Cli::command();
        let expected: Vec<String> = program
            .get_subcommands()
            .map(|command| {
                let about = command.get_about().map(ToString::to_string);
                format!("| `{}` | {} |", command.get_name(), about.unwrap_or_default())
            })
            .collect();
        assert_eq!(
            listed,
            expected,
            "the table of docs/commands.md has to be:\n{}",
            expected.join("\n")
        );
    }

    #[test]
    fn every_command_stands_in_one_group() {
        let program = Cli::command();
        let mut listed: Vec<&str> =
            super::GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        for command in program.get_subcommands() {
            let name = command.get_name();
            let count = listed.iter().filter(|listed| **listed == name).count();
            assert_eq!(count, 1, "{name} has to stand in one of the groups");
        }
        listed.sort_unstable();
        listed.dedup();
        assert!(listed.len() >= program.get_subcommands().count());
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
