//! The forms in which arrays come back, and what they hold on to.

use std::sync::Arc;

use ndarray::prelude::*;
use ndcache::dynamic::{Array, Bytes, Form, Order, RawValue, RunTimeArgument, RunTimeCall};
use ndcache::{Memory, digest};

use super::{call, doubles, function};
use crate::support::fresh;

fn large() -> Array {
    doubles((0..100_000).map(f64::from))
}

fn stored(memory: &Memory, name: &str) -> RawValue {
    call(name, 1).eval(memory, Form::Mapped, || Ok::<_, ndcache::Error>(RawValue::of_array(large()))).unwrap()
}

#[test]
fn a_mapped_array_outlives_the_entry_the_memory_and_the_folder() {
    let (folder, memory) = fresh();
    let first = stored(&memory, "outlives");
    let bytes: Bytes = call("outlives", 1).look_up(&memory, Form::Mapped).unwrap().arrays()[0].bytes().clone();
    assert!(call("outlives", 1).remove(&memory).unwrap());
    drop((memory, folder));
    assert!(bytes.is_mapped() && bytes[..] == large().bytes()[..]);
    assert_eq!(first.arrays()[0].bytes()[..], bytes[..]);
    std::thread::spawn(move || assert_eq!(bytes.len(), 800_000)).join().unwrap();
}

#[test]
fn what_is_read_is_for_its_caller_alone() {
    let (_folder, memory) = fresh();
    stored(&memory, "own");
    let read = || call("own", 1).look_up(&memory, Form::Owned).unwrap().into_parts().1.remove(0);
    let array = read();
    assert!(!array.bytes().is_mapped() && array.is_verified() && array.file().is_none());
    let mut bytes = array.into_bytes().into_vec();
    bytes.fill(7);
    assert_eq!(read().bytes()[..], large().bytes()[..]);
}

#[test]
fn the_bytes_may_be_somebody_else_s() {
    struct Owner(Vec<u8>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    let (_folder, memory) = fresh();
    let owner = Arc::new(Owner(large().bytes().to_vec()));
    let array = Array::new("<f8", 8, &[100_000], Order::C, Bytes::of_owner(owner.clone())).unwrap();
    call("owner", 1).eval(&memory, Form::Owned, || Ok::<_, ndcache::Error>(RawValue::of_array(array))).unwrap();
    assert_eq!(Arc::strong_count(&owner), 1, "nothing is held on to");
    assert_eq!(call("owner", 1).look_up(&memory, Form::Owned).unwrap().arrays()[0].bytes()[..], owner.0[..]);
}

#[test]
fn a_mapped_array_as_an_argument_is_its_owned_copy_and_is_not_read() {
    let (folder, memory) = fresh();
    stored(&memory, "source");
    let other = Memory::open(folder.path()).unwrap();
    let mapped = call("source", 1).look_up(&other, Form::Mapped).unwrap().arrays()[0].clone();
    assert!(!mapped.is_verified());
    let owned = Array1::from_iter((0..100_000).map(f64::from));
    let of = |argument: RunTimeArgument| RunTimeCall::new(function("sum", "1"), [argument]);
    let (by_mapped, by_owned) =
        (of(RunTimeArgument::of_array("x", &mapped)), of(RunTimeArgument::of("x", &owned).unwrap()));
    assert_eq!(by_mapped.key(&other).unwrap(), by_owned.key(&other).unwrap());
    assert!(!mapped.is_verified(), "looking up takes the record's word");
    by_mapped.eval(&other, Form::Owned, || RawValue::of(&owned.sum())).unwrap();
    assert!(mapped.is_verified(), "storing doesn't");
    assert!(by_owned.contains(&other));
    assert_eq!(mapped.digest(), digest(&owned));
}

#[test]
fn nothing_is_stored_under_a_digest_that_the_bytes_do_not_have() {
    use std::os::unix::fs::{FileExt, PermissionsExt};
    let (folder, memory) = fresh();
    stored(&memory, "forged");
    let path = crate::support::files(folder.path(), ".npy").remove(0);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().write_all_at(b"!", 500).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    let other = Memory::open(folder.path()).unwrap();
    let mapped = call("forged", 1).look_up(&other, Form::Mapped).unwrap().arrays()[0].clone();
    let call = RunTimeCall::new(function("sum", "1"), [RunTimeArgument::of_array("x", &mapped)]);
    assert_eq!(call.eval(&other, Form::Owned, || RawValue::of(&1.0)).unwrap().take::<f64>().unwrap(), 1.0);
    assert!(!call.contains(&other) && other.stats().faults() == 1);
    for _ in 0..2 {
        assert!(!call.contains(&other));
        assert!(mapped.verify().is_err());
    }
    assert!(mapped.verify().unwrap_err().to_string().contains("doesn't have the digest that its record says"));
}
