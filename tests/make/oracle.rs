//! Whether a function runs is compared with an oracle that knows the bytes of the target and the last call.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use ndarray::prelude::*;
use ndcache::make::NpyFile;
use ndcache::{Call, Memory, cache};
use proptest::prelude::*;

use super::{RUNS, Workshop, runs};

mod old {
    use super::*;

    #[cache(name = "make: shifted")]
    pub(super) fn shifted(by: u8) -> Array1<u8> {
        RUNS.set(RUNS.get() + 1);
        array![1, 2, 3] + by
    }
}

mod edited {
    use super::*;

    /// The same name and another body.
    #[cache(name = "make: shifted")]
    pub(super) fn shifted(by: u8) -> Array1<u8> {
        RUNS.set(RUNS.get() + 1);
        array![1, 2, 4] + by
    }
}

/// What may happen between and besides calls.
#[derive(Clone, Debug)]
enum Event {
    Make {
        edited: bool,
        by: u8,
    },
    Delete,
    /// Another byte of the same length.
    Edit(u8),
    Append,
    Touch,
    /// The same bytes, in a new file.
    Copy,
    Chmod,
    /// The program ends and starts again.
    Restart,
    /// The record of the slot is lost.
    Forget,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (any::<bool>(), 0..2_u8).prop_map(|(edited, by)| Event::Make { edited, by }),
        1 => Just(Event::Delete),
        1 => (0..4_u8).prop_map(Event::Edit),
        1 => Just(Event::Append),
        1 => Just(Event::Touch),
        1 => Just(Event::Copy),
        1 => Just(Event::Chmod),
        1 => Just(Event::Restart),
        1 => Just(Event::Forget),
    ]
}

/// The last call, and the bytes that it left.
type Made = Option<((bool, u8), Vec<u8>)>;

fn make<A>(memory: &Memory, call: Call<A, Array1<u8>>, path: &Path, mapped: bool) -> (Array1<u8>, usize) {
    let before = runs();
    let made = match mapped {
        true => memory.make(call, NpyFile::mapped(path)).unwrap().to_owned(),
        false => memory.make(call, NpyFile::new(path)).unwrap(),
    };
    (made, runs() - before)
}

fn check(events: &[Event], mapped: bool) {
    let workshop = Workshop::new();
    let path = workshop.path("shifted.npy");
    let mut memory = workshop.memory.clone();
    let mut made: Made = None;
    for event in events {
        match *event {
            Event::Make { edited, by } => {
                let expected = array![1, 2, if edited { 4 } else { 3 }] + by;
                let stands = fs::read(&path).ok();
                let is_there =
                    made.as_ref().is_some_and(|(call, bytes)| *call == (edited, by) && stands.as_ref() == Some(bytes));
                let (found, runs) = match edited {
                    true => make(&memory, edited::shifted::call(by), &path, mapped),
                    false => make(&memory, old::shifted::call(by), &path, mapped),
                };
                assert_eq!(found, expected, "{events:?}");
                assert_eq!(runs, usize::from(!is_there), "{event:?} of {events:?}");
                made = Some(((edited, by), fs::read(&path).unwrap()));
            }
            Event::Delete => drop(fs::remove_file(&path)),
            Event::Edit(byte) => change(&path, |bytes| *bytes.last_mut().unwrap() = byte),
            Event::Append => change(&path, |bytes| bytes.push(0)),
            Event::Copy => change(&path, |_| {}),
            Event::Touch => {
                if let Ok(file) = File::open(&path) {
                    file.set_modified(SystemTime::now() - Duration::from_secs(1000)).unwrap();
                }
            }
            Event::Chmod => {
                if path.exists() {
                    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
                }
            }
            Event::Restart => memory = Memory::open(workshop.folder.path().join("cache")).unwrap(),
            Event::Forget => {
                for slot in workshop.slots() {
                    fs::remove_file(slot).unwrap();
                    made = None;
                }
            }
        }
    }
    let left: Vec<_> = workshop.names().into_iter().filter(|name| name != "shifted.npy").collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Behind the cache's back, in a new file: the old one may be mapped.
fn change(path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let Ok(mut bytes) = fs::read(path) else { return };
    edit(&mut bytes);
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_step_runs_exactly_when_code_argument_or_target_changed(
        events in prop::collection::vec(event(), 1..16),
        mapped in any::<bool>(),
    ) {
        check(&events, mapped);
    }
}

/// An old file is recognised by its times and inode, without being read.
#[test]
fn a_settled_target_is_told_by_its_times_and_an_edit_of_any_kind_is_seen() {
    let workshop = Workshop::new();
    let path = workshop.path("shifted.npy");
    let make = || make(&workshop.memory, old::shifted::call(1), &path, false).1;
    assert_eq!(make(), 1);
    std::thread::sleep(Duration::from_millis(2_100));
    let slot = || fs::read(&workshop.slots()[0]).unwrap();
    let young = slot();
    assert_eq!(make(), 0);
    let settled = slot();
    assert_ne!(young, settled, "read once more, and remembered as it looks now");
    assert_eq!((make(), slot() == settled), (0, true));
    // The length stays and the time is set back: only the change time shows the edit.
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    File::open(&path).unwrap().set_modified(before).unwrap();
    assert_eq!(make(), 1);
    assert_eq!(make(), 0);
}
