//! Everything that can be seen of a store, as text that can be compared.

use forebear::{ChainOptions, Cursor, Page, Snapshot, Stats, StoredEvent};

use super::listing::{describe, events, pages};

/// The whole visible state: every row with its lineage and its chain, and every
/// listing, a line each.
pub(crate) fn view(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = Vec::new();
    for event in events(snapshot) {
        let chain = chain(snapshot, &event);
        let claimed = snapshot.claimed_link(event.id()).expect("is listed");
        let lineage = (event.seq(), event.root(), event.depth());
        lines.push(format!("{} {lineage:?} {chain} {claimed:?}", describe(&event)));
    }
    let mut list = |name: &str, items: Vec<String>| {
        lines.extend(items.into_iter().map(|item| format!("{name}: {item}")));
    };
    list("root", pages(|after| roots(snapshot, after)));
    list("missing", pages(|after| debug(snapshot.missing_parents(after))));
    list("refused", pages(|after| debug(snapshot.refused_links(after))));
    list("closing", pages(|after| debug(snapshot.closing_links(after))));
    list("quarantined", pages(|after| debug(snapshot.quarantined(after))));
    list("checkpoint", pages(|after| debug(snapshot.checkpoints(after))));
    let mut stats: Stats = snapshot.stats().expect("counts");
    (stats.segments, stats.bytes) = (0, 0);
    lines.push(format!("{stats:?}"));
    lines
}

fn chain(snapshot: &Snapshot, event: &StoredEvent) -> String {
    let options = ChainOptions::new();
    let mut chain = snapshot.chain(event.id(), &options).expect("walks").expect("is stored");
    let ids: Vec<String> =
        chain.by_ref().map(|event| event.expect("is read").id().to_string()).collect();
    format!("{ids:?} {:?}", chain.end().expect("has ended"))
}

fn roots(snapshot: &Snapshot, after: Option<Cursor>) -> Page<String> {
    let page = snapshot.roots(after).expect("lists");
    Page { items: page.items.iter().map(|root| root.id().to_string()).collect(), next: page.next }
}

fn debug<T: std::fmt::Debug>(page: forebear::Result<Page<T>>) -> Page<String> {
    let page = page.expect("lists");
    Page { items: page.items.iter().map(|item| format!("{item:?}")).collect(), next: page.next }
}
