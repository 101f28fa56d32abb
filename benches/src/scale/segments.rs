//! Finding an id, and finding that there is none, in ever more small segments.

use std::fs;

use crate::data::Random;
use crate::scale::figures::Figures;
use crate::scale::history::History;
use crate::scale::options::ScaleOptions;
use crate::scale::ours::{self, OurSide};
use crate::scale::side::{SideQuestion, Topic};
use crate::scale::text::TextSource;
use crate::scale::{Result, child, engine};

pub(crate) fn run(options: &ScaleOptions, figures: &mut Figures) -> Result<()> {
    figures.take("segments", child::run(options, "segments")?);
    Ok(())
}

/// One store that grows from one number of segments to the next.
pub(crate) fn measure(options: &ScaleOptions) -> Result<Figures> {
    let mut figures = Figures::default();
    let folder = options.dir().join("segments.forebear");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let texts = TextSource::new();
    let mut random = Random::new(3);
    let mut events = 0;
    let mut counts = options.segment_counts().to_vec();
    counts.sort_unstable();
    for count in counts {
        let store = engine::open(&folder, SEGMENT_EVENTS)?;
        while engine::segments(&store) < count {
            let numbers: Vec<u64> = (events..events + u64::from(SEGMENT_EVENTS)).collect();
            store.write(ours::batch(&numbers, &texts))?;
            events += numbers.len() as u64;
        }
        store.close()?;
        let ours = OurSide::open(&folder)?;
        let history = History { events };
        for topic in [Topic::Known, Topic::Unknown] {
            let mut times = Vec::new();
            for sample in 0..SAMPLES + WARM_UP {
                let question = SideQuestion::draw(topic, history, events, &texts, &mut random);
                let took = question.ask(&ours)?;
                if sample >= WARM_UP {
                    times.push(took);
                }
            }
            figures.spread(&format!("{count}.{}", topic.name()), times);
        }
    }
    fs::remove_dir_all(folder)?;
    Ok(figures)
}

const SEGMENT_EVENTS: u32 = 64;
const SAMPLES: usize = 2_000;
const WARM_UP: usize = 200;
