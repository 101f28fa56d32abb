//! Archives that a command asks beside the store.

use std::path::{Path, PathBuf};

use clap::Args;
use forebear::{ChainEnd, EventId, Snapshot, Volumes};
use serde::Serialize;

use crate::commands::chain_picture::{ChainPicture, walk};
use crate::failure::{CommandFailure, CommandResult, UnreadParts};
use crate::global::Global;
use crate::output::json::EndLine;
use crate::output::{Out, draw};
use crate::place;
use crate::select::FoldArgs;

/// Archives beside the store.
#[derive(Debug, Args)]
pub(crate) struct AlsoArgs {
    /// An archive of the store (see `forebear retain --archive`), in which a walk goes on that
    /// reaches what expired; given several times, the first that has it
    #[arg(long, value_name = "ARCHIVE")]
    also: Vec<PathBuf>,
}

/// The line of JSON where a walk goes on in an archive.
#[derive(Serialize)]
struct AlsoLine<'a> {
    also: &'a Path,
}

impl AlsoArgs {
    /// Whether there are any.
    pub(crate) fn is_empty(&self) -> bool {
        self.also.is_empty()
    }

    /// The store with its archives.
    pub(crate) fn volumes(&self, store: &Snapshot) -> Result<Volumes, CommandFailure> {
        self.also.iter().try_fold(Volumes::new(store.clone()), |volumes, path| {
            Ok(volumes.also(forebear::read(path)?.snapshot()?))
        })
    }

    /// The snapshot of the store, or of the first archive, that has what `text` names or begins.
    pub(crate) fn find(
        &self,
        store: &Snapshot,
        text: &str,
    ) -> Result<(Snapshot, EventId), CommandFailure> {
        let not_there = match place::find(store, text) {
            Ok(id) => return Ok((store.clone(), id)),
            Err(failure @ CommandFailure::NothingFound(_)) => failure,
            Err(failure) => return Err(failure),
        };
        for path in &self.also {
            let archive = forebear::read(path)?.snapshot()?;
            match place::find(&archive, text) {
                Ok(id) => return Ok((archive, id)),
                Err(CommandFailure::NothingFound(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(not_there)
    }

    /// Goes on where a walk in the store ended, and says so.
    pub(crate) fn go_on(
        &self,
        store: &Snapshot,
        end: &ChainEnd,
        global: &Global,
        (payload, fold): (bool, &FoldArgs),
        out: &mut Out,
        unread: &mut UnreadParts,
    ) -> CommandResult {
        let volumes = self.volumes(store)?;
        let (mut volume, mut end) = (0, end.clone());
        for _ in 0..self.also.len() {
            let Some((other, parent)) = volumes.behind(volume, &end)? else { break };
            let Some(snapshot) = volumes.snapshot(other) else { break };
            let path = &self.also[other - 1];
            let mut chain = walk(snapshot, &parent)?;
            if global.json {
                out.json(&AlsoLine { also: path })?;
                let mut top = None;
                for event in chain.by_ref() {
                    let event = event?;
                    unread.add(event.damage());
                    if fold.picks(&event) {
                        out.json(&event.json().payload(payload))?;
                    }
                    top = Some(event.id().clone());
                }
                unread.add(chain.damage());
                end = chain.end().cloned().unwrap_or(ChainEnd::Root);
                out.json_end(&EndLine::new(&end, top.as_ref()))?;
            } else {
                draw::remark(out, &format!("goes on in the archive {}", path.display()))?;
                let has_dropped = false;
                let mut picture = ChainPicture { out, payload, has_dropped, fold, unread };
                picture.draw(chain, false)?;
                // What was drawn is walked again for its end alone.
                let mut chain = walk(snapshot, &parent)?.detail(forebear::Detail::Ids);
                chain.by_ref().try_for_each(|event| event.map(drop))?;
                end = chain.end().cloned().unwrap_or(ChainEnd::Root);
            }
            volume = other;
        }
        Ok(())
    }
}
