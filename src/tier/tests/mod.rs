//! Tiers that hold what nobody has put there.

mod away;

use std::io::Write;
use std::time::Duration;

use ndarray::Array1;
use tempfile::TempDir;

use crate::digest::Digest;
use crate::entry::rules::Sharing;
use crate::folder::Repair;
use crate::fuzz::fuzz;
use crate::inspect::Origin;
use crate::memory::Memory;
use crate::record::Record;
use crate::tier::{Access, Backend, Body, Deadline, Fault, Filter, Get, Got, MemoryBackend, Put, Share, Stored, Tier};

#[ndcache::cache]
fn line(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| i as f64)
}

#[ndcache::cache]
fn words(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("word {i}")).collect()
}

const ELEMENTS: usize = 2000;
const WORDS: usize = 9000;

fn until() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

fn open(folder: &TempDir, place: impl Backend, access: Access) -> Memory {
    let tier = Tier::new(place).share(Share::Any).access(access);
    Memory::builder(folder.path()).statistics(false).tier(tier).open().unwrap()
}

fn read(place: &MemoryBackend, name: &str) -> Vec<u8> {
    let mut object = Vec::new();
    place.get(&Get::new(name, u64::MAX, until()), &mut object).unwrap();
    object
}

/// A place with both results, as if an hour had been spent on each.
fn filled() -> MemoryBackend {
    let (place, folder) = (MemoryBackend::new(), TempDir::new().unwrap());
    let memory = open(&folder, place.clone(), Access::ReadWrite);
    memory.eval(line::call(ELEMENTS));
    memory.eval(words::call(WORDS));
    assert_eq!(memory.flush(Duration::from_secs(60)).unwrap().left, 0);
    for name in place.names().iter().filter(|name| name.ends_with(".record")) {
        let mut record = *Record::decode(&read(&place, name), || name.into()).unwrap();
        record.duration = 3_600_000_000_000;
        place.put(&Put::new(name, until()), &record.encode().unwrap()).unwrap();
    }
    place
}

/// The name of the object with this ending.
fn named(place: &MemoryBackend, function: &str, ending: &str) -> String {
    let names = place.names();
    names.into_iter().find(|name| name.contains(&format!("{function}-")) && name.ends_with(ending)).unwrap()
}

/// What calls return behind a place; right, whatever that holds, and so is what is kept.
fn calls_are_right(place: impl Backend) -> Memory {
    let folder = TempDir::new().unwrap();
    let memory = open(&folder, place, Access::ReadOnly);
    assert!(memory.eval(line::call(ELEMENTS)) == line(ELEMENTS), "{:?}", memory.stats());
    assert!(memory.eval(words::call(WORDS)) == words(WORDS), "{:?}", memory.stats());
    assert_eq!(memory.stats().faults(), 0);
    let report = memory.verify(Repair::No).unwrap();
    assert!(report.is_intact(), "{report:?}");
    memory
}

#[test]
fn what_is_right_comes_from_there() {
    let memory = calls_are_right(filled());
    assert_eq!(memory.stats().misses(), 0, "{:?}", memory.stats());
}

/// The trailer of a record, which a writer with bad intentions gets right.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut record = [b"ndcache\0", body].concat();
    record.extend(Digest::of(&record).to_bytes());
    record
}

#[test]
fn any_record_in_a_tier_is_the_result_or_none() {
    let place = filled();
    let names = [named(&place, "line", ".record"), named(&place, "words", ".record")];
    let records = names.clone().map(|name| read(&place, &name));
    let bodies: Vec<_> = records.iter().map(|record| record[8..record.len() - 16].to_vec()).collect();
    let name = "tier::tests::any_record_in_a_tier_is_the_result_or_none";
    let mut turn = 0;
    fuzz(name, None, 1000, &bodies, |body| {
        turn += 1;
        for (at, name) in names.iter().enumerate() {
            let record = if at == turn % 2 { sealed(body) } else { records[at].clone() };
            place.put(&Put::new(name, until()), &record).unwrap();
        }
        calls_are_right(place.clone());
    });
}

