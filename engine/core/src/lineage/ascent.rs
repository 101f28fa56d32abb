//! The way up from a row to its root, a join at a time.

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::lineage::above::Above;
use crate::lineage::position::{PositionCache, TreePosition};
use crate::view::View;
use crate::view::joins::Join;

/// Where a way up led.
pub(super) enum Ascended {
    ToRoot(Ascent),
    /// Round in a circle, to which this row belongs.
    InCircle(u64),
}

/// A way up that led to a root.
pub(super) struct Ascent {
    pub(super) position: TreePosition,
    pub(super) passed: Vec<Passed>,
    /// Joins that may be remembered, by their anchors, from the lowest up.
    pub(super) learnt: Vec<(u64, Join)>,
}

/// An anchor on the way, and how many links and joins above the row it is.
pub(super) struct Passed {
    pub(super) anchor: u64,
    pub(super) depth: u64,
    pub(super) joins: u64,
}

/// Goes up from a row, `beyond` events that have expired where it is written down what
/// was above them. O(log joins) once they were crossed.
///
/// Stored links can't lead round: a link is stored only to a row that was there before.
/// Links learnt later can, where the writer saw only some of them, and what was written
/// down of expired events can lead back below them; so each step is checked.
pub(super) fn ascend(
    view: &View,
    seq: u64,
    cache: &PositionCache,
    beyond: bool,
) -> Result<Ascended> {
    let mut climber = Climber::new(view, seq, beyond)?;
    let mut circle = CircleFinder::new(climber.anchor);
    loop {
        if let Some(known) = cache.get(climber.anchor) {
            return Ok(Ascended::ToRoot(climber.arrive(known.clone())));
        }
        match climber.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(Ascended::ToRoot(climber.arrive(root))),
            Err(error) if error.is_damaged() => {
                return climber.stop(seq, &error).map(Ascended::ToRoot);
            }
            Err(error) => return Err(error),
        }
        if circle.closes_at(climber.anchor) {
            return Ok(Ascended::InCircle(climber.row_on_the_way(seq)));
        }
    }
}

/// Somebody on the way up, who has come as far as an anchor.
struct Climber<'v> {
    view: &'v View,
    beyond: bool,
    anchor: u64,
    witness: Witness,
    /// Links and joins from the row up to the anchor.
    depth: u64,
    joins: u64,
    passed: Vec<Passed>,
    learnt: Vec<(u64, Join)>,
    /// The first anchor on the way that has expired and beyond which the way went on.
    gap: Option<EventId>,
}

/// Who knows the id of an anchor that may have expired.
enum Witness {
    /// The segment of this row, which lies below the anchor in its fragment.
    Row(u64),
    /// What was written down, where no row of the fragment is there any more.
    Id(EventId),
}

impl<'v> Climber<'v> {
    fn new(view: &'v View, seq: u64, beyond: bool) -> Result<Self> {
        let Some((source, row)) = view.locate(seq)? else {
            return Err(Error::damaged(format!(
                "expected an event with sequence number {seq}, found none"
            )));
        };
        let below = source.below(row)?;
        Ok(Self {
            view,
            beyond,
            anchor: below.anchor,
            witness: Witness::Row(seq),
            depth: u64::from(below.depth),
            joins: 0,
            passed: Vec::new(),
            learnt: Vec::new(),
            gap: None,
        })
    }

    /// Passes the anchor and goes on to one further up. The anchor's position where it is
    /// the root.
    fn step(&mut self) -> Result<Option<TreePosition>> {
        let (anchor, depth, joins) = (self.anchor, self.depth, self.joins);
        self.passed.push(Passed { anchor, depth, joins });
        match self.view.above(anchor)? {
            Above::Nothing => return self.pass_expired(),
            Above::Known(join) => self.cross(join),
            Above::New { join, stays } => {
                if stays {
                    self.learnt.push((anchor, join));
                }
                self.cross(join);
            }
        }
        Ok(None)
    }

