//! Files that change between the moment at which an argument was made of them and that at which a function reads them.

use std::cell::{Cell, RefCell};
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use ndcache::make::MsgpackFile;
use ndcache::{ContentHash, ErrorKind, FileContent, FileStamp, Memory, cache};

use crate::support::{fresh, warnings};

thread_local! {
    static RUNS: Cell<usize> = const { Cell::new(0) };
    static BEFORE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    static AFTER: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

fn read(path: &Path) -> String {
    RUNS.set(RUNS.get() + 1);
    BEFORE.take().into_iter().for_each(|then| then());
    let text = fs::read_to_string(path).unwrap_or_default();
    AFTER.take().into_iter().for_each(|then| then());
    text
}

#[cache]
fn content(file: &FileContent) -> String {
    read(file.path())
}

#[cache]
fn stamp(file: &FileStamp) -> String {
    read(file.path())
}

#[derive(ContentHash)]
struct Inputs {
    name: String,
    tables: Vec<(u8, FileContent)>,
    mask: Option<FileStamp>,
}

#[cache]
fn nested(inputs: &Inputs) -> String {
    let tables = inputs.tables.iter().map(|(_, table)| read(table.path()));
    let mask = inputs.mask.iter().map(|mask| read(mask.path()));
    format!("{}: {}", inputs.name, tables.chain(mask).collect::<String>())
}

/// Writes a file whose times are old enough that every later change shows in them.
fn settled(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    let old = SystemTime::now() - Duration::from_secs(60);
    File::options().write(true).open(&path).unwrap().set_times(FileTimes::new().set_modified(old)).unwrap();
    path
}

/// Ways to change a file.
type Change = fn(&Path);
const CHANGES: [(&str, Change); 5] = [
    ("written", |path| fs::write(path, "new").unwrap()),
    ("written, with its old time", |path| {
        let was = fs::metadata(path).unwrap().modified().unwrap();
        fs::write(path, "new").unwrap();
        File::options().write(true).open(path).unwrap().set_times(FileTimes::new().set_modified(was)).unwrap();
    }),
    ("replaced", |path| {
        fs::write(path.with_extension("tmp"), "new").unwrap();
        fs::rename(path.with_extension("tmp"), path).unwrap();
    }),
    ("removed", |path| fs::remove_file(path).unwrap()),
    ("a folder", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }),
];

#[test]
fn a_result_of_a_file_that_changed_meanwhile_is_returned_and_not_stored() {
    let files = tempfile::tempdir().unwrap();
    for wait in [false, true] {
        for (n, (what, change)) in CHANGES.into_iter().enumerate() {
            let (_folder, memory) = fresh();
            let path = settled(files.path(), &format!("{n}-{wait}"), "old");
            if wait {
                thread::sleep(Duration::from_millis(2100));
            }
            let (file, stamped) = (FileContent::open(&path).unwrap(), FileStamp::open(&path).unwrap());
            let changed = path.clone();
            BEFORE.set(Some(Box::new(move || change(&changed))));
            let told = warnings(|| drop(memory.eval(content::call(&file))));
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].contains(path.to_str().unwrap()) && told[0].contains("content"), "{told:?}");
            let error = memory.try_eval(stamp::call(&stamped)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Changed, "{what}: {error}");
            assert!(error.to_string().contains("was changed after the argument was made of it"), "{error}");
            assert!(!memory.contains(&content::call(&file)) && !memory.contains(&stamp::call(&stamped)), "{what}");
            assert_eq!(memory.stats().faults(), 2);
            // What a file of the old content holds is computed and stored anew.
            let _ = fs::remove_dir(&path);
            fs::remove_file(&path).ok();
            let again = settled(files.path(), &format!("again-{n}-{wait}"), "old");
            let again = FileContent::open(again).unwrap();
            assert_eq!(memory.eval(content::call(&again)), "old");
            assert!(memory.contains(&content::call(&file)), "by its content");
        }
    }
}

