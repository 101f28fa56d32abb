//! Ten thousand random walks, and the memory of the process that walks. Then the
//! same and all questions again within 128 MB, page cache included.

use std::process::{Command, Stdio};

use crate::data::{Random, byte_sum};
use crate::process::{anonymous_bytes, anonymous_bytes_exact};
use crate::scale::cgroup::Cgroup;
use crate::scale::figures::Figures;
use crate::scale::history::History;
use crate::scale::options::{ScaleOptions, Size};
use crate::scale::ours::OurSide;
use crate::scale::side::{CHAIN_EVENTS, Side};
use crate::scale::text::TextSource;
use crate::scale::{Result, child, disk};

pub(crate) fn run(options: &ScaleOptions, figures: &mut Figures) -> Result<()> {
    figures.take("walks", child::run(options, "walks")?);
    match Cgroup::new(GROUP_BYTES) {
        Ok(group) => {
            // Pages that others have read already would not count.
            forget(options)?;
            figures.take("cgroup.walks", child::run_in(options, "walks", Some(&group))?);
            figures.take("cgroup", child::run_in(options, "read-ours", Some(&group))?);
        }
        Err(why) => figures.remark("cgroup", why),
    }
    Ok(())
}

pub(crate) fn measure(options: &ScaleOptions) -> Result<Figures> {
    let history = options.history(Size::Big);
    let texts = TextSource::new();
    let mut random = Random::new(2);
    let before = anonymous_bytes_exact()?;
    let ours = OurSide::open(&options.store(Size::Big))?;
    let mut most = 0;
    for walk in 0..WALKS {
        let number = random.draw() % history.events;
        let numbers = History::ancestry(number).take(CHAIN_EVENTS as usize);
        let expected: u64 = numbers.map(|number| byte_sum(&texts.payload(number))).sum();
        let found = ours.chain_payloads(History::id(number))?;
        if found != expected {
            return Err(format!("{number}: expected the sum {expected}, found {found}").into());
        }
        if walk % MEMORY_EVERY == 0 {
            most = most.max(anonymous_bytes()?);
        }
    }
    let after = anonymous_bytes_exact()?;
    let mut figures = Figures::default();
    figures.set("walks", f64::from(WALKS));
    figures.set("anonymous_bytes", after.max(most).saturating_sub(before) as f64);
    figures.set("own_bytes", before as f64);
    Ok(figures)
}

/// Has the system drop what it has cached of the big store's files.
fn forget(options: &ScaleOptions) -> Result<()> {
    for file in disk::files(&options.store(Size::Big))? {
        // With `nocache` and nothing to copy, dd drops the whole file's pages.
        let status = Command::new("dd")
            .arg(format!("if={}", file.display()))
            .args(["iflag=nocache", "count=0"])
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(format!("dd on {} ended with {status}", file.display()).into());
        }
    }
    Ok(())
}

const WALKS: u32 = 10_000;
const MEMORY_EVERY: u32 = 100;
const GROUP_BYTES: u64 = 128_000_000;
