//! A store with archives of it, asked as one.

use forebear_core::{Chain, ChainEnd, Detail, EventId, Result, Snapshot, StoredEvent};

/// A store, and archives that [retention](crate::Retention::archive) made of it: a walk that
/// reaches what expired goes on in the archive that has it, and says so.
///
/// ```
/// use forebear::{ChainEnd, Event, Retention, Volumes};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let (path, archive) = (folder.path().join("store"), folder.path().join("archive"));
/// let store = forebear::open(&path)?;
/// store.append(Event::new("request").id("ask"))?;
/// store.seal()?;
/// store.append(Event::new("error").id("failure").parent("ask"))?;
/// store.retain(&Retention::new().max_events(1).archive(&archive))?;
/// assert!(!store.snapshot().contains("ask")?);
///
/// let volumes = Volumes::new(store.snapshot()).also(forebear::read(&archive)?.snapshot()?);
/// let mut chain = volumes.chain("failure")?.expect("it is stored");
/// let walked = chain.by_ref().map(|step| step.map(|(volume, event)| (volume, event.id().clone())));
/// assert_eq!(walked.collect::<Result<Vec<_>, _>>()?, [(0, "failure".into()), (1, "ask".into())]);
/// assert_eq!(chain.end(), Some(&ChainEnd::Root));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Debug)]
pub struct Volumes {
    /// The store, then its archives.
    snapshots: Vec<Snapshot>,
}

impl Volumes {
    /// A store without archives.
    pub fn new(store: Snapshot) -> Self {
        Self { snapshots: vec![store] }
    }

    /// Adds an archive, which is asked where those before don't have what is wanted.
    #[must_use]
    pub fn also(mut self, archive: Snapshot) -> Self {
        self.snapshots.push(archive);
        self
    }

    /// The snapshot of a volume; 0 is the store.
    pub fn snapshot(&self, volume: usize) -> Option<&Snapshot> {
        self.snapshots.get(volume)
    }

    /// The first volume that has an event, and the event.
    pub fn get(&self, id: impl Into<EventId>) -> Result<Option<(usize, StoredEvent)>> {
        let id = id.into();
        for (volume, snapshot) in self.snapshots.iter().enumerate() {
            if let Some(event) = snapshot.get(&id)? {
                return Ok(Some((volume, event)));
            }
        }
        Ok(None)
    }

    /// Where a walk that ended so in a volume goes on: another volume, and the event. An event
    /// that came after its parent was archived knows that only as missing.
    pub fn behind(&self, volume: usize, end: &ChainEnd) -> Result<Option<(usize, EventId)>> {
        let (ChainEnd::Expired(parent) | ChainEnd::Missing(parent)) = end else {
            return Ok(None);
        };
        for (other, snapshot) in self.snapshots.iter().enumerate() {
            if other != volume && snapshot.contains(parent)? {
                return Ok(Some((other, parent.clone())));
            }
        }
        Ok(None)
    }

    /// Walks from an event to what caused it, from volume to volume; none where no volume has
    /// the event. Costs what [`Snapshot::chain`] does, in each volume.
    pub fn chain(&self, id: impl Into<EventId>) -> Result<Option<VolumeChain<'_>>> {
        let id = id.into();
        for (volume, snapshot) in self.snapshots.iter().enumerate() {
            if let Some(chain) = snapshot.chain(&id)? {
                let detail = Detail::default();
                let (chain, crossings) = (Some(chain), 0);
                return Ok(Some(VolumeChain {
                    volumes: self,
                    volume,
                    chain,
                    detail,
                    crossings,
                    end: None,
                }));
            }
        }
        Ok(None)
    }
}

/// A walk over volumes. Made by [`Volumes::chain`].
#[derive(Debug)]
pub struct VolumeChain<'v> {
    volumes: &'v Volumes,
    volume: usize,
    chain: Option<Chain>,
    detail: Detail,
    crossings: usize,
    end: Option<ChainEnd>,
}

impl VolumeChain<'_> {
    /// Sets how much of each event is loaded; everything unless set.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self.chain = self.chain.map(|chain| chain.detail(detail));
        self
    }

    /// How the walk ended; none before it has.
    pub fn end(&self) -> Option<&ChainEnd> {
        self.end.as_ref()
    }

    /// Goes on in the volume that has the parent of what was reached.
    fn cross(&mut self, end: &ChainEnd) -> Result<bool> {
        // Each crossing leads into what is older, unless the volumes are of different stores.
        if self.crossings == self.volumes.snapshots.len() {
            return Ok(false);
        }
        let Some((volume, parent)) = self.volumes.behind(self.volume, end)? else {
            return Ok(false);
        };
        let chain = self.volumes.snapshots[volume].chain(&parent)?;
        let Some(chain) = chain else { return Ok(false) };
        self.crossings += 1;
        self.volume = volume;
        self.chain = Some(chain.detail(self.detail));
        Ok(true)
    }
}

/// The volume, 0 being the store, and the event.
impl Iterator for VolumeChain<'_> {
    type Item = Result<(usize, StoredEvent)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let chain = self.chain.as_mut()?;
            if let Some(event) = chain.next() {
                return Some(event.map(|event| (self.volume, event)));
            }
            let end = chain.end().cloned();
            self.chain = None;
            let end = end?;
            match self.cross(&end) {
                Ok(true) => {}
                Ok(false) => {
                    self.end = Some(end);
                    return None;
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
