//! The encoded fields of an event.

use rkyv::primitive::ArchivedU16;
use rkyv::{Archive, Serialize};

use crate::base::error::{Error, Result};
use crate::base::event::{Event, Usage};
use crate::base::id::EventId;
use crate::base::link::{LinkKind, link_kind, link_number};
use crate::base::scope::Scope;
use crate::log::record::{ALIGN, IdMeta, access};

/// The fields of an event or a version on disk.
///
/// Its texts are joined, so that a reader validates UTF-8 once: kind, instance, session, then
/// key and value of each label, sorted by key, then the type of the payload.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct EventMeta {
    pub(crate) id: IdMeta,
    pub(crate) parent: Option<IdMeta>,
    pub(crate) time_ns: i64,
    /// The link's kind, whether the instance has a scope of its own, and whether the record
    /// replaces what its id said before.
    link: u8,
    pub(crate) derived_id: bool,
    /// Lengths of the texts in bytes. Those of labels alternate between key and value; an odd
    /// one more at the end is that of the payload's type.
    kind_len: u16,
    instance_len: u16,
    session_len: Option<u16>,
    label_lens: Vec<u16>,
    texts: String,
    /// Boxed, so that an event without one has a null pointer alone.
    usage: Option<Box<UsageMeta>>,
}

/// What stands in the bits beside the link's kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) own_scope: bool,
    pub(crate) revision: bool,
}

/// The tokens that an event's message took.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct UsageMeta {
    message: String,
    input: u64,
    output: u64,
    cache_read: u64,
    cache_written: u64,
}

impl Marks {
    /// The byte of a link with these beside it.
    fn beside(self, link: u8) -> u8 {
        link | if self.own_scope { OWN_SCOPE } else { 0 } | if self.revision { REVISION } else { 0 }
    }
}

impl EventMeta {
    /// Sets the fields to those of an event, reusing memory. The limits were checked, so
    /// that lengths fit 16 bits.
    pub(crate) fn set(&mut self, event: &Event) {
        self.id = IdMeta::from(&event.id);
        self.parent = event.parent.as_ref().map(IdMeta::from);
        self.time_ns = event.time_ns;
        let marks = Marks { own_scope: event.scope == Scope::Own, revision: event.revision };
        self.link = marks.beside(link_number(event.link));
        self.derived_id = event.derived_id;
        self.kind_len = event.kind.len() as u16;
        self.instance_len = event.instance.len() as u16;
        self.session_len = event.session.as_ref().map(|session| session.len() as u16);
        self.texts.clear();
        self.label_lens.clear();
        let session = event.session.as_deref().unwrap_or_default();
        self.texts.extend([&event.kind, &event.instance, session]);
        for text in event.labels.iter().flat_map(|(key, value)| [key, value]) {
            self.label_lens.push(text.len() as u16);
            self.texts.push_str(text);
        }
        self.push_payload_type(event.payload_type.as_deref());
        self.usage = event.usage.as_ref().map(|usage| Box::new(UsageMeta::from(usage)));
    }

    /// Sets the ids.
    pub(crate) fn set_ids(&mut self, id: &EventId, parent: Option<&EventId>) {
        self.id = IdMeta::from(id);
        self.parent = parent.map(IdMeta::from);
    }

    /// Sets the fields of fixed length; `link` is the number of the link's kind.
    pub(crate) fn set_plain(&mut self, time_ns: i64, link: u8, marks: Marks, derived_id: bool) {
        (self.time_ns, self.derived_id) = (time_ns, derived_id);
        self.link = marks.beside(link);
    }

    /// Sets the texts: kind and instance, the session, and the joined keys and values of
    /// the labels with the length of each, and the type of the payload.
    pub(crate) fn set_texts(
        &mut self,
        [kind, instance]: [&str; 2],
        session: Option<&str>,
        label_lens: impl Iterator<Item = u64>,
        labels: &str,
        payload_type: Option<&str>,
    ) {
        self.kind_len = kind.len() as u16;
        self.instance_len = instance.len() as u16;
        self.session_len = session.map(|session| session.len() as u16);
        self.label_lens.clear();
        self.label_lens.extend(label_lens.map(|length| length as u16));
        self.texts.clear();
        self.texts.extend([kind, instance, session.unwrap_or_default(), labels]);
        self.push_payload_type(payload_type);
    }

    /// Appends the last of the texts.
    fn push_payload_type(&mut self, name: Option<&str>) {
        if let Some(name) = name {
            self.label_lens.push(name.len() as u16);
            self.texts.push_str(name);
        }
    }

    pub(crate) fn set_usage(&mut self, usage: Option<&Usage>) {
        self.usage = usage.map(|usage| Box::new(UsageMeta::from(usage)));
    }

