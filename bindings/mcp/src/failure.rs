//! Why a question has no answer.

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum ToolFailure {
    /// The store could not be read.
    Store(forebear::Error),
    /// What was asked makes no sense, or there is nothing of the kind: in words for the
    /// model, with what to do instead.
    Refused(String),
}

/// What a tool returns.
pub(crate) type Answered<T> = Result<T, ToolFailure>;

/// That a question is refused, with what to do instead.
pub(crate) fn refused<T>(words: impl Into<String>) -> Answered<T> {
    Err(ToolFailure::Refused(words.into()))
}

impl From<forebear::Error> for ToolFailure {
    fn from(error: forebear::Error) -> Self {
        if error.is_invalid() {
            return ToolFailure::Refused(format!("{error:#}"));
        }
        ToolFailure::Store(error)
    }
}
