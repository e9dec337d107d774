use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::activity::{Activity, History, Period};
use super::line::{self, LogLine, Unread};
use super::log;
use crate::fuzz::fuzz;
use crate::store::Disk;

fn activity() -> impl Strategy<Value = Activity> {
    let counts = prop::array::uniform5(0..1_000_000_u64);
    let times = prop::array::uniform5(0..u64::MAX);
    let reasons = prop::collection::btree_map(".{0,20}", any::<u64>(), 0..4);
    (counts, times, any::<[u64; 2]>(), reasons, prop::option::of(".{0,30}")).prop_map(
        |(counts, times, bytes, reasons, last_miss)| {
            let [hits, repeats, fetched, misses, faults] = counts;
            let [saved, spent, hashing, loading, storing] = times.map(Duration::from_nanos);
            let [loaded, stored] = bytes;
            Activity {
                hits,
                repeats,
                fetched,
                misses,
                faults,
                saved,
                spent,
                hashing,
                loading,
                storing,
                loaded,
                stored,
                reasons,
                last_miss,
            }
        },
    )
}

fn time() -> impl Strategy<Value = SystemTime> {
    any::<u64>().prop_map(|since| UNIX_EPOCH + Duration::from_nanos(since))
}

fn period() -> impl Strategy<Value = Period> {
    let functions = prop::collection::btree_map(".{0,40}", activity(), 0..40);
    (prop::option::of("[0-9a-f]{16}"), ".{0,20}", time(), time(), functions)
        .prop_map(|(run, host, from, to, functions)| Period { run, host, from, to, functions })
}

fn read_back(line: &[u8]) -> Period {
    let text = line.strip_prefix(b"\n").and_then(|line| line.strip_suffix(b"\n")).expect("newlines around it");
    assert!(!text.contains(&b'\n'), "one line");
    match line::decode(text) {
        Ok(LogLine::Counts(period)) => period,
        other => panic!("{other:?} in {}", String::from_utf8_lossy(text)),
    }
}

