//! Why a call misses, in words.

use std::fs;
use std::time::{Duration, Instant};

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::{Call, Memory, cache};

use crate::support::{files, fresh, sealed, snapshot};

fn words<A, R>(memory: &Memory, call: &Call<A, R>) -> String {
    memory.explain(call).to_string()
}

/// The same function with other code, under one name; and what its helpers are in each version of it.
macro_rules! version {
    ($version:ident, $fir:literal, $taps:literal, [$($option:tt)*], $body:expr) => {
        mod $version {
            #[ndcache::code]
            #[allow(dead_code)]
            pub(super) fn fir() -> u64 {
                $fir
            }

            #[ndcache::code]
            #[allow(dead_code)]
            pub(super) fn taps() -> u64 {
                $taps
            }

            #[allow(dead_code)]
            #[ndcache::cache(name = "explain: filtered", $($option)*)]
            pub(super) fn filtered(n: u64) -> u64 {
                let _ = n;
                $body
            }
        }
    };
}

version!(first, 1, 1, [depends(fir)], 1);
version!(edited, 1, 1, [depends(fir)], 2);
version!(other_helper, 2, 1, [depends(fir)], 1);
version!(two_helpers, 1, 1, [depends(fir, taps)], 1);
version!(no_helper, 1, 1, [], 1);
version!(raised, 1, 1, [depends(fir), version = 2], 1);
version!(two_changes, 2, 1, [depends(fir)], 3);
version!(by_body, 1, 1, [depends(fir), code = "body"], 1);

#[test]
fn what_of_the_code_has_changed_is_told() {
    let (_folder, memory) = fresh();
    memory.eval(first::filtered::call(1));
    assert_eq!(words(&memory, &edited::filtered::call(1)), "code changed");
    assert_eq!(words(&memory, &other_helper::filtered::call(1)), "code of `fir` (depends) changed");
    assert_eq!(words(&memory, &two_helpers::filtered::call(1)), "`taps` is new in depends");
    assert_eq!(words(&memory, &no_helper::filtered::call(1)), "`fir` is no longer in depends");
    assert_eq!(words(&memory, &raised::filtered::call(1)), "`version` none → 2");
    assert_eq!(words(&memory, &by_body::filtered::call(1)), "what counts as code: auto → body");
    let reason = memory.explain(&other_helper::filtered::call(1)).reason();
    assert_eq!(reason, Reason::Code(vec!["code of `fir` (depends) changed".to_owned()]));
    assert_eq!(reason.name(), "code");
}

#[test]
fn the_nearest_call_of_other_code_is_the_one_with_the_same_arguments() {
    let (_folder, memory) = fresh();
    memory.eval(other_helper::filtered::call(1));
    memory.eval(edited::filtered::call(2));
    assert_eq!(words(&memory, &first::filtered::call(1)), "code of `fir` (depends) changed");
    assert_eq!(words(&memory, &first::filtered::call(2)), "code changed");
}

#[test]
fn a_miss_is_compared_with_the_nearest_code_and_not_with_the_newest() {
    let (_folder, memory) = fresh();
    memory.eval(first::filtered::call(1));
    memory.eval(two_changes::filtered::call(1));
    assert_eq!(words(&memory, &edited::filtered::call(1)), "code changed");
    assert_eq!(words(&memory, &edited::filtered::call(2)), "code changed");
}

#[cache(name = "explain: summed")]
fn summed(x: &ArrayRef1<f64>) -> f64 {
    x.sum()
}

#[test]
fn of_arrays_that_differ_one_of_the_same_shape_is_the_nearest() {
    let (_folder, memory) = fresh();
    memory.eval(summed::call(&Array1::zeros(3)));
    memory.eval(summed::call(&Array1::zeros(4)));
    assert_eq!(words(&memory, &summed::call(&Array1::ones(3))), "argument `x`: another f64[3] C");
    assert_eq!(words(&memory, &summed::call(&Array1::ones(5))), "argument `x`: f64[4] C → f64[5] C", "the newest");
}

