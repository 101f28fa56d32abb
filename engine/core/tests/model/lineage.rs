//! Compares what the engine says about single events and what led to what.

use std::collections::VecDeque;

use forebear::{Chain, ChainEnd, CommonCause, Detail, EventId, LinkKind, Resolved, TreeOrder};

use crate::agree::{Agreed, Both, Mismatch, all_pages, same};
use crate::oracle::{TieState, WalkEnd};
use crate::random::Random;

/// Asks about each of `ids`, and about pairs of them.
pub(crate) fn agree(both: &Both, ids: &[u32], random: &mut Random) -> Agreed {
    for &id in ids {
        event(both, id, random)?;
        if both.model.contains(id) {
            chain(both, id, random)?;
            tree(both, id, random)?;
            ancestor_at(both, id, random)?;
        }
        pair(both, id, *random.pick(ids))?;
    }
    Ok(())
}

fn event(both: &Both, id: u32, random: &mut Random) -> Agreed {
    let (snapshot, model) = (both.snapshot, both.model);
    let name = both.names.id(id);
    let stored = model.event(id);
    same!(snapshot.contains(name)?, stored.is_some(), "contains({id})");
    let seen = snapshot.get(name)?.map(|event| both.seen(&event));
    let expected = stored.map(|(_, seq)| both.expected(seq, Detail::Payload));
    same!(seen.transpose()?, expected, "get({id})");

    let versions = all_pages(1000, |after| snapshot.versions(name).after(after).page())?;
    let seen: Result<Vec<_>, _> = versions.iter().map(|event| both.seen(event)).collect();
    let expected: Vec<_> =
        model.versions(id).into_iter().map(|seq| both.expected(seq, Detail::Payload)).collect();
    same!(seen?, expected, "versions({id})");

    let root = snapshot.root(name)?;
    same!(
        root.map(|root| both.names.number(&root)).transpose()?,
        stored.map(|_| model.root(id)),
        "root({id})"
    );
    same!(snapshot.depth(name)?, stored.map(|_| model.depth(id)), "depth({id})");
    let asserted = model.tie(id).and_then(|tie| tie.asserted);
    same!(
        snapshot.asserted_link(name)?,
        asserted.map(|asserted| asserted.link()),
        "asserted_link({id})"
    );
    resolve(both, id, name, random)
}

fn resolve(both: &Both, id: u32, name: &EventId, random: &mut Random) -> Agreed {
    let text = name.to_string();
    let expected =
        if both.model.contains(id) { Resolved::One(name.clone()) } else { Resolved::None };
    same!(both.snapshot.resolve(&text)?, expected, "resolve({text})");
    if name.as_uuid().is_none() {
        return Ok(());
    }
    let prefix = &text[..random.between(1, 6)];
    let mut fits: Vec<EventId> = both
        .names
        .numbers()
        .filter(|&id| both.model.contains(id))
        .map(|id| both.names.id(id).clone())
        .filter(|id| id.as_uuid().is_some() && id.to_string().starts_with(prefix))
        .collect();
    fits.sort();
    match (both.snapshot.resolve(prefix)?, fits.as_slice()) {
        (Resolved::One(one), [fit]) if one == *fit => Ok(()),
        (Resolved::None, []) => Ok(()),
        (Resolved::Many(some), [_, _, ..]) if !some.is_empty() && fits.starts_with(&some) => Ok(()),
        (other, _) => {
            Err(Mismatch(format!("resolve({prefix}):\n  engine {other:?}\n  model  {fits:?}")))
        }
    }
}

fn chain(both: &Both, id: u32, random: &mut Random) -> Agreed {
    let depth = both.model.depth(id);
    let max_depth = match random.index(3) {
        0 => 1000,
        1 => depth + random.index(2) as u64,
        _ => random.index(depth as usize + 2) as u64,
    };
    let stop_at = random.percent(40).then(|| *random.pick(&LinkKind::ALL));
    let details = [Detail::Ids, Detail::Columns, Detail::Labels, Detail::Payload];
    let detail = *random.pick(&details);
    let (walked, end) = both.model.walk(id, max_depth, stop_at);
    let question = format!("chain({id}, max_depth {max_depth}, stop_at {stop_at:?})");
    let start = || -> Result<Chain, Mismatch> {
        let chain = both.snapshot.chain(both.names.id(id))?;
        let missing = || Mismatch(format!("{question}: the engine has no such event"));
        let chain = chain.ok_or_else(missing)?.max_depth(max_depth).detail(detail);
        Ok(match stop_at {
            Some(kind) => chain.stop_at(kind),
            None => chain,
        })
    };

    let mut chain = start()?;
    let events = chain.by_ref().collect::<Result<Vec<_>, _>>()?;
    same!(both.numbers(&events)?, walked, "{question}");
    same!(chain.end().map(|end| walk_end(both, end)).transpose()?, Some(end), "{question}, end");
    for event in events.iter().take(EVENTS_COMPARED) {
        same!(both.seen(event)?, both.expected(event.seq(), detail), "{question}, event");
    }

    let mut downwards = start()?.root_first()?;
    same!(walk_end(both, downwards.end())?, end, "{question}, root first, end");
    let events = downwards.by_ref().collect::<Result<Vec<_>, _>>()?;
    let reversed: Vec<u32> = walked.into_iter().rev().collect();
    same!(both.numbers(&events)?, reversed, "{question}, root first");
    Ok(())
}

