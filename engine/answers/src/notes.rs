//! What a session's events say of it as a whole.

use forebear_core::{EventId, StoredEvent};
use forebear_readings::{Plan, PlanState, Reading, TitleSource};

/// Bytes of a summary or plan that are kept.
const TEXT_BYTES: usize = 64 << 10;

/// Bytes of what is to do that are kept.
const ITEM_BYTES: usize = 512;

/// Changes of the list of what is to do that are kept.
const CHANGES_MAX: usize = 4096;

/// Gathered from events that come newest first.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    title: Option<(TitleSource, String)>,
    pub(crate) cwd: Option<String>,
    pub(crate) model: Option<String>,
    /// The newest summary of a compaction.
    pub(crate) summary: Option<Summary>,
    /// The compactions, the newest first: the events that sum up what came before, and when.
    pub(crate) compactions: Vec<(EventId, i64)>,
    /// Plans in words: the newest.
    pub(crate) plan: Option<String>,
    /// The newest list of what is to do, and changes since, the newest first.
    lists: Vec<Vec<TodoItem>>,
    has_whole_list: bool,
}

/// The summary of a compaction.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) event: EventId,
    pub(crate) time_ns: i64,
    pub(crate) text: String,
}

/// What is to do.
#[derive(Clone, Debug)]
pub(crate) struct TodoItem {
    id: Option<String>,
    pub(crate) text: String,
    pub(crate) state: PlanState,
}

impl Notes {
    /// Takes what an event says; `own` where it is the session's own and no agent's.
    pub(crate) fn take(&mut self, event: &StoredEvent, reading: &Reading<'_>, own: bool) {
        if let Some(title) = &reading.title
            && self.title.as_ref().is_none_or(|(source, _)| title.source > *source)
        {
            self.title = Some((title.source, title.text.start(ITEM_BYTES).into_owned()));
        }
        if !own {
            return;
        }
        let start = |text: &forebear_readings::Text<'_>| text.start(ITEM_BYTES).into_owned();
        if self.cwd.is_none() {
            self.cwd = reading.cwd.as_ref().map(start);
        }
        if self.model.is_none() {
            self.model = reading.model.as_ref().map(start);
        }
        if reading.summary.is_some() && self.compactions.len() < CHANGES_MAX {
            self.compactions.push((event.id().clone(), event.time_ns()));
        }
        if self.summary.is_none() {
            self.summary = reading.summary.as_ref().map(|text| Summary {
                event: event.id().clone(),
                time_ns: event.time_ns(),
                text: text.start(TEXT_BYTES).trim().to_owned(),
            });
        }
        if let Some(plan) = &reading.plan {
            self.take_plan(plan);
        }
    }

    fn take_plan(&mut self, plan: &Plan<'_>) {
        if self.plan.is_none() {
            self.plan = plan.text.as_ref().map(|text| text.start(TEXT_BYTES).into_owned());
        }
        if plan.items.is_empty() || self.has_whole_list || self.lists.len() >= CHANGES_MAX {
            return;
        }
        let items = plan.items.iter().map(|item| TodoItem {
            id: item.id.as_ref().map(|id| id.start(ITEM_BYTES).into_owned()),
            text: item.text.start(ITEM_BYTES).into_owned(),
            state: item.state,
        });
        let items: Vec<TodoItem> = items.collect();
        // A list whose items can be named by changes may be one of them.
        self.has_whole_list = items.iter().all(|item| item.id.is_none());
        self.lists.push(items);
    }

    pub(crate) fn title(&self) -> Option<&str> {
        self.title.as_ref().map(|(_, title)| title.as_str())
    }

    /// The list of what is to do as the changes left it, in the order in which it was told.
    pub(crate) fn to_do(&self) -> Vec<TodoItem> {
        let mut list: Vec<TodoItem> = Vec::new();
        for change in self.lists.iter().rev().flatten() {
            let known = list.iter_mut().find(|item| item.id.is_some() && item.id == change.id);
            match known {
                Some(known) => {
                    known.state = change.state;
                    if !change.text.is_empty() {
                        known.text.clone_from(&change.text);
                    }
                }
                None if change.text.is_empty() && change.id.is_none() => {}
                None => list.push(change.clone()),
            }
        }
        list
    }
}
