//! Lines of JSON in no format of their own: a mapping says which field is what.

mod mapping;

use forebear_core::{Event, Scope, limits};

use crate::adapter::{Adapter, Confidence, Parser, SourceFile};
use crate::formats::common::equal::EqualOnes;
use crate::formats::common::usual;
use crate::formats::common::values::{cut, scalar_id, scalar_text, scalar_time};
use crate::parsed::Parsed;
use forebear_readings::json::{JsonCursor, Scalar};

pub use self::mapping::Mapping;

/// Lines of JSON in no format of their own, read by a [`Mapping`], `ndjson`.
///
/// ```
/// use forebear::ingest::{Mapping, Registry, formats};
///
/// let mapping: Mapping = r#"{"id": "span.id", "parent": "span.parent"}"#.parse()?;
/// let registry = Registry::default().with(formats::Ndjson::new(mapping));
/// assert!(registry.find("ndjson").is_ok());
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Ndjson {
    mapping: Mapping,
}

impl Ndjson {
    /// The format with this mapping; the default has the usual names.
    pub fn new(mapping: Mapping) -> Self {
        Self { mapping }
    }
}

impl Adapter for Ndjson {
    fn name(&self) -> &'static str {
        "ndjson"
    }

    fn recognise(&self, line: &str) -> Confidence {
        let (mut uuid, mut id, mut parent, mut kind, mut time) = Default::default();
        JsonCursor::new(line).object(|key, _| {
            uuid |= key == "uuid";
            id |= key != "uuid" && usual::IDS.contains(&key);
            parent |= usual::PARENTS.contains(&key);
            kind |= usual::KINDS.contains(&key);
            time |= usual::TIMES.contains(&key);
        });
        match (uuid && parent, id || parent || kind && time) {
            (true, _) => Confidence::Likely,
            (false, true) => Confidence::Possible,
            (false, false) => Confidence::No,
        }
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(MappedLines::new(self.mapping.clone(), file.modified_ns))
    }
}

/// Reads objects as a mapping says. One without an id gets a `UUIDv8` of its bytes
/// and its number among the equal ones of the file.
#[derive(Debug)]
struct MappedLines {
    mapping: Mapping,
    /// Each name that the mapping knows, and which of the event's fields it gives.
    names: Vec<String>,
    equal: EqualOnes,
    /// The time of the line before; of the file, before the first.
    last_time_ns: i64,
}

impl MappedLines {
    fn new(mapping: Mapping, modified_ns: i64) -> Self {
        let Mapping { id, parent, kind, time, instance, session, scope, labels, .. } = &mapping;
        let mut names = Vec::new();
        let labels = labels.iter().map(|(_, fields)| fields);
        let fields = [id, parent, kind, time, instance, session, scope].into_iter();
        for field in fields.chain(labels) {
            names.extend(field.iter().cloned());
        }
        names.sort_unstable();
        names.dedup();
        Self { mapping, names, equal: EqualOnes::default(), last_time_ns: modified_ns }
    }

    /// The first of these fields that is there.
    fn first<'t>(&self, found: &[Option<Scalar<'t>>], names: &[String]) -> Option<Scalar<'t>> {
        let value = |name: &String| found[self.names.binary_search(name).ok()?];
        names.iter().find_map(value)
    }
}

impl Parser for MappedLines {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let mut found = vec![None; self.names.len()];
        let wanted: Vec<_> = self.names.iter().map(String::as_str).enumerate().collect();
        find(&mut JsonCursor::new(object), &wanted, &mut found);
        let first = |names: &[String]| self.first(&found, names);

        let text = |names: &[String], max_bytes| {
            let text = first(names).map(|value| cut(scalar_text(value), max_bytes));
            text.filter(|text| !text.is_empty())
        };
        let kind = text(&self.mapping.kind, limits::MAX_KIND_BYTES);
        let mut event = Event::new(kind.unwrap_or_else(|| "unknown".to_owned())).payload(object);
        let id = first(&self.mapping.id).map(|value| scalar_id("id", value)).transpose()?.flatten();
        let parent = first(&self.mapping.parent).map(|value| scalar_id("parent", value));
        if let Some(parent) = parent.transpose()?.flatten() {
            event = event.parent(parent);
        }
        if let Some(instance) = text(&self.mapping.instance, limits::MAX_NAME_BYTES) {
            event = event.instance(instance);
        }
        if let Some(session) = text(&self.mapping.session, limits::MAX_NAME_BYTES) {
            event = event.session(session);
        }
        let scope = text(&self.mapping.scope, limits::MAX_NAME_BYTES);
        if scope.is_some_and(|scope| scope == Scope::Own.as_str()) {
            event = event.scope(Scope::Own);
        }
        for (key, names) in &self.mapping.labels {
            if let Some(value) = text(names, limits::MAX_LABEL_VALUE_BYTES) {
                event = event.label(key, value);
            }
        }
        let time = first(&self.mapping.time);
        let time_ns = time.and_then(|value| scalar_time(value, self.mapping.time_unit));
        self.last_time_ns = time_ns.unwrap_or(self.last_time_ns);
        event = match id {
            Some(id) => event.id(id),
            None => self.equal.identify(event, ID_DOMAIN, "", object),
        };
        let event = event.time_ns(self.last_time_ns);
        Ok(Parsed::new(event).time_made_up(time_ns.is_none()))
    }
}