proptest! {
    /// What is written in as many lines as it needs is read back, each function once.
    #[test]
    fn lines_are_read_as_they_were_written(period in period()) {
        let lines = line::encode(&LogLine::Counts(period.clone()));
        let mut functions = BTreeMap::new();
        for line in &lines {
            prop_assert!(line.len() <= 4096, "{} bytes", line.len());
            let Period { functions: part, .. } = read_back(line);
            for (function, activity) in part {
                prop_assert!(functions.insert(function, activity).is_none());
            }
        }
        prop_assert_eq!(functions, period.functions);
    }

    /// A line that lost its end is torn, wherever it lost it, and never another line.
    #[test]
    fn a_torn_line_is_no_line(period in period(), at in any::<prop::sample::Index>()) {
        for line in line::encode(&LogLine::Counts(period)) {
            let whole = line.trim_ascii();
            let torn = &whole[..at.index(whole.len())];
            prop_assert_eq!(line::decode(torn), Err(Unread::Torn));
        }
    }

    /// Characters that lines are made of meet the grammar more often.
    #[test]
    fn anything_that_looks_like_a_line_is_one_or_none(text in r#"[{}\[\]":,v1fhit\\u0 a-f]{0,80}"#) {
        super::any_line(text.as_bytes());
        super::any_line(format!(r#"{{"v":1,"run":"","host":"","from":0,"to":1,"f":{text}}}"#).as_bytes());
    }
}

#[test]
fn any_bytes_are_a_line_or_none() {
    let sources = line::encode(&LogLine::Sources(vec!["log.a".into()])).concat();
    let corpus = [line_of("app/f", 7, 1), sources].map(|line| line.trim_ascii().to_vec());
    fuzz("stats::history::tests::any_bytes_are_a_line_or_none", Some("line"), 20_000, &corpus, super::any_line);
}

#[test]
fn names_and_explanations_are_cut_and_newer_lines_are_left() {
    let activity = Activity { misses: 1, last_miss: Some("é".repeat(500)), ..Activity::default() };
    let functions = BTreeMap::from([("ß".repeat(500), activity)]);
    let (from, to) = (UNIX_EPOCH, UNIX_EPOCH + Duration::from_nanos(7));
    let period = Period { run: None, host: "\u{1b}[2J\n\"".into(), from, to, functions };
    let [line] = &line::encode(&LogLine::Counts(period))[..] else { panic!("one line") };
    let read = read_back(line);
    assert_eq!(read.host, "\u{1b}[2J\n\"");
    let (function, activity) = read.functions.first_key_value().unwrap();
    assert_eq!(*function, History::logged_name(&"ß".repeat(500)));
    assert_eq!((function.len(), activity.last_miss.as_ref().unwrap().chars().count()), (199, 120));
    assert_eq!(History::logged_name(function), *function, "what was cut stays as it is");
    assert_ne!(History::logged_name(&"ß".repeat(501)), *function, "no two are one");
    assert_eq!(line::decode(br#"{"v":2,"f":[{"a":null}]}"#), Err(Unread::Newer));
    let with_more =
        br#"{"v":1,"run":"","host":"h","from":1,"to":2,"tier":{"a":[1.5e3,true]},"f":{"g":{"hit":3,"new":-1}}}"#;
    let Ok(LogLine::Counts(read)) = line::decode(with_more) else { panic!("fields are added") };
    assert_eq!(read.functions["g"].hits, 3);
    for bad in ["", "{}", "[1]", r#"{"v":1}"#, r#"{"v":0,"run":"","host":"","from":1,"to":2,"f":{}}"#] {
        assert_eq!(line::decode(bad.as_bytes()), Err(Unread::Torn), "{bad}");
    }
}

fn disk() -> (tempfile::TempDir, Arc<Disk>) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    (folder, Arc::new(disk))
}

fn line_of(function: &str, hits: u64, from: u64) -> Vec<u8> {
    let functions = BTreeMap::from([(function.to_owned(), Activity { hits, ..Activity::default() })]);
    let (from, to) = (UNIX_EPOCH + Duration::from_secs(from), UNIX_EPOCH + Duration::from_secs(from + 1));
    let period = Period { run: Some("0123456789abcdef".into()), host: "h".into(), from, to, functions };
    line::encode(&LogLine::Counts(period)).concat()
}

/// Sets a file back by two hours.
fn age(path: &Path) {
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(7200)).unwrap();
}

fn logs(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder.join("s")).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Fills the log, so that the next line goes to a new one.
fn fill(folder: &Path, disk: &Disk) {
    let begin = logs(folder).len();
    let line = line_of("f", 1, 86_400).repeat(40_000);
    fs::OpenOptions::new()
        .append(true)
        .open(folder.join("s/log"))
        .map(|mut log| std::io::Write::write_all(&mut log, &line))
        .unwrap()
        .unwrap();
    log::append(disk, &line_of("f", 1, 2 * 86_400)).unwrap();
    assert_eq!(logs(folder).len(), begin + 1);
}

#[test]
fn a_full_log_is_rotated_and_folded_an_hour_later() {
    let (folder, disk) = disk();
    log::append(&disk, &line_of("f", 5, 0)).unwrap();
    fill(folder.path(), &disk);
    let before = log::read(&disk, None).unwrap();
    assert_eq!((before.total().hits, before.periods().len(), before.unread()), (40_006, 40_002, 0));
    log::fold(&disk, SystemTime::now()).unwrap();
    assert_eq!(log::read(&disk, None).unwrap(), before, "not yet");
    let rotated = logs(folder.path()).into_iter().find(|name| name != "log").unwrap();
    age(&folder.path().join("s").join(&rotated));
    log::fold(&disk, SystemTime::now()).unwrap();
    let after = log::read(&disk, None).unwrap();
    assert_eq!(after.by_function(), before.by_function());
    assert_eq!(after.periods().len(), 3, "one for each of two days, and what wasn't rotated");
    let names = logs(folder.path());
    assert_eq!(names.len(), 2);
    assert!(names[1].starts_with("log.folded.") && names[0] == "log", "{names:?}");
    // Again: there is nothing to do.
    log::fold(&disk, SystemTime::now()).unwrap();
    assert_eq!(log::read(&disk, None).unwrap(), after);
}

/// On a disk and, where there is one, in memory.
#[test]
fn processes_that_append_while_the_log_is_rotated_lose_no_line() {
    const NAME: &str = "stats::history::tests::processes_that_append_while_the_log_is_rotated_lose_no_line";
    const FOLDER: &str = "NDCACHE_TEST_APPENDS_TO";
    const PROCESSES: u64 = 16;
    const LINES: u64 = 1000;
    if let Some(folder) = std::env::var_os(FOLDER) {
        let disk = Disk::open(Path::new(&folder)).unwrap();
        // So long that the log is rotated three times.
        let line = line_of(&"f".repeat(180), 1, 86_400).repeat(3);
        (0..LINES).for_each(|_| log::append(&disk, &line).unwrap());
        return;
    }
    let on_disk = tempfile::tempdir().unwrap();
    let in_memory = tempfile::tempdir_in("/dev/shm").ok();
    if in_memory.is_none() {
        println!("skipped: there is no file system in memory");
    }
    for folder in [Some(&on_disk), in_memory.as_ref()].into_iter().flatten() {
        let disk = Disk::open(folder.path()).unwrap();
        let child = || {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", NAME, "--test-threads=1"]).env(FOLDER, folder.path());
            child.stdout(std::process::Stdio::null()).spawn().unwrap()
        };
        let children: Vec<_> = (0..PROCESSES).map(|_| child()).collect();
        children.into_iter().for_each(|mut child| assert!(child.wait().unwrap().success()));
        let history = log::read(&disk, None).unwrap();
        assert_eq!((history.total().hits, history.unread()), (3 * PROCESSES * LINES, 0), "{:?}", folder.path());
        assert!(logs(folder.path()).len() > 2, "it was rotated: {:?}", logs(folder.path()));
    }
}

#[test]
fn what_can_not_be_read_is_not_folded_and_stays() {
    let (folder, disk) = disk();
    log::append(&disk, &line_of("f", 5, 0)).unwrap();
    let [long, rotated] = [6, 7].map(|n| folder.path().join("s").join(format!("log.{n:020}-{n:016x}")));
    fs::File::create(&long).unwrap().set_len(1 << 30).unwrap();
    fs::write(&rotated, line_of("f", 1, 0).repeat(20)).unwrap();
    for path in [&long, &rotated] {
        age(path);
    }
    let before = log::read(&disk, None).unwrap();
    log::fold(&disk, SystemTime::now()).unwrap();
    let after = log::read(&disk, None).unwrap();
    assert_eq!((after.total(), after.unread()), (before.total(), before.unread()));
    assert_eq!((long.exists(), rotated.exists()), (true, false));
}

#[test]
fn whatever_a_kill_leaves_of_folding_counts_once() {
    let (folder, disk) = disk();
    log::append(&disk, &line_of("f", 5, 0)).unwrap();
    let rotated = format!("log.{:020}-{:016x}", 7, 7);
    fs::write(folder.path().join("s").join(&rotated), line_of("f", 1, 0).repeat(20)).unwrap();
    let rotated = folder.path().join("s").join(rotated);
    age(&rotated);
    let source = fs::read(&rotated).unwrap();
    let total = log::read(&disk, None).unwrap().total();
    log::fold(&disk, SystemTime::now()).unwrap();
    let folded = folder.path().join("s").join(&logs(folder.path())[1]);
    let whole = fs::read(&folded).unwrap();
    for kept in 0..=whole.len() {
        // Killed before the sources were removed, with so much of the result written.
        fs::write(&rotated, &source).unwrap();
        age(&rotated);
        fs::remove_file(&folded).unwrap();
        fs::write(&folded, &whole[..kept]).unwrap();
        if kept % 16 != 0 && kept + 3 < whole.len() {
            continue;
        }
        assert_eq!(log::read(&disk, None).unwrap().total(), total, "{kept} of {} bytes", whole.len());
        age(&folded);
        log::fold(&disk, SystemTime::now()).unwrap();
        log::fold(&disk, SystemTime::now()).unwrap();
        assert_eq!(log::read(&disk, None).unwrap().total(), total, "{kept} of {} bytes, folded", whole.len());
        assert!(!rotated.exists(), "{kept} bytes");
    }
}

#[test]
fn two_that_fold_at_once_count_all_lines_once() {
    let (folder, disk) = disk();
    log::append(&disk, &line_of("f", 5, 0)).unwrap();
    for _ in 0..4 {
        fill(folder.path(), &disk);
    }
    for name in logs(folder.path()).iter().filter(|name| *name != "log") {
        age(&folder.path().join("s").join(name));
    }
    let total = log::read(&disk, None).unwrap().total();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| log::fold(&disk, SystemTime::now()).unwrap());
        }
        (0..20).for_each(|_| assert_eq!(log::read(&disk, None).unwrap().total(), total));
    });
    assert_eq!(log::read(&disk, None).unwrap().total(), total);
}

