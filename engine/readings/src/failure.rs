//! What is a failure: one rule, over what payloads read as.

use crate::command;
use crate::reading::{Call, CallFamily, CallResult, Mishap, Reading};

/// That something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// What says so.
    pub kind: FailureKind,
    /// Whether it is of no weight by itself: a probe whose answer is "no", a call that was
    /// made the wrong way. A status is not decided by it, nor is it ever *the* failure.
    pub minor: bool,
    /// The exit code of the command that failed, where one is known.
    pub exit_code: Option<i64>,
}

/// What says that something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The result of a call.
    Call,
    /// The event itself: its kind, its level, or an error in words that is no call's.
    Event,
}

/// Whether an event of this kind that reads so is a failure.
///
/// In this order: what the user, or a rule of the user's, refused or stopped is none. A
/// result is one that says so (`is_error`) or whose exit code is not 0. An event is one of
/// the kind `error`, or of a kind that ends with `_failed`, or with an error in words.
/// Exit code 130 after the agent's own interrupt is known to the parser alone, which
/// labels the event.
///
/// ```
/// use forebear::readings::{CallResult, Interruption, Reading, failure};
///
/// let mut reading = Reading::default();
/// reading.results.push(CallResult { exit_code: Some(2), ..CallResult::default() });
/// let found = failure("tool_result", &reading).expect("it failed");
/// assert_eq!((found.minor, found.exit_code), (false, Some(2)));
/// reading.results[0].interruption = Some(Interruption::Stopped);
/// assert!(failure("tool_result", &reading).is_none());
/// assert!(failure("job_failed", &Reading::default()).is_some());
/// ```
pub fn failure(kind: &str, reading: &Reading<'_>) -> Option<Failure> {
    decide(kind, reading, |result| reading.call_of(result))
}

/// The same where the call that its results answer is another event's and is known: of a
/// command that only asks, a failure is minor.
pub fn failure_of_call(kind: &str, reading: &Reading<'_>, call: &Call<'_>) -> Option<Failure> {
    decide(kind, reading, |result| reading.call_of(result).or(Some(call)))
}

fn decide<'a, 'p: 'a>(
    kind: &str,
    reading: &'a Reading<'p>,
    call_of: impl Fn(&CallResult<'p>) -> Option<&'a Call<'p>>,
) -> Option<Failure> {
    if reading.is_interrupted() {
        return None;
    }
    let mut failed = reading.results.iter().filter(|result| result.has_failed()).peekable();
    if failed.peek().is_some() {
        let weighed = failed.map(|result| (is_minor(result, call_of(result)), result.exit_code));
        // The first that matters, else the first.
        let (minor, exit_code) = weighed.min_by_key(|(minor, _)| *minor)?;
        return Some(Failure { kind: FailureKind::Call, minor, exit_code });
    }
    let is_error = kind == "error" || kind.ends_with("_failed") || reading.error.is_some();
    is_error.then_some(Failure { kind: FailureKind::Event, minor: false, exit_code: None })
}

fn is_minor(result: &CallResult<'_>, call: Option<&Call<'_>>) -> bool {
    let by_itself = matches!(
        result.mishap,
        Some(
            Mishap::NotFound
                | Mishap::BadInput
                | Mishap::Unknown
                | Mishap::Sibling
                | Mishap::NoChange
        )
    );
    by_itself
        || call.is_some_and(|call| match call.family {
            CallFamily::Search => true,
            CallFamily::Shell => {
                result.exit_code.is_none_or(|code| code.abs() < command::SIGNALLED)
                    && call.target.as_ref().is_some_and(|line| command::only_asks(&line.decode()))
            }
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Interruption;
    use crate::text::Text;

    fn result(is_error: bool, exit_code: Option<i64>) -> CallResult<'static> {
        CallResult { is_error, exit_code, ..CallResult::default() }
    }

    fn of(results: Vec<CallResult<'static>>) -> Reading<'static> {
        Reading { results, ..Reading::default() }
    }

    #[test]
    fn what_is_a_failure() {
        let interrupted =
            CallResult { interruption: Some(Interruption::Refused), ..result(true, None) };
        for (kind, reading, expected) in [
            ("tool_result", of(vec![result(false, None)]), None),
            ("tool_result", of(vec![result(false, Some(0))]), None),
            ("tool_result", of(vec![result(true, None)]), Some(false)),
            ("tool_result", of(vec![result(true, Some(0))]), Some(false)),
            ("tool_result", of(vec![result(false, Some(-1))]), Some(false)),
            ("tool_result", of(vec![interrupted.clone()]), None),
            ("tool_result", of(vec![interrupted.clone(), result(true, None)]), Some(false)),
            ("error", of(vec![]), Some(false)),
            ("turn_failed", of(vec![]), Some(false)),
            ("failed", of(vec![]), None),
            ("note", Reading { error: Some(Text::from("no")), ..of(vec![]) }, Some(false)),
            ("error", Reading { interruption: Some(Interruption::Stopped), ..of(vec![]) }, None),
            (
                "tool_result",
                of(vec![CallResult { mishap: Some(Mishap::NotFound), ..result(true, None) }]),
                Some(true),
            ),
            (
                "tool_result",
                of(vec![
                    CallResult { mishap: Some(Mishap::NotFound), ..result(true, None) },
                    result(true, None),
                ]),
                Some(false),
            ),
        ] {
            let found = failure(kind, &reading).map(|failure| failure.minor);
            assert_eq!(found, expected, "{kind} {reading:?}");
        }
    }

    #[test]
    fn a_probe_that_says_no_is_minor_whoever_knows_the_call() {
        let call = |line| Call {
            id: Some(Text::from("c")),
            family: CallFamily::Shell,
            target: Some(Text::from(line)),
            ..Call::default()
        };
        let failed = CallResult { call_id: Some(Text::from("c")), ..result(false, Some(1)) };
        let apart = of(vec![failed.clone()]);
        let minor = |found: Option<Failure>| found.map(|failure| failure.minor);
        assert_eq!(minor(failure("tool_result", &apart)), Some(false));
        assert_eq!(minor(failure_of_call("tool_result", &apart, &call("grep x y"))), Some(true));
        assert_eq!(minor(failure_of_call("tool_result", &apart, &call("cargo test"))), Some(false));
        let together = Reading { calls: vec![call("cd a && ls b")], ..of(vec![failed]) };
        assert_eq!(minor(failure("tool_result", &together)), Some(true));
    }
}
