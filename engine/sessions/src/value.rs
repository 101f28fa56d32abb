//! The state of a session: what patches say of it, and what its events come to.
//!
//! A value is one byte for its version, the patches as a JSON object, and the tally.
//! A record that a patch makes has no tally; what segments have of a session, and
//! what is carried, may have both.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::tally::{
    CALLED, COPIED, EdgeEvent, MAX_ORIGINS, MET, OpenCall, Origin, OriginKind, SessionStep,
    SessionTitle, StepOutcome, Tally, TallyHead,
};
use forebear_core::codec::{Input, put_number, put_signed, put_text};
use forebear_core::{Error, Result, Tokens, limits};

/// The fields of a JSON object, each as it was written.
pub(crate) type JsonFields = BTreeMap<String, Box<RawValue>>;

/// The value that a patch comes to.
pub(crate) fn of_patch(fields: &JsonFields) -> Result<Vec<u8>> {
    Ok(to_bytes(Some(&object(fields)?), None))
}

/// Checks what is said of a session: it has fields within their limits and no tally.
pub(crate) fn check_patch(name: &str, value: &[u8]) -> Result<()> {
    let value = SessionValue::read(value)?;
    if name.is_empty() || name.len() > limits::MAX_SESSION_BYTES || value.head.is_some() {
        return Err(Error::invalid(format!(
            "expected a patch of a session with a name of 1 to {} bytes, found another value",
            limits::MAX_SESSION_BYTES
        )));
    }
    check_fields(&value.patch.map(fields).transpose()?.unwrap_or_default())
}

/// Checks fields against their limit.
pub(crate) fn check_fields(fields: &JsonFields) -> Result<()> {
    let most = limits::MAX_METADATA_BYTES;
    match fields.iter().find(|(key, value)| key.len().max(value.get().len()) > most) {
        Some((_, value)) => Err(Error::too_long("field", most, value.get().len())),
        None => Ok(()),
    }
}

/// The value that the events of a session come to.
pub(crate) fn of_tally(tally: &Tally) -> Vec<u8> {
    to_bytes(None, Some(tally))
}

/// What an older and a newer value come to: of patches the newer fields, of tallies
/// the sum.
pub(crate) fn fold(older: &[u8], newer: &[u8]) -> Result<Vec<u8>> {
    let (mut older, mut newer) = (SessionValue::read(older)?, SessionValue::read(newer)?);
    let patch = match (older.patch, newer.patch) {
        (Some(older), Some(newer)) => Some(fold_objects(older, newer)?),
        (older, newer) => older.or(newer).map(str::to_owned),
    };
    let tally = match (older.tally()?, newer.tally()?) {
        (Some(mut older), Some(newer)) => {
            older.add(newer);
            Some(older)
        }
        (older, newer) => older.or(newer),
    };
    Ok(to_bytes(patch.as_deref(), tally.as_ref()))
}

/// What of a value is kept once its segment is dropped.
pub(crate) fn carried_over(value: &[u8]) -> Result<Vec<u8>> {
    let mut value = SessionValue::read(value)?;
    let tally = value.tally()?.map(Tally::carried_over);
    Ok(to_bytes(value.patch, tally.as_ref()))
}

/// The same where newer parts have to do with the session.
pub(crate) fn carried_over_live(value: &[u8]) -> Result<Vec<u8>> {
    let mut value = SessionValue::read(value)?;
    let tally = value.tally()?.map(Tally::carried_over_live);
    Ok(to_bytes(value.patch, tally.as_ref()))
}

/// The messages of a session, and what is left of those that are no longer told apart.
pub(crate) fn read_messages(value: &[u8]) -> Result<(Vec<(u64, Tokens)>, Tokens)> {
    let tally = SessionValue::read(value)?.tally()?.unwrap_or_default();
    Ok((tally.messages, tally.head.settled))
}

/// The fields of patches, and of the tally all that the session shows.
pub(crate) fn read(value: &[u8]) -> Result<(JsonFields, Option<TallyHead>)> {
    let mut value = SessionValue::read(value)?;
    let fields = value.patch.map(fields).transpose()?.unwrap_or_default();
    Ok((fields, value.head.take()))
}

/// The tally's head alone.
pub(crate) fn read_head(value: &[u8]) -> Result<Option<TallyHead>> {
    Ok(SessionValue::read(value)?.head)
}