    /// About how many bytes the encoded fields have.
    pub(crate) fn len_about(&self) -> usize {
        let id = |id: &IdMeta| match id {
            IdMeta::Uuid(_) => 0,
            IdMeta::Text(text) => text.len(),
        };
        let ids = id(&self.id) + self.parent.as_ref().map_or(0, id);
        let usage = |usage: &UsageMeta| usage.message.len() + size_of::<ArchivedUsageMeta>();
        let usage = self.usage.as_deref().map_or(0, usage);
        let texts = self.texts.len() + 2 * self.label_lens.len();
        ids + usage + texts + size_of::<ArchivedEventMeta>() + ALIGN
    }
}

impl From<&Usage> for UsageMeta {
    fn from(usage: &Usage) -> Self {
        Self {
            message: usage.message.clone(),
            input: usage.input,
            output: usage.output,
            cache_read: usage.cache_read,
            cache_written: usage.cache_written,
        }
    }
}

impl Default for EventMeta {
    fn default() -> Self {
        Self {
            id: IdMeta::Uuid([0; 16]),
            parent: None,
            time_ns: 0,
            link: 0,
            derived_id: false,
            kind_len: 0,
            instance_len: 0,
            session_len: None,
            label_lens: Vec::new(),
            texts: String::new(),
            usage: None,
        }
    }
}

impl ArchivedEventMeta {
    /// Reads the fields and checks that the lengths of the texts add up. The accessors rely
    /// on it.
    pub(crate) fn read(bytes: &[u8]) -> Result<&Self> {
        let fields: &Self = access(bytes)?;
        let labels: usize = fields.label_lens.iter().copied().map(length).sum();
        if fields.labels_at() + labels == fields.texts.len() {
            return Ok(fields);
        }
        Err(Error::damaged(format!(
            "expected texts of {} bytes, found {}",
            fields.labels_at() + labels,
            fields.texts.len()
        )))
    }

    pub(crate) fn kind(&self) -> &str {
        self.text(0, length(self.kind_len))
    }

    pub(crate) fn link_kind(&self) -> Result<LinkKind> {
        link_kind(self.link_number())
    }

    /// The number of the link's kind as it stands there.
    pub(crate) fn link_number(&self) -> u8 {
        self.link & !(OWN_SCOPE | REVISION)
    }

    /// Whether the instance has a scope of its own. Always false in records of format 1.
    pub(crate) fn has_own_scope(&self) -> bool {
        self.link & OWN_SCOPE != 0
    }

    /// Whether the record replaces what its id said before.
    pub(crate) fn is_revision(&self) -> bool {
        self.link & REVISION != 0
    }

    /// What the payload is in.
    pub(crate) fn payload_type(&self) -> Option<&str> {
        let [len] = self.label_lens.chunks_exact(2).remainder() else { return None };
        self.texts.get(self.texts.len() - length(*len)..)
    }

    pub(crate) fn instance(&self) -> &str {
        self.text(length(self.kind_len), length(self.instance_len))
    }

    pub(crate) fn session(&self) -> Option<&str> {
        let at = length(self.kind_len) + length(self.instance_len);
        self.session_len.as_ref().map(|&len| self.text(at, length(len)))
    }

    /// The labels, keys and values, in order of the keys.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut at = self.labels_at();
        let mut next = move |len| {
            let text = self.text(at, length(len));
            at += length(len);
            text
        };
        self.label_lens.chunks_exact(2).map(move |lens| (next(lens[0]), next(lens[1])))
    }

    /// The lengths of the labels' keys and values, alternating.
    pub(crate) fn label_lens(&self) -> impl Iterator<Item = u16> {
        let labels = self.label_lens.len() & !1;
        self.label_lens[..labels].iter().map(|length| length.to_native())
    }

    /// The joined keys and values of the labels.
    pub(crate) fn label_texts(&self) -> &str {
        let end = self.texts.len() - self.payload_type().map_or(0, str::len);
        self.texts.get(self.labels_at()..end).unwrap_or_default()
    }

    /// The tokens that the event's message took.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.usage.as_deref().map(|usage| Usage {
            message: usage.message.as_str().to_owned(),
            input: usage.input.to_native(),
            output: usage.output.to_native(),
            cache_read: usage.cache_read.to_native(),
            cache_written: usage.cache_written.to_native(),
        })
    }

    pub(crate) fn parent_id(&self) -> Option<EventId> {
        self.parent.as_ref().map(EventId::from)
    }

    /// The offset of the labels in the joined texts.
    fn labels_at(&self) -> usize {
        let session = self.session_len.as_ref().map_or(0, |&len| length(len));
        length(self.kind_len) + length(self.instance_len) + session
    }

    /// A range of the joined texts; empty where it would split a character, which no
    /// encoder writes.
    fn text(&self, at: usize, len: usize) -> &str {
        self.texts.get(at..at + len).unwrap_or_default()
    }
}

fn length(len: ArchivedU16) -> usize {
    usize::from(len.to_native())
}

/// Set beside the number of the link's kind where the instance has a scope of its own.
const OWN_SCOPE: u8 = 1 << 7;
/// Set there where the record replaces what its id said before.
const REVISION: u8 = 1 << 6;
