//! The texts of events. Payloads are JSON objects of about 400 bytes whose prose is
//! cut from a pool, so that making one costs little beside what is measured.

use std::fmt::Write;

use crate::data::Random;
use crate::scale::history::{History, INSTANCES};

/// What all texts are made from.
#[derive(Clone, Debug)]
pub(crate) struct TextSource {
    pool: String,
    instances: Vec<String>,
}

/// The texts of an event, its payload aside.
#[derive(Clone, Debug)]
pub(crate) struct EventTexts<'t> {
    pub(crate) kind: &'static str,
    pub(crate) instance: &'t str,
    pub(crate) session: String,
    pub(crate) project: &'static str,
    pub(crate) tool: &'static str,
}

impl TextSource {
    pub(crate) fn new() -> Self {
        let mut random = Random::new(POOL_SEED);
        let words = words(&mut random);
        let mut pool = String::with_capacity(POOL_BYTES + 64);
        while pool.len() < POOL_BYTES {
            sentence(&mut pool, &words, &mut random);
        }
        let instances = (0..INSTANCES).map(|instance| format!("agent-{instance:02}")).collect();
        Self { pool, instances }
    }

    pub(crate) fn fields(&self, number: u64) -> EventTexts<'_> {
        let mut random = Random::new(number ^ FIELDS_SEED);
        let instance = self.instance(History::instance(number));
        EventTexts {
            kind: random.pick::<&str>(&KINDS),
            instance,
            session: format!("{instance}/{}", number / SESSION_EVENTS),
            project: random.pick::<&str>(&PROJECTS),
            tool: random.pick::<&str>(&TOOLS),
        }
    }

    pub(crate) fn instance(&self, instance: u64) -> &str {
        &self.instances[instance as usize]
    }

    /// The payload of the event of this number.
    pub(crate) fn payload(&self, number: u64) -> Vec<u8> {
        let mut random = Random::new(number ^ PAYLOAD_SEED);
        let mut text = String::with_capacity(PAYLOAD_BYTES + PAYLOAD_SPREAD);
        // Writing to a string does not fail.
        let _ = write!(
            text,
            r#"{{"tool":"{}","line":{},"digest":"{:016x}","output":""#,
            random.pick::<&str>(&TOOLS),
            random.draw() % 1000,
            random.draw(),
        );
        let least = PAYLOAD_BYTES - PAYLOAD_SPREAD / 2 - ENDING.len();
        let length = least + random.draw() as usize % PAYLOAD_SPREAD - text.len();
        let from = random.draw() as usize % (self.pool.len() - length);
        text.push_str(&self.pool[from..from + length]);
        text.push_str(ENDING);
        text.into_bytes()
    }
}

impl Default for TextSource {
    fn default() -> Self {
        Self::new()
    }
}

/// Words of one to four syllables.
fn words(random: &mut Random) -> Vec<String> {
    let word = |random: &mut Random| {
        let syllables = 1 + random.draw() % 2 + random.draw() % 3;
        (0..syllables)
            .flat_map(|_| {
                [*random.pick::<&str>(&ONSETS), *random.pick(&VOWELS), *random.pick(&CODAS)]
            })
            .collect()
    };
    (0..WORDS).map(|_| word(random)).collect()
}

/// A line of prose, a path or a figure among the words here and there.
fn sentence(text: &mut String, words: &[String], random: &mut Random) {
    for _ in 0..4 + random.draw() % 14 {
        let _ = match random.draw() % 24 {
            0 => write!(text, "{} ", random.draw() % 10_000),
            1 => write!(text, "src/{}/{}.rs:{} ", often(words, random), often(words, random), {
                random.draw() % 900
            }),
            2 => write!(text, "{:08x} ", random.draw() as u32),
            _ => write!(text, "{} ", often(words, random)),
        };
    }
    text.pop();
    text.push_str(random.pick::<&str>(&[". ", ", ", ": "]));
}

/// A word, the first of the list much more often than the last, as in any language.
fn often<'w>(words: &'w [String], random: &mut Random) -> &'w str {
    // Zipf's law: a word is as frequent as its rank is small, so that the logarithm
    // of the rank is spread evenly.
    let uniform = (random.draw() >> 11) as f64 / (1_u64 << 53) as f64;
    let rank = (words.len() as f64).powf(uniform) - 1.0;
    &words[rank as usize]
}

const KINDS: [&str; 4] = ["assistant", "tool_use", "tool_result", "user_message"];
const PROJECTS: [&str; 3] = ["engine", "bindings", "website"];
const TOOLS: [&str; 8] = ["Bash", "Read", "Edit", "Write", "Grep", "Glob", "Task", "WebSearch"];
const ENDING: &str = "\"}";

/// Bytes of a payload in the mean, and the range that they spread over.
const PAYLOAD_BYTES: usize = 400;
const PAYLOAD_SPREAD: usize = 100;

/// Large enough that the cuts in a chunk of some hundred payloads hardly overlap.
const POOL_BYTES: usize = 8 << 20;
const WORDS: usize = 4_000;

const ONSETS: [&str; 16] =
    ["b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "t", "tr", "st", "pl", "sh"];
const VOWELS: [&str; 6] = ["a", "e", "i", "o", "u", "ea"];
const CODAS: [&str; 8] = ["", "", "", "n", "r", "s", "t", "nd"];

/// Events of all instances after which each begins a new session.
const SESSION_EVENTS: u64 = 500_000;

const FIELDS_SEED: u64 = 0x6669_656c_6473_0000;
const POOL_SEED: u64 = 0x706f_6f6c;
const PAYLOAD_SEED: u64 = 0x7061_796c_6f61_6400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_json_of_about_400_bytes() {
        let texts = TextSource::new();
        let mut bytes = 0;
        for number in 0..1_000 {
            let payload = texts.payload(number);
            bytes += payload.len();
            assert!(payload.starts_with(br#"{"tool":""#) && payload.ends_with(br#""}"#));
        }
        assert!((380..420).contains(&(bytes / 1_000)), "{} bytes", bytes / 1_000);
    }
}
