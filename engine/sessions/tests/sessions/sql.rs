//! The same rows in SQLite, and the same questions in SQL.

use std::collections::BTreeSet;

use rusqlite::{Connection, Params, Row, params};

pub(crate) struct Sql(Connection);

impl Sql {
    pub(crate) fn new() -> Self {
        let connection = Connection::open_in_memory().expect("opens");
        connection.execute_batch(SCHEMA).expect("is SQL");
        Self(connection)
    }

    pub(crate) fn run(&self, sql: &str, params: impl Params) {
        self.0.execute(sql, params).expect("runs");
    }

    /// A line for each session, those that events are there of the newest first.
    pub(crate) fn sessions(&self, first_seq: u64) -> Vec<String> {
        self.list(
            "SELECT line FROM session ORDER BY
               coalesce(touched, 0) >= max(?1, 1) DESC,
               CASE WHEN coalesce(touched, 0) >= max(?1, 1) THEN -touched END, name",
            params![first_seq as i64],
            |row| row.get(0),
        )
    }

    pub(crate) fn count_sessions(&self, _first_seq: u64, part: &str) -> usize {
        self.one("SELECT count(*) FROM session WHERE instr(line, ?) > 0", params![part], |row| {
            row.get::<_, i64>(0)
        }) as usize
    }

    pub(crate) fn children(&self, name: &str) -> Vec<String> {
        self.list("SELECT child FROM edge WHERE parent = ? ORDER BY child", [name], |r| r.get(0))
    }

    pub(crate) fn parents(&self, name: &str) -> Vec<String> {
        self.list("SELECT parent FROM edge WHERE child = ? ORDER BY parent", [name], |r| r.get(0))
    }

    /// The type of a relationship that was stated, where one was; none where nothing
    /// was stated at all.
    #[expect(clippy::option_option, reason = "no row, or a row with or without a text")]
    pub(crate) fn stated(&self, parent: &str, child: &str) -> Option<Option<String>> {
        self.list(
            "SELECT kind FROM relationships WHERE parent = ? AND child = ?",
            [parent, child],
            |row| row.get(0),
        )
        .pop()
    }

    /// How far below its root a session is, and its path; whether the way up leads in
    /// a circle.
    pub(crate) fn place(&self, name: &str) -> (u64, String, bool) {
        let (mut names, mut cycle) = (vec![name.to_owned()], false);
        while let Some(parent) = self
            .list("SELECT parent FROM above WHERE name = ?", [&names[names.len() - 1]], |row| {
                row.get::<_, Option<String>>(0)
            })
            .pop()
            .flatten()
        {
            if names.contains(&parent) {
                cycle = true;
                break;
            }
            names.push(parent);
        }
        names.reverse();
        (names.len() as u64 - 1, names.join("."), cycle)
    }

