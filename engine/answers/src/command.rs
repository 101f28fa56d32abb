//! What a command line does, so that the same done again is found.

use std::collections::BTreeSet;

/// What a command line has in common with others that do the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommandLine {
    /// Program and subcommand of each command that does something.
    pub(crate) does: BTreeSet<String>,
    /// Whether an exit code of 0 may hide that a command of it failed.
    pub(crate) masks: bool,
    /// Whether it goes past checks that would stop it.
    pub(crate) bypasses: bool,
}

impl CommandLine {
    /// Reads a line. Of what stands in a document behind it nothing is looked at.
    pub(crate) fn read(line: &str) -> Self {
        let mut read = Self::default();
        let mut filters = BTreeSet::new();
        for command in commands(line) {
            read.masks |= command.joined != JoinedBy::Stops;
            let Some(does) = does(&command.words) else { continue };
            let program = does.split(' ').next().unwrap_or_default();
            if SETS_UP.contains(&program) {
                continue;
            }
            read.bypasses |= bypasses(&command.words);
            if command.joined == JoinedBy::Pipe && FILTERS.contains(&program) {
                filters.insert(does);
            } else {
                read.does.insert(does);
            }
        }
        if read.does.is_empty() {
            read.does = filters;
        }
        read
    }
}

/// Whether a text that a pipe let through says that something failed.
pub(crate) fn says_fail(text: &str) -> bool {
    text.match_indices("FAIL").any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let rest = &text[at + "FAIL".len()..];
        let rest = rest.strip_prefix("ED").or_else(|| rest.strip_prefix("URE")).unwrap_or(rest);
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        // `0 FAILED` is a good end.
        let number = text[..at].trim_end();
        let others = number.trim_end_matches('0');
        let zero = number.len() > others.len() && !others.ends_with(|c: char| c.is_ascii_digit());
        !is_word(before) && !is_word(rest.chars().next()) && !zero
    })
}

/// A command of a line.
#[derive(Debug)]
struct ShellCommand {
    words: Vec<String>,
    joined: JoinedBy,
}

/// What joins a command to the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum JoinedBy {
    /// Nothing, or `&&`: a failure of the one before is one of the line.
    #[default]
    Stops,
    /// `||`, `;`, a line feed: the line's exit code may be that of what comes later.
    Goes,
    /// `|`: of what the one before gives.
    Pipe,
}

/// The commands of a line. Quotes are taken off; what stands in them is one word.
fn commands(line: &str) -> Vec<ShellCommand> {
    let mut reader = CommandLineReader::default();
    let mut rest = line.char_indices().peekable();
    let mut document: Option<String> = None;
    while let Some((at, c)) = rest.next() {
        if let (Some(end), '\n') = (&document, c) {
            // The document ends with a line that is its mark alone.
            let mut from = at + 1;
            let mut found = line.len();
            for text in line[from..].split_inclusive('\n') {
                from += text.len();
                if text.trim() == end {
                    found = from;
                    break;
                }
            }
            while rest.next_if(|(at, _)| *at < found).is_some() {}
            document = None;
            reader.end_command(JoinedBy::Goes);
            continue;
        }
        let next = rest.peek().map(|(_, c)| *c);
        match (reader.quote, c) {
            (Some(quote), _) if c == quote => reader.quote = None,
            (Some('"') | None, '\\') => {
                // A line feed behind it is none.
                if let Some((_, escaped)) = rest.next().filter(|(_, c)| *c != '\n') {
                    reader.word.push(escaped);
                    reader.in_word = true;
                }
            }
            (Some(_), _) => reader.word.push(c),
            (None, '"' | '\'') => {
                reader.quote = Some(c);
                reader.in_word = true;
            }
            (None, '<') if next == Some('<') => {
                rest.next();
                let behind = &line[at + 2..];
                let begin = behind.trim_start_matches(['-', ' ', '"', '\'', '\\']);
                let is_word = |c: char| c.is_alphanumeric() || c == '_';
                let mark = begin.split(|c| !is_word(c)).next().unwrap_or_default().to_owned();
                let end = line.len() - begin.len() + mark.len();
                while rest.next_if(|(at, c)| *at < end || matches!(c, '"' | '\'')).is_some() {}
                document = (!mark.is_empty()).then_some(mark);
                reader.end_word();
            }
            (None, '&') if next == Some('&') => {
                rest.next();
                reader.end_command(JoinedBy::Stops);
            }
            (None, '&') if next == Some('>') || reader.word.ends_with('>') => reader.word.push(c),
            (None, '|' | ';' | '\n' | '&' | '(' | ')') => {
                let twice = c == '|' && matches!(next, Some('|' | '&'));
                if twice {
                    rest.next();
                }
                let pipe = c == '|' && (!twice || next == Some('&'));
                reader.end_command(if pipe { JoinedBy::Pipe } else { JoinedBy::Goes });
            }
            (None, '#') if !reader.in_word => while rest.next_if(|(_, c)| *c != '\n').is_some() {},
            (None, c) if c.is_whitespace() => reader.end_word(),
            (None, c) => {
                reader.word.push(c);
                reader.in_word = true;
            }
        }
    }
    reader.end_command(JoinedBy::Goes);
    reader.commands
}

