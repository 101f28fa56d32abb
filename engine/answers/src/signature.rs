//! What failures of the same sort have in common.

/// The first line of a text that says something: not the number of an exit code, nor the
/// tags around an error.
pub(crate) fn first_line(text: &str) -> &str {
    let lines = text.lines().map(untagged);
    let says = |line: &&str| line.chars().any(char::is_alphanumeric) && !is_exit_code(line);
    lines.clone().find(says).or_else(|| lines.into_iter().next()).unwrap_or_default()
}

/// The tool and the first line of its failure without what differs from one time to the
/// next: numbers, hexadecimal digests, paths.
pub(crate) fn of(tool: &str, line: &str) -> String {
    let mut signature = tool.to_owned();
    signature.push(':');
    for word in line.split_whitespace().take(WORDS) {
        signature.push(' ');
        let bare =
            word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '/' | '\\' | '.'));
        if bare.contains(['/', '\\']) {
            signature.push('/');
        } else if bare.len() >= HEX_DIGITS
            && bare.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
        {
            signature.push('#');
        } else {
            let mut in_number = false;
            for c in word.chars() {
                if !c.is_ascii_digit() {
                    signature.push(c);
                } else if !in_number {
                    signature.push('#');
                }
                in_number = c.is_ascii_digit();
            }
        }
    }
    signature
}

fn untagged(line: &str) -> &str {
    let line = line.trim();
    let Some(rest) = line.strip_prefix('<') else { return line };
    match rest.split_once('>') {
        Some((tag, rest)) if !tag.contains(' ') => rest.split("</").next().unwrap_or(rest).trim(),
        _ => line,
    }
}

fn is_exit_code(line: &str) -> bool {
    let rest = line.strip_prefix("Exit code").or_else(|| line.strip_prefix("Exit code:"));
    rest.is_some_and(|rest| rest.trim_matches([':', ' ']).parse::<i64>().is_ok())
}

/// Words of a line that count.
const WORDS: usize = 24;

/// Digits from which on a word is a digest.
const HEX_DIGITS: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_something() {
        for (text, expected) in [
            ("Exit code 1\n\n--- FAIL: TestX", "--- FAIL: TestX"),
            ("<tool_use_error>File has not been read</tool_use_error>", "File has not been read"),
            ("\n ===\nno such file", "no such file"),
            ("Exit code 1", "Exit code 1"),
            ("", ""),
        ] {
            assert_eq!(first_line(text), expected, "{text}");
        }
    }

    #[test]
    fn failures_of_a_sort_have_one_signature() {
        let same = |a, b| assert_eq!(of("Bash", a), of("Bash", b));
        same("a.go:12:3: undefined: x", "a.go:7:31: undefined: x");
        same("cannot open /tmp/a/b.txt: denied", "cannot open /home/u/c.rs: denied");
        same("object 9fceb02d0ae not found", "object 0a1b2c3d4e5 not found");
        assert_ne!(of("Bash", "no such file"), of("Read", "no such file"));
        assert_ne!(of("Bash", "no such file"), of("Bash", "no such folder"));
    }
}