// The file changes and changes back: it has its old content again, but hadn't when the function read it.
#[test]
fn a_file_that_changed_and_changed_back_is_told_by_its_times() {
    let (folder, memory) = fresh();
    let path = settled(folder.path(), "a", "old");
    thread::sleep(Duration::from_millis(2100));
    let file = FileContent::open(&path).unwrap();
    let (first, second) = (path.clone(), path.clone());
    BEFORE.set(Some(Box::new(move || fs::write(first, "new").unwrap())));
    AFTER.set(Some(Box::new(move || fs::write(second, "old").unwrap())));
    assert_eq!(memory.eval(content::call(&file)), "new");
    assert!(!memory.contains(&content::call(&file)));
    assert_eq!(memory.eval(content::call(&FileContent::open(&path).unwrap())), "old");
}

#[test]
fn files_that_stay_cost_nothing_and_reading_them_is_no_change() {
    let (folder, memory) = fresh();
    for young in [true, false] {
        let path = settled(folder.path(), if young { "young" } else { "old" }, if young { "1" } else { "2" });
        if !young {
            thread::sleep(Duration::from_millis(2100));
        }
        for _ in 0..2 {
            let (file, stamped) = (FileContent::open(&path).unwrap(), FileStamp::open(&path).unwrap());
            memory.try_eval(content::call(&file)).unwrap();
            memory.try_eval(stamp::call(&stamped)).unwrap();
        }
    }
    assert_eq!((RUNS.get(), memory.stats().faults()), (4, 0));
}

#[test]
fn files_inside_of_other_arguments_are_looked_at_too() {
    for which in 0..4 {
        let (folder, memory) = fresh();
        let paths: Vec<_> = (0..4).map(|n| settled(folder.path(), &format!("file{n}"), &n.to_string())).collect();
        let open = || Inputs {
            name: "x".to_owned(),
            tables: (0..3).map(|n| (n, FileContent::open(&paths[usize::from(n)]).unwrap())).collect(),
            mask: Some(FileStamp::open(&paths[3]).unwrap()),
        };
        let inputs = open();
        let changed = paths[which].clone();
        BEFORE.set(Some(Box::new(move || fs::write(changed, "new").unwrap())));
        let error = memory.try_eval(nested::call(&inputs)).unwrap_err();
        assert!(error.to_string().contains(&format!("file{which}")), "{error}");
        assert!(!memory.contains(&nested::call(&inputs)));
        memory.try_eval(nested::call(&open())).unwrap();
    }
}

// A call inside of another one, and arguments that are hashed while others are, keep their files apart.
#[test]
fn calls_that_are_hashed_inside_of_others_keep_their_files_apart() {
    struct Evaluates<'a>(&'a Memory, &'a FileContent, &'a FileContent);

    impl ContentHash for Evaluates<'_> {
        fn content_hash(&self, hasher: &mut ndcache::hash::ContentHasher) {
            self.1.content_hash(hasher);
            self.0.eval(content::call(self.2));
            self.2.content_hash(hasher);
        }
    }

    #[cache]
    fn outer(inside: &Evaluates<'_>) -> u8 {
        BEFORE.take().into_iter().for_each(|then| then());
        let _ = inside;
        1
    }

    let (folder, memory) = fresh();
    let paths = ["a", "b"].map(|name| settled(folder.path(), name, name));
    for changed in paths.clone() {
        let [a, b] = paths.each_ref().map(|path| FileContent::open(path).unwrap());
        memory.eval(content::call(&b));
        BEFORE.set(Some(Box::new(move || fs::write(changed, "new").unwrap())));
        let argument = Evaluates(&memory, &a, &b);
        assert_eq!(memory.try_eval(outer::call(&argument)).unwrap_err().kind(), ErrorKind::Changed);
    }
}

#[test]
fn a_step_of_a_file_that_changed_meanwhile_is_made_again() {
    let (folder, memory) = fresh();
    let path = settled(folder.path(), "a", "old");
    let target = MsgpackFile::new(folder.path().join("out"));
    let make = || memory.make(content::call(&FileContent::open(&path).unwrap()), &target).unwrap();
    let changed = path.clone();
    BEFORE.set(Some(Box::new(move || fs::write(changed, "new").unwrap())));
    assert_eq!(make(), "new");
    settled(folder.path(), "a", "old");
    assert_eq!((make(), RUNS.get()), ("old".to_owned(), 2));
    assert_eq!((make(), RUNS.get()), ("old".to_owned(), 2));
    assert_eq!(memory.stats().faults(), 1);
}