    /// The sessions of a tree, and what they come to: events, errors, output.
    pub(crate) fn tree(&self, name: &str) -> (BTreeSet<String>, u64, u64, u64) {
        let names = self.list(
            "WITH RECURSIVE below(name) AS (
               SELECT ? UNION
               SELECT child FROM edge JOIN below ON parent = below.name WHERE kind <> 'sibling'
             ) SELECT name FROM below",
            [name],
            |row| row.get(0),
        );
        let totals = self.one(
            "WITH RECURSIVE below(name) AS (
               SELECT ? UNION
               SELECT child FROM edge JOIN below ON parent = below.name WHERE kind <> 'sibling'
             ) SELECT sum(events), sum(errors),
               -- Each message once, however many of the sessions tell of it.
               coalesce((SELECT sum(output) FROM (
                 SELECT max(output) AS output FROM usages JOIN owned USING (seq)
                 WHERE name IN (SELECT session.name FROM session JOIN below USING (name)
                   WHERE NOT EXISTS (SELECT 1 FROM patches
                     WHERE id = session.name AND field = 'tokens'))
                 GROUP BY message)), 0)
               + coalesce((SELECT sum(CAST(value AS INTEGER)) FROM patches
                 WHERE field = 'tokens' AND id IN (SELECT session.name FROM session JOIN below USING (name))), 0)
             FROM session JOIN below ON below.name = session.name",
            [name],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)),
        );
        (names.into_iter().collect(), totals.0 as u64, totals.1 as u64, totals.2 as u64)
    }

    /// The events of a session and of its agents, newest first, with their sessions.
    pub(crate) fn timeline(&self, name: &str) -> Vec<(u64, String)> {
        self.list(
            "SELECT seq, name FROM owned WHERE name = ?1 OR session = ?1
             ORDER BY time DESC, seq DESC",
            [name],
            |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)),
        )
    }

    /// How long after its relationship was made a child began, and how long it took.
    pub(crate) fn correlation(&self, parent: &str, child: &str) -> (Option<i64>, Option<i64>) {
        let created: Option<i64> = self.one(
            "SELECT coalesce(
               (SELECT created FROM relationships WHERE parent = ?1 AND child = ?2),
               (SELECT (SELECT time FROM events WHERE id = spawned.parent ORDER BY seq LIMIT 1)
                FROM spawned WHERE spawned.seq = (
                  SELECT (SELECT min(seq) FROM events same WHERE same.id = first.id)
                  FROM owned first WHERE name = ?2 ORDER BY time, first.seq LIMIT 1)
                AND EXISTS (SELECT 1 FROM edge WHERE edge.parent = ?1 AND edge.child = ?2
                            AND derived = 'spawned')))",
            [parent, child],
            |row| row.get(0),
        );
        let times = self.list("SELECT start, ended FROM session WHERE name = ?", [child], |row| {
            Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?))
        });
        let (start, end) = times.first().copied().unwrap_or_default();
        let delay = start.zip(created).map(|(start, created)| (start - created).max(0));
        (delay, start.zip(end).map(|(start, end)| (end - start).max(0)))
    }

    #[expect(clippy::type_complexity, reason = "a row as it is read")]
    pub(crate) fn waves(
        &self,
        first_seq: u64,
    ) -> Vec<(String, u64, u64, Option<i64>, Option<i64>)> {
        self.list(
            "WITH labelled AS (
               SELECT value AS wave, owned.name AS name, count(*) AS events,
                 min(owned.time) AS first, max(owned.time) AS last
               FROM labels JOIN owned USING (seq)
               WHERE key = 'wave_id' AND seq >= ?1 GROUP BY value, owned.name)
             SELECT wave, count(*), sum(events), min(first) first, max(last) FROM (
               SELECT * FROM labelled UNION ALL
               SELECT wave, name, events, start, ended FROM session
               WHERE wave IS NOT NULL AND NOT EXISTS (SELECT 1 FROM labelled
                 WHERE labelled.wave = session.wave AND labelled.name = session.name))
             GROUP BY wave ORDER BY first DESC, wave",
            [first_seq as i64],
            |row| {
                let [sessions, events] = [row.get::<_, i64>(1)?, row.get::<_, i64>(2)?];
                Ok((row.get(0)?, sessions as u64, events as u64, row.get(3)?, row.get(4)?))
            },
        )
    }

    /// Sessions that come from themselves, relationships with children that nothing is
    /// known of, sessions in circles.
    pub(crate) fn problems(&self) -> (BTreeSet<String>, BTreeSet<String>, BTreeSet<String>) {
        let selves =
            self.list("SELECT child FROM relationships WHERE parent = child", [], |row| row.get(0));
        let unknown = self.list(
            "SELECT parent || ' ' || child FROM relationships
             WHERE child NOT IN (SELECT name FROM session)",
            [],
            |row| row.get(0),
        );
        let all: Vec<String> = self.list(
            "SELECT name FROM session UNION SELECT child FROM relationships",
            [],
            |row| row.get(0),
        );
        let cycles = all.into_iter().filter(|name| self.place(name).2);
        let cycles = cycles.collect();
        (selves.into_iter().collect(), unknown.into_iter().collect(), cycles)
    }

    fn list<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Vec<T> {
        let mut statement = self.0.prepare_cached(sql).expect("is SQL");
        let rows = statement.query_map(params, read).expect("runs");
        rows.collect::<Result<_, _>>().expect("reads")
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> T {
        self.0.prepare_cached(sql).expect("is SQL").query_row(params, read).expect("reads")
    }
}

