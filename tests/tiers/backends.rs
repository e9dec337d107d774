//! The places that come with the crate do what tiers ask of a place, and the suite sees those that don't.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use ndcache::tier::{
    Backend, Body, Deadline, Each, Fault, Folder, Get, Got, List, MemoryBackend, Put, Stored, Token, When, conformance,
};

#[test]
fn the_places_that_come_with_the_crate_conform() {
    conformance(&MemoryBackend::new()).unwrap();
    let above = tempfile::tempdir().unwrap();
    let folder = Folder::new(above.path().join("tier")).unwrap();
    let until = Deadline::after(std::time::Duration::from_secs(10));
    folder.put(&Put::new("made by the first object", until), &b"x".to_vec()).unwrap();
    folder.delete("made by the first object", until).unwrap();
    conformance(&folder).unwrap();
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?} were left behind");
}

#[test]
fn places_of_one_name_in_memory_are_one_place_and_others_are_their_own() {
    let until = Deadline::after(std::time::Duration::from_secs(10));
    MemoryBackend::named("of one name").put(&Put::new("a", until), &b"x".to_vec()).unwrap();
    let other = MemoryBackend::named("of one name");
    assert_eq!(other.names(), ["a"], "whoever put it has let go of the place");
    assert!(MemoryBackend::named("of another name").names().is_empty());
    let (one, two) = (MemoryBackend::new(), MemoryBackend::new());
    one.put(&Put::new("a", until), &b"x".to_vec()).unwrap();
    assert!(two.names().is_empty() && one.place() != two.place());
}

#[test]
fn a_folder_below_one_that_is_missing_is_no_place_and_is_not_made() {
    let above = tempfile::tempdir().unwrap();
    let folder = Folder::new(above.path().join("not mounted/tier")).unwrap();
    let until = Deadline::after(std::time::Duration::from_secs(10));
    assert!(matches!(folder.get(&Get::new("deny", 10, until), &mut Vec::new()), Err(Fault::NoPlace)));
    assert!(matches!(folder.put(&Put::new("deny", until), &b"x".to_vec()), Err(Fault::NoPlace)));
    assert!(matches!(folder.list(&List::new("", until), &mut |_| Ok(())), Err(Fault::NoPlace)));
    folder.delete("deny", until).unwrap();
    assert!(!above.path().join("not mounted").exists());
}

#[test]
fn a_folder_follows_no_link_and_no_name_leads_out_of_it() {
    let above = tempfile::tempdir().unwrap();
    std::fs::write(above.path().join("secret"), "secret").unwrap();
    std::fs::create_dir(above.path().join("tier")).unwrap();
    std::os::unix::fs::symlink(above.path(), above.path().join("tier/f")).unwrap();
    let folder = Folder::new(above.path().join("tier")).unwrap();
    let until = Deadline::after(std::time::Duration::from_secs(10));
    for name in ["f/secret", "../secret", "/etc/passwd", "f/../../secret", "", "a//b", "."] {
        let mut out = Vec::new();
        let got = folder.get(&Get::new(name, 100, until), &mut out);
        assert!(got.is_err() && out.is_empty(), "`{name}`: {got:?}");
        assert!(folder.put(&Put::new(name, until), &b"x".to_vec()).is_err(), "`{name}`");
    }
    assert_eq!(std::fs::read(above.path().join("secret")).unwrap(), b"secret");
}

/// What a backend may get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    OtherPlaceEachTime,
    AbsentIsEmpty,
    PutsHalf,
    KeepsTheOld,
    IgnoresRanges,
    DeletesNothing,
    IgnoresTheWriter,
    PutsWhatItCouldRead,
    ListsNothing,
    ListsForEver,
    ExistsForNothing,
}

const ALL_WRONG: [Wrong; 11] = [
    Wrong::OtherPlaceEachTime,
    Wrong::AbsentIsEmpty,
    Wrong::PutsHalf,
    Wrong::KeepsTheOld,
    Wrong::IgnoresRanges,
    Wrong::DeletesNothing,
    Wrong::IgnoresTheWriter,
    Wrong::PutsWhatItCouldRead,
    Wrong::ListsNothing,
    Wrong::ListsForEver,
    Wrong::ExistsForNothing,
];

#[derive(Debug)]
struct Flawed {
    wrong: Wrong,
    inner: MemoryBackend,
    asked: AtomicU64,
}

impl Backend for Flawed {
    fn place(&self) -> String {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if self.wrong == Wrong::OtherPlaceEachTime { asked.to_string() } else { "flawed".to_owned() }
    }

    fn get(&self, get: &Get<'_>, out: &mut dyn Write) -> Result<Got, Fault> {
        let mut object = Vec::new();
        let got = self.inner.get(&Get::new(get.name, u64::MAX, get.until), &mut object);
        match (self.wrong, got) {
            (Wrong::AbsentIsEmpty, Err(Fault::Absent)) => return Ok(Got::default()),
            (_, got) => {
                got?;
            }
        }
        let part = if self.wrong == Wrong::IgnoresRanges { &object } else { get.part_of(&object) };
        let written = out.write_all(part);
        if self.wrong != Wrong::IgnoresTheWriter {
            written?;
        }
        Ok(Got::default())
    }

    fn put(&self, put: &Put<'_>, body: &dyn Body) -> Result<Stored, Fault> {
        let mut object = match body.to_vec() {
            Err(_) if self.wrong == Wrong::PutsWhatItCouldRead => vec![1; 100],
            read => read?,
        };
        match self.wrong {
            Wrong::PutsHalf => object.truncate(object.len().div_ceil(2)),
            Wrong::KeepsTheOld => {
                return match self.inner.put(&put.clone().if_absent(), &object) {
                    Err(Fault::Exists) if put.when == When::Always => Ok(Stored::default()),
                    put => put,
                };
            }
            Wrong::ExistsForNothing if put.when == When::IfAbsent => return Err(Fault::Exists),
            _ => {}
        }
        self.inner.put(put, &object)
    }

    fn delete(&self, name: &str, until: Deadline) -> Result<(), Fault> {
        if self.wrong == Wrong::DeletesNothing { Ok(()) } else { self.inner.delete(name, until) }
    }

    fn list(&self, list: &List<'_>, each: Each<'_>) -> Result<Option<Token>, Fault> {
        match self.wrong {
            Wrong::ListsNothing => Ok(None),
            Wrong::ListsForEver => self.inner.list(list, each).map(|_| Some(Token::new(""))),
            _ => self.inner.list(list, each),
        }
    }

    fn ranges(&self) -> bool {
        true
    }
}

#[test]
fn the_suite_sees_every_backend_that_gets_something_wrong() {
    for wrong in ALL_WRONG {
        let flawed = Flawed { wrong, inner: MemoryBackend::new(), asked: AtomicU64::new(0) };
        let error = conformance(&flawed).expect_err(&format!("{wrong:?} isn't seen")).to_string();
        assert!(error.contains("expected ") && error.contains(", found "), "{wrong:?}: {error}");
    }
}