/// A line that is being read.
#[derive(Debug, Default)]
struct CommandLineReader {
    commands: Vec<ShellCommand>,
    words: Vec<String>,
    word: String,
    in_word: bool,
    quote: Option<char>,
    joined: JoinedBy,
}

impl CommandLineReader {
    fn end_word(&mut self) {
        if std::mem::take(&mut self.in_word) {
            self.words.push(std::mem::take(&mut self.word));
        }
    }

    fn end_command(&mut self, joined: JoinedBy) {
        self.end_word();
        if !self.words.is_empty() {
            let words = std::mem::take(&mut self.words);
            self.commands.push(ShellCommand { words, joined: self.joined });
        }
        self.joined = joined;
    }
}

/// Program and subcommand, without what only wraps them; the third word, too, where the
/// second is `run`.
fn does(words: &[String]) -> Option<String> {
    let words = without_redirections(words);
    let mut words = words.iter().copied().peekable();
    while let Some(word) = words.peek().copied() {
        let wraps = WRAPPERS.contains(&word) || word.starts_with('-') || is_variable(word);
        if wraps {
            words.next();
            // What it takes itself: `timeout 60`, `nice -n 5`.
            while words.next_if(|word| is_number(word)).is_some() {}
            continue;
        }
        let mut ahead = words.clone();
        ahead.next();
        if RUNNERS.contains(&word)
            && ahead.next_if(|word| matches!(*word, "run" | "exec" | "x" | "dlx")).is_some()
        {
            // What they run by name is theirs alone; what they run as a program is it.
            ahead.next_if(|word| *word == "--");
            words = ahead;
            continue;
        }
        break;
    }
    let program = words.next()?;
    let program = program
        .rsplit('/')
        .next()
        .filter(|name| !name.is_empty() && program.starts_with('/'))
        .unwrap_or(program);
    let mut plain = Vec::new();
    while let Some(word) = words.next() {
        if program == "git" && matches!(word, "-C" | "-c" | "--git-dir" | "--work-tree") {
            words.next();
        } else if !word.starts_with('-') {
            plain.push(word);
        }
    }
    Some(match plain.as_slice() {
        [] => program.to_owned(),
        [one, ..] if program == "git" && INTEGRATES.contains(one) => "git integrate".to_owned(),
        ["run", what, ..] => format!("{program} run {what}"),
        [one, ..] => format!("{program} {one}"),
    })
}

/// The words without those that say where input comes from and output goes.
fn without_redirections(words: &[String]) -> Vec<&str> {
    let mut kept = Vec::new();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let bare = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&');
        if !bare.starts_with(['>', '<']) {
            kept.push(word);
        } else if bare.trim_matches(['>', '<']).is_empty() {
            // Its file stands apart.
            words.next();
        }
    }
    kept
}

