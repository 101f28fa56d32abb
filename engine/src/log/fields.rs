//! The fields of an event on disk.

use rkyv::primitive::ArchivedU16;
use rkyv::{Archive, Serialize};

use crate::error::{Error, Result};
use crate::event::Event;
use crate::id::EventId;
use crate::log::record::{IdMeta, access, link_number};

/// The fields of an event or a version on disk.
///
/// Its texts stand in one, so that a reader checks a single text: kind,
/// instance, session, then key and value of each label, sorted by key.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct EventMeta {
    pub(crate) id: IdMeta,
    pub(crate) parent: Option<IdMeta>,
    pub(crate) time_ns: i64,
    pub(crate) link: u8,
    pub(crate) derived_id: bool,
    /// Lengths of the texts, in bytes; a key and a value in turn for the labels.
    kind_len: u16,
    instance_len: u16,
    session_len: Option<u16>,
    label_lens: Vec<u16>,
    texts: String,
}

impl EventMeta {
    /// The fields of an event whose limits were checked: lengths fit 16 bits.
    pub(crate) fn new(event: &Event) -> Self {
        let session = event.session.as_deref();
        let mut texts =
            [event.kind.as_str(), &event.instance, session.unwrap_or_default()].concat();
        let mut label_lens = Vec::with_capacity(2 * event.labels.len());
        for text in event.labels.iter().flat_map(|(key, value)| [key, value]) {
            label_lens.push(text.len() as u16);
            texts.push_str(text);
        }
        Self {
            id: IdMeta::from(&event.id),
            parent: event.parent.as_ref().map(IdMeta::from),
            time_ns: event.time_ns,
            link: link_number(event.link),
            derived_id: event.derived_id,
            kind_len: event.kind.len() as u16,
            instance_len: event.instance.len() as u16,
            session_len: session.map(|session| session.len() as u16),
            label_lens,
            texts,
        }
    }
}

impl ArchivedEventMeta {
    /// Reads the fields, checking that the lengths of the texts add up.
    pub(crate) fn read(bytes: &[u8]) -> Result<&Self> {
        let fields: &Self = access(bytes)?;
        let labels: usize = fields.label_lens.iter().copied().map(length).sum();
        if fields.label_lens.len().is_multiple_of(2)
            && fields.labels_at() + labels == fields.texts.len()
        {
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

    pub(crate) fn parent_id(&self) -> Option<EventId> {
        self.parent.as_ref().map(EventId::from)
    }

    /// Where in the texts the labels begin.
    fn labels_at(&self) -> usize {
        let session = self.session_len.as_ref().map_or(0, |&len| length(len));
        length(self.kind_len) + length(self.instance_len) + session
    }

    /// Cutting a character in two is nothing that was ever written.
    fn text(&self, at: usize, len: usize) -> &str {
        self.texts.get(at..at + len).unwrap_or_default()
    }
}

fn length(len: ArchivedU16) -> usize {
    usize::from(len.to_native())
}
