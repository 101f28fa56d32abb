//! The questions that both sides are asked, and the right answers.

use crate::data::{Random, byte_sum};
use crate::scale::Result;
use crate::scale::history::{History, INSTANCES};
use crate::scale::text::TextSource;

/// Events of a chain that are asked for.
pub(crate) const CHAIN_EVENTS: u32 = 100;
/// Newest events of an instance that are asked for.
pub(crate) const NEWEST: u32 = 50;

pub(crate) type Id = [u8; 16];

/// One that can be asked.
pub(crate) trait Side {
    fn contains(&self, id: Id) -> Result<bool>;
    /// Time, depth, parent and kind, without reading the record.
    fn columns(&self, id: Id) -> Result<Option<SideColumns>>;
    /// The id and those of its ancestors.
    fn chain(&self, id: Id) -> Result<Vec<Id>>;
    /// The sum of all bytes of their payloads.
    fn chain_payloads(&self, id: Id) -> Result<u64>;
    fn root(&self, id: Id) -> Result<Option<Id>>;
    fn depth(&self, id: Id) -> Result<Option<u64>>;
    fn common_cause(&self, a: Id, b: Id) -> Result<Option<Id>>;
    /// Times of an instance's newest events and the sum of their payloads' bytes.
    fn newest(&self, instance: &str) -> Result<(Vec<i64>, u64)>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SideColumns {
    pub(crate) time_ns: i64,
    pub(crate) depth: u64,
    pub(crate) parent: Option<Id>,
    pub(crate) kind: String,
}

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Known,
    Unknown,
    Columns,
    Chain,
    ChainPayloads,
    Root,
    Depth,
    RootLong,
    DepthLong,
    CommonCause,
    Newest,
}

/// A question with its answer.
#[derive(Clone, Debug)]
pub(crate) struct SideQuestion {
    topic: Topic,
    id: Id,
    other: Id,
    instance: String,
    answer: SideAnswer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum SideAnswer {
    Contained(bool),
    Columns(Option<SideColumns>),
    Ids(Vec<Id>),
    Sum(u64),
    Id(Option<Id>),
    Depth(Option<u64>),
    Newest(Vec<i64>, u64),
}

impl Topic {
    pub(crate) const ALL: [Self; 11] = [
        Topic::Known,
        Topic::Unknown,
        Topic::Columns,
        Topic::Chain,
        Topic::ChainPayloads,
        Topic::Root,
        Topic::Depth,
        Topic::RootLong,
        Topic::DepthLong,
        Topic::CommonCause,
        Topic::Newest,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Topic::Known => "known",
            Topic::Unknown => "unknown",
            Topic::Columns => "columns",
            Topic::Chain => "chain",
            Topic::ChainPayloads => "chain_payloads",
            Topic::Root => "root",
            Topic::Depth => "depth",
            Topic::RootLong => "root_long",
            Topic::DepthLong => "depth_long",
            Topic::CommonCause => "common_cause",
            Topic::Newest => "newest",
        }
    }
}

impl SideQuestion {
    /// A random question about a history. What is asked about lies before `end`,
    /// newest events and long chains aside.
    pub(crate) fn draw(
        topic: Topic,
        history: History,
        end: u64,
        texts: &TextSource,
        random: &mut Random,
    ) -> Self {
        let mut other = 0;
        let mut instance = String::new();
        let number = match topic {
            Topic::Chain | Topic::ChainPayloads => {
                History::deep(end, u64::from(CHAIN_EVENTS) - 1, random)
            }
            Topic::Root | Topic::Depth => History::deep(end, 0, random),
            Topic::RootLong | Topic::DepthLong => history.long(random),
            Topic::CommonCause => {
                // By turns of the chain itself and of what it has spawned.
                other = if random.draw().is_multiple_of(2) {
                    history.spawned(random)
                } else {
                    history.long(random)
                };
                history.spawned(random)
            }
            Topic::Known | Topic::Unknown | Topic::Columns | Topic::Newest => random.draw() % end,
        };
        let ids = || History::ancestry(number).take(CHAIN_EVENTS as usize);
        let sum = |number| byte_sum(&texts.payload(number));
        let answer = match topic {
            Topic::Known => SideAnswer::Contained(true),
            Topic::Unknown => SideAnswer::Contained(false),
            Topic::Columns => SideAnswer::Columns(Some(SideColumns {
                time_ns: History::time_ns(number),
                depth: History::depth(number),
                parent: History::parent(number).map(History::id),
                kind: texts.fields(number).kind.to_owned(),
            })),
            Topic::Chain => SideAnswer::Ids(ids().map(History::id).collect()),
            Topic::ChainPayloads => SideAnswer::Sum(ids().map(sum).sum()),
            Topic::Root | Topic::RootLong => {
                SideAnswer::Id(Some(History::id(History::root(number))))
            }
            Topic::Depth | Topic::DepthLong => SideAnswer::Depth(Some(History::depth(number))),
            Topic::CommonCause => {
                SideAnswer::Id(History::common_cause(number, other).map(History::id))
            }
            Topic::Newest => {
                let which = random.draw() % INSTANCES;
                texts.instance(which).clone_into(&mut instance);
                let newest = history.newest(which, NEWEST as usize);
                let times = newest.iter().map(|&number| History::time_ns(number)).collect();
                SideAnswer::Newest(times, newest.into_iter().map(sum).sum())
            }
        };
        let id =
            if topic == Topic::Unknown { History::unknown_id(number) } else { History::id(number) };
        Self { topic, id, other: History::id(other), instance, answer }
    }

    /// Asks it, and says how long that took.
    pub(crate) fn ask(&self, side: &dyn Side) -> Result<std::time::Duration> {
        let begun = std::time::Instant::now();
        let answer = match self.topic {
            Topic::Known | Topic::Unknown => SideAnswer::Contained(side.contains(self.id)?),
            Topic::Columns => SideAnswer::Columns(side.columns(self.id)?),
            Topic::Chain => SideAnswer::Ids(side.chain(self.id)?),
            Topic::ChainPayloads => SideAnswer::Sum(side.chain_payloads(self.id)?),
            Topic::Root | Topic::RootLong => SideAnswer::Id(side.root(self.id)?),
            Topic::Depth | Topic::DepthLong => SideAnswer::Depth(side.depth(self.id)?),
            Topic::CommonCause => SideAnswer::Id(side.common_cause(self.id, self.other)?),
            Topic::Newest => {
                let (times, sum) = side.newest(&self.instance)?;
                SideAnswer::Newest(times, sum)
            }
        };
        let took = begun.elapsed();
        if answer != self.answer {
            // A figure for a wrong answer is worth nothing.
            return Err(format!("{self:?}: found {answer:?}").into());
        }
        Ok(took)
    }
}
