//! Links that are not in the spine: asserted links that stand, refused links and cycle edges.

use std::ops::ControlFlow;

use crate::base::codec::{Input, put_number};
use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::link::{Link, LinkKind};
use crate::log::index::{Index, Made, NOW};
use crate::segment::index::SegmentIndex;
use crate::segment::index::packing::put_link;
use crate::segment::index::store::Appender;
use crate::segment::index::tables::Table;

/// A link that the index keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptLink {
    /// Its number among all that the index keeps.
    pub(crate) number: u32,
    pub(crate) standing: Standing,
    /// When it was asserted; kept for those that stand alone.
    pub(crate) made: Made,
    pub(crate) link: Link,
}

/// The standing of a link at the end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// It is the link of its child as far as the segment knows, wherever the child is.
    Stands,
    /// It lost.
    Refused,
    /// It was found in this log to be a cycle edge. Kind, strength and order are not kept.
    Cycle,
    /// It is a cycle edge and the spine doesn't say so. Kind, strength and order are not
    /// kept.
    Marked,
}

/// An end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkEnd {
    Child,
    Parent,
}

/// All links to keep, by standing: those that stand in the order in which they were asserted,
/// marked ones in order of their ends, the others in the order in which they were found.
pub(crate) fn of(index: &Index) -> Vec<KeptLink> {
    let mut standing: Vec<(Made, Link)> =
        index.all_standing().map(|(link, made)| (made, link.clone())).collect();
    standing.sort_unstable_by(|a, b| (a.0, &a.1.child).cmp(&(b.0, &b.1.child)));
    let refused = index.refused(NOW).iter().map(|refused| refused.link.clone());
    let cycles = index.cycle_edges(NOW).iter().filter_map(|edge| index.cycle_edge_ends(edge, NOW));
    let ends = |(child, parent)| Link::new(child, parent, LinkKind::Caused).strength(0);
    let standing = standing.into_iter().map(|(made, link)| (Standing::Stands, made, link));
    let refused = refused.map(|link| (Standing::Refused, Made::default(), link));
    let cycles = cycles.map(|link| (Standing::Cycle, Made::default(), ends(link)));
    let marked = index.all_marks().into_iter();
    let marked = marked.map(|link| (Standing::Marked, Made::default(), ends(link)));
    let all = standing.chain(refused).chain(cycles).chain(marked);
    (0..)
        .zip(all)
        .map(|(number, (standing, made, link))| KeptLink { number, standing, made, link })
        .collect()
}

/// Writes links and the lists by which they are found by an end.
pub(super) fn write(links: &[KeptLink], table: &mut Appender<'_>) -> Result<()> {
    let mut ends = Vec::with_capacity(2 * links.len());
    let mut value = Vec::new();
    for kept in links {
        value.clear();
        put_number(&mut value, u64::from(kept.made.rows));
        put_number(&mut value, u64::from(kept.made.links));
        put_link(&mut value, &kept.link);
        let number = kept.number.to_be_bytes();
        table.put(&Table::Links.key(&[&[kept.standing as u8], &number]), &value)?;
        for (end, id) in [(LinkEnd::Child, &kept.link.child), (LinkEnd::Parent, &kept.link.parent)]
        {
            let key = Table::LinkEnds.key(&[&[end as u8], &id.key(), &number]);
            ends.push((key, [kept.standing as u8]));
        }
    }
    ends.sort_unstable();
    ends.iter().try_for_each(|(key, standing)| table.put(key, standing))
}

impl SegmentIndex {
    /// Links of one standing in order, from index `from` on.
    pub(crate) fn links(
        &self,
        standing: Standing,
        from: u32,
        at_most: usize,
    ) -> Result<Vec<KeptLink>> {
        let first: u32 = self.links[..standing as usize].iter().sum();
        let from = first.saturating_add(from);
        let mut found = Vec::new();
        self.tree.walk(
            &Table::Links.key(&[&[standing as u8], &from.to_be_bytes()]),
            |key, value| {
                let Some([other, number @ ..]) = Table::Links.rest(key) else {
                    return Ok(ControlFlow::Break(()));
                };
                if found.len() >= at_most || *other != standing as u8 {
                    return Ok(ControlFlow::Break(()));
                }
                found.push(self.kept_link(standing, number, value)?);
                Ok(ControlFlow::Continue(()))
            },
        )?;
        Ok(found)
    }

    /// The number of links of one standing.
    pub(crate) fn links_len(&self, standing: Standing) -> u32 {
        self.links[standing as usize]
    }

    /// Links with this id at one end, in order, after one of them. Those that stand come
    /// first.
    pub(crate) fn links_at(
        &self,
        end: LinkEnd,
        id: &EventId,
        after: Option<u32>,
        at_most: usize,
    ) -> Result<Vec<KeptLink>> {
        let mut found = Vec::new();
        let prefix = Table::LinkEnds.key(&[&[end as u8], &id.key()]);
        let Some(from) = after.map_or(Some(0), |after| after.checked_add(1)) else {
            return Ok(found);
        };
        let from = [prefix.as_slice(), &from.to_be_bytes()].concat();
        self.tree.walk(&from, |key, value| {
            let Some(number) = key.strip_prefix(prefix.as_slice()) else {
                return Ok(ControlFlow::Break(()));
            };
            if found.len() >= at_most {
                return Ok(ControlFlow::Break(()));
            }
            let standing = Standing::from_bytes(value)
                .map_err(|error| self.damaged("the end of a link", &error))?;
            let link = Table::Links.key(&[&[standing as u8], number]);
            let kept = self.tree.get(&link, |value| self.kept_link(standing, number, value))?;
            let Some(kept) = kept else {
                let missing = Error::damaged("there is an end and no link");
                return Err(self.damaged("a link", &missing));
            };
            let other = match end {
                LinkEnd::Child => &kept.link.child,
                LinkEnd::Parent => &kept.link.parent,
            };
            if other == id {
                found.push(kept);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    fn kept_link(&self, standing: Standing, number: &[u8], value: &[u8]) -> Result<KeptLink> {
        let read = || {
            let mut input = Input(value);
            let number = u32::from_be_bytes(Input(number).array()?);
            let rows = input.number_up_to(u64::from(u32::MAX))?;
            let asserted = input.number_up_to(u64::from(u32::MAX))?;
            let made = Made { rows, links: asserted };
            Ok(KeptLink { number, standing, made, link: input.link()? })
        };
        read().map_err(|error: Error| self.damaged("a link", &error))
    }
}

impl Standing {
    pub(super) const ALL: [Self; 4] = [Self::Stands, Self::Refused, Self::Cycle, Self::Marked];

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        match bytes {
            &[byte] if byte < Self::ALL.len() as u8 => Ok(Self::ALL[usize::from(byte)]),
            _ => Err(Error::damaged(format!("expected a byte of 0 to 3, found {bytes:?}"))),
        }
    }
}
