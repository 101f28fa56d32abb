//! Archives that a command asks beside the store.

use std::path::{Path, PathBuf};

use clap::Args;
use forebear::{Chain, ChainEnd, EventId, Snapshot, Volumes};
use serde::Serialize;

use crate::commands::chain_picture::{ChainPicture, Shown, print_upwards, walk};
use crate::failure::{CommandFailure, CommandResult, UnreadParts};
use crate::output::{Out, draw};
use crate::place;

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

    /// Goes on where a walk in the store ended, each time within what `limited` sets, and says so.
    pub(crate) fn go_on(
        &self,
        store: &Snapshot,
        end: &ChainEnd,
        limited: impl Fn(Chain) -> Chain,
        shown: Shown<'_>,
        (out, as_json): (&mut Out, bool),
        unread: &mut UnreadParts,
    ) -> CommandResult {
        let volumes = self.volumes(store)?;
        let (mut volume, mut end) = (0, end.clone());
        for _ in 0..self.also.len() {
            let Some((other, parent)) = volumes.behind(volume, &end)? else { break };
            let Some(snapshot) = volumes.snapshot(other) else { break };
            let path = &self.also[other - 1];
            let chain = limited(walk(snapshot, &parent)?);
            let ended = if as_json {
                out.json(&AlsoLine { also: path })?;
                print_upwards(out, chain, shown, unread)?
            } else {
                draw::remark(out, &format!("goes on in the archive {}", path.display()))?;
                let has_dropped = false;
                ChainPicture { out, shown, has_dropped, unread }.draw(chain, false)?
            };
            let Some(ended) = ended else { break };
            end = ended;
            volume = other;
        }
        Ok(())
    }
}