#[cache(name = "explain: checked")]
fn checked(n: u64) -> Result<u64, String> {
    if n < 5 { Ok(n) } else { Err("too much".to_owned()) }
}

#[test]
fn a_call_whose_result_is_never_stored_does_not_miss_for_its_arguments() {
    let (_folder, memory) = fresh();
    for n in [1, 2, 7, 7, 7, 8] {
        assert_eq!(memory.eval(checked::call(n)).is_ok(), n < 5);
    }
    let expected = [("argument", 3), ("new function", 1), ("not stored", 2)];
    assert_eq!(
        memory.stats().by_reason().iter().map(|(reason, count)| (*reason, *count)).collect::<Vec<_>>(),
        expected
    );
    let total = memory.history(None).unwrap().total();
    assert_eq!(total.reasons.iter().map(|(reason, count)| (&**reason, *count)).collect::<Vec<_>>(), expected);
    // What has been stored meanwhile, and was removed, isn't counted as that.
    let other = Memory::builder(memory.location().unwrap()).mode(ndcache::Mode::ReadOnly).open().unwrap();
    assert_eq!((other.eval(checked::call(3)), other.eval(checked::call(3))), (Ok(3), Ok(3)));
    assert_eq!(other.stats().by_reason()["not stored"], 1, "nothing is stored in this mode");
    memory.eval(checked::call(3)).unwrap();
    other.eval(checked::call(3)).unwrap();
    assert_eq!(other.stats().by_reason()["hit"], 1);
}

/// Rewrites the only record, and what its code is made of: each text is replaced by one of the same length.
fn patch(memory: &Memory, changes: &[(&[u8], &[u8])]) {
    let mut done = vec![false; changes.len()];
    for path in snapshot(memory.location().unwrap()).into_keys().filter(|path| path.ends_with(".record")) {
        let record = fs::read(&path).unwrap();
        let mut body = record[..record.len() - 16].to_vec();
        for (change, done) in changes.iter().zip(&mut done) {
            let (old, new) = *change;
            assert_eq!(old.len(), new.len());
            if let Some(at) = body.windows(old.len()).position(|window| window == old) {
                body[at..at + new.len()].copy_from_slice(new);
                *done = true;
            }
        }
        fs::write(&path, sealed(body)).unwrap();
    }
    assert!(done.iter().all(|&done| done), "what is to be replaced");
}

#[cache(depends(helper), code = "package")]
fn packaged(n: u64) -> u64 {
    helper() + n
}

#[ndcache::code]
fn helper() -> u64 {
    u64::from(cfg!(debug_assertions))
}

