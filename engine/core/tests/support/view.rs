//! Everything that can be seen of a store, as text that can be compared.

use forebear::listing::Listing;
use forebear::{Query, Snapshot, Stats, StoredEvent};

use super::listing::{describe, events};

/// The whole visible state: every row with its lineage and its chain, and every
/// listing, a line each.
pub(crate) fn view(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = Vec::new();
    for event in events(snapshot) {
        let chain = chain(snapshot, &event);
        let asserted = snapshot.asserted_link(event.id()).expect("is listed");
        let lineage = (event.seq(), event.root(), event.depth());
        lines.push(format!("{} {lineage:?} {chain} {asserted:?}", describe(&event)));
    }
    let mut list = |name: &str, items: Vec<String>| {
        lines.extend(items.into_iter().map(|item| format!("{name}: {item}")));
    };
    let root = |root: forebear::Result<StoredEvent>| root.expect("lists").id().to_string();
    list("root", snapshot.roots().iter().map(root).collect());
    list("missing", debug(&snapshot.missing_parents()));
    list("refused", debug(&snapshot.refused_links()));
    list("cycle edge", debug(&snapshot.cycle_edges()));
    list("quarantined", debug(&snapshot.quarantined()));
    list("checkpoint", debug(&snapshot.checkpoints()));
    let mut stats: Stats = snapshot.stats().expect("counts");
    (stats.segments, stats.bytes) = (0, 0);
    lines.push(format!("{stats:?}"));
    lines
}

fn chain(snapshot: &Snapshot, event: &StoredEvent) -> String {
    let mut chain = snapshot.chain(event.id()).expect("walks").expect("is stored");
    let ids: Vec<String> =
        chain.by_ref().map(|event| event.expect("is read").id().to_string()).collect();
    format!("{ids:?} {:?}", chain.end().expect("has ended"))
}

fn debug<L: Listing<Item: std::fmt::Debug> + Clone>(query: &Query<L>) -> Vec<String> {
    query.iter().map(|item| format!("{:?}", item.expect("lists"))).collect()
}