#[test]
fn any_file_in_a_tier_is_the_one_that_was_put_there_or_none() {
    let place = filled();
    let names = [named(&place, "line", ".npy"), named(&place, "words", ".msgpack")];
    let files = names.clone().map(|name| read(&place, &name));
    let name = "tier::tests::any_file_in_a_tier_is_the_one_that_was_put_there_or_none";
    let mut turn = 0;
    fuzz(name, None, 500, &[files[0].clone(), files[1][..2000].to_vec()], |bytes| {
        turn += 1;
        place.put(&Put::new(&names[turn % 2], until()), &bytes.to_vec()).unwrap();
        calls_are_right(place.clone());
        place.put(&Put::new(&names[turn % 2], until()), &files[turn % 2]).unwrap();
    });
}

#[test]
fn every_byte_of_an_array_that_comes_is_compared() {
    let place = filled();
    let name = named(&place, "line", ".npy");
    let file = read(&place, &name);
    // Blanks that end the header mean nothing.
    for at in [0, 5, 128, file.len() / 2, file.len() - 1] {
        let mut other = file.clone();
        other[at] ^= 1;
        place.put(&Put::new(&name, until()), &other).unwrap();
        let memory = calls_are_right(place.clone());
        let counts = memory.stats().by_tier()[&place.place()].clone();
        assert_eq!((counts.damaged, counts.hits), (1, 1), "byte {at}");
    }
}

#[test]
fn a_longer_overflow_than_there_can_be_is_not_asked_for() {
    let place = filled();
    let name = named(&place, "words", ".record");
    let mut record = *Record::decode(&read(&place, &name), || name.clone().into()).unwrap();
    record.overflow.as_mut().unwrap().length = u64::MAX;
    place.put(&Put::new(&name, until()), &record.encode().unwrap()).unwrap();
    let memory = calls_are_right(place.clone());
    assert_eq!(memory.stats().misses(), 1);
}

/// They were added up, which panicked where overflow is checked and came to a few bytes where it isn't.
#[test]
fn lengths_that_no_file_has_are_never_fetched_and_no_panic() {
    let place = filled();
    let name = named(&place, "line", ".record");
    let mut record = *Record::decode(&read(&place, &name), || name.clone().into()).unwrap();
    let mut array = record.arrays.remove(0);
    (array.file, array.codec, array.length) = (format!("{}.gz", array.file), "npy.gz".into(), u64::MAX);
    record.arrays = vec![array.clone(), array];
    place.put(&Put::new(&name, until()), &record.encode().unwrap()).unwrap();
    let memory = calls_are_right(place.clone());
    assert_eq!(memory.stats().misses(), 1);
    let other = TempDir::new().unwrap();
    let memory = open(&other, place.clone(), Access::ReadWrite);
    let filter = Filter { max_bytes: Some(1 << 40), ..Filter::default() };
    assert_eq!(memory.pull(&filter).unwrap().moved, 1, "the other one");
    assert_eq!(memory.purge(&filter).unwrap().there, 1, "the other one");
}

/// A place that fails.
#[derive(Debug)]
struct Failing;

impl Backend for Failing {
    fn place(&self) -> String {
        "failing".to_owned()
    }

    fn get(&self, _: &Get<'_>, _: &mut dyn Write) -> Result<Got, Fault> {
        Err(Fault::Busy(None))
    }

    fn put(&self, _: &Put<'_>, _: &dyn Body) -> Result<Stored, Fault> {
        Err(Fault::Busy(None))
    }

    fn delete(&self, _: &str, _: Deadline) -> Result<(), Fault> {
        Err(Fault::Busy(None))
    }
}

