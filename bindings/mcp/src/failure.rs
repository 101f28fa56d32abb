//! Why a question has no answer.

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The store could not be read.
    Store(forebear::Error),
    /// What was asked makes no sense, or there is nothing of the kind: in words for the
    /// model, with what to do instead.
    Refused(String),
}

/// What a tool returns.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// That a question is refused, with what to do instead.
pub(crate) fn refused<T>(words: impl Into<String>) -> Outcome<T> {
    Err(Failure::Refused(words.into()))
}

impl From<forebear::Error> for Failure {
    fn from(error: forebear::Error) -> Self {
        if error.is_invalid() {
            return Failure::Refused(format!("{error:#}"));
        }
        Failure::Store(error)
    }
}
