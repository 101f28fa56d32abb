//! Counts by value and by time.

/// What to count events by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CountBy {
    /// Their kinds.
    Kind,
    /// Their instances.
    Instance,
    /// Their sessions; those without one are left out.
    Session,
    /// The values of the label with this key; those without it are left out.
    Label(String),
}

/// How many events have a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The kind, instance, session or label value.
    pub value: String,
    /// How many events have it.
    pub count: u64,
}

/// How many events fall into a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Where it begins, in nanoseconds since the Unix epoch: a multiple of the
    /// bucket's length.
    pub start_ns: i64,
    /// How many events fall into it.
    pub count: u64,
}