fn is_variable(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

fn is_number(word: &str) -> bool {
    let digits = word.trim_end_matches(['s', 'm', 'h']);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn bypasses(words: &[String]) -> bool {
    words.iter().any(|word| {
        matches!(word.as_str(), "--no-verify" | "--no-gpg-sign" | "HUSKY=0")
            || word.starts_with("SKIP=")
    })
}

/// What stands before a program and lets it be the same.
const WRAPPERS: [&str; 18] = [
    "sudo", "env", "npx", "bunx", "pnpx", "time", "nice", "nohup", "timeout", "command", "exec",
    "then", "do", "else", "if", "while", "!", "{",
];

/// Programs that run others with `run` or `exec`.
const RUNNERS: [&str; 7] = ["mise", "uv", "poetry", "pipenv", "rye", "direnv", "bundle"];

/// Subcommands of git that bring changes together: what stopped one is ended by another.
const INTEGRATES: [&str; 5] = ["commit", "merge", "rebase", "pull", "cherry-pick"];

/// Commands that only set up the next, or say something.
const SETS_UP: [&str; 21] = [
    "cd", "pushd", "popd", "echo", "printf", "true", "false", "sleep", "pwd", "set", "export",
    "unset", "source", ".", "wait", "exit", "fi", "done", "for", "}", "read",
];

/// Programs that only pass on or cut what a pipe gives them.
const FILTERS: [&str; 20] = [
    "head", "tail", "grep", "egrep", "rg", "wc", "sort", "tee", "cat", "sed", "awk", "jq", "less",
    "cut", "uniq", "xargs", "tr", "column", "nl", "python3",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(line: &str, does: &[&str], masks: bool) {
        let read = CommandLine::read(line);
        let found: Vec<_> = read.does.iter().map(String::as_str).collect();
        assert_eq!((found, read.masks), (does.to_vec(), masks), "{line}");
    }

    #[test]
    fn a_line_is_what_it_does() {
        reads("cargo test -p x", &["cargo test"], false);
        reads("cd a && FOO=1 sudo -E cargo test --all 2>&1", &["cargo test"], false);
        reads("cargo test 2>&1 | tail -20", &["cargo test"], true);
        reads("git add -A && git commit -m 'a && b; c'", &["git add", "git integrate"], false);
        reads("git -C /x rebase --continue", &["git integrate"], false);
        reads("npm run build -- --prod", &["npm run build"], false);
        reads("mise run lint", &["lint"], false);
        reads("timeout 60 npx vitest run src/a.ts", &["vitest run src/a.ts"], false);
        reads("/usr/bin/python3 a.py", &["python3 a.py"], false);
        reads("./run.sh fast", &["./run.sh fast"], false);
        reads("make || true", &["make"], true);
        reads("grep -rn x src | head", &["grep x"], true);
        reads("cat a | head", &["cat a"], true);
        reads("echo done", &[], false);
        reads("", &[], false);
        reads("make # not 'this\ncargo check", &["cargo check", "make"], true);
        reads("go build \\\n ./...", &["go build"], false);
        reads("command -v node", &["node"], false);
    }

    #[test]
    fn a_document_behind_a_line_is_no_command() {
        let line = "git commit -m \"$(cat <<'EOF'\nfix; rm -rf x\nEOF\n)\" && git push";
        let read = CommandLine::read(line);
        assert!(read.does.contains("git integrate"), "{read:?}");
        reads("cat > a <<EOF\nrm x\nEOF\nmake", &["cat", "make"], true);
    }

    #[test]
    fn what_goes_past_checks_is_marked() {
        assert!(CommandLine::read("git commit --no-verify -m x").bypasses);
        assert!(CommandLine::read("HUSKY=0 git commit -m x").bypasses);
        assert!(!CommandLine::read("git commit -m '--no-verify'x").bypasses);
    }

    #[test]
    fn a_pipe_that_says_fail() {
        for (text, expected) in [
            ("--- FAIL: TestX", true),
            ("FAIL\tpkg 0.1s", true),
            ("test a ... FAILED", true),
            ("12 passed, 3 FAILED", true),
            ("10 passed, 0 FAILED", false),
            ("FAILOVER ok", false),
            ("PASS", false),
            ("10 FAILED", true),
        ] {
            assert_eq!(says_fail(text), expected, "{text}");
        }
    }

    #[test]
    fn nonsense_does_no_harm() {
        for line in
            ["'", "\"", "\\", "<<", "<<EOF", "a <<EOF\n", "|||", "&&&", "$((", "((a)", "é <<é\né"]
        {
            let _ = CommandLine::read(line);
        }
    }
}
