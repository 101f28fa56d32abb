//! Interns the texts of events and finds the lists that their rows belong to.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::link::LinkKind;
use crate::base::row::NONE;
use crate::log::fields::ArchivedEventMeta;
use crate::log::index::strings::Strings;
use crate::log::index::usage::SeenUsage;

/// What rows can be listed by, with texts by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dimension {
    All,
    Errors,
    Kind(u32),
    Instance(u32),
    Session(u32),
    Label(u32, u32),
}

/// The texts of an index and the lists that they belong to. A list is found by its texts
/// directly, which costs an event one lookup a list.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    strings: Strings,
    lists: Vec<ListKey>,
    numbers: HashTable<u32>,
    /// The values of labels, by key.
    label_values: HashMap<u32, Vec<u32>, RandomState>,
    hasher: RandomState,
}

/// A list without its rows.
#[derive(Clone, Copy, Debug)]
struct ListKey {
    dimension: Dimension,
    /// Whether its rows are errors.
    errors: bool,
}

/// An event as the index adds it: its fields, with texts by their numbers.
#[derive(Clone, Debug)]
pub(crate) struct InternedEvent {
    pub(super) id: EventId,
    pub(super) parent: Option<EventId>,
    pub(super) time_ns: i64,
    pub(super) kind: u32,
    pub(super) instance: u32,
    pub(super) session: u32,
    /// The type of the payload, without a list.
    pub(super) payload_type: u32,
    /// The number of its lists, besides those of all events and of errors.
    pub(crate) lists: u32,
    pub(super) link: LinkKind,
    pub(super) derived: bool,
    pub(super) own_scope: bool,
    pub(super) error: bool,
    /// Boxed, since few events have one.
    pub(super) usage: Option<Box<SeenUsage>>,
}

/// The texts by which a list is found.
#[derive(Clone, Copy, Debug, Hash)]
enum ListTexts<'a> {
    Kind(&'a str),
    Instance(&'a str),
    Session(&'a str),
    Label(&'a str, &'a str),
}

impl Dictionary {
    /// Interns the texts of an event and appends its lists to `lists`.
    pub(crate) fn see(
        &mut self,
        fields: &ArchivedEventMeta,
        lists: &mut Vec<u32>,
    ) -> Result<InternedEvent> {
        let link = fields.link_kind()?;
        let begin = lists.len();
        let mut error = false;
        let mut enter = |texts| {
            let list = self.list(texts);
            lists.push(list);
            let ListKey { dimension, errors } = self.lists[list as usize];
            error |= errors;
            dimension.first_text()
        };
        let kind = enter(ListTexts::Kind(fields.kind()));
        let instance = enter(ListTexts::Instance(fields.instance()));
        let session = fields.session().map_or(NONE, |session| enter(ListTexts::Session(session)));
        for (key, value) in fields.labels() {
            enter(ListTexts::Label(key, value));
        }
        let payload_type = fields.payload_type().map_or(NONE, |name| self.strings.intern(name));
        Ok(InternedEvent {
            id: EventId::from(&fields.id),
            parent: fields.parent_id(),
            time_ns: fields.time_ns.to_native(),
            kind,
            instance,
            session,
            payload_type,
            lists: (lists.len() - begin) as u32,
            link,
            derived: fields.derived_id,
            own_scope: fields.has_own_scope(),
            error,
            usage: fields.usage().map(|usage| Box::new(SeenUsage::of(fields, &usage))),
        })
    }

    /// The number of a list; none for those of all rows and of errors.
    pub(super) fn find(&self, dimension: Dimension) -> Option<u32> {
        let texts = dimension.texts(&self.strings)?;
        let is_it = |&list: &u32| self.lists[list as usize].dimension == dimension;
        self.numbers.find(self.hasher.hash_one(texts), is_it).copied()
    }

    /// All dimensions with rows, besides those of all rows and of errors.
    pub(super) fn dimensions(&self) -> impl Iterator<Item = Dimension> {
        self.lists.iter().map(|list| list.dimension)
    }

    /// The values of the label with this key, in the order in which they first came.
    pub(super) fn label_values(&self, key: u32) -> &[u32] {
        self.label_values.get(&key).map_or(&[], Vec::as_slice)
    }

    /// About how many bytes of memory lists and texts take, without the places of rows.
    pub(super) fn memory_bytes(&self) -> usize {
        self.lists.len() * LIST_BYTES + self.strings.len() * TEXT_BYTES
    }

    pub(super) fn text(&self, number: u32) -> &Arc<str> {
        self.strings.text(number)
    }

    pub(super) fn find_text(&self, text: &str) -> Option<u32> {
        self.strings.find(text)
    }

    /// The number of the list with these texts, which is added if it is new.
    fn list(&mut self, texts: ListTexts<'_>) -> u32 {
        let hash = self.hasher.hash_one(texts);
        let is_it = |&list: &u32| self.lists[list as usize].dimension.is_of(texts, &self.strings);
        match self.numbers.find(hash, is_it) {
            Some(&list) => list,
            None => self.add(texts, hash),
        }
    }

    #[cold]
    fn add(&mut self, texts: ListTexts<'_>, hash: u64) -> u32 {
        let strings = &mut self.strings;
        let dimension = match texts {
            ListTexts::Kind(kind) => Dimension::Kind(strings.intern(kind)),
            ListTexts::Instance(instance) => Dimension::Instance(strings.intern(instance)),
            ListTexts::Session(session) => Dimension::Session(strings.intern(session)),
            ListTexts::Label(key, value) => {
                Dimension::Label(strings.intern(key), strings.intern(value))
            }
        };
        if let Dimension::Label(key, value) = dimension {
            self.label_values.entry(key).or_default().push(value);
        }
        let list = self.lists.len() as u32;
        let errors =
            matches!(texts, ListTexts::Kind("error") | ListTexts::Label("is_error", "true"));
        self.lists.push(ListKey { dimension, errors });
        let (lists, strings, hasher) = (&self.lists, &self.strings, &self.hasher);
        self.numbers.insert_unique(hash, list, |&other| {
            lists[other as usize].dimension.texts(strings).map_or(0, |texts| hasher.hash_one(texts))
        });
        list
    }
}

impl Dimension {
    fn is_of(self, texts: ListTexts<'_>, strings: &Strings) -> bool {
        let is = |number, text: &str| **strings.text(number) == *text;
        match (self, texts) {
            (Self::Kind(number), ListTexts::Kind(text))
            | (Self::Instance(number), ListTexts::Instance(text))
            | (Self::Session(number), ListTexts::Session(text)) => is(number, text),
            (Self::Label(key, value), ListTexts::Label(key_text, value_text)) => {
                is(value, value_text) && is(key, key_text)
            }
            _ => false,
        }
    }

    fn texts(self, strings: &Strings) -> Option<ListTexts<'_>> {
        Some(match self {
            Self::All | Self::Errors => return None,
            Self::Kind(kind) => ListTexts::Kind(strings.text(kind)),
            Self::Instance(instance) => ListTexts::Instance(strings.text(instance)),
            Self::Session(session) => ListTexts::Session(strings.text(session)),
            Self::Label(key, value) => ListTexts::Label(strings.text(key), strings.text(value)),
        })
    }

    fn first_text(self) -> u32 {
        match self {
            Self::All | Self::Errors => NONE,
            Self::Kind(text) | Self::Instance(text) | Self::Session(text) => text,
            Self::Label(key, _) => key,
        }
    }
}

/// About how much memory a list takes, and how much a text.
const LIST_BYTES: usize = 80;
const TEXT_BYTES: usize = 96;