/// The views say what a session is. It is active for 300 ns, as of 1000.
const SCHEMA: &str = "
CREATE TABLE events (seq INTEGER PRIMARY KEY, id, time, session, instance, kind, error);
CREATE TABLE calls (seq, call, kind);
CREATE TABLE labels (seq, key, value);
CREATE TABLE usages (seq, message, input, output, cache_read, cache_written);
CREATE TABLE origins (seq, kind, origin);
CREATE TABLE spawned (seq, parent);
CREATE TABLE patches (id, field, value, PRIMARY KEY (id, field));
CREATE TABLE relationships (parent, child, kind, created, PRIMARY KEY (parent, child));
CREATE INDEX by_id ON events (id, seq);

CREATE VIEW owned AS
SELECT *, instance NOT IN ('', session) AS agent,
  CASE WHEN instance IN ('', session) THEN session ELSE session || '/' || instance END AS name
FROM events WHERE session <> '';

CREATE VIEW came AS SELECT name, origins.* FROM origins JOIN owned USING (seq);

CREATE VIEW names AS
SELECT name FROM owned UNION SELECT session FROM owned WHERE agent
UNION SELECT origin FROM came UNION SELECT id FROM patches;

CREATE VIEW edge AS
SELECT parent, child, coalesce(max(stated), max(kind)) AS kind, max(derived) AS derived FROM (
  SELECT DISTINCT session AS parent, name AS child, 'parent/child' AS kind, NULL AS stated,
    'spawned' AS derived FROM owned WHERE agent
  UNION ALL SELECT DISTINCT origin, name,
    CASE kind WHEN 'spawned' THEN 'parent/child' ELSE 'continuation' END, NULL, kind FROM came
  UNION ALL SELECT parent, child, 'parent/child', kind, NULL FROM relationships
) GROUP BY parent, child;

CREATE VIEW above AS
SELECT name, coalesce(
  (SELECT value FROM patches WHERE id = name AND field = 'parent'),
  (SELECT session FROM owned WHERE owned.name = every.name AND agent LIMIT 1),
  (SELECT parent FROM relationships WHERE child = name AND coalesce(kind, '') <> 'sibling'
   ORDER BY CASE coalesce(kind, 'parent/child') WHEN 'parent/child' THEN 0
     WHEN 'continuation' THEN 2 ELSE 3 END, parent LIMIT 1),
  (SELECT origin FROM came WHERE came.name = every.name
   ORDER BY kind <> 'spawned', seq LIMIT 1)) AS parent
FROM (SELECT name FROM names UNION SELECT child FROM relationships) every;

CREATE VIEW tokens AS
SELECT name, sum(input) AS input, sum(output) AS output, sum(cache_read) AS cache_read,
  sum(cache_written) AS cache_written FROM (
    SELECT name, max(input) AS input, max(output) AS output, max(cache_read) AS cache_read,
      max(cache_written) AS cache_written
    FROM usages JOIN owned USING (seq) GROUP BY name, message) GROUP BY name;

CREATE VIEW open_calls AS
SELECT name, count(*) AS n FROM (
  SELECT name FROM calls JOIN owned USING (seq) GROUP BY name, call
  HAVING max(calls.kind = 'tool_use') AND NOT max(calls.kind = 'tool_result')) GROUP BY name;

-- Steps in the order in which they were stored, each with the one before.
CREATE VIEW steps AS
SELECT owned.*, lag(owned.kind) OVER (PARTITION BY name ORDER BY owned.seq) AS before FROM owned;

-- Where the model went on to something else than further calls.
CREATE VIEW went_on AS
SELECT name, time, seq FROM steps WHERE kind NOT IN ('tool_use', 'tool_result')
  OR kind = 'tool_use' AND before <> 'tool_use';

-- Calls without a result behind which it did not.
CREATE VIEW waiting AS
SELECT DISTINCT name FROM (
  SELECT owned.name, min(owned.seq) AS seq FROM calls JOIN owned USING (seq) GROUP BY owned.name, call
  HAVING max(calls.kind = 'tool_use') AND NOT max(calls.kind = 'tool_result')) open