/// The log of a machine that is called `folded.lab`, for a user who may not write to the common one.
#[test]
fn the_log_of_a_machine_is_read_whatever_its_name_begins_with() {
    let (folder, disk) = disk();
    log::append(&disk, &line_of("f", 1, 0)).unwrap();
    let path = folder.path().join("s/log.folded.lab-1000");
    fs::write(&path, line_of("f", 3, 0)).unwrap();
    age(&path);
    assert_eq!(log::read(&disk, None).unwrap().total().hits, 4);
    log::fold(&disk, SystemTime::now()).unwrap();
    assert_eq!(log::read(&disk, None).unwrap().total().hits, 4);
}

#[test]
fn what_is_no_log_is_neither_read_nor_written() {
    let (folder, disk) = disk();
    let outside = folder.path().join("outside");
    fs::write(&outside, "mine").unwrap();
    fs::create_dir(folder.path().join("s")).unwrap();
    let name = folder.path().join("s/log");
    std::os::unix::fs::symlink(&outside, &name).unwrap();
    assert!(log::append(&disk, &line_of("f", 1, 0)).is_err());
    assert_eq!(fs::read(&outside).unwrap(), b"mine");
    assert_eq!(log::read(&disk, None).unwrap().total(), Activity::default());
    fs::remove_file(&name).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &name, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    assert!(log::append(&disk, &line_of("f", 1, 0)).is_err());
    assert_eq!(log::read(&disk, None).unwrap().total(), Activity::default());
    fs::remove_file(&name).unwrap();
    fs::write(&name, [b"not json\n".as_slice(), &[0xff; 100_000], &line_of("f", 3, 0)].concat()).unwrap();
    let history = log::read(&disk, None).unwrap();
    assert_eq!((history.total().hits, history.unread()), (3, 2));
}
