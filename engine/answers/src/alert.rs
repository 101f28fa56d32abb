//! Rules of alerts, and what meets them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use forebear_core::{AppendStatus, Event, EventId, Result, Store};

/// What an alert is raised for.
///
/// ```
/// use std::time::Duration;
/// use forebear::answers::AlertRule;
///
/// let rule: AlertRule = "open-call=90s".parse().expect("it is one");
/// assert_eq!(rule, AlertRule::OpenCall { over: Duration::from_secs(90) });
/// assert_eq!("failed".parse(), Ok(AlertRule::Failed));
/// assert!("open-call=soon".parse::<AlertRule>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AlertRule {
    /// A session failed.
    Failed,
    /// A session waits for a call whose result doesn't come.
    Timeout,
    /// So many of a hundred events of a session are errors, of twenty events or more.
    ErrorRate {
        /// Of a hundred, 1 to 100.
        percent: u32,
    },
    /// A call has had no result for as long, in a session that waits for it.
    OpenCall {
        /// How long.
        over: Duration,
    },
    /// A session took more tokens than that, those of its agents left out.
    Tokens {
        /// Of all kinds together.
        over: u64,
    },
    /// A wave has sessions that didn't end, and nothing was stored of any for as long.
    WaveStuck {
        /// How long.
        over: Duration,
    },
    /// An agent whose first event names no cause that is stored.
    OrphanAgent,
    /// What is written to a file that is followed was not stored for as long.
    Lag {
        /// How long.
        over: Duration,
    },
}

impl AlertRule {
    /// One of each, with the bounds that they have where none is given.
    pub const ALL: [Self; 8] = [
        Self::Failed,
        Self::Timeout,
        Self::ErrorRate { percent: 20 },
        Self::OpenCall { over: Duration::from_mins(10) },
        Self::Tokens { over: 10_000_000 },
        Self::WaveStuck { over: Duration::from_hours(1) },
        Self::OrphanAgent,
        Self::Lag { over: Duration::from_secs(30) },
    ];

    /// Its name without its bound.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::ErrorRate { .. } => "error-rate",
            Self::OpenCall { .. } => "open-call",
            Self::Tokens { .. } => "tokens",
            Self::WaveStuck { .. } => "wave-stuck",
            Self::OrphanAgent => "orphan-agent",
            Self::Lag { .. } => "lag",
        }
    }

    /// The same with another bound.
    fn bounded(self, bound: &str) -> Option<Self> {
        Some(match self {
            Self::Failed | Self::Timeout | Self::OrphanAgent => return None,
            Self::ErrorRate { .. } => {
                let percent = bound.strip_suffix('%').unwrap_or(bound).parse().ok();
                Self::ErrorRate { percent: percent.filter(|percent| (1..=100).contains(percent))? }
            }
            Self::OpenCall { .. } => Self::OpenCall { over: length(bound)? },
            Self::Tokens { .. } => Self::Tokens { over: bound.replace('_', "").parse().ok()? },
            Self::WaveStuck { .. } => Self::WaveStuck { over: length(bound)? },
            Self::Lag { .. } => Self::Lag { over: length(bound)? },
        })
    }
}

/// As it is read: `failed`, `error-rate=20`, `open-call=600s`.
impl fmt::Display for AlertRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Failed | Self::Timeout | Self::OrphanAgent => Ok(()),
            Self::ErrorRate { percent } => write!(f, "={percent}"),
            Self::Tokens { over } => write!(f, "={over}"),
            Self::OpenCall { over } | Self::WaveStuck { over } | Self::Lag { over } => {
                write!(f, "={}s", over.as_secs())
            }
        }
    }
}

impl FromStr for AlertRule {
    type Err = String;

    /// A name, with `=` and another bound where it has one.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, bound) = match text.split_once('=') {
            Some((name, bound)) => (name, Some(bound)),
            None => (text, None),
        };
        let rule = Self::ALL.into_iter().find(|rule| rule.name() == name);
        let rule = match bound {
            Some(bound) => rule.and_then(|rule| rule.bounded(bound)),
            None => rule,
        };
        rule.ok_or_else(|| {
            format!(
                "expected failed, timeout, orphan-agent, error-rate=PERCENT, tokens=NUMBER, or \
                 open-call, wave-stuck or lag with a time such as =30s, =10m or =1h; found {text:?}"
            )
        })
    }
}

/// A length of time: a whole number of seconds, minutes, hours or days.
fn length(text: &str) -> Option<Duration> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(at);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

/// Something that meets a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alert {
    /// The rule.
    pub rule: AlertRule,
    /// The session or agent (`SESSION/AGENT`), the wave, or the file that is behind.
    pub subject: String,
    /// The event that decided it, where one did.
    pub event: Option<EventId>,
    /// When that was, in nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// What is the matter, in words.
    pub text: String,
    /// What tells it from others of the rule and the subject, where no event does.
    pub(crate) occurrence: u64,
}

impl Alert {
    /// What it is stored by: the same of the same rule, subject and deciding event, whenever and
    /// wherever it is found. A rate or a sum is exceeded once in a session, whichever of the
    /// events that are left of it is the first to show that.
    pub fn id(&self) -> EventId {
        let decided = match (&self.rule, &self.event) {
            (AlertRule::ErrorRate { .. } | AlertRule::Tokens { .. }, _) => String::new(),
            (_, Some(event)) => event.to_string(),
            (_, None) => self.occurrence.to_string(),
        };
        let mut content = Vec::new();
        for part in [self.rule.to_string(), self.subject.clone(), decided] {
            content.extend_from_slice(&(part.len() as u64).to_le_bytes());
            content.extend_from_slice(part.as_bytes());
        }
        EventId::derived("forebear alert", &content)
    }

    /// Stores it as an event of the kind `alert` that follows from the one that decided it;
    /// whether it wasn't stored before.
    ///
    /// The event is of no session, so that it counts in none and no rule is met by it.
    ///
    /// ```
    /// use forebear::{Event, Filter};
    /// use forebear::answers::{AlertRule, AlertsQuery, alerts};
    ///
    /// let store = forebear::in_memory()?;
    /// store.append(Event::new("error").id("e").session("job").time_ns(0))?;
    /// let query = AlertsQuery::rules([AlertRule::Failed]);
    /// for (round, is_new) in [(1, true), (2, false)] {
    ///     let found = alerts(&store.snapshot(), &query)?.alerts;
    ///     assert_eq!((found.len(), found[0].record(&store)?), (1, is_new), "{round}");
    /// }
    /// let stored = store.snapshot().events(Filter::new().kind("alert")).page()?.items;
    /// assert_eq!(stored[0].parent().map(ToString::to_string).as_deref(), Some("e"));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn record(&self, store: &Store) -> Result<bool> {
        let id = self.id();
        // Its words may be others by now, and would make it a version.
        if store.snapshot().contains(&id)? {
            return Ok(false);
        }
        let subject = cut(&self.subject, forebear_core::limits::MAX_LABEL_VALUE_BYTES);
        let event = Event::new("alert")
            .id(id)
            .parent_opt(self.event.clone())
            .time_ns(self.time_ns)
            .label("rule", self.rule.to_string())
            .label("about", subject)
            .payload(self.text.clone());
        Ok(store.append(event)?.status == AppendStatus::New)
    }
}

fn cut(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}