WHERE NOT EXISTS (SELECT 1 FROM went_on, events WHERE went_on.name = open.name
  AND events.seq = open.seq AND (went_on.time, went_on.seq) > (events.time, events.seq));

CREATE VIEW facts AS
SELECT name,
  (SELECT count(*) FROM owned WHERE owned.name = names.name) AS events,
  (SELECT count(*) FROM owned WHERE owned.name = names.name AND error) AS errors,
  (SELECT count(DISTINCT instance) FROM owned WHERE session = names.name AND agent) AS agents,
  coalesce((SELECT n FROM open_calls WHERE open_calls.name = names.name), 0) AS open_calls,
  (SELECT max(seq) FROM owned WHERE owned.name = names.name OR session = names.name) AS touched,
  (SELECT min(time) FROM owned WHERE owned.name = names.name) AS first,
  (SELECT max(time) FROM owned WHERE owned.name = names.name) AS last,
  (SELECT error FROM owned WHERE owned.name = names.name
   ORDER BY time DESC, seq DESC LIMIT 1) AS last_error
FROM names;

CREATE VIEW known AS
SELECT facts.*,
  CAST(coalesce((SELECT value FROM patches WHERE id = name AND field = 'start'), first)
    AS INTEGER) AS start, last AS ended,
  coalesce((SELECT value FROM patches WHERE id = name AND field = 'status'),
    CASE WHEN last IS NULL THEN 'completed'
      WHEN EXISTS (SELECT 1 FROM owned WHERE 1000 - owned.time < 300
        AND (owned.name = facts.name OR owned.session = facts.name AND agent)) THEN 'active'
      WHEN EXISTS (SELECT 1 FROM waiting WHERE waiting.name = facts.name
        OR EXISTS (SELECT 1 FROM owned WHERE owned.name = waiting.name
          AND owned.session = facts.name AND agent)) THEN 'timeout'
      WHEN last_error THEN 'failed' ELSE 'completed' END
  ) AS status,
  (SELECT parent FROM above WHERE above.name = facts.name) AS parent,
  CASE WHEN EXISTS (SELECT 1 FROM owned WHERE owned.name = facts.name AND agent) THEN 'subagent'
    WHEN EXISTS (SELECT 1 FROM came WHERE came.name = facts.name AND kind = 'continues')
    THEN 'continuation' ELSE 'main' END AS type,
  (SELECT value FROM patches WHERE id = name AND field = 'tokens') AS said,
  (SELECT value FROM labels JOIN owned USING (seq) WHERE owned.name = facts.name
   AND key = 'model' ORDER BY seq DESC LIMIT 1) AS model,
  (SELECT value FROM labels JOIN owned USING (seq) WHERE owned.name = facts.name
   AND key = 'source_app' ORDER BY seq DESC LIMIT 1) AS source_app,
  coalesce((SELECT value FROM patches WHERE id = name AND field = 'wave'),
    (SELECT value FROM labels JOIN owned USING (seq) WHERE owned.name = facts.name
     AND key = 'wave_id' ORDER BY seq DESC LIMIT 1)) AS wave
FROM facts;

CREATE VIEW session AS
SELECT known.name, touched, start, ended, wave, events, errors,
  CASE WHEN said IS NULL THEN coalesce(output, 0) ELSE CAST(said AS INTEGER) END AS output,
  concat_ws(' ', known.name, type, status, coalesce(parent, '-'), coalesce(start, '-'),
    coalesce(ended, '-'), events, errors, open_calls, agents,
    iif(said IS NULL, coalesce(input, 0), 0), iif(said IS NULL, coalesce(output, 0), said),
    iif(said IS NULL, coalesce(cache_read, 0), 0),
    iif(said IS NULL, coalesce(cache_written, 0), 0),
    coalesce(model, '-'), coalesce(source_app, '-'), coalesce(wave, '-')) AS line
FROM known LEFT JOIN tokens ON tokens.name = known.name;
";
