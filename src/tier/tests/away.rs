//! Tiers that are away, busy, closed to this user, or too slow to be of use.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::dynamic;
use crate::memory::Memory;
use crate::stats::printer::Printer;
use crate::store::set_between;
use crate::tier::place::Place;
use crate::tier::{Access, Backend, Body, Deadline, Fault, Folder, Get, Got, MemoryBackend, Put, Share, Stored, Tier};

#[ndcache::cache]
fn next(n: u64) -> u64 {
    n + 1
}

#[ndcache::cache]
fn refused(n: u64) -> Result<u64, String> {
    Err(format!("{n} is refused"))
}

/// What a place does to a request, `get f/….record` say, before it is answered.
type Flaw = dyn Fn(&str, Deadline) -> Result<(), Fault> + Send + Sync;

/// Objects in memory behind a flaw, and what they were asked for.
#[derive(Clone)]
struct Flawed {
    objects: MemoryBackend,
    asked: Arc<Mutex<Vec<String>>>,
    flaw: Arc<Flaw>,
}

impl Flawed {
    fn new(flaw: impl Fn(&str, Deadline) -> Result<(), Fault> + Send + Sync + 'static) -> Self {
        Self { objects: MemoryBackend::new(), asked: Arc::default(), flaw: Arc::new(flaw) }
    }

    /// How many requests began so and ended so.
    fn count(&self, verb: &str, ending: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|request| request.starts_with(verb) && request.ends_with(ending)).count()
    }

    fn ask(&self, verb: &str, name: &str, until: Deadline) -> Result<(), Fault> {
        let request = format!("{verb} {name}");
        self.asked.lock().unwrap().push(request.clone());
        (self.flaw)(&request, until)
    }

    fn open(&self, folder: &TempDir, access: Access) -> Memory {
        super::open(folder, self.clone(), access)
    }

    /// How often it failed, by class.
    fn failures(&self, memory: &Memory, class: &str) -> u64 {
        memory.stats().by_tier().get(&self.place()).and_then(|counts| counts.errors.get(class).copied()).unwrap_or(0)
    }
}

impl std::fmt::Debug for Flawed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Flawed")
    }
}

impl Backend for Flawed {
    fn place(&self) -> String {
        self.objects.place()
    }

    fn get(&self, get: &Get<'_>, out: &mut dyn Write) -> Result<Got, Fault> {
        self.ask("get", get.name, get.until)?;
        self.objects.get(get, out)
    }

    fn put(&self, put: &Put<'_>, body: &dyn Body) -> Result<Stored, Fault> {
        self.ask("put", put.name, put.until)?;
        self.objects.put(put, body)
    }

    fn delete(&self, name: &str, until: Deadline) -> Result<(), Fault> {
        self.ask("delete", name, until)?;
        self.objects.delete(name, until)
    }
}

/// It takes a while to say that it doesn't have it.
fn slow() -> Flawed {
    Flawed::new(|_, _| {
        thread::sleep(Duration::from_millis(20));
        Ok(())
    })
}

/// Each call cost a request for ever: only what was stored told how long its function takes.
#[test]
fn a_function_whose_results_are_not_stored_is_soon_not_asked_for_either() {
    let folder = TempDir::new().unwrap();
    let cheap = slow();
    let tier = Tier::new(cheap.clone()).share(Share::Any);
    let memory = Memory::builder(folder.path()).min_duration(Duration::from_secs(60)).tier(tier).open().unwrap();
    (0..50).for_each(|n| assert_eq!(memory.eval(next::call(n)), n + 1));
    assert_eq!(memory.stats().by_function()[next::function().path()].misses, 50);
    assert!((3..=20).contains(&cheap.count("get", ".record")), "{} requests", cheap.count("get", ".record"));
    let (folder, failing) = (TempDir::new().unwrap(), slow());
    let memory = failing.open(&folder, Access::ReadOnly);
    (0..50).for_each(|n| assert!(memory.eval(refused::call(n)).is_err()));
    assert!((3..=20).contains(&failing.count("get", ".record")), "{} requests", failing.count("get", ".record"));
}