/// Finds the values of fields, the rest of whose names `wanted` has with their
/// numbers. Goes as deep as the names have dots.
fn find<'t>(
    cursor: &mut JsonCursor<'t>,
    wanted: &[(usize, &str)],
    found: &mut [Option<Scalar<'t>>],
) {
    cursor.object(|key, value| {
        let mut inside = Vec::new();
        let mut here = Vec::new();
        for &(number, name) in wanted {
            match name.strip_prefix(key) {
                Some("") => here.push(number),
                Some(rest) => inside.extend(rest.strip_prefix('.').map(|rest| (number, rest))),
                None => {}
            }
        }
        if value.is_object() {
            if !inside.is_empty() {
                find(value, &inside, found);
            }
        } else if !here.is_empty() {
            let scalar = value.scalar();
            for number in here {
                found[number] = scalar;
            }
        }
    });
}

/// Keeps the ids of objects without one apart from other derived ids.
const ID_DOMAIN: &str = "forebear ndjson object v1";

#[cfg(test)]
mod tests {
    use forebear_core::EventId;

    use super::*;

    fn read(mapping: &str, object: &str) -> Parsed {
        MappedLines::new(mapping.parse().unwrap(), 77).parse(object).unwrap()
    }

    #[test]
    fn usual_names_are_known() {
        let read = read(
            "{}",
            r#"{"event_id":7,"parent_id":"p","type":"tick","ts":1.5,"worker":"w","trace_id":"t",
                "level":"info","is_error":true,"model":null}"#,
        );
        let event = &read.events()[0];
        let ids = (event.as_id(), event.as_parent());
        assert_eq!(ids, (&EventId::from("7"), Some(&EventId::from("p"))));
        assert_eq!(
            (event.as_kind(), event.as_time_ns(), read.times_made_up() > 0),
            ("tick", 1_500_000_000, false)
        );
        assert_eq!((event.as_instance(), event.as_session()), ("w", Some("t")));
        assert!(event.as_labels().eq([("is_error", "true"), ("level", "info")]));
    }

    #[test]
    fn names_with_dots_lead_into_objects_and_may_be_keys() {
        let mapping = r#"{"id":"a.b.c","kind":"x.y","labels":{"l":["no.such","d.e.f"]}}"#;
        for object in [
            r#"{"a":{"b":{"c":"i"}},"x.y":"k","d":{"e.f":"v"}}"#,
            r#"{"a.b":{"c":"i"},"x":{"y":"k"},"d.e":{"f":"v"}}"#,
            r#"{"a":{"b.c":"i","b":{}},"x":{"y":"k","z":1},"d.e.f":"v","no":{"such":{}}}"#,
        ] {
            let event = read(mapping, object).events()[0].clone();
            assert_eq!((event.as_id(), event.as_kind()), (&EventId::from("i"), "k"), "{object}");
            assert!(event.as_labels().eq([("l", "v")]), "{object}");
        }
    }

    #[test]
    fn objects_without_an_id_are_told_apart_by_their_number() {
        let mut parser = MappedLines::new(Mapping::default(), 77);
        let ids = [(); 3]
            .map(|()| parser.parse(r#"{"type":"tick"}"#).unwrap().events()[0].as_id().clone());
        assert!(ids[0] != ids[1] && ids[1] != ids[2]);
        let again = MappedLines::new(Mapping::default(), 0).parse(r#"{"type":"tick"}"#).unwrap();
        assert_eq!((again.events()[0].as_id(), again.times_made_up()), (&ids[0], 1));
        assert!(again.events()[0].has_derived_id());
    }

    #[test]
    fn an_id_that_is_too_long_is_refused_and_other_values_are_cut() {
        let long = "x".repeat(2000);
        let object = format!(r#"{{"id":"a","type":"{long}","session":"{long}","tool":"{long}"}}"#);
        forebear::in_memory().unwrap().append(read("{}", &object).events()[0].clone()).unwrap();
        let object = format!(r#"{{"id":"{long}"}}"#);
        let reason = MappedLines::new(Mapping::default(), 0).parse(&object).unwrap_err();
        assert!(reason.contains("at most 255 bytes"), "{reason}");
    }
}