/// In MessagePack a text of less than 32 bytes has one byte before it.
fn text(text: &str) -> Vec<u8> {
    [&[0xa0 | u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

#[test]
fn the_packages_version_and_conditions_are_told() {
    let (_folder, memory) = fresh();
    memory.eval(packaged::call(1));
    let path = files(memory.location().unwrap(), ".record").pop().unwrap();
    let record = fs::read(&path).unwrap();
    let name = [text("code"), vec![0xc4, 16]].concat();
    let at = record.windows(name.len()).position(|window| window == name).expect("the code digest") + name.len();
    let code = record[at..at + 16].to_vec();
    let version = env!("CARGO_PKG_VERSION");
    let field = |version: &str| [text("package"), text(version)].concat();
    let older = "9.9.9"; // As long as the present one.
    // As an earlier version of the package would have stored it.
    patch(&memory, &[(&code, &[7; 16]), (&field(version), &field(older))]);
    let folder = path.ancestors().nth(2).unwrap().join("code");
    let parts = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    fs::rename(parts, folder.join(format!("{}.record", "07".repeat(16)))).unwrap();
    assert_eq!(words(&memory, &packaged::call(2)), format!("package version {older} → {version}"));
    let now = cfg!(debug_assertions).to_string();
    let then = &"other"[..now.len()];
    let condition = |value: &str| [text("cfg(debug_assertions)"), text(value)].concat();
    patch(&memory, &[(&field(older), &field(version)), (&condition(&now), &condition(then))]);
    let expected = format!("`cfg(debug_assertions)` of `helper` (depends) {then} → {now}");
    assert_eq!(words(&memory, &packaged::call(2)), expected);
}

#[cache(name = "explain: more arguments", code = "version", version = 1)]
fn two_arguments(n: u64, k: u64) -> u64 {
    n + k
}

mod earlier {
    #[ndcache::cache(name = "explain: more arguments", code = "version", version = 1)]
    pub(super) fn two_arguments(n: u64, m: u64) -> u64 {
        n + m
    }
}

#[test]
fn arguments_that_come_and_go_are_named() {
    let (_folder, memory) = fresh();
    memory.eval(earlier::two_arguments::call(1, 2));
    assert_eq!(words(&memory, &two_arguments::call(1, 3)), "argument `k`: none → 3, argument `m`: 2 → none");
}

#[cache]
fn ramp(n: usize) -> Array1<f64> {
    Array1::linspace(0.0, 1.0, n)
}

#[test]
fn an_array_file_of_another_length_is_told_by_how_much() {
    let (folder, memory) = fresh();
    let call = || ramp::call(50_000);
    memory.eval(call());
    let path = files(folder.path(), ".npy").pop().unwrap();
    let whole = fs::read(&path).unwrap();
    for (bytes, expected) in [
        (whole[..whole.len() - 12].to_vec(), "array file is 12 bytes short"),
        (whole[..whole.len() - 1].to_vec(), "array file is 1 byte short"),
        ([whole.clone(), vec![0; 12]].concat(), "array file is 12 bytes too long"),
    ] {
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let explanation = memory.explain(&call());
        assert!(matches!(explanation.reason(), Reason::Damaged(_)), "{explanation}");
        assert!(explanation.to_string().contains(expected), "{explanation}");
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(explanation.to_string().contains(name), "{explanation}");
    }
    fs::remove_file(&path).unwrap();
    assert!(words(&memory, &call()).contains("array file is missing"), "{}", words(&memory, &call()));
    memory.eval(call());
    assert_eq!(words(&memory, &call()), "hit");
}

/// The shortest of several times.
fn shortest(tries: usize, mut body: impl FnMut(usize)) -> Duration {
    let timed = |n| {
        let begin = Instant::now();
        body(n);
        begin.elapsed()
    };
    (0..tries).map(timed).min().expect("at least one")
}

#[test]
fn a_miss_among_a_thousand_entries_compares_with_none_of_them_unless_somebody_listens() {
    #[cache]
    fn plain(n: usize) -> usize {
        n
    }
    let (_folder, memory) = fresh();
    for n in 0..1000 {
        memory.eval(plain::call(n));
    }
    let explained = shortest(3, |_| drop(memory.explain(&plain::call(1000))));
    let missed = shortest(10, |n| assert_eq!(memory.eval(plain::call(2000 + n)), 2000 + n));
    assert!(missed * 4 < explained, "a miss takes {missed:?}, to explain one {explained:?}");
}

mod computed {
    #[ndcache::cache(name = "explain: edited by hand")]
    pub(super) fn taps() -> ndarray::Array1<f64> {
        ndarray::array![0.5, 0.5]
    }
}

mod raised_since {
    #[ndcache::cache(name = "explain: edited by hand", version = 2)]
    pub(super) fn taps() -> ndarray::Array1<f64> {
        ndarray::array![0.5, 0.5]
    }
}

#[test]
fn an_entry_that_was_edited_by_hand_still_tells_its_code() {
    let (_folder, memory) = fresh();
    memory.eval(computed::taps::call());
    let mut edited = memory.mmap_mut(computed::taps::call()).unwrap();
    edited[0] = 0.25;
    edited.commit().unwrap();
    assert_eq!(words(&memory, &computed::taps::call()), "hit (edited)");
    assert_eq!(words(&memory, &raised_since::taps::call()), "`version` none → 2");
}