/// The text of a value that is one.
pub(crate) fn text(value: &[u8]) -> Result<&str> {
    std::str::from_utf8(value)
        .map_err(|_| Error::damaged("expected the text of a value, found other bytes"))
}

/// The fields of an object.
pub(crate) fn fields(object: &str) -> Result<JsonFields> {
    serde_json::from_str(object).map_err(|error| {
        Error::damaged(format!("expected the fields of a session or relationship: {error}"))
    })
}

/// The object with these fields.
pub(crate) fn object(fields: &JsonFields) -> Result<String> {
    serde_json::to_string(fields)
        .map_err(|error| Error::invalid(format!("expected fields that are JSON: {error}")))
}

/// The fields of both, the newer ones where both have them. What this version of the
/// program does not know is kept like all else.
pub(crate) fn fold_objects(older: &str, newer: &str) -> Result<String> {
    let mut both = fields(older)?;
    both.extend(fields(newer)?);
    object(&both)
}

/// A value whose tally is read as far as its head.
struct SessionValue<'a> {
    version: u8,
    patch: Option<&'a str>,
    head: Option<TallyHead>,
    rest: Input<'a>,
}

impl<'a> SessionValue<'a> {
    fn read(value: &'a [u8]) -> Result<Self> {
        let mut input = Input::new(value);
        let version = input.byte()?;
        if !(1..=VERSION).contains(&version) {
            return Err(Error::damaged(format!(
                "expected the state of a session in version 1 to {VERSION}, found {version}"
            )));
        }
        let patch = input.text()?;
        let head = if input.is_empty() { None } else { Some(read_head_of(&mut input, version)?) };
        Ok(Self { version, patch, head, rest: input })
    }

    fn tally(&mut self) -> Result<Option<Tally>> {
        let version = self.version;
        self.head.take().map(|head| read_rest(head, &mut self.rest, version)).transpose()
    }
}

fn to_bytes(patch: Option<&str>, tally: Option<&Tally>) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    put_text(&mut bytes, patch);
    if let Some(tally) = tally {
        put_head(&mut bytes, &tally.head);
        put_rest(&mut bytes, tally);
    }
    bytes
}

fn put_head(out: &mut Vec<u8>, head: &TallyHead) {
    let flags = [head.last_is_error, head.first.is_some(), head.last.is_some()];
    out.push((0..).zip(flags).map(|(bit, on)| u8::from(on) << bit).sum());
    for number in [head.parent_len as u64, head.rows, head.errors, head.touched] {
        put_number(out, number);
    }
    [head.first, head.last].into_iter().flatten().for_each(|edge| put_edge(out, edge));
    for text in [&head.model, &head.project, &head.source_app, &head.wave] {
        put_text(out, text.as_deref());
    }
    for origins in [&head.origins, &head.offspring] {
        put_number(out, origins.len() as u64);
        for origin in origins {
            out.push(origin.kind as u8);
            put_text(out, Some(&origin.session));
        }
    }
    put_tokens(out, head.tokens);
    put_tokens(out, head.settled);
    put_number(out, head.open_calls);
    for number in [head.settled_calls, head.agents, head.settled_agents] {
        put_number(out, number);
    }
    put_steps(out, head);
}

/// What version 2 adds.
fn put_steps(out: &mut Vec<u8>, head: &TallyHead) {
    let step = head.step.map_or(0, |step| 1 | (step.outcome as u8) << 1);
    let made_up = head.step.is_some_and(|step| step.time_made_up);
    let flags = [made_up, head.went_on.is_some(), head.waiting.is_some(), head.title.is_some()];
    let flags = (3..).zip(flags).map(|(bit, on)| u8::from(on) << bit).sum::<u8>();
    out.push(step | flags);
    out.push(u8::from(head.ends_with_call) | u8::from(head.opens_with_call.is_some()) << 1);
    let edges = [head.step.map(|step| step.at), head.went_on, head.opens_with_call];
    edges.into_iter().flatten().for_each(|edge| put_edge(out, edge));
    if let Some(call) = &head.waiting {
        put_open(out, call);
    }
    if let Some(title) = &head.title {
        out.push(title.rank);
        put_edge(out, title.at);
        put_text(out, Some(&title.text));
    }
}

