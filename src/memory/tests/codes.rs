//! The records of what codes are made of: they are written once, and only explanations read them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::digest::Digest;
use crate::entry::rules::Sharing;
use crate::entry::site::Site;
use crate::entry::write::put::Draft;
use crate::folder::{Limits, Repair};
use crate::key::{Key, Part};
use crate::memory::Memory;
use crate::stats::Reason;

mod before {
    #[ndcache::cache(name = "codes of one function", version = 1)]
    pub(super) fn double(x: f64) -> f64 {
        2.0 * x
    }
}

mod after {
    #[ndcache::cache(name = "codes of one function", version = 2)]
    pub(super) fn double(x: f64) -> f64 {
        x + x
    }
}

/// The files of codes, in every function's folder.
fn codes(folder: &Path) -> Vec<PathBuf> {
    let functions = fs::read_dir(folder.join("f")).into_iter().flatten();
    let folders = functions.map(|function| function.unwrap().path().join("code"));
    let items = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten());
    items.map(|item| item.unwrap().path()).collect()
}

fn stored() -> (tempfile::TempDir, Memory) {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    for x in 0..5 {
        memory.eval(before::double::call(f64::from(x)));
    }
    (folder, memory)
}

fn reason(memory: &Memory) -> Vec<String> {
    match memory.explain(&after::double::call(1.0)).reason() {
        Reason::Code(changes) => changes,
        other => panic!("{other:?}"),
    }
}

fn make_old(path: &Path) {
    let old = SystemTime::now() - Duration::from_secs(25 * 3600);
    File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
}

#[test]
fn the_parts_of_a_code_are_written_once_and_are_no_entry() {
    let (folder, memory) = stored();
    let code = codes(folder.path());
    assert_eq!(code.len(), 1, "{code:?}");
    assert!(reason(&memory).contains(&"`version` 1 → 2".to_owned()), "{:?}", reason(&memory));
    assert_eq!(memory.entries().filter(Result::is_ok).count(), 5);
    let report = memory.verify(Repair::No).unwrap();
    assert_eq!((report.entries, report.orphans), (5, 0));
    memory.eval(after::double::call(1.0));
    assert_eq!(codes(folder.path()).len(), 2, "each code has its own");
    let name = code[0].file_name().unwrap().to_str().unwrap();
    let entry = memory.entries().next().unwrap().unwrap();
    assert!(name.len() == 39 && name.ends_with(".record") && code[0].parent().unwrap().ends_with("code"), "{name}");
    assert!(fs::metadata(entry.path()).unwrap().len() < 500, "no record holds them");
}

#[test]
fn without_its_parts_a_code_has_changed_and_no_more_is_known() {
    let (folder, memory) = stored();
    let path = codes(folder.path()).remove(0);
    let right = fs::read(&path).unwrap();
    for damage in [&b"nonsense"[..], &right[1..], b""] {
        fs::write(&path, damage).unwrap();
        assert!(reason(&memory).is_empty());
    }
    fs::remove_file(&path).unwrap();
    assert!(reason(&memory).is_empty());
    assert!(memory.contains(&before::double::call(1.0)) && memory.stats().faults() == 0);
    // The next process that stores a result of this code writes it again, over whatever stands there.
    fs::write(&path, b"nonsense").unwrap();
    let next = Memory::open(folder.path()).unwrap();
    next.eval(before::double::call(7.0));
    assert_eq!(fs::read(&path).unwrap(), right);
}

#[test]
fn parts_that_another_process_has_removed_are_written_with_a_later_result() {
    let (folder, memory) = stored();
    let path = codes(folder.path()).remove(0);
    fs::remove_file(&path).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    memory.eval(before::double::call(8.0));
    assert_eq!(codes(folder.path()), [path]);
}

#[test]
fn the_parts_of_much_code_are_written_in_full_and_those_of_too_much_are_not() {
    let (_folder, memory) = stored();
    let archive = &memory.0.as_ref().unwrap().archive;
    let function = before::double::function();
    for (count, kept) in [(2_000, 2_000), (100_000, 0)] {
        let code = Digest::of(format!("{count} parts").as_bytes());
        let part = |n: usize| Part { name: format!("helper{n:050}"), ..function.code_parts()[0].clone() };
        let parts: &[Part] = (0..count).map(part).collect::<Vec<_>>().leak();
        let draft = Draft {
            function: function.path(),
            code,
            parts,
            arguments: Vec::new().into(),
            build: None,
            types: None,
            readable: false,
            expires: None,
            files: Vec::new(),
            sharing: Sharing::No,
            local: false,
            edited: None,
        };
        let site = Site::new(function.folder(), Key::from_digest(code));
        (0..2).for_each(|_| archive.keep_code(&site, &draft));
        let found = archive.code_parts(function.folder(), function.path(), code);
        assert_eq!(found.len(), kept);
        assert!(found.iter().eq(&parts[..kept]));
    }
}

#[test]
fn where_the_parts_can_not_be_written_results_are_stored_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let function = folder.path().join(before::double::function().folder());
    fs::create_dir_all(&function).unwrap();
    fs::write(function.join("code"), "a file").unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    memory.eval(before::double::call(1.0));
    assert!(memory.contains(&before::double::call(1.0)));
    assert_eq!(memory.stats().faults(), 0);
    assert!(reason(&memory).is_empty());
}

#[test]
fn clearing_takes_the_parts_and_the_next_result_brings_them_back() {
    let (folder, memory) = stored();
    memory.clear_function(before::double::function()).unwrap();
    assert!(codes(folder.path()).is_empty());
    memory.eval(before::double::call(1.0));
    assert_eq!(codes(folder.path()).len(), 1);
    memory.clear().unwrap();
    assert!(codes(folder.path()).is_empty());
    memory.eval(before::double::call(1.0));
    assert_eq!(codes(folder.path()).len(), 1);
}

#[test]
fn the_parts_of_a_code_that_no_entry_has_are_swept_after_a_day() {
    let (folder, memory) = stored();
    memory.eval(after::double::call(1.0));
    codes(folder.path()).iter().for_each(|path| make_old(path));
    memory.reduce_size(Limits::default()).unwrap();
    assert_eq!(codes(folder.path()).len(), 2, "both are used");
    memory.remove(&after::double::call(1.0)).unwrap();
    memory.reduce_size(Limits::default()).unwrap();
    assert_eq!(codes(folder.path()).len(), 1);
    assert!(!memory.explain(&after::double::call(1.0)).to_string().is_empty());
    memory.reduce_size(Limits::default().items(0)).unwrap();
    memory.reduce_size(Limits::default()).unwrap();
    assert!(codes(folder.path()).is_empty());
}

#[test]
fn young_parts_and_those_that_others_may_use_are_not_swept() {
    let (folder, memory) = stored();
    let path = memory.entry(&before::double::call(1.0)).unwrap().unwrap().path().to_owned();
    let name = path.strip_prefix(folder.path()).unwrap().to_str().unwrap();
    let mut record = memory.0.as_ref().unwrap().archive.read_record(name).unwrap().unwrap().record;
    for x in 0..5 {
        memory.remove(&before::double::call(f64::from(x))).unwrap();
    }
    memory.reduce_size(Limits::default()).unwrap();
    assert_eq!(codes(folder.path()).len(), 1, "a writer may be about to store");
    make_old(&codes(folder.path())[0]);
    record.requires = vec!["zstd".to_owned()];
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, record.encode().unwrap()).unwrap();
    memory.reduce_size(Limits::default()).unwrap();
    assert_eq!(codes(folder.path()).len(), 1, "a later version's");
}
