//! What a binding for another language has to know of the results that it loads.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use ndcache::Memory;
use ndcache::dynamic::{Form, RawValue, end_helpers};

use super::{Computed, call, doubles};

#[test]
fn a_small_array_that_asks_for_a_file_has_one_and_says_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    let (call, computed) = (call("small", 1), Computed::default());
    let small = || RawValue::of_array(doubles([1.0, 2.0])).with_files();
    for round in 0..3 {
        let value = computed.eval(&call, &memory, Form::Mapped, small);
        let array = &value.arrays()[0];
        assert!(!array.bytes().is_mapped() && array.is_verified(), "small ones are read");
        let (path, offset) = array.file().unwrap_or_else(|| panic!("round {round} tells no file"));
        assert_eq!(fs::read(path).unwrap()[offset as usize..], array.bytes()[..]);
    }
    assert_eq!(computed.times(), 1);
    assert!(computed.eval(&call, &memory, Form::Owned, small).arrays()[0].file().is_none());
}

#[test]
fn without_asking_a_small_array_has_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    let (call, computed) = (call("inline", 1), Computed::default());
    for _ in 0..2 {
        let value = computed.eval(&call, &memory, Form::Mapped, || RawValue::of_array(doubles([1.0, 2.0])));
        assert!(value.arrays()[0].file().is_none());
    }
}

#[test]
fn of_very_many_small_arrays_none_gets_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    let mut message = vec![0xdc, 0, 65];
    (0..65).for_each(|n| message.extend(ndcache::dynamic::array_reference(n)));
    let arrays = (0..65).map(|n| doubles([f64::from(n)])).collect();
    let value = RawValue::new(message, arrays).unwrap().with_files();
    let call = call("many", 1);
    Computed::default().eval(&call, &memory, Form::Mapped, || value);
    assert!(call.entry(&memory).unwrap().unwrap().files().is_empty());
}

#[test]
fn a_loaded_value_says_whose_its_record_was() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    let (call, computed) = (call("owner", 1), Computed::default());
    let one = || RawValue::of(&1.0).unwrap();
    assert_eq!(computed.eval(&call, &memory, Form::Owned, one).owner(), None, "it is this process's own");
    let record = call.entry(&memory).unwrap().unwrap().path().to_owned();
    let owner = computed.eval(&call, &memory, Form::Owned, one).owner().unwrap();
    let stat = fs::metadata(&record).unwrap();
    assert_eq!((owner.uid, owner.gid, owner.mode), (stat.uid(), stat.gid(), stat.mode() & 0o7777));
    fs::set_permissions(&record, fs::Permissions::from_mode(0o646)).unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    assert_eq!(computed.eval(&call, &memory, Form::Owned, one).owner().unwrap().mode, 0o646);
    assert_eq!(computed.times(), 1);
}

#[test]
fn below_a_root_that_is_its_owners_alone_records_and_folders_are_too() {
    for (root, folders, records) in [(0o700, 0o700, 0o600), (0o755, 0o755, 0o644)] {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(root)).unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        let call = call("private", 1);
        Computed::default().eval(&call, &memory, Form::Owned, || RawValue::of(&1.0).unwrap());
        let record = call.entry(&memory).unwrap().unwrap().path().to_owned();
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o777;
        // The umask of the process may take away permissions of the group and of others.
        assert_eq!(mode(&record) & !0o022, records & !0o022);
        assert_eq!(mode(record.parent().unwrap()) & !0o022, folders & !0o022);
    }
}

#[test]
fn digests_go_on_when_the_helper_threads_have_ended() {
    let long = doubles((0..2_000_000).map(f64::from));
    let digest = long.digest();
    for _ in 0..3 {
        end_helpers();
        assert_eq!(doubles((0..2_000_000).map(f64::from)).digest(), digest);
    }
}