#[test]
fn a_failure_is_no_miss() {
    let memory = calls_are_right(Failing);
    let counts = memory.stats().by_tier()["failing"].clone();
    assert_eq!((counts.asked, counts.absent, counts.hits), (2, 0, 0));
    // And one or two for the list of what was purged: at the opening, and by the thread that renews it.
    assert!((3..=4).contains(&counts.errors["busy"]), "{counts:?}");
    let told = memory.explain(&line::call(ELEMENTS + 1)).to_string();
    assert!(!told.contains("tiers"), "{told}");
}

/// A place that takes what it is told and never answers.
#[derive(Debug)]
struct Silent;

impl Silent {
    fn never<T>(until: Deadline) -> Result<T, Fault> {
        std::thread::sleep(until.left());
        Err(Fault::Late)
    }
}

impl Backend for Silent {
    fn place(&self) -> String {
        "silent".to_owned()
    }

    fn get(&self, get: &Get<'_>, _: &mut dyn Write) -> Result<Got, Fault> {
        Self::never(get.until)
    }

    fn put(&self, put: &Put<'_>, _: &dyn Body) -> Result<Stored, Fault> {
        Self::never(put.until)
    }

    fn delete(&self, _: &str, until: Deadline) -> Result<(), Fault> {
        Self::never(until)
    }
}

/// It took twenty seconds, which is what a request may take.
#[test]
fn a_flush_gives_up_what_is_on_its_way() {
    let folder = TempDir::new().unwrap();
    let memory = open(&folder, Silent, Access::ReadWrite);
    memory.eval(line::call(ELEMENTS));
    let begin = std::time::Instant::now();
    let flushed = memory.flush(Duration::from_millis(300)).unwrap();
    assert_eq!((flushed.uploaded, flushed.left), (0, 1));
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
}

/// What one tier gave went to another by an archive, as if it had been computed here.
#[test]
fn what_came_by_a_tier_is_sent_to_none_though_it_was_imported() {
    let (folder, second, main) = (TempDir::new().unwrap(), TempDir::new().unwrap(), MemoryBackend::new());
    let memory = open(&folder, filled(), Access::ReadOnly);
    memory.eval(line::call(ELEMENTS));
    memory.eval(words::call(WORDS));
    let other = open(&second, main.clone(), Access::ReadWrite);
    for entry in memory.entries().map(Result::unwrap) {
        assert_eq!(entry.origin(), Some("tier"));
        let open_file = |name: &str| entry.open_file(name).map_err(std::io::Error::other);
        other.publish_foreign(&entry.record_bytes().unwrap(), Origin::Import, open_file).unwrap();
    }
    let sent = other.push(&Filter::default()).unwrap();
    assert_eq!(other.entries().count(), 2);
    assert!(main.names().iter().all(|name| !name.starts_with("f/")), "{sent:?}: {:?}", main.names());
}

#[test]
fn an_older_entry_is_not_sent_for_the_one_that_is_about_to_replace_it() {
    let (place, folder) = (MemoryBackend::new(), TempDir::new().unwrap());
    let memory = open(&folder, place.clone(), Access::ReadWrite);
    memory.eval(line::call(ELEMENTS));
    assert_eq!(memory.flush(Duration::from_secs(60)).unwrap().left, 0);
    let engine = memory.0.as_deref().unwrap();
    let core = engine.tiers.as_ref().unwrap().core();
    let site = engine.site(&line::call(ELEMENTS)).unwrap();
    let here = || core.archive.read_record(&site.record()).unwrap().unwrap().record;
    let next = Record { created: here().created + 1, ..(*here()).clone() };
    core.outbox.add(&site, &next, Sharing::Replace);
    let flushed = memory.flush(Duration::from_millis(300)).unwrap();
    assert_eq!((flushed.uploaded, flushed.left), (0, 1));
    memory.refresh(line::call(ELEMENTS));
    assert_eq!(memory.flush(Duration::from_secs(60)).unwrap().left, 0);
    let there = Record::decode(&read(&place, &named(&place, "line", ".record")), || "there".into()).unwrap();
    assert_eq!(there.created, here().created);
}
