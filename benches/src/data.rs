//! Events to measure with: chains of a given depth, about as many events in all
//! whatever the depth, so that both sides pay for memory alike.

use std::fmt::Write;

/// Depths that are measured, in edges from the event asked for to its root.
pub const DEPTHS: [usize; 6] = [1, 10, 100, 1_000, 10_000, 100_000];

/// About how many events a data set has.
pub const EVENTS: usize = 100_000;

/// Bytes whose sum fits 16 bits in any case.
const RUN_BYTES: usize = 256;

/// What the generator adds for each number.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// An event: random ids, and a JSON payload of about 400 bytes.
#[derive(Clone, Debug)]
pub struct Item {
    pub id: [u8; 16],
    pub parent: Option<[u8; 16]>,
    pub payload: Vec<u8>,
}

/// Chains one after the other, as importing a file after the other stores them.
#[derive(Clone, Debug)]
pub struct Chains {
    pub items: Vec<Item>,
    /// The last event of each chain.
    pub tips: Vec<Tip>,
}

#[derive(Clone, Copy, Debug)]
pub struct Tip {
    pub id: [u8; 16],
    /// The sum of all bytes of all payloads from here to the root.
    pub sum: u64,
}

impl Chains {
    /// Chains of `depth` edges each, about `events` events in all.
    pub fn new(depth: usize, events: usize) -> Self {
        let mut random = Random::new(depth as u64);
        let chains = (events / (depth + 1)).max(1);
        let mut items = Vec::with_capacity(chains * (depth + 1));
        let mut tips = Vec::with_capacity(chains);
        for _ in 0..chains {
            let (mut parent, mut sum) = (None, 0);
            for _ in 0..=depth {
                let item = Item::new(parent, &mut random);
                parent = Some(item.id);
                sum += byte_sum(&item.payload);
                items.push(item);
            }
            tips.extend(parent.map(|id| Tip { id, sum }));
        }
        Self { items, tips }
    }
}

impl Item {
    /// A new event caused by `parent`.
    pub fn new(parent: Option<[u8; 16]>, random: &mut Random) -> Self {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&random.draw().to_le_bytes());
        id[8..].copy_from_slice(&random.draw().to_le_bytes());
        Self { id, parent, payload: payload(random) }
    }
}

/// The sum of the bytes: what a walk does with each payload.
pub fn byte_sum(bytes: &[u8]) -> u64 {
    // Runs short enough for 16 bits: the compiler makes vector instructions of it.
    let run = |bytes: &[u8]| u64::from(bytes.iter().map(|&byte| u16::from(byte)).sum::<u16>());
    bytes.chunks(RUN_BYTES).map(run).sum()
}

/// `SplitMix64` (Steele, Lea and Flood, 2014): the same events in every run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Begins where another of seed 0 is after so many numbers.
    pub fn nth(number: u64) -> Self {
        Self(number.wrapping_mul(STEP))
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[(self.draw() % from.len() as u64) as usize]
    }
}

fn payload(random: &mut Random) -> Vec<u8> {
    const TOOLS: [&str; 4] = ["read", "write", "search", "run"];
    const WORDS: [&str; 8] =
        ["build", "failed", "retry", "branch", "module", "found", "nothing", "passed"];
    let mut text = format!(
        r#"{{"tool":"{}","line":{},"digest":"{:016x}","output":""#,
        random.pick::<&str>(&TOOLS),
        random.draw() % 1000,
        random.draw(),
    );
    let length = 330 + (random.draw() % 100) as usize;
    while text.len() < length {
        text.push_str(random.pick::<&str>(&WORDS));
        // Writing to a string does not fail.
        let _ = write!(text, " {} ", random.draw() % 100);
    }
    text.push_str("\"}");
    text.into_bytes()
}