fn read_steps(input: &mut Input<'_>, head: &mut TallyHead) -> Result<()> {
    let (flags, calls) = (input.byte()?, input.byte()?);
    let on = |bit: u8| flags & (1 << bit) != 0;
    head.ends_with_call = calls & 1 != 0;
    if on(0) {
        let outcome = match flags >> 1 & 3 {
            0 => StepOutcome::Fine,
            1 => StepOutcome::Failed,
            2 => StepOutcome::Interrupted,
            other => {
                return Err(Error::damaged(format!(
                    "expected what came of a step, 0 to 2, found {other}"
                )));
            }
        };
        head.step = Some(SessionStep { at: read_edge(input)?, outcome, time_made_up: on(3) });
    }
    if on(4) {
        head.went_on = Some(read_edge(input)?);
    }
    if calls & 2 != 0 {
        head.opens_with_call = Some(read_edge(input)?);
    }
    if on(5) {
        head.waiting = Some(read_open(input)?);
    }
    if on(6) {
        let (rank, at) = (input.byte()?, read_edge(input)?);
        let text = input.text()?.unwrap_or_default().to_owned();
        head.title = Some(SessionTitle { rank, at, text });
    }
    Ok(())
}

fn put_edge(out: &mut Vec<u8>, edge: EdgeEvent) {
    put_signed(out, edge.time_ns);
    put_number(out, edge.seq);
}

fn read_edge(input: &mut Input<'_>) -> Result<EdgeEvent> {
    Ok(EdgeEvent { time_ns: input.signed()?, seq: input.number()? })
}

fn read_head_of(input: &mut Input<'_>, version: u8) -> Result<TallyHead> {
    let flags = input.byte()?;
    let parent_len = input.number_up_to(u64::from(u32::MAX))? as usize;
    let [rows, errors, touched] = [input.number()?, input.number()?, input.number()?];
    let mut edge = |bit: u8| (flags & (1 << bit) != 0).then(|| read_edge(input)).transpose();
    let (first, last) = (edge(1)?, edge(2)?);
    let mut text = || Ok::<_, Error>(input.text()?.map(str::to_owned));
    let [model, project, source_app, wave] = [text()?, text()?, text()?, text()?];
    let origins = read_origins(input)?;
    let offspring = read_origins(input)?;
    let mut head = TallyHead {
        parent_len,
        rows,
        errors,
        touched,
        first,
        last,
        last_is_error: flags & 1 != 0,
        model,
        project,
        source_app,
        wave,
        origins,
        offspring,
        tokens: read_tokens(input)?,
        settled: read_tokens(input)?,
        open_calls: input.number()?,
        settled_calls: input.number()?,
        agents: input.number()?,
        settled_agents: input.number()?,
        ..TallyHead::default()
    };
    if version > 1 {
        read_steps(input, &mut head)?;
    }
    Ok(head)
}

fn read_origins(input: &mut Input<'_>) -> Result<Vec<Origin>> {
    let mut origins = Vec::new();
    for _ in 0..input.number_up_to(MAX_ORIGINS as u64)? {
        let kind = match input.byte()? {
            0 => OriginKind::Continues,
            1 => OriginKind::Spawned,
            other => {
                return Err(Error::damaged(format!(
                    "expected how a session comes from another, 0 or 1, found {other}"
                )));
            }
        };
        let session = input.text()?.unwrap_or_default().to_owned();
        origins.push(Origin { kind, session });
    }
    Ok(origins)
}

fn put_rest(out: &mut Vec<u8>, tally: &Tally) {
    put_number(out, tally.messages.len() as u64);
    for &(digest, tokens) in &tally.messages {
        out.extend_from_slice(&digest.to_le_bytes());
        put_tokens(out, tokens);
    }
    for digests in [&tally.calls, &tally.agents] {
        put_number(out, digests.len() as u64);
        for digest in digests {
            out.extend_from_slice(&digest.to_le_bytes());
        }
    }
    put_number(out, tally.open.len() as u64);
    for call in &tally.open {
        put_open(out, call);
    }
}

fn put_open(out: &mut Vec<u8>, call: &OpenCall) {
    out.extend_from_slice(&call.digest.to_le_bytes());
    out.push(u8::from(call.for_user));
    put_edge(out, call.at);
}

