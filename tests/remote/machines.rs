//! Machines: memories with folders of their own, and a store behind them.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ndarray::Array1;
use ndcache::tier::{Access, ObjectStore, Share, Tier};
use ndcache::{Memory, cache};
use tempfile::TempDir;

use crate::proxy::{Action, Proxy};
use crate::servers::{Kind, Server, free_port};

/// How often this process has computed.
static COMPUTED: AtomicU64 = AtomicU64::new(0);

/// Slow enough to be worth fetching.
#[cache]
fn painted(seed: u32, len: usize) -> Array1<f64> {
    COMPUTED.fetch_add(1, Ordering::SeqCst);
    // The computations of tests that do much at once take longer.
    let is_slow = (200..1000).contains(&seed);
    thread::sleep(Duration::from_millis(if is_slow { 2000 } else { 400 }));
    expected(seed, len)
}

fn expected(seed: u32, len: usize) -> Array1<f64> {
    Array1::from_shape_fn(len, |i| f64::from(seed) + (i % 251) as f64)
}

struct Machine {
    _folder: TempDir,
    memory: Memory,
}

impl Machine {
    fn with(store: ObjectStore, access: Access) -> Self {
        Self::at(tempfile::tempdir().unwrap(), store, access)
    }

    fn at(folder: TempDir, store: ObjectStore, access: Access) -> Self {
        let tier = Tier::new(store).access(access).share(Share::Any);
        let memory = Memory::builder(folder.path()).tier(tier).open().unwrap();
        Self { _folder: folder, memory }
    }

    /// Asserts that the result is right; returns whether it was fetched or stored here.
    fn get(&self, seed: u32, len: usize) -> bool {
        let before = self.memory.stats().misses();
        assert!(self.memory.eval(painted::call(seed, len)) == expected(seed, len), "a wrong value");
        self.memory.stats().misses() == before
    }

    fn send(&self) {
        let flushed = self.memory.flush(Duration::from_secs(60)).unwrap();
        assert!(flushed.left == 0 && flushed.failed == 0, "{flushed:?}");
    }
}

#[test]
fn what_one_machine_has_computed_others_fetch_from_every_kind_of_server() {
    for (seed, kind) in
        [Kind::Ministack, Kind::Moto, Kind::S3rver, Kind::Azurite, Kind::Nginx, Kind::Rclone].into_iter().enumerate()
    {
        let Some(server) = Server::of(kind) else { continue };
        let seed = 100 + seed as u32;
        let first = Machine::with(server.store("machines"), Access::ReadWrite);
        assert!(!first.get(seed, 100_000), "{kind:?}");
        first.send();
        let second = Machine::with(server.store("machines"), Access::ReadOnly);
        assert!(second.get(seed, 100_000) && second.get(seed, 100_000), "{kind:?}");
    }
}

/// No fault of any request gives a wrong value, fails a computation or takes long, and the next machine fetches.
#[test]
fn whatever_goes_wrong_the_result_is_right_and_soon_there() {
    let faults = [
        Action::Cut(0),
        Action::Cut(150),
        Action::Stall(100),
        Action::Drip(40),
        Action::Flip(20),
        Action::Flip(50_000),
        Action::Hole,
        Action::Reset,
        Action::Garbage,
        Action::Short,
        Action::NoRanges,
        Action::Endless("Content-Length: 99999999999\r\n"),
        Action::EndlessError,
        Action::Answer(503, "Retry-After: 1\r\n".to_owned(), String::new()),
        Action::Answer(200, String::new(), "<html>sign in</html>".to_owned()),
        Action::Echo(403),
    ];
    let Some(server) = Server::of(Kind::Nginx) else { return };
    let first = Machine::with(server.store("faults of machines"), Access::ReadWrite);
    assert!(!first.get(7, 100_000));
    first.send();
    thread::scope(|scope| {
        for (at, fault) in faults.iter().enumerate() {
            scope.spawn(move || {
                // The fault hits the record, the array, or all requests.
                for which in [Some(0), Some(1), None] {
                    let done = fault.clone();
                    let act = move |_: &_, n| if which.is_none_or(|at| at == n) { done.clone() } else { Action::Pass };
                    let proxy = Proxy::before(server.port, act);
                    let begin = Instant::now();
                    let machine =
                        Machine::with(server.store_behind(proxy.port, "faults of machines"), Access::ReadOnly);
                    machine.get(7, 100_000);
                    assert!(
                        begin.elapsed() < Duration::from_secs(20),
                        "{at}: {fault:?}, {which:?}: {:?}",
                        begin.elapsed()
                    );
                    let asked = proxy.seen();
                    assert!(asked.iter().all(|request| request.method == "GET"), "{fault:?}: {asked:?}");
                }
            });
        }
    });
    let last = Machine::with(server.store("faults of machines"), Access::ReadOnly);
    assert!(last.get(7, 100_000), "what was right is there still");
}

/// No fault of a put or of what is asked before it makes a wrong value; what it left is sent when it is over, what it has
/// damaged is replaced by the machine that finds it, and the next one fetches. Over two kinds of servers.
#[test]
fn whatever_goes_wrong_while_sending_what_was_computed_is_there_in_the_end() {
    let faults = [
        Action::Cut(0),
        Action::Hole,
        Action::Reset,
        Action::Garbage,
        Action::EndlessError,
        Action::Answer(503, String::new(), String::new()),
        Action::Answer(200, String::new(), String::new()),
        Action::Echo(403),
    ];
    for (kind, first) in [(Kind::Nginx, 200), (Kind::Moto, 300)] {
        let Some(server) = Server::of(kind) else { continue };
        thread::scope(|scope| {
            for (at, fault) in (first..).zip(&faults) {
                scope.spawn(move || one_fault_while_sending(server, at, fault));
            }
        });
    }
}

