//! Results by their entries, for programs that have no call of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ndarray::Array1;
use ndcache::dynamic::{EntryValue, Form, RawValue, RunTimeArgument, RunTimeCall};
use ndcache::{Digest, Entry, ErrorKind, Memory};

use super::{call, doubles, function};
use crate::support::fresh;

#[ndcache::cache]
fn halves(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| i as f64 / 2.0)
}

/// The entry of a call that computes this value.
fn stored(memory: &Memory, call: &RunTimeCall, value: RawValue) -> Entry {
    call.eval(memory, Form::Owned, || Ok::<_, ndcache::Error>(value)).unwrap();
    call.entry(memory).unwrap().expect("it is stored")
}

fn content(memory: &Memory, entry: &Entry) -> Digest {
    EntryValue::new(memory, entry).content().unwrap()
}

#[test]
fn a_result_is_read_by_its_entry_whatever_its_key_is_made_of() {
    let (folder, _) = fresh();
    let salted = Memory::builder(folder.path()).salt("beta").open().unwrap();
    let secret = [RunTimeArgument::of("token", "s3cr3t").unwrap().secret()];
    let of_secret = RunTimeCall::new(function("entries", "1"), secret);
    let plain = Memory::open(folder.path()).unwrap();
    let entry = stored(&salted, &of_secret, RawValue::of_array(doubles((0..40_000).map(f64::from))));
    for form in [Form::Owned, Form::Mapped] {
        let value = EntryValue::new(&plain, &entry).load(form).unwrap();
        assert_eq!(value.take::<Array1<f64>>().unwrap()[39_999], 39_999.0);
        assert!(value.owner().is_some());
    }
    plain.eval(halves::call(7));
    let entry = plain.entry(&halves::call(7)).unwrap().unwrap();
    let hits = plain.stats().hits();
    let value = EntryValue::new(&plain, &entry).load(Form::Owned).unwrap();
    assert_eq!(value.take::<Array1<f64>>().unwrap(), halves::compute(7));
    assert_eq!(plain.stats().hits(), hits);
}

#[test]
fn a_content_differs_wherever_the_value_does_for_python() {
    let (_folder, memory) = fresh();
    let numbers = || RawValue::of(&vec![1_i64, 2]).unwrap();
    let list = stored(&memory, &call("entries.content", 1), numbers());
    let again = stored(&memory, &call("entries.content", 2), numbers());
    let tuple = stored(&memory, &call("entries.content", 3), numbers().with_python(vec![0xc4, 1, 1]));
    let other = stored(&memory, &call("entries.content", 4), RawValue::of(&vec![1_i64, 3]).unwrap());
    assert_eq!(content(&memory, &list), content(&memory, &again));
    assert_ne!(content(&memory, &list), content(&memory, &tuple));
    assert_ne!(content(&memory, &list), content(&memory, &other));
    // Long values aren't kept with an entry.
    let long = |n: i64| RawValue::of(&vec![Some(n); 50_000]).unwrap();
    let first = stored(&memory, &call("entries.content", 5), long(1));
    let second = stored(&memory, &call("entries.content", 6), long(2));
    assert_eq!(content(&memory, &first), content(&memory, &first));
    assert_ne!(content(&memory, &first), content(&memory, &second));
}

#[test]
fn a_content_is_verified_against_the_bytes_that_are_there_by_now() {
    let (_folder, memory) = fresh();
    let call = call("entries.verify", 1);
    let entry = stored(&memory, &call, RawValue::of_array(doubles((0..40_000).map(f64::from))));
    let of = EntryValue::new(&memory, &entry);
    let was = of.content().unwrap();
    of.verify(was).unwrap();
    call.remove(&memory).unwrap();
    assert_eq!(of.verify(was).unwrap_err().kind(), ErrorKind::Changed);
    assert_eq!(of.load(Form::Owned).unwrap_err().kind(), ErrorKind::Changed);
    let other = stored(&memory, &call, RawValue::of_array(doubles((0..40_000).map(|i| f64::from(i) + 1.0))));
    assert_eq!(of.verify(was).unwrap_err().kind(), ErrorKind::Changed);
    let of = EntryValue::new(&memory, &other);
    let was = of.content().unwrap();
    let file = &other.files()[0];
    let mut bytes = fs::read(file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(file, bytes).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o444)).unwrap();
    assert_eq!(of.verify(was).unwrap_err().kind(), ErrorKind::Damaged);
    let disabled = Memory::disabled();
    assert_eq!(EntryValue::new(&disabled, &other).load(Form::Owned).unwrap_err().kind(), ErrorKind::Unsupported);
}
