//! All questions, asked in turn of forebear at both sizes and of SQLite, so that
//! what else the machine does hits all alike. The first round is not counted.
//!
//! They are asked twice: of processes that have just opened their stores, where most
//! pages that a question needs are mapped and checked for it, and once the processes
//! have answered a question for each sixteenth event, as those of a service have.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::data::Random;
use crate::scale::figures::Figures;
use crate::scale::history::History;
use crate::scale::options::{ScaleOptions, Size};
use crate::scale::ours::OurSide;
use crate::scale::side::{Side, SideQuestion, Topic};
use crate::scale::sqlite::SqliteSide;
use crate::scale::text::TextSource;
use crate::scale::{Result, child};

pub(crate) fn run(options: &ScaleOptions, figures: &mut Figures) -> Result<()> {
    figures.take("", child::run(options, "read")?);
    Ok(())
}

/// Asks forebear at both sizes, and SQLite where there is a database.
pub(crate) fn measure(options: &ScaleOptions) -> Result<Figures> {
    let mut sides = Vec::new();
    for size in Size::ALL {
        let ours = OurSide::open(&options.store(size))?;
        sides.push(AskedSide::new(size.name(), Box::new(ours), options.history(size), options));
    }
    if options.database().exists() {
        let sqlite = SqliteSide::open(options)?;
        sides.push(AskedSide::new("sqlite", Box::new(sqlite), options.sqlite_history(), options));
    }
    let mut figures = Figures::default();
    figures.take("first", ask(&sides, 1)?);
    for asked in &sides {
        asked.warm()?;
    }
    figures.take("", ask(&sides, 2)?);
    Ok(figures)
}

/// Asks forebear alone, at the big size.
pub(crate) fn measure_ours(options: &ScaleOptions) -> Result<Figures> {
    let ours = OurSide::open(&options.store(Size::Big))?;
    ask(&[AskedSide::new("big", Box::new(ours), options.history(Size::Big), options)], 1)
}

/// Where the events end that are sealed for certain, in order of time.
pub(crate) fn sealed_end(history: History, options: &ScaleOptions) -> u64 {
    // Of the last two segments the late ones of the third may still be missing.
    let unsealed = 3 * u64::from(options.segment_events());
    history.events.saturating_sub(unsealed).max(history.events / 2)
}

/// A side and what it is asked about.
struct AskedSide {
    name: &'static str,
    side: Box<dyn Side>,
    history: History,
    end: u64,
}

impl AskedSide {
    fn new(
        name: &'static str,
        side: Box<dyn Side>,
        history: History,
        options: &ScaleOptions,
    ) -> Self {
        Self { name, side, history, end: sealed_end(history, options) }
    }

    /// Asks where random events are, and of some of them what their roots are.
    fn warm(&self) -> Result<()> {
        let texts = TextSource::new();
        let mut random = Random::new(3);
        for n in 0..self.end / 16 {
            let topic = if n % 4 == 0 { Topic::Root } else { Topic::Known };
            let question = SideQuestion::draw(topic, self.history, self.end, &texts, &mut random);
            question.ask(self.side.as_ref())?;
        }
        Ok(())
    }

    /// How many questions of a topic make a round.
    fn questions(&self, topic: Topic, round: usize) -> usize {
        match topic {
            // Millions of steps each.
            Topic::CommonCause if self.name == "sqlite" => usize::from((1..=3).contains(&round)),
            Topic::Chain => 50,
            Topic::ChainPayloads | Topic::CommonCause => 25,
            Topic::Newest => 10,
            _ => 100,
        }
    }
}

fn ask(sides: &[AskedSide], seed: u64) -> Result<Figures> {
    let texts = TextSource::new();
    let mut random = Random::new(seed);
    let mut times: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for round in 0..ROUNDS {
        for topic in Topic::ALL {
            for asked in sides {
                let questions: Vec<SideQuestion> = (0..asked.questions(topic, round))
                    .map(|_| {
                        SideQuestion::draw(topic, asked.history, asked.end, &texts, &mut random)
                    })
                    .collect();
                let times = times.entry(format!("{}.{}", asked.name, topic.name())).or_default();
                for question in questions {
                    let took = question.ask(asked.side.as_ref())?;
                    if round > 0 {
                        times.push(took);
                    }
                }
            }
        }
    }
    let mut figures = Figures::default();
    for (name, times) in times {
        figures.spread(&name, times);
    }
    Ok(figures)
}

const ROUNDS: usize = 21;