fn one_fault_while_sending(server: &Server, seed: u32, fault: &Action) {
    let (done, is_over) = (fault.clone(), Arc::new(AtomicBool::new(false)));
    let over = Arc::clone(&is_over);
    let proxy = Proxy::before(server.port, move |request, _| {
        let is_faulty = request.method == "PUT" && !over.load(Ordering::SeqCst);
        if is_faulty { done.clone() } else { Action::Pass }
    });
    let below = format!("sending {seed}");
    let first = Machine::with(server.store_behind(proxy.port, &below), Access::ReadWrite);
    first.get(seed, 20_000);
    let flushed = first.memory.flush(Duration::from_millis(500)).unwrap();
    is_over.store(true, Ordering::SeqCst);
    let Machine { _folder: folder, memory } = first;
    drop(memory);
    // A new memory stands for another process of the machine, which doesn't wait after a refusal.
    let again = Machine::at(folder, server.store_behind(proxy.port, &below), Access::ReadWrite);
    again.send();
    // A put that was wrongly said to be done is noticed by the machine that needs the result.
    let second = Machine::with(server.store_behind(proxy.port, &below), Access::ReadWrite);
    second.get(seed, 20_000);
    second.send();
    let third = Machine::with(server.store(&below), Access::ReadOnly);
    assert!(third.get(seed, 20_000), "{:?}, {fault:?}: {flushed:?}", server.kind);
}

/// Two servers with one name for the bucket and the folder.
#[test]
fn what_waits_for_one_endpoint_does_not_go_to_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = |proxy: &Proxy| {
        let endpoint = format!("http://127.0.0.1:{}", proxy.port);
        let keys = [("access_key_id", "an id"), ("secret_access_key", "a secret"), ("allow_http", "true")];
        let options = keys.map(|(key, value)| (key, value.to_owned())).into_iter().chain([("endpoint", endpoint)]);
        ObjectStore::with("s3://ndc/one name", options).unwrap()
    };
    let busy = Proxy::before(free_port(), |_, _| Action::Answer(503, String::new(), String::new()));
    let missing = "<Error><Code>NoSuchKey</Code></Error>".to_owned();
    let other = Proxy::before(free_port(), move |_, _| Action::Answer(404, String::new(), missing.clone()));
    let first = Machine::at(folder, store(&busy), Access::ReadWrite);
    first.get(400, 1000);
    assert_eq!(first.memory.flush(Duration::from_millis(10)).unwrap().left, 1);
    let Machine { _folder: folder, memory } = first;
    drop(memory);
    let second = Machine::at(folder, store(&other), Access::ReadWrite);
    second.send();
    assert_eq!((second.memory.tiers()[0].queued, second.memory.queued_elsewhere()), (0, 1));
    let asked = other.methods();
    assert!(!asked.is_empty() && !asked.contains("PUT"), "{asked}");
}

#[test]
fn a_tier_that_is_only_read_is_only_asked_for_what_is_there() {
    let Some(server) = Server::of(Kind::Moto) else { return };
    let proxy = Proxy::before(server.port, |_, _| Action::Pass);
    let machine = Machine::with(server.store_behind(proxy.port, "only read"), Access::ReadOnly);
    assert!(!machine.get(8, 1000));
    drop(machine);
    let asked = proxy.methods();
    assert!(!asked.is_empty() && asked.split(' ').all(|method| method == "GET"), "{asked}");
}

/// Runs itself in a process with a URL in its environment.
#[test]
fn the_environment_names_object_stores() {
    const CHILD: &str = "NDCACHE_REMOTE_ENVIRONMENT";
    if let Some(folder) = std::env::var_os(CHILD) {
        match Memory::builder(folder).env().open() {
            Ok(memory) => assert!(memory.eval(painted::call(9, 1000)) == expected(9, 1000)),
            Err(error) => println!("refused: {error}"),
        }
        return println!("computed {}", COMPUTED.load(Ordering::SeqCst));
    }
    let Some(server) = Server::of(Kind::Nginx) else { return };
    let run = |remote: String| {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "machines::the_environment_names_object_stores", "--nocapture"]);
        child.env(CHILD, folder.path()).env("NDCACHE_REMOTE", remote).env("NDCACHE_REMOTE_WAIT", "30");
        let output = child.output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let url = server.url("by the environment").replace(' ', "%20");
    for (access, computed) in [("rw:", 1), ("ro:", 0), ("", 0)] {
        let said = run(format!("{access}{url}"));
        assert!(said.contains(&format!("computed {computed}\n")), "`{access}`: {said}");
    }
    let said = run("ftp://server/a".to_owned());
    assert!(said.contains("refused: `NDCACHE_REMOTE`") && said.contains("`ftp`"), "{said}");
    let said = run(url.replace("//", "//user:hunter2@").replace("by", "?by"));
    assert!(said.contains("refused: ") && !said.contains("hunter2"), "{said}");
}

/// What machines that see one store do, each in a process and a network of its own; prints how often it computed.
pub(crate) fn share(url: &str, backwards: bool) {
    let machine = Machine::with(ObjectStore::new(url).unwrap(), Access::ReadWrite);
    let share = |seed: u32| {
        thread::scope(|scope| {
            for part in 0..8 {
                let machine = &machine;
                scope.spawn(move || machine.get(1000 + seed * 8 + part, 500));
            }
        })
    };
    if backwards {
        (0..25).rev().for_each(share)
    } else {
        (0..25).for_each(share)
    }
    machine.send();
    println!("computed {}", COMPUTED.load(Ordering::SeqCst));
}