#[test]
fn a_function_of_run_time_that_fails_is_soon_not_asked_for_either() {
    let (folder, place) = (TempDir::new().unwrap(), slow());
    let memory = place.open(&folder, Access::ReadOnly);
    for n in 0..50_u64 {
        let function = dynamic::FunctionBuilder::new("fails", crate::digest("its code")).build().unwrap();
        let call = dynamic::RunTimeCall::new(function, [dynamic::RunTimeArgument::of("n", &n).unwrap()]);
        assert_eq!(call.eval(&memory, dynamic::Form::Owned, || Err::<dynamic::RawValue, _>(n)).unwrap_err(), n);
    }
    assert!((3..=20).contains(&place.count("get", ".record")), "{} requests", place.count("get", ".record"));
}

/// It closed the tier for all processes of the user, those with other credentials too.
#[test]
fn who_is_denied_closes_a_tier_for_no_other_process() {
    let folder = TempDir::new().unwrap();
    let place = Flawed::new(|_, _| Err(Fault::Denied));
    let memory = place.open(&folder, Access::ReadOnly);
    (0..10).for_each(|n| assert_eq!(memory.eval(next::call(n)), n + 1));
    assert_eq!(place.count("get", ""), 1, "it is asked on");
    drop(memory);
    let other = Flawed { objects: place.objects.clone(), ..Flawed::new(|_, _| Ok(())) };
    let memory = other.open(&folder, Access::ReadOnly);
    assert_eq!(memory.eval(next::call(10)), 11);
    assert_eq!(other.count("get", ".record"), 1, "the next process with its own credentials isn't served");
}

/// A read-only role for a tier that is said to be written to switched reading off.
#[test]
fn a_put_that_is_denied_stops_no_reading() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let filled = super::filled();
    let place = Flawed::new(|request, _| if request.starts_with("get") { Ok(()) } else { Err(Fault::Denied) });
    let place = Flawed { objects: filled, ..place };
    let memory = place.open(&one, Access::ReadWrite);
    memory.eval(next::call(1));
    memory.eval(next::call(2));
    let flushed = memory.flush(Duration::from_secs(60)).unwrap();
    assert_eq!((flushed.uploaded, flushed.left, flushed.troubles[0].class), (0, 2, "denied"));
    // The thread that sends may have tried one at the same time.
    let puts = place.count("put", "");
    assert!((1..=2).contains(&puts) && place.failures(&memory, "denied") == puts as u64, "{puts} puts");
    // This process, and the next one.
    assert!(memory.eval(super::line::call(super::ELEMENTS)) == super::line(super::ELEMENTS));
    drop(memory);
    let memory = place.open(&one, Access::ReadWrite);
    assert!(memory.eval(super::words::call(super::WORDS)) == super::words(super::WORDS));
    assert_eq!((memory.stats().misses(), memory.stats().by_tier()[&place.place()].hits), (0, 1));
    drop(memory);
    assert_eq!(place.open(&other, Access::ReadOnly).eval(next::call(1)), 2);
}

/// Each was waited for, for two seconds.
#[test]
fn the_lists_of_all_tiers_are_asked_for_at_once() {
    let (folder, begun) = (TempDir::new().unwrap(), Arc::new(AtomicUsize::new(0)));
    let place = || {
        let begun = Arc::clone(&begun);
        // It answers when the other two were asked, too.
        Flawed::new(move |request, until| {
            if request == "get deny" {
                begun.fetch_add(1, Ordering::SeqCst);
                while begun.load(Ordering::SeqCst) < 3 {
                    if until.has_passed() {
                        return Err(Fault::Late);
                    }
                    thread::sleep(Duration::from_millis(1));
                }
            }
            Ok(())
        })
    };
    let places = [place(), place(), place()];
    let mut builder = Memory::builder(folder.path());
    for place in &places {
        builder = builder.tier(Tier::new(place.clone()));
    }
    let memory = builder.open().unwrap();
    for place in &places {
        assert_eq!((place.count("get", "deny"), place.failures(&memory, "late")), (1, 0));
    }
}