fn tree(both: &Both, id: u32, random: &mut Random) -> Agreed {
    let (snapshot, name) = (both.snapshot, both.names.id(id));
    let children = all_pages(1000, |after| snapshot.children(name).after(after).page())?;
    same!(both.numbers(&children)?, both.children_of(id), "children({id})");
    siblings(both, id)?;

    let max_depth = if random.percent(50) { 1000 } else { random.index(4) as u64 };
    for order in [TreeOrder::DepthFirst, TreeOrder::BreadthFirst] {
        let expected = descendants(both, id, max_depth, order);
        let small = random.between(1, 7).max(expected.len() / 20);
        for limit in [1000, small] {
            let below = snapshot.descendants(name).max_depth(max_depth).order(order);
            let below = below.limit(limit).detail(Detail::Ids);
            let found = all_pages(limit, |after| below.clone().after(after).page())?;
            let found: Result<Vec<_>, _> = found
                .iter()
                .map(|d| {
                    Ok::<_, Mismatch>((both.names.number(d.event.id())?, d.below, d.last_child))
                })
                .collect();
            same!(
                found?,
                expected,
                "descendants({id}, max_depth {max_depth}, {order:?}, limit {limit})"
            );
        }
    }
    Ok(())
}

fn siblings(both: &Both, id: u32) -> Agreed {
    let expected: Vec<u32> = match both.model.followed_parent(id) {
        Some(parent) => both.children_of(parent).to_vec(),
        None => Vec::new(),
    };
    let tie = both.model.tie(id);
    if tie.is_some_and(|tie| tie.state != TieState::Followed) {
        return Ok(());
    }
    let found =
        all_pages(1000, |after| both.snapshot.siblings(both.names.id(id)).after(after).page())?;
    let expected: Vec<u32> = expected.into_iter().filter(|&other| other != id).collect();
    same!(both.numbers(&found)?, expected, "siblings({id})");
    Ok(())
}

/// The model's descendants: which, how far below, whether the last child.
fn descendants(both: &Both, id: u32, max_depth: u64, order: TreeOrder) -> Vec<(u32, u64, bool)> {
    let below = |id: u32, depth: u64| {
        let children = if depth < max_depth { both.children_of(id) } else { &[] };
        let count = children.len();
        children.iter().enumerate().map(move |(at, &child)| (child, depth + 1, at + 1 == count))
    };
    let mut found = Vec::new();
    let mut queue: VecDeque<(u32, u64, bool)> = below(id, 0).collect();
    while let Some(next) = queue.pop_front() {
        found.push(next);
        match order {
            TreeOrder::BreadthFirst => queue.extend(below(next.0, next.1)),
            TreeOrder::DepthFirst => {
                let children: Vec<_> = below(next.0, next.1).collect();
                children.into_iter().rev().for_each(|child| queue.push_front(child));
            }
            order => panic!("the model has no {order:?}"),
        }
    }
    found
}

fn ancestor_at(both: &Both, id: u32, random: &mut Random) -> Agreed {
    let own = both.model.depth(id);
    let depth = random.index(own as usize + 2) as u64;
    let found = both.snapshot.ancestor_at(both.names.id(id), depth)?;
    let line: Vec<u32> = std::iter::once(id).chain(both.model.ancestors(id)).collect();
    let expected = own.checked_sub(depth).map(|up| line[up as usize]);
    same!(
        found.map(|event| both.names.number(event.id())).transpose()?,
        expected,
        "ancestor_at({id}, {depth})"
    );
    Ok(())
}

fn pair(both: &Both, a: u32, b: u32) -> Agreed {
    let (snapshot, model) = (both.snapshot, both.model);
    let (name_a, name_b) = (both.names.id(a), both.names.id(b));
    let stored = model.contains(a) && model.contains(b);
    same!(
        snapshot.is_ancestor(name_a, name_b)?,
        stored && model.ancestors(b).contains(&a),
        "is_ancestor({a}, {b})"
    );
    let found = match snapshot.common_cause(name_a, name_b)? {
        None => None,
        Some(CommonCause::Found(event)) => Some(Common::Found(both.names.number(event.id())?)),
        Some(CommonCause::None) => Some(Common::None),
        Some(CommonCause::Unknown(a, b)) => {
            Some(Common::Unknown(walk_end(both, &a)?, walk_end(both, &b)?))
        }
        Some(other) => return Err(Mismatch(format!("an unknown common cause: {other:?}"))),
    };
    let expected = stored.then(|| {
        if let Some(common) = model.common(a, b) {
            return Common::Found(common);
        }
        let (end_a, end_b) = (model.walk(a, u64::MAX, None).1, model.walk(b, u64::MAX, None).1);
        let known = |end| matches!(end, WalkEnd::Root | WalkEnd::Cycle(_));
        if known(end_a) && known(end_b) { Common::None } else { Common::Unknown(end_a, end_b) }
    });
    same!(found, expected, "common_cause({a}, {b})");
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Common {
    Found(u32),
    None,
    Unknown(WalkEnd, WalkEnd),
}

fn walk_end(both: &Both, end: &ChainEnd) -> Result<WalkEnd, Mismatch> {
    let number = |id| both.names.number(id);
    Ok(match end {
        ChainEnd::Root => WalkEnd::Root,
        ChainEnd::Missing(id) => WalkEnd::Missing(number(id)?),
        ChainEnd::Cycle(id) => WalkEnd::Cycle(number(id)?),
        ChainEnd::DepthLimit(id) => WalkEnd::DepthLimit(number(id)?),
        ChainEnd::Stopped(id) => WalkEnd::Stopped(number(id)?),
        other => return Err(Mismatch(format!("a walk that ended {other:?}"))),
    })
}

/// Events of a chain that are compared in full; of the rest the id.
const EVENTS_COMPARED: usize = 8;
