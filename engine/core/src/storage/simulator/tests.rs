use std::collections::BTreeSet;

use super::*;

/// The disk and its one file, whose bytes and name are durable.
fn with_file(bytes: &[u8]) -> (SimulatedDisk, Box<dyn StorageFile>) {
    let disk = SimulatedDisk::new();
    disk.write("log", bytes);
    let file = disk.open("log").expect("opens");
    (disk, file)
}

fn losses(disk: &SimulatedDisk) -> impl Iterator<Item = SimulatedDisk> {
    (0..64).map(|seed| disk.power_loss(seed))
}

#[test]
fn a_name_is_durable_after_sync_dir_and_not_before() {
    let disk = SimulatedDisk::new();
    let file = disk.create("log").expect("creates");
    file.write_at(b"content", 0).expect("writes");
    file.sync().expect("syncs");
    assert!(losses(&disk).any(|after| after.read("log").is_err()));
    assert!(losses(&disk).any(|after| after.read("log").is_ok()));

    disk.sync_dir().expect("syncs");
    assert!(losses(&disk).all(|after| after.read("log").expect("is there") == b"content"));
}

#[test]
fn a_renamed_file_has_one_name_or_the_other() {
    let (disk, _file) = with_file(b"old");
    let file = disk.create("new").expect("creates");
    file.write_at(b"new", 0).expect("writes");
    file.sync().expect("syncs");
    disk.sync_dir().expect("syncs");
    disk.rename("new", "log").expect("renames");
    let mut seen = BTreeSet::new();
    for after in losses(&disk) {
        let bytes = after.read("log").expect("is always there");
        assert_eq!(bytes == b"old", after.read("new").is_ok());
        seen.insert(bytes);
    }
    assert_eq!(seen.len(), 2);
    disk.sync_dir().expect("syncs");
    assert!(losses(&disk).all(|after| after.read("log").expect("is there") == b"new"));
}

#[test]
fn an_unlinked_file_may_come_back_until_the_folder_is_synced() {
    let (disk, file) = with_file(b"old");
    disk.unlink("log").expect("unlinks");
    let mut buffer = [0; 3];
    assert_eq!(file.read_at(&mut buffer, 0).expect("is open still"), 3);
    assert!(losses(&disk).any(|after| after.read("log").is_ok()));
    disk.sync_dir().expect("syncs");
    assert!(losses(&disk).all(|after| after.read("log").is_err()));
}

#[test]
fn a_killed_process_loses_its_locks_and_no_writes() {
    let (disk, file) = with_file(b"old");
    let _guard = disk.lock("LOCK", "process 7").expect("locks");
    file.write_at(b"new", 0).expect("writes");
    disk.create("other").expect("creates");
    let after = disk.kill();
    assert_eq!(after.read("log").expect("is there"), b"new");
    assert_eq!(after.list().expect("lists"), ["LOCK", "log", "other"]);
    let outcome = after.lock("LOCK", "process 8").expect("locks");
    assert!(matches!(outcome, LockOutcome::Taken(_)));
    assert!(losses(&after).any(|after| after.read("log").expect("is there") == b"old"));

    file.write_at(b"two", 0).expect("writes");
    assert_eq!(after.read("log").expect("is there"), b"new", "they share nothing");
}

#[test]
fn a_lock_names_its_holder_and_ends_with_its_guard() {
    let disk = SimulatedDisk::new();
    let guard = disk.lock("LOCK", "process 7").expect("locks");
    assert!(matches!(guard, LockOutcome::Taken(_)));
    let LockOutcome::HeldBy(holder) = disk.clone().lock("LOCK", "8").expect("answers") else {
        panic!("it is held");
    };
    assert_eq!(holder, "process 7");
    drop(guard);
    let outcome = disk.lock("LOCK", "8").expect("locks");
    assert!(matches!(outcome, LockOutcome::Taken(_)));
    assert_eq!(disk.operations(), 0);
}

#[test]
fn after_a_crash_every_call_fails() {
    let (disk, file) = with_file(b"old");
    disk.crash_at(2);
    file.write_at(b"1", 0).expect("writes");
    assert!(file.sync().is_err());
    assert!(file.sync().is_err());
    assert!(file.len().is_err());
    assert!(file.set_len(0).is_err());
    assert!(file.read_at(&mut [0], 0).is_err());
    assert!(disk.list().is_err());
    assert!(disk.open("log").is_err());
    assert!(disk.create("new").is_err());
    assert!(disk.lock("LOCK", "7").is_err());
    assert_eq!(disk.operations(), 2);
    assert!(disk.kill().open("log").is_ok());
}

#[test]
fn a_write_in_which_the_process_dies_is_there_up_to_a_sector() {
    let mut lengths = BTreeSet::new();
    for seed in 0..64 {
        let disk = SimulatedDisk::with_seed(seed);
        let file = disk.create("log").expect("creates");
        disk.crash_at(2);
        assert!(file.write_at(&[1; 1300], 0).is_err());
        lengths.insert(disk.read("log").expect("is there").len());
    }
    assert_eq!(Vec::from_iter(lengths), [0, 512, 1024, 1300]);
}

#[test]
fn a_failed_sync_fails_once_and_makes_nothing_durable() {
    let (disk, file) = with_file(b"");
    file.write_at(b"lost", 0).expect("writes");
    disk.fail_at(2, Fault::Io);
    assert!(file.sync().is_err());
    file.sync().expect("looks well");
    assert!(losses(&disk).any(|after| after.read("log").expect("is there") != b"lost"));
}

#[test]
fn a_full_disk_takes_what_fits() {
    let (disk, file) = with_file(b"12345678");
    disk.set_room(Some(4));
    file.write_at(b"abcd", 0).expect("needs no room");
    let error = file.write_at(b"efghijkl", 6).expect_err("is full");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.read("log").expect("is there"), b"abcd56efghij");
    assert!(file.set_len(13).is_err());
    disk.set_room(None);
    file.set_len(13).expect("grows");
}

#[test]
fn bytes_can_be_altered_and_bits_flipped() {
    let (disk, file) = with_file(b"aaaa");
    disk.flip_bit("log", 1, 1).expect("flips");
    assert_eq!(disk.read("log").expect("is there"), b"acaa");
    assert!(disk.flip_bit("log", 4, 0).is_err());
    disk.truncate("log", 2).expect("cuts");
    assert_eq!(file.len().expect("has one"), 2);
    disk.remove("log").expect("removes");
    assert!(disk.read("log").is_err());
}