fn read_open(input: &mut Input<'_>) -> Result<OpenCall> {
    let digest = u64::from_le_bytes(input.array()?);
    Ok(OpenCall { digest, for_user: input.byte()? != 0, at: read_edge(input)? })
}

fn read_rest(head: TallyHead, input: &mut Input<'_>, version: u8) -> Result<Tally> {
    // Each takes bytes of its own, so that a count that is too large fails.
    let mut tally = Tally { head, ..Tally::default() };
    for _ in 0..input.number()? {
        let digest = u64::from_le_bytes(input.array()?);
        // Version 1 kept no bit free.
        let digest = if version > 1 { digest } else { digest & !COPIED };
        tally.messages.push((digest, read_tokens(input)?));
    }
    for digests in [&mut tally.calls, &mut tally.agents] {
        for _ in 0..input.number()? {
            digests.push(u64::from_le_bytes(input.array()?));
        }
    }
    if version > 1 {
        for _ in 0..input.number()? {
            tally.open.push(read_open(input)?);
        }
    } else {
        // Where they stood was not kept: they count as the last there was.
        let at = tally.head.last.unwrap_or_default();
        let open = tally.calls.iter().filter(|call| *call & MET == CALLED);
        let open = open.map(|call| OpenCall { digest: call & !MET, at, for_user: false });
        tally.open = open.collect();
    }
    Ok(tally.summed_up())
}

fn put_tokens(out: &mut Vec<u8>, tokens: Tokens) {
    let Tokens { input, output, cache_read, cache_written } = tokens;
    for number in [input, output, cache_read, cache_written] {
        put_number(out, number);
    }
}

fn read_tokens(input: &mut Input<'_>) -> Result<Tokens> {
    Ok(Tokens {
        input: input.number()?,
        output: input.number()?,
        cache_read: input.number()?,
        cache_written: input.number()?,
    })
}

/// The version of the format of values.
const VERSION: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Tally {
        let head = TallyHead {
            parent_len: 3,
            rows: 9,
            errors: 2,
            touched: 77,
            first: Some(EdgeEvent { time_ns: -5, seq: 3 }),
            last: Some(EdgeEvent { time_ns: i64::MAX, seq: 4 }),
            last_is_error: true,
            model: Some("m".into()),
            wave: Some(String::new()),
            step: Some(SessionStep {
                at: EdgeEvent { time_ns: 7, seq: 4 },
                outcome: StepOutcome::Interrupted,
                time_made_up: true,
            }),
            went_on: Some(EdgeEvent { time_ns: 6, seq: 3 }),
            title: Some(SessionTitle {
                rank: 2,
                at: EdgeEvent { time_ns: 6, seq: 3 },
                text: "t".into(),
            }),
            origins: vec![Origin { kind: OriginKind::Spawned, session: "other".into() }],
            ..TallyHead::default()
        };
        let messages = vec![(2, Tokens { output: 5, ..Tokens::default() })];
        let open =
            vec![OpenCall { digest: 8, at: EdgeEvent { time_ns: 6, seq: 3 }, for_user: true }];
        Tally { head, messages, calls: vec![9], open, agents: vec![7] }.summed_up()
    }

    #[test]
    fn a_value_reads_as_it_was_written_and_cut_off_it_does_not() {
        let bytes = to_bytes(Some("{}"), Some(&tally()));
        let read = |bytes: &[u8]| SessionValue::read(bytes).and_then(|mut value| value.tally());
        assert_eq!(read(&bytes).expect("reads"), Some(tally()));
        // Cut off behind the patch it is a value without a tally.
        let patch_only = 1 + 1 + 2;
        for length in (0..bytes.len()).filter(|&length| length != patch_only) {
            assert!(read(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn newer_fields_win_and_unknown_ones_stay() {
        let patch = |object: &str| of_patch(&fields(object).expect("JSON")).expect("encodes");
        let older = patch(r#"{"status":"active","future":{"x": 1.50}}"#);
        let folded = fold(&older, &patch(r#"{"status":"failed","model":"m"}"#)).expect("folds");
        let folded = fold(&folded, &of_tally(&tally())).expect("folds");
        let (fields, head) = read(&folded).expect("reads");
        let expected = r#"{"future":{"x": 1.50},"model":"m","status":"failed"}"#;
        assert_eq!(object(&fields).expect("encodes"), expected);
        assert_eq!(head.map(|head| head.rows), Some(9));
    }
}
