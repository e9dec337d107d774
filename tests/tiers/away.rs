//! Places that never answer: what a process pays for one of them, how it ends, and what those after it pay.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use ndcache::tier::{Access, Backend, Body, Deadline, Each, Fault, Get, Got, List, Put, Stored, Tier, Token};
use ndcache::{Memory, cache};
use tempfile::TempDir;

use crate::support::{child, in_child};

#[cache]
fn doubled(n: u64) -> u64 {
    2 * n
}

/// A folder on a file server that is away, where a call takes a minute, whatever its deadline is.
#[derive(Debug)]
struct Asleep;

/// More time than any process here may take.
const MINUTE: Duration = Duration::from_secs(60);

impl Asleep {
    fn sleep<T>() -> Result<T, Fault> {
        thread::sleep(MINUTE);
        Err(Fault::Late)
    }
}

impl Backend for Asleep {
    fn place(&self) -> String {
        "asleep".to_owned()
    }

    fn get(&self, _: &Get<'_>, _: &mut dyn Write) -> Result<Got, Fault> {
        Self::sleep()
    }

    fn put(&self, _: &Put<'_>, _: &dyn Body) -> Result<Stored, Fault> {
        Self::sleep()
    }

    fn delete(&self, _: &str, _: Deadline) -> Result<(), Fault> {
        Self::sleep()
    }

    fn list(&self, _: &List<'_>, _: Each<'_>) -> Result<Option<Token>, Fault> {
        Self::sleep()
    }
}

fn open(folder: &std::path::Path) -> Memory {
    Memory::builder(folder).tier(Tier::new(Asleep).access(Access::ReadWrite)).open().unwrap()
}

/// Two and a half seconds and half a second, with ten times their room.
#[test]
fn a_process_whose_tier_sleeps_for_a_minute_goes_on_and_ends_at_once() {
    const NAME: &str = "tiers::away::a_process_whose_tier_sleeps_for_a_minute_goes_on_and_ends_at_once";
    if let Some(kind) = in_child(NAME, "KIND") {
        let folder = TempDir::new().unwrap();
        let memory = open(folder.path());
        if kind == "global" {
            memory.set_global().unwrap();
            (0..20).for_each(|n| assert_eq!(doubled(n), 2 * n));
        } else {
            (0..20).for_each(|n| assert_eq!(memory.eval(doubled::call(n)), 2 * n));
            assert_eq!((memory.stats().misses(), memory.stats().faults()), (20, 0));
            drop(memory);
        }
        return println!("done");
    }
    for kind in ["dropped", "global"] {
        let begin = Instant::now();
        let mut process = child(NAME, &[("KIND", kind)]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut rest = lines.skip_while(|line| !line.contains("done"));
        assert!(rest.next().is_some(), "{kind}: it fails");
        assert!(begin.elapsed() < Duration::from_secs(25), "{kind}: {:?}", begin.elapsed());
        let end = Instant::now();
        rest.for_each(drop);
        assert!(process.wait().unwrap().success(), "{kind}");
        assert!(end.elapsed() < Duration::from_secs(5), "{kind}: its end takes {:?}", end.elapsed());
    }
}

/// Each memory alone would wait for two seconds; together they take three, and have ten times as long.
#[test]
fn a_hundred_memories_one_after_the_other_pay_once_for_a_tier_that_is_away() {
    let folder = TempDir::new().unwrap();
    let begin = Instant::now();
    for n in 0..100 {
        let memory = open(folder.path());
        assert_eq!(memory.eval(doubled::call(n)), 2 * n);
    }
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}
