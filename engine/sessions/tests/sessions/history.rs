//! Random histories, written to the store and to SQLite alike.

use forebear::{
    Event, LinkKind, Liveness, Relationship, RelationshipType, Scope, SessionPatch, SessionStatus,
    SessionWrites, Store, Tokens, Usage,
};
use rusqlite::params;

use crate::sql::Sql;

/// As of when sessions are asked for.
pub(crate) const NOW_NS: i64 = 1_000;
const ACTIVE_NS: u64 = 300;

pub(crate) fn liveness() -> Liveness {
    Liveness::as_of(NOW_NS).active_for(std::time::Duration::from_nanos(ACTIVE_NS))
}

/// Writes one thing after the other.
pub(crate) struct Writer {
    random: u64,
    /// The ids of events so far, and the session of each, empty where it has none.
    events: Vec<(String, String)>,
    next: u64,
}

impl Writer {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1, events: Vec::new(), next: 0 }
    }

    pub(crate) fn write(&mut self, store: &Store, sql: &Sql) {
        match self.below(6) {
            0 => self.write_state(store, sql),
            _ => self.write_event(store, sql),
        }
    }

    fn write_event(&mut self, store: &Store, sql: &Sql) {
        let session = match self.below(10) {
            0 => String::new(),
            _ => format!("s{}", self.below(5)),
        };
        let instance = match self.below(6) {
            0 | 1 => String::new(),
            2 => session.clone(),
            _ => format!("a{}", self.below(3)),
        };
        let kind = ["tool_use", "tool_result", "error", "note"][self.below(4) as usize];
        let time_ns = self.below(NOW_NS as u64).cast_signed();
        let mut event = Event::new(kind).time_ns(time_ns).instance(&instance).scope(Scope::Own);
        if !session.is_empty() {
            event = event.session(&session);
        }
        let mut error = kind == "error";
        if self.below(10) == 0 {
            event = event.label("is_error", "true");
            error = true;
        }
        let seq = i64::try_from(self.events.len() + 1).expect("few events");
        for n in 0..self.below(3) {
            let call = format!("call{}", self.below(20));
            let key = if n == 0 { "tool_use_id".into() } else { format!("tool_use_id.{}", n + 1) };
            event = event.label(key, &call);
            sql.run("INSERT INTO calls VALUES (?, ?, ?)", params![seq, call, kind]);
        }
        for (key, values) in [("model", 3), ("source_app", 2), ("wave_id", 2), ("project", 2)] {
            if self.below(4) == 0 {
                let value = format!("{}{}", &key[..1], self.below(values));
                let value = if key == "source_app" { value.replace('s', "app") } else { value };
                event = event.label(key, &value);
                sql.run("INSERT INTO labels VALUES (?, ?, ?)", params![seq, key, value]);
            }
        }
        if self.below(2) == 0 {
            let message = match self.below(8) {
                0 => String::new(),
                n => format!("m{n}"),
            };
            let [input, output, cache_read, cache_written] = [0; 4].map(|_| self.below(50));
            sql.run(
                "INSERT INTO usages VALUES (?, ?, ?, ?, ?, ?)",
                params![
                    seq,
                    if message.is_empty() { format!("own {seq}") } else { message.clone() },
                    input.cast_signed(),
                    output.cast_signed(),
                    cache_read.cast_signed(),
                    cache_written.cast_signed()
                ],
            );
            event = event.usage(Usage { message, input, output, cache_read, cache_written });
        }
        // A version of a known event, or a new one.
        let known = self.events.len() as u64;
        let (mut id, mut origin) = (format!("e{}", self.next), None);
        let mut version_message = false;
        if known > 0 && self.below(6) == 0 {
            let at = self.below(known) as usize;
            id.clone_from(&self.events[at].0);
            let first = self.events.iter().find(|(other, _)| *other == id).expect("is there");
            origin = Some(("continues", first.1.clone()));
            version_message = true;
        } else if known > 0 && self.below(3) == 0 {
            let at = self.below(known) as usize;
            let (parent, of) = self.events[at].clone();
            let link = LinkKind::ALL[self.below(3) as usize];
            event = event.parent(parent.as_str()).link(link);
            // A parent that came in versions is the event itself.
            let first = self.events.iter().find(|(other, _)| *other == parent);
            let of = first.map_or(of, |(_, session)| session.clone());
            if link != LinkKind::Caused {
                origin = Some((link.as_str(), of));
            }
            if link == LinkKind::Spawned {
                sql.run("INSERT INTO spawned VALUES (?, ?)", params![seq, parent]);
            }
        }
        self.next += 1;
        if version_message {
            // Of an own message every version of the event is one and the same.
            sql.run(
                "UPDATE usages SET message = 'own ' || (SELECT min(seq) FROM events WHERE id = ?)
                 WHERE seq = ? AND message LIKE 'own %'",
                params![id, seq],
            );
        }
        if let Some((kind, of)) = origin
            && !of.is_empty()
            && !session.is_empty()
            && of != session
        {
            sql.run("INSERT INTO origins VALUES (?, ?, ?)", params![seq, kind, of]);
        }
        sql.run(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![seq, id, time_ns, session, instance, kind, error],
        );
        self.events.push((id.clone(), session));
        let appended = store.append(event.id(id.as_str()).payload(format!("{seq}")));
        assert_eq!(appended.expect("appends").seq, seq as u64);
    }

    /// A patch or a relationship.
    pub(crate) fn write_state(&mut self, store: &Store, sql: &Sql) {
        let name = match self.below(3) {
            0 => format!("p{}", self.below(4)),
            1 => format!("s{}/a{}", self.below(5), self.below(3)),
            _ => format!("s{}", self.below(5)),
        };
        if self.below(2) == 0 {
            return self.write_relationship(store, sql, &name);
        }
        let mut patch = SessionPatch::new(&*name);
        let put = |field: &str, value: &str| {
            sql.run("INSERT OR REPLACE INTO patches VALUES (?, ?, ?)", params![name, field, value]);
        };
        put("known", "1");
        if self.below(3) == 0 {
            let status = SessionStatus::ALL[self.below(5) as usize];
            patch = patch.status(status);
            put("status", status.as_str());
        }
        if self.below(3) == 0 {
            let start = self.below(NOW_NS as u64) as i64;
            patch = patch.start_ns(start);
            put("start", &start.to_string());
        }
        if self.below(3) == 0 {
            let wave = format!("w{}", self.below(2));
            // Either way is one and the same field to those who read.
            patch = patch.wave(&wave);
            put("wave", &wave);
        }
        if self.below(6) == 0 {
            let output = self.below(1000);
            patch = patch.tokens(Tokens { output, ..Tokens::default() });
            put("tokens", &output.to_string());
        }
        if self.below(6) == 0 {
            let parent = format!("p{}", self.below(4));
            patch = patch.parent(&parent);
            put("parent", &parent);
            sql.run(
                "INSERT OR IGNORE INTO relationships VALUES (?, ?, NULL, NULL)",
                params![parent, name],
            );
        }
        store.upsert_session(patch).expect("writes");
    }

    fn write_relationship(&mut self, store: &Store, sql: &Sql, parent: &str) {
        let child = match self.below(4) {
            0 => format!("unknown{}", self.below(2)),
            1 => parent.to_owned(),
            2 => format!("p{}", self.below(4)),
            _ => format!("s{}", self.below(5)),
        };
        let mut relationship = Relationship::new(parent, &*child);
        sql.run(
            "INSERT OR IGNORE INTO relationships VALUES (?, ?, NULL, NULL)",
            params![parent, child],
        );
        if self.below(2) == 0 {
            let kind = RelationshipType::ALL[self.below(4) as usize];
            relationship = relationship.relationship_type(kind);
            sql.run(
                "UPDATE relationships SET kind = ? WHERE parent = ? AND child = ?",
                params![kind.as_str(), parent, child],
            );
        }
        if self.below(2) == 0 {
            let created = self.below(NOW_NS as u64) as i64;
            relationship = relationship.created_ns(created);
            sql.run(
                "UPDATE relationships SET created = ? WHERE parent = ? AND child = ?",
                params![created, parent, child],
            );
        }
        store.relate(relationship).expect("writes");
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) % bound
    }
}
