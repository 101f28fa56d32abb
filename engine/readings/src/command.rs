//! Command lines, as far as the weight of a failure depends on them.

/// Whether a command line only asks something, so that an exit code other than 0 is an
/// answer: the command whose exit code it has, and each before it that could have ended
/// it, is a probe.
pub(crate) fn only_asks(line: &str) -> bool {
    // What stands in a document behind the line is no command.
    if line.contains("<<") {
        return false;
    }
    let lists = split(line, &[";", "\n", "||"]);
    let Some(last) = lists.iter().rev().find(|list| !list.trim().is_empty()) else { return false };
    let mut asks = false;
    for part in split(last, &["&&"]) {
        // Of a pipe the last command's exit code is that of all.
        let commands = split(part, &["|"]);
        match commands.last().map_or(Weight::Step, |command| weigh(command)) {
            Weight::Probe => asks = true,
            Weight::Nothing => {}
            Weight::Step => return false,
        }
    }
    asks
}

/// From here on an exit code, or what is below 0 turned round, says that the command was
/// not found, was killed, or took too long.
pub(crate) const SIGNALLED: i64 = 124;

/// What a command does.
enum Weight {
    /// It asks.
    Probe,
    /// It sets up the next.
    Nothing,
    /// Something else.
    Step,
}

fn weigh(command: &str) -> Weight {
    let words = words(command);
    let mut words = words.iter().map(String::as_str).skip_while(|word| is_wrapper(word));
    let Some(program) = words.next() else { return Weight::Nothing };
    let program = program.rsplit('/').next().unwrap_or(program);
    let rest: Vec<&str> = words.collect();
    let plain: Vec<&str> = rest.iter().copied().filter(|word| !word.starts_with('-')).collect();
    let asks = match program {
        "command" => rest.contains(&"-v"),
        "git" => match plain.first() {
            Some(&"diff") => rest.iter().any(|word| matches!(*word, "--quiet" | "--exit-code")),
            Some(&("grep" | "check-ignore" | "show-ref" | "merge-base" | "rev-parse")) => true,
            _ => false,
        },
        "gh" => plain.starts_with(&["pr", "checks"]),
        _ => PROBES.contains(&program),
    };
    match program {
        _ if asks => Weight::Probe,
        "cd" | "export" | "source" | "." | "echo" | "printf" | "true" | "set" | "pwd" | "pushd"
        | "popd" | "sleep" => Weight::Nothing,
        _ => Weight::Step,
    }
}

/// Whether a word stands before a command: a variable's value, or what runs another.
fn is_wrapper(word: &str) -> bool {
    let is_variable = word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    });
    is_variable || matches!(word, "sudo" | "env" | "time" | "nice" | "!" | "(" | "{")
}

/// The parts of a line between these, where they don't stand in quotes.
fn split<'l>(line: &'l str, at: &[&str]) -> Vec<&'l str> {
    let mut parts = Vec::new();
    let (mut start, mut skip) = (0, 0);
    let mut quotes = Quotes::default();
    for (here, c) in line.char_indices() {
        if here < skip || !quotes.is_outside(c) {
            continue;
        }
        let found = at.iter().find(|mark| line[here..].starts_with(**mark));
        // A single bar is none of two.
        let is_half = found == Some(&"|") && line[here..].starts_with("||");
        if let Some(mark) = found.filter(|_| !is_half) {
            parts.push(&line[start..here]);
            start = here + mark.len();
            skip = start;
        } else if is_half {
            skip = here + 2;
        }
    }
    parts.push(&line[start..]);
    parts
}

/// The words of a command, without quotes and what goes where.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quotes = Quotes::default();
    for c in command.chars() {
        let outside = quotes.is_outside(c);
        match words.last_mut() {
            Some(word) if !outside || !c.is_whitespace() => {
                if !matches!(c, '"' | '\'') {
                    word.push(c);
                }
            }
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Where quotes are open.
#[derive(Default)]
struct Quotes {
    open: Option<char>,
    escaped: bool,
}

impl Quotes {
    /// Whether this character, the next one, stands outside of quotes and is none.
    fn is_outside(&mut self, c: char) -> bool {
        if std::mem::take(&mut self.escaped) {
            return false;
        }
        match (self.open, c) {
            (Some('\''), '\'') | (Some('"'), '"') => {
                self.open = None;
                false
            }
            (Some('"') | None, '\\') => {
                self.escaped = true;
                false
            }
            (Some(_), _) => false,
            (None, '"' | '\'') => {
                self.open = Some(c);
                false
            }
            (None, _) => true,
        }
    }
}

/// Programs whose exit code answers a question.
const PROBES: [&str; 25] = [
    "grep", "egrep", "fgrep", "rg", "ag", "ack", "diff", "cmp", "test", "[", "[[", "which",
    "whereis", "type", "ls", "tree", "cat", "find", "fd", "head", "tail", "stat", "file", "pgrep",
    "readlink",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_asks() {
        for (line, expected) in [
            ("grep -rn x src", true),
            ("cd a && ls b", true),
            ("FOO=1 sudo /usr/bin/grep x", true),
            ("cargo test 2>&1 | grep -c 'a && b'", true),
            ("cargo test; ls target", true),
            ("cargo test || ls", true),
            ("cargo test && ls", false),
            ("ls && cargo test", false),
            ("tree -L 2 src", true),
            ("ls | wc -l", false),
            ("echo 'x; grep y'", false),
            ("echo done", false),
            ("gh pr checks 12", true),
            ("gh pr create", false),
            ("git diff --quiet", true),
            ("git diff", false),
            ("command -v node", true),
            ("cat <<EOF\ngrep\nEOF", false),
            ("test -f x\n", true),
            ("", false),
        ] {
            assert_eq!(only_asks(line), expected, "{line}");
        }
    }
}