    /// Follows a join, or several at once by its skip pointer.
    fn cross(&mut self, join: Join) {
        (self.anchor, self.witness) = (join.skip.to, Witness::Row(join.inside()));
        self.depth += join.skip.edges;
        self.joins += join.skip.joins;
    }

    /// Goes on from an anchor that nothing stored is above, by what was written down of
    /// it. The anchor's position where nothing was: it is the root.
    fn pass_expired(&mut self) -> Result<Option<TreePosition>> {
        let id = self.anchor_id()?;
        let written = if self.beyond { self.view.expired(self.anchor)? } else { None };
        let Some(written) = written else {
            let (root, root_id) = (self.anchor, id);
            let (joins, gap, damage) = (Some(0), None, None);
            return Ok(Some(TreePosition { root, root_id, depth: 0, joins, gap, damage }));
        };
        self.gap.get_or_insert(id);
        self.depth += written.edges;
        match self.view.locate(written.to)? {
            Some((source, row)) => {
                let below = source.below(row)?;
                (self.anchor, self.witness) = (below.anchor, Witness::Row(written.to));
                self.depth += u64::from(below.depth);
            }
            None => {
                (self.anchor, self.witness) = (written.to, Witness::Id(written.to_id.clone()));
            }
        }
        Ok(None)
    }

    /// The id of the anchor.
    fn anchor_id(&self) -> Result<EventId> {
        if let Some(id) = self.view.id(self.anchor)? {
            return Ok(id);
        }
        match &self.witness {
            Witness::Id(id) => Ok(id.clone()),
            &Witness::Row(row) => match self.view.locate(row)? {
                Some((source, row)) => source.anchor_id(row),
                None => Err(Error::expired(self.anchor)),
            },
        }
    }

    /// What came of the way, given where its last anchor lies.
    fn arrive(self, top: TreePosition) -> Ascent {
        let mut position = TreePosition {
            depth: self.depth + top.depth,
            joins: top.joins.map(|above| self.joins + above),
            ..top
        };
        if self.gap.is_some() {
            (position.joins, position.gap) = (None, self.gap);
        }
        Ascent { position, passed: self.passed, learnt: self.learnt }
    }

    /// Ends the way where damage keeps it from going on: at the anchor that it has come to,
    /// or at the row itself where nobody can say what the anchor's id is.
    fn stop(self, seq: u64, error: &Error) -> Result<Ascent> {
        let damaged = |root, root_id| {
            let (joins, gap, damage) = (None, None, Some(error.clone()));
            TreePosition { root, root_id, depth: 0, joins, gap, damage }
        };
        match self.anchor_id() {
            Ok(root_id) => {
                let top = damaged(self.anchor, root_id);
                Ok(self.arrive(top))
            }
            Err(unknown) if unknown.is_damaged() => {
                let root_id = self.view.id(seq)?.unwrap_or_default();
                let position = damaged(seq, root_id);
                Ok(Ascent { position, passed: Vec::new(), learnt: self.learnt })
            }
            Err(unknown) => Err(unknown),
        }
    }

    /// A row in the fragment that the way has come to; where there is none, the row that
    /// it began at.
    fn row_on_the_way(&self, first: u64) -> u64 {
        match self.witness {
            Witness::Row(row) => row,
            Witness::Id(_) => first,
        }
    }
}

/// Brent's cycle detection: the turtle is moved to where the hare is at powers of two.
struct CircleFinder {
    turtle: u64,
    steps: usize,
    power: usize,
}

impl CircleFinder {
    fn new(anchor: u64) -> Self {
        Self { turtle: anchor, steps: 0, power: 1 }
    }

    /// Whether a step to this anchor leads to where the turtle waits.
    fn closes_at(&mut self, anchor: u64) -> bool {
        if anchor == self.turtle {
            return true;
        }
        self.steps += 1;
        if self.steps == self.power {
            (self.turtle, self.power) = (anchor, self.power * 2);
        }
        false
    }
}