/// Clock, region and certificate are all `other`: the second one was logged at `debug`.
#[test]
fn a_failure_is_told_once_for_each_cause() {
    let place = Place::new(Tier::new(MemoryBackend::new()), Arc::default(), Printer::default());
    let log = warnings(|| {
        for _ in 0..3 {
            ["clock", "region"].iter().for_each(|what| place.fault(&Fault::other(format!("the {what} is wrong"))));
            (1..4).for_each(|seconds| place.fault(&Fault::Busy(Some(Duration::from_secs(seconds)))));
        }
    });
    for cause in ["the clock is wrong", "the region is wrong", "it is too busy"] {
        assert_eq!(log.matches(cause).count(), 1, "{cause}: {log}");
    }
    // Whatever else it says, a log has an end.
    let log = warnings(|| (0..1000).for_each(|n| place.fault(&Fault::other(format!("object {n}")))));
    assert!((1..50).contains(&log.lines().count()), "{log}");
}

/// What is warned of meanwhile on this thread.
fn warnings(body: impl FnOnce()) -> String {
    let log = tempfile::NamedTempFile::new().unwrap();
    let file = Arc::new(log.reopen().unwrap());
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::WARN);
    tracing::subscriber::with_default(subscriber.with_writer(file).finish(), body);
    std::fs::read_to_string(log.path()).unwrap()
}

/// A panic outside of a call left `open`.
#[test]
fn a_place_that_panics_when_it_says_what_it_is_costs_no_result() {
    #[derive(Debug)]
    struct Panics(&'static str);
    impl Backend for Panics {
        fn place(&self) -> String {
            assert!(self.0 != "place", "on purpose");
            "panics".to_owned()
        }
        fn ranges(&self) -> bool {
            panic!("on purpose");
        }
        fn get(&self, _: &Get<'_>, _: &mut dyn Write) -> Result<Got, Fault> {
            unreachable!("it is off")
        }
        fn put(&self, _: &Put<'_>, _: &dyn Body) -> Result<Stored, Fault> {
            unreachable!("it is off")
        }
        fn delete(&self, _: &str, _: Deadline) -> Result<(), Fault> {
            unreachable!("it is off")
        }
    }
    for what in ["place", "ranges"] {
        let folder = TempDir::new().unwrap();
        let memory = super::open(&folder, Panics(what), Access::ReadWrite);
        (0..3).for_each(|n| assert_eq!(memory.eval(next::call(n)), n + 1));
        assert_eq!((memory.stats().faults(), memory.stats().misses()), (0, 3));
        assert_eq!(memory.flush(Duration::ZERO).unwrap().uploaded, 0);
        let stats = memory.stats();
        let tiers = stats.by_tier();
        assert!(tiers.values().all(|counts| counts.errors["other"] == 1), "{what}: {tiers:?}");
        assert_eq!((tiers.len(), memory.tiers().len()), (1, 1));
    }
}

/// Run by the test below, in a process of its own.
#[test]
fn a_global_memory_that_ends_at_once() {
    let Some(folder) = std::env::var_os("NDCACHE_TEST_GLOBAL") else { return };
    Memory::from_env(folder).unwrap().set_global().unwrap();
    (0..5).for_each(|n| assert_eq!(next(n), n + 1));
}

#[test]
fn the_end_of_the_thread_that_opened_a_global_memory_waits_for_what_is_to_be_sent() {
    let (folder, team) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tier::tests::away::a_global_memory_that_ends_at_once"]);
    command.env("NDCACHE_TEST_GLOBAL", folder.path()).env("NDCACHE_REMOTE_WAIT", "60");
    command.env("NDCACHE_REMOTE", format!("rw:{}", team.path().display())).env("NDCACHE_REMOTE_SHARE", "any");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let other = TempDir::new().unwrap();
    let memory = super::open(&other, Folder::new(team.path()).unwrap(), Access::ReadOnly);
    (0..5).for_each(|n| assert_eq!(memory.eval(next::call(n)), n + 1));
    assert_eq!(memory.stats().misses(), 0, "{output:?}");
}

/// The folder in which a result takes long to be published.
static SLOW: Mutex<Option<std::path::PathBuf>> = Mutex::new(None);

/// Once something is noted that isn't published: time passes, and whoever sends has given it up.
fn let_time_pass() {
    let Some(folder) = SLOW.lock().unwrap().clone() else { return };
    let queues = std::fs::read_dir(folder.join("t")).unwrap().map(|tier| tier.unwrap().path());
    let queues = queues.filter_map(|tier| std::fs::read_dir(tier).ok()).flatten().map(|item| item.unwrap().path());
    let queues = queues.filter(|path| path.is_dir());
    let jobs: Vec<_> =
        queues.flat_map(|queue| std::fs::read_dir(queue).unwrap()).map(|job| job.unwrap().path()).collect();
    if !jobs.is_empty() {
        *SLOW.lock().unwrap() = None;
        thread::sleep(Duration::from_millis(5100));
        jobs.iter().for_each(|job| drop(std::fs::remove_file(job)));
    }
}

#[test]
fn what_takes_long_to_be_published_is_sent_all_the_same() {
    let (place, folder) = (MemoryBackend::new(), TempDir::new().unwrap());
    let memory = super::open(&folder, place.clone(), Access::ReadWrite);
    *SLOW.lock().unwrap() = Some(folder.path().to_owned());
    set_between(Some(let_time_pass));
    assert_eq!(memory.eval(next::call(70)), 71);
    set_between(None);
    assert!(SLOW.lock().unwrap().is_none(), "it was noted before it was published");
    assert_eq!(memory.flush(Duration::from_secs(60)).unwrap().left, 0);
    assert!(place.names().iter().any(|name| name.ends_with(".record")));
}

/// As a call of another process commits it: this one waits for what is fetched.
#[test]
fn an_edit_that_is_made_while_its_result_is_fetched_stays() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_owned();
    let edit = move |request: &str, _| {
        if request.ends_with(".npy") {
            let mut memory = Memory::open(&path).unwrap();
            Arc::get_mut(memory.0.as_mut().unwrap()).unwrap().apart = Some(1);
            let mut edited = memory.mmap_mut(super::line::call(super::ELEMENTS)).unwrap();
            edited[0] = -17.0;
            edited.commit().unwrap();
        }
        Ok(())
    };
    let place = Flawed { objects: super::filled(), ..Flawed::new(edit) };
    let memory = place.open(&folder, Access::ReadOnly);
    assert_eq!(memory.eval(super::line::call(super::ELEMENTS))[0], 0.0);
    assert!(place.count("get", ".npy") > 0);
    assert_eq!(memory.eval(super::line::call(super::ELEMENTS))[0], -17.0);
}

