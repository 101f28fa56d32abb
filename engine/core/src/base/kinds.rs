//! The kinds of state of a store: their numbers in its files, and those that this
//! process has.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::kind::{Reduced, StateKind};
use crate::base::rows::EventRows;
use crate::base::state::{KindId, KindSet};

/// A kind as the manifest names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedKind {
    pub(crate) id: KindId,
    pub(crate) name: String,
    /// The crate or feature that brings it.
    pub(crate) provider: String,
}

impl NamedKind {
    /// Those that every store of format 1 has.
    pub(crate) fn of_format_1() -> Vec<Self> {
        let named = |(id, name): (KindId, &str)| Self {
            id,
            name: name.to_owned(),
            provider: PROVIDER_OF_FORMAT_1.to_owned(),
        };
        KindId::OF_FORMAT_1.map(named).into()
    }

    /// Whether it is one that a manifest can name.
    pub(crate) fn is_sound(&self) -> bool {
        let is_free = KindId::HANDED_IN.contains(&self.id.number());
        let is_old = KindId::OF_FORMAT_1.contains(&(self.id, &self.name));
        (is_free || is_old) && check_name(&self.name).and(check_provider(&self.provider)).is_ok()
    }
}

/// What a log's rows come to, by kind.
pub(crate) type AllReduced = BTreeMap<KindId, Reduced>;

/// All kinds of a store, in order of their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kinds(Vec<Known>);

#[derive(Clone, Debug)]
struct Known {
    named: NamedKind,
    /// None where this process lacks it.
    kind: Option<Arc<dyn StateKind>>,
}

impl Kinds {
    /// The kinds that a store names, and those that were handed in, which are numbered
    /// where it does not name them.
    pub(crate) fn new(named: &[NamedKind], given: &[Arc<dyn StateKind>]) -> Result<Self> {
        let mut kinds: BTreeMap<KindId, Known> = BTreeMap::new();
        for named in named {
            kinds.insert(named.id, Known { named: named.clone(), kind: None });
        }
        for kind in given {
            let (name, provider) = (kind.name(), kind.provider());
            check_name(name)?;
            check_provider(provider)?;
            match kinds.values_mut().find(|known| known.named.name == name) {
                Some(known) if known.kind.is_some() => {
                    return Err(Error::invalid(format!(
                        "expected kinds of state with different names, found {name:?} twice"
                    )));
                }
                Some(known) => known.kind = Some(Arc::clone(kind)),
                None => {
                    let id = number_of(name, &kinds)?;
                    let (name, provider) = (name.to_owned(), provider.to_owned());
                    let named = NamedKind { id, name, provider };
                    kinds.insert(id, Known { named, kind: Some(Arc::clone(kind)) });
                }
            }
        }
        Ok(Self(kinds.into_values().collect()))
    }

    /// Those of a store that is only read: the kinds that it names. What it does not name it
    /// has no state of, whatever was handed in.
    pub(crate) fn named_alone(named: &[NamedKind], given: &[Arc<dyn StateKind>]) -> Result<Self> {
        let Self(mut kinds) = Self::new(named, given)?;
        kinds.retain(|known| named.contains(&known.named));
        Ok(Self(kinds))
    }

    /// All of them, as the manifest is to name them.
    pub(crate) fn named(&self) -> Vec<NamedKind> {
        self.0.iter().map(|known| known.named.clone()).collect()
    }

    /// The numbers of all, those that are built in among them, in order.
    pub(crate) fn ids(&self) -> Vec<KindId> {
        let mut ids: Vec<_> = self.0.iter().map(|known| known.named.id).collect();
        ids.extend(KindId::BUILT_IN);
        ids.sort_unstable();
        ids
    }

    /// The number of a kind that this process has.
    pub(crate) fn id(&self, name: &str) -> Result<KindId> {
        match self.0.iter().find(|known| known.named.name == name) {
            Some(Known { named, kind: Some(_) }) => Ok(named.id),
            Some(Known { named, kind: None }) => Err(lacking(named, "to use it")),
            None => Err(Error::unsupported(format!(
                "the store has no state of the kind {name:?}: expected whoever opens it for \
                 writing to hand the kind to the builder with `state_kind`, as `forebear::open` \
                 does with those of its features"
            ))),
        }
    }

    /// Those that a segment was sealed with. Fails where this process lacks one of them.
    pub(crate) fn of_segment(&self, kinds: &KindSet) -> Result<Self> {
        let handed_in = kinds.ids().filter(|id| !id.replaces());
        let known = handed_in.map(|id| {
            self.kind(id)?;
            Ok(self.0.iter().find(|known| known.named.id == id).cloned())
        });
        Ok(Self(known.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect()))
    }

