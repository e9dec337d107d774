//! An entry that can't be read for want of a descriptor or of a permission isn't taken for damaged.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::make::NpyFile;
use ndcache::verify::Repair;
use ndcache::{Memory, cache};

use crate::support::{child, in_child};

#[cache]
fn ramp(n: usize) -> Array1<f64> {
    Array1::linspace(0.0, 1.0, n)
}

#[cache]
fn text(n: usize) -> String {
    "x".repeat(n)
}

const NAME: &str = "hostile::descriptors::an_entry_is_unreadable_and_not_damaged_when_no_descriptor_is_left";

#[test]
fn an_entry_is_unreadable_and_not_damaged_when_no_descriptor_is_left() {
    let Some(folder) = in_child(NAME, "FOLDER") else {
        let folder = tempfile::tempdir().unwrap();
        let child = child(NAME, &[]);
        let mut limited = Command::new("bash");
        limited.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(child.get_program()).args(child.get_args());
        limited.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let done = limited.env("FOLDER", folder.path()).output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&said));
        return;
    };
    let folder = std::path::Path::new(&folder);
    let open = || Memory::open(folder.join("cache")).unwrap();
    let writer = open();
    writer.eval(ramp::call(50_000));
    writer.eval(ramp::call(10));
    // The value of this entry lies in a file of its own.
    writer.eval(text::call(200_000));
    let target = NpyFile::new(folder.join("a.npy"));
    writer.make(ramp::call(70), &target).unwrap();
    let memory = open();
    let mut taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    // First no descriptor is left; then one, which the record takes, so that none is left for the array.
    for spare in 0..3 {
        let unreadable = |reason: Reason| match reason {
            Reason::Unreadable(what) => assert!(what.contains("Too many open files"), "{what}"),
            Reason::Hit => assert!(spare > 0),
            other => panic!("{other:?} with {spare}"),
        };
        unreadable(memory.explain(&ramp::call(50_000)).reason());
        unreadable(memory.explain(&ramp::call(10)).reason());
        unreadable(memory.explain(&text::call(200_000)).reason());
        assert_eq!(memory.eval(ramp::call(50_000)).len(), 50_000);
        assert_eq!(memory.mmap(ramp::call(50_000)).len(), 50_000);
        assert_eq!(memory.eval(ramp::call(10)).len(), 10);
        assert_eq!(memory.eval(text::call(200_000)).len(), 200_000);
        let _ = memory.make(ramp::call(70), &target);
        if let Ok(report) = memory.verify(Repair::Remove) {
            assert_eq!((report.damaged, report.removed), (0, 0), "{report:?}");
        }
        taken.pop();
    }
    drop(taken);
    assert!(!memory.stats().by_reason().contains_key("damaged"), "{:?}", memory.stats());
    assert!(memory.stats().by_reason()["unreadable"] > 0, "{:?}", memory.stats());
    let again = open();
    assert_eq!(again.explain(&ramp::call(50_000)).reason(), Reason::Hit);
    assert!(again.verify(Repair::No).unwrap().is_intact());
}

#[test]
fn a_missing_permission_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).inline(0).open().unwrap();
    memory.eval(ramp::call(10));
    let entry = memory.entry(&ramp::call(10)).unwrap().unwrap();
    for path in [entry.path(), &entry.files()[0]] {
        fs::set_permissions(path, Permissions::from_mode(0o0)).unwrap();
        if File::open(path).is_ok() {
            eprintln!("skipped: this user may read any file");
            return;
        }
        let other = Memory::open(folder.path()).unwrap();
        assert!(matches!(other.explain(&ramp::call(10)).reason(), Reason::Unreadable(_)));
        assert_eq!(other.verify(Repair::Remove).unwrap().damaged, 0);
        fs::set_permissions(path, Permissions::from_mode(0o444)).unwrap();
    }
}