/// A place on a server that has no list of what was purged, and says nothing of results.
#[derive(Debug)]
struct Hushed {
    place: &'static str,
    server: Option<&'static str>,
    asked: Arc<AtomicUsize>,
}

impl Backend for Hushed {
    fn place(&self) -> String {
        self.place.to_owned()
    }

    fn get(&self, get: &Get<'_>, _: &mut dyn Write) -> Result<Got, Fault> {
        if !get.name.ends_with(".record") {
            return Err(Fault::Absent);
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        Err(Fault::Late)
    }

    fn put(&self, _: &Put<'_>, _: &dyn Body) -> Result<Stored, Fault> {
        Err(Fault::Denied)
    }

    fn delete(&self, _: &str, _: Deadline) -> Result<(), Fault> {
        Err(Fault::Denied)
    }

    fn server(&self) -> Option<String> {
        self.server.map(str::to_owned)
    }
}

/// Each tier of a server that doesn't answer cost its own two seconds.
#[test]
fn a_server_that_is_silent_for_one_tier_is_not_waited_for_again_for_another() {
    for (servers, expected) in [([Some("a"), Some("a")], 1), ([Some("a"), Some("b")], 2), ([None, None], 2)] {
        let (folder, asked) = (TempDir::new().unwrap(), Arc::<AtomicUsize>::default());
        let tier = |place, server| Tier::new(Hushed { place, server, asked: Arc::clone(&asked) });
        let builder = Memory::builder(folder.path()).tier(tier("first", servers[0])).tier(tier("second", servers[1]));
        let memory = builder.open().unwrap();
        (90..93).for_each(|n| assert_eq!(memory.eval(next::call(n)), n + 1));
        assert_eq!(asked.load(Ordering::SeqCst), expected, "{servers:?}");
    }
}