    /// Fails where this process lacks one of the kinds; `to` says what for.
    pub(crate) fn expect_all(&self, to: &str) -> Result<()> {
        match self.0.iter().find(|known| known.kind.is_none()) {
            Some(known) => Err(lacking(&known.named, to)),
            None => Ok(()),
        }
    }

    /// Checks a value that was handed in.
    pub(crate) fn validate(&self, id: KindId, key: &str, value: &[u8]) -> Result<()> {
        self.kind(id)?.validate(key, value)
    }

    /// What an older and a newer value of a key come to. Folding is associative: values
    /// can be folded in groups, as long as they stay in order. Of kinds that are built
    /// in, the newer value takes the place of the older one.
    pub(crate) fn fold(&self, id: KindId, older: Option<&[u8]>, newer: &[u8]) -> Result<Vec<u8>> {
        match older {
            Some(older) if !id.replaces() => self.kind(id)?.fold(older, newer),
            _ => Ok(newer.to_vec()),
        }
    }

    /// What is kept of a value when the segments are dropped that it is from.
    pub(crate) fn carry_over(&self, id: KindId, value: Vec<u8>, live: bool) -> Result<Vec<u8>> {
        match id {
            id if id.replaces() => Ok(value),
            id if live => self.kind(id)?.carry_over_live(value),
            id => self.kind(id)?.carry_over(value),
        }
    }

    /// What of a key filters know beside the whole of it.
    pub(crate) fn front<'k>(&self, id: KindId, key: &'k str) -> Option<&'k str> {
        self.get(id)?.front(key)
    }

    /// What the rows of a log come to, by one kind.
    pub(crate) fn reduce(&self, id: KindId, rows: &dyn EventRows) -> Result<Reduced> {
        if id.replaces() { Ok(Reduced::new()) } else { self.kind(id)?.reduce(rows) }
    }

    /// What the rows of a log come to, by all kinds.
    pub(crate) fn reduce_all(&self, rows: &dyn EventRows) -> Result<AllReduced> {
        self.0
            .iter()
            .map(|known| Ok((known.named.id, self.reduce(known.named.id, rows)?)))
            .collect()
    }

    fn get(&self, id: KindId) -> Option<&dyn StateKind> {
        self.0.iter().find(|known| known.named.id == id)?.kind.as_deref()
    }

    fn kind(&self, id: KindId) -> Result<&dyn StateKind> {
        match self.0.iter().find(|known| known.named.id == id) {
            Some(Known { kind: Some(kind), .. }) => Ok(&**kind),
            Some(Known { named, kind: None }) => Err(lacking(named, "to read its state")),
            None => Err(Error::unsupported(format!(
                "there is state of a kind with the number {}, which the store does not name: open \
                 it with the program that wrote it",
                id.number()
            ))),
        }
    }
}

fn lacking(named: &NamedKind, to: &str) -> Error {
    Error::unsupported(format!(
        "the store has state of the kind {:?}, which this process lacks: {to}, open it with the \
         kinds that {} brings",
        named.name, named.provider
    ))
}

/// The number that a kind gets in a store which has these.
fn number_of(name: &str, kinds: &BTreeMap<KindId, Known>) -> Result<KindId> {
    if let Some(&(id, _)) = KindId::OF_FORMAT_1.iter().find(|(_, known)| *known == name) {
        return Ok(id);
    }
    let free = KindId::HANDED_IN.map(KindId::new).find(|id| !kinds.contains_key(id));
    let most = KindId::HANDED_IN.len();
    free.ok_or_else(|| Error::too_many("kinds of state", most, most + 1))
}

/// Checks the name of a kind.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "expected the name of a kind of state to be 1 to {MAX_NAME_BYTES} of `a` to `z`, `0` to \
         `9`, `-` and `_`, found {name:?}"
    )))
}

fn check_provider(provider: &str) -> Result<()> {
    let is_plain = !provider.contains(|c: char| c.is_whitespace() || c.is_control());
    if (1..=MAX_NAME_BYTES).contains(&provider.len()) && is_plain {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "expected the provider of a kind of state to be 1 to {MAX_NAME_BYTES} bytes without white \
         space, found {provider:?}"
    )))
}

const MAX_NAME_BYTES: usize = 64;
const PROVIDER_OF_FORMAT_1: &str = "forebear-sessions";
