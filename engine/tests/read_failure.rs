//! A read that fails once does not end writing for good.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use forebear::storage::{LockOutcome, SimulatedDisk, Storage, StorageFile};
use forebear::*;

#[derive(Debug)]
struct Flaky(SimulatedDisk, Arc<AtomicBool>);
#[derive(Debug)]
struct FlakyFile(Box<dyn StorageFile>, Arc<AtomicBool>);

impl Storage for Flaky {
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(FlakyFile(self.0.open(name)?, Arc::clone(&self.1))))
    }
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.0.create(name)
    }
    fn rename(&self, a: &str, b: &str) -> io::Result<()> {
        self.0.rename(a, b)
    }
    fn unlink(&self, name: &str) -> io::Result<()> {
        self.0.unlink(name)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.0.sync_dir()
    }
    fn lock(&self, name: &str, holder: &str) -> io::Result<LockOutcome> {
        self.0.lock(name, holder)
    }
    fn path(&self) -> Option<&Path> {
        None
    }
}
impl StorageFile for FlakyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.1.swap(false, Ordering::SeqCst) {
            return Err(io::Error::other("a read failed"));
        }
        self.0.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_at(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
}

#[test]
fn a_failed_read_refuses_one_batch_and_not_all_later_ones() {
    let fail = Arc::new(AtomicBool::new(false));
    let store =
        Store::builder().open_on(Arc::new(Flaky(SimulatedDisk::new(), Arc::clone(&fail)))).unwrap();
    store.append(Event::new("k").id("a").payload("x")).unwrap();
    fail.store(true, Ordering::SeqCst);
    assert!(store.append(Event::new("k").id("a").payload("x")).is_err());
    let next = store.append(Event::new("k").id("b"));
    assert!(next.is_ok());
}
