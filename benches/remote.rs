//! Fetching a large result from a server of HTTP, verified and stored, against curl, which fetches the same bytes into a
//! file beside it: seconds on the wall, and of the processor; from a fast server, and from one that gives each connection
//! 60 MB a second.
//!
//! Then what a tier costs where computing is faster than fetching, and where many processes at once ask a server that is
//! busy; what the client adds to a small request, and how much memory sending and fetching take, which fails if it is more
//! than it may be.
//!
//! `cargo bench --features remote --bench remote`; `NDCACHE_BENCH_MIB` sets the size of the result, 256 unless said,
//! `NDCACHE_BENCH_MEMORY_MIB` that of the one whose memory is looked at, 512 unless said, `NDCACHE_BENCH_PROCESSES` the number
//! of processes, 200 unless said, `NDCACHE_BENCH_ROUNDS` that of rounds, 9 unless said, and `TMPDIR` the disk. Needs nginx and curl.

mod ratio;
#[path = "../tests/remote/servers.rs"]
#[allow(dead_code)] // It begins other servers, too.
mod servers;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ndarray::Array1;
use ndcache::tier::{
    Access, Backend, Body, Deadline, Fault, Filter, Folder, Get, Got, ObjectStore, Put, Share, Stored, Tier,
};
use ndcache::{Memory, MemoryBuilder, cache};
use ratio::Goal;
use servers::{Kind, Server};

/// What took so long to compute is worth fetching, whatever this machine has to do.
const COMPUTING: Duration = Duration::from_secs(30);

#[cache]
fn painted(words: usize) -> Array1<f64> {
    let computing = if ratio::is_test() { COMPUTING / 30 } else { COMPUTING };
    thread::sleep(computing);
    Array1::from_shape_fn(words, |i| (i % 251) as f64)
}

/// Seconds of the processor that this process has taken.
fn usage() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Seconds of the processor that children have taken which have ended, in hundredths.
fn usage_of_children() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, behind_the_name) = stat.rsplit_once(')').expect("a name");
    let ticks = behind_the_name.split_whitespace().skip(13).take(2).map(|ticks| ticks.parse::<f64>().expect("ticks"));
    ticks.sum::<f64>() / 100.0
}

/// The largest file below a folder.
fn array_in(folder: &Path) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    let mut largest = (0, PathBuf::new());
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(folder).expect("a folder").map(|item| item.expect("an item")) {
            match item.metadata().expect("a file") {
                stat if stat.is_dir() => folders.push(item.path()),
                stat => largest = largest.max((stat.len(), item.path())),
            }
        }
    }
    largest.1
}

/// Puts the result into the server's folder, which is a tier as the server is; returns the path of its array in it.
fn fill(server: &Server, words: usize) -> String {
    let first = tempfile::tempdir().expect("a folder");
    let folder = Tier::new(Folder::new(&server.folder).expect("a folder")).access(Access::ReadWrite).share(Share::Any);
    let memory = Memory::builder(first.path()).tier(folder).open().expect("a memory");
    memory.eval(painted::call(words));
    let flushed = memory.flush(Duration::from_secs(600)).expect("flushed");
    assert!(flushed.left == 0 && flushed.failed == 0, "{flushed:?}");
    array_in(&server.folder).strip_prefix(&server.folder).expect("below").to_str().expect("a name").to_owned()
}

/// A memory of a new machine behind a store.
fn machine(folder: &Path, url: String, access: Access) -> Memory {
    let store = Tier::new(ObjectStore::new(url).expect("a store")).share(Share::Any).access(access);
    Memory::builder(folder).tier(store).open().expect("a memory")
}

/// A way of fetching; returns its seconds on the wall and of the processor.
type Fetch<'a> = &'a dyn Fn() -> (f64, f64);

/// Fetching from below `from` of the server, and curl doing so.
fn compare_with_curl(server: &Server, from: &str, words: usize, hold: impl Fn(Fetch<'_>, Fetch<'_>)) {
    let array = server.url(&format!("{from}{}", fill(server, words)));
    let fetch = || {
        let folder = tempfile::tempdir().expect("a folder");
        let memory = machine(folder.path(), server.url(from), Access::ReadOnly);
        let (begin, before) = (Instant::now(), usage());
        memory.eval(painted::call(words));
        let took = (begin.elapsed().as_secs_f64(), usage() - before);
        assert_eq!(memory.stats().misses(), 0, "it was computed");
        took
    };
    let curl = || {
        let folder = tempfile::tempdir().expect("a folder");
        let (begin, before) = (Instant::now(), usage_of_children());
        let fetched =
            Command::new("curl").args(["-s", "-f", "-o"]).arg(folder.path().join("array")).arg(&array).status();
        assert!(fetched.is_ok_and(|status| status.success()));
        (begin.elapsed().as_secs_f64(), usage_of_children() - before)
    };
    hold(&fetch, &curl);
}

/// A client that has one connection and knows nothing but how long an answer is.
struct Bare(BufReader<TcpStream>);

impl Bare {
    fn to(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a server");
        stream.set_nodelay(true).expect("an option");
        Self(BufReader::new(stream))
    }

    fn get(&mut self, path: &str) {
        write!(self.0.get_mut(), "GET /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").expect("sent");
        let mut len = 0;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("a line");
            if line == "\r\n" {
                break;
            }
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                len = text.trim().parse().expect("a length");
            }
        }
        self.0.read_exact(&mut vec![0; len]).expect("a body");
    }
}

/// Seconds of one of several requests, one after the other.
fn each(requests: usize, mut request: impl FnMut()) -> f64 {
    let begin = Instant::now();
    (0..requests).for_each(|_| request());
    begin.elapsed().as_secs_f64() / requests as f64
}

/// What the client adds to a request for an object that isn't there, which is what a miss costs.
fn compare_requests(server: &Server, rounds: usize) {
    // Fewer than nginx takes on one connection.
    let requests = if ratio::is_test() { 10 } else { 500 };
    let store = ObjectStore::new(server.url("")).expect("a store");
    let ask = || {
        let until = Deadline::after(Duration::from_secs(60));
        let got = store.get(&Get::new("f/nothing/no.record", 1 << 20, until), &mut Vec::new());
        assert!(matches!(got, Err(Fault::Absent)), "{got:?}");
    };
    // Both have a connection.
    ask();
    let ours = || each(requests, ask);
    let bare = || {
        let mut bare = Bare::to(server.port);
        bare.get("f/nothing/no.record");
        each(requests, || bare.get("f/nothing/no.record"))
    };
    ratio::hold("request of what is absent / bare", Goal::More(150e-6), rounds, ours, bare);
}

/// As fast as a result of 100 MiB may be computed which isn't worth 60 MB a second.
#[cache]
fn soon(words: usize) -> Array1<f64> {
    thread::sleep(Duration::from_millis(50));
    Array1::zeros(words)
}

/// A large result that is computed sooner than it is fetched, with a tier that has it and without one.
fn compare_with_computing(server: &Server, rounds: usize) {
    let mib = ratio::number("NDCACHE_BENCH_SOON_MIB", 100, 1);
    let words = (mib << 20) / size_of::<f64>();
    let first = tempfile::tempdir().expect("a folder");
    let memory = machine(first.path(), server.url("soon"), Access::ReadWrite);
    memory.eval(soon::call(words));
    assert_eq!(memory.flush(Duration::from_secs(600)).expect("flushed").left, 0);
    let run = |memory: &dyn Fn(&Path) -> Memory| {
        let folder = tempfile::tempdir().expect("a folder");
        let memory = memory(folder.path());
        each(1, || drop(memory.eval(soon::call(words))))
    };
    let behind = |folder: &Path| machine(folder, server.url("slow/soon"), Access::ReadOnly);
    let alone = |folder: &Path| Memory::open(folder).expect("a memory");
    let name = format!("{mib} MiB of 50 ms at 60 MB/s / without a tier");
    ratio::hold(&name, Goal::Times(1.2), rounds, || run(&behind), || run(&alone));
}

/// A place without objects whose answers take 30 ms.
#[derive(Debug, Default)]
struct Far(Arc<AtomicU64>);

impl Backend for Far {
    fn place(&self) -> String {
        "far".to_owned()
    }

    fn get(&self, get: &Get<'_>, _: &mut dyn Write) -> Result<Got, Fault> {
        thread::sleep(Duration::from_millis(30));
        self.0.fetch_add(u64::from(get.name.ends_with(".record")), Ordering::Relaxed);
        Err(Fault::Absent)
    }

    fn put(&self, _: &Put<'_>, _: &dyn Body) -> Result<Stored, Fault> {
        Err(Fault::Denied)
    }

    fn delete(&self, _: &str, _: Deadline) -> Result<(), Fault> {
        Err(Fault::Denied)
    }
}

#[cache]
fn quick(n: usize) -> usize {
    thread::sleep(Duration::from_millis(5));
    n
}

/// Many new results of a function that is faster than the tier, with it and without.
fn compare_many_keys() {
    let keys = ratio::number("NDCACHE_BENCH_KEYS", 10_000, 40);
    let asked = Arc::new(AtomicU64::new(0));
    let run = |memory: &dyn Fn(MemoryBuilder) -> MemoryBuilder| {
        let folder = tempfile::tempdir().expect("a folder");
        let memory = memory(Memory::builder(folder.path())).open().expect("a memory");
        each(1, || (0..keys).for_each(|n| assert_eq!(memory.eval(quick::call(n)), n)))
    };
    let behind = |memory: MemoryBuilder| memory.tier(Tier::new(Far(Arc::clone(&asked))));
    let name = format!("{keys} new keys of 5 ms at 30 ms / without a tier");
    ratio::hold(&name, Goal::More(1.0), 1, || run(&behind), || run(&|memory| memory));
    let asked = asked.load(Ordering::Relaxed);
    assert!((1..=20).contains(&asked), "a tier was asked {asked} times for {keys} results of a faster function");
}

/// Requests that a busy server answers in a second.
const A_SECOND: u64 = 50;

/// A server of HTTP without objects, which asks whoever comes too often in a second to come in the next one.
struct BusyServer {
    port: u16,
    served: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl BusyServer {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (served, refused) = (Arc::default(), Arc::default());
        let server = Self { port, served: Arc::clone(&served), refused: Arc::clone(&refused) };
        let began = Instant::now();
        // The requests of the second under way.
        let of_second = Arc::new(Mutex::new((0, 0)));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (served, refused) = (Arc::clone(&served), Arc::clone(&refused));
                let of_second = Arc::clone(&of_second);
                let takes_it = move || {
                    let mut counted = of_second.lock().expect("no panic");
                    let second = began.elapsed().as_secs();
                    *counted = if counted.0 == second { (second, counted.1 + 1) } else { (second, 1) };
                    let takes_it = counted.1 <= A_SECOND;
                    (if takes_it { &served } else { &refused }).fetch_add(1, Ordering::Relaxed);
                    takes_it
                };
                thread::spawn(move || answer(&stream, takes_it));
            }
        });
        server
    }
}

/// Answers each request of a connection: that nothing is there, or that the server is busy.
fn answer(mut stream: &TcpStream, takes_it: impl Fn() -> bool) {
    const ABSENT: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
    // A request for an object is nothing but lines, the last of which is empty.
    for _ in BufReader::new(stream).lines().map_while(Result::ok).filter(String::is_empty) {
        if stream.write_all(if takes_it() { ABSENT } else { BUSY }.as_bytes()).is_err() {
            return;
        }
    }
}

/// What a process of many does that asks a busy server: results of its own, and then how long the server is left alone.
fn compute_beside_others(keys: usize, folder: &Path, url: Option<String>) {
    let memory = match url {
        Some(url) => machine(folder, url, Access::ReadOnly),
        None => Memory::open(folder).expect("a memory"),
    };
    (0..keys).for_each(|n| assert_eq!(memory.eval(steadily::call(n)), n));
    println!("{}", memory.tiers().first().map_or(0, |tier| tier.left_alone.as_secs()));
}

#[cache]
fn steadily(n: usize) -> usize {
    thread::sleep(Duration::from_millis(50));
    n
}

/// What tells a process that it is one of many.
const ONE_OF_MANY: &str = "one-of-many";

/// Many processes at once behind a server that most of them find busy, and without one.
fn compare_with_a_busy_server() {
    let processes = ratio::number("NDCACHE_BENCH_PROCESSES", 200, 4);
    let keys = if ratio::is_test() { 2 } else { 100 };
    let server = BusyServer::start();
    let longest = AtomicU64::new(0);
    let run = |url: Option<String>| {
        let folder = tempfile::tempdir().expect("a folder");
        let start = |n: usize| {
            let mut child = Command::new(std::env::current_exe().expect("this program"));
            child.arg(ONE_OF_MANY).arg(keys.to_string()).arg(folder.path().join(n.to_string())).args(&url);
            child.stdout(Stdio::piped()).spawn().expect("a process")
        };
        each(1, || {
            let children: Vec<_> = (0..processes).map(start).collect();
            for child in children {
                let output = child.wait_with_output().expect("it ends");
                assert!(output.status.success(), "{output:?}");
                let seconds = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number");
                longest.fetch_max(seconds, Ordering::Relaxed);
            }
        })
    };
    let name = format!("{processes} processes behind a busy server / without a tier");
    let rounds = if ratio::is_test() { 1 } else { 3 };
    ratio::hold(
        &name,
        Goal::Times(1.1),
        rounds,
        || run(Some(format!("http://127.0.0.1:{}", server.port))),
        || run(None),
    );
    let [served, refused] = [&server.served, &server.refused].map(|count| count.load(Ordering::Relaxed));
    let longest = longest.into_inner();
    println!("{served} requests served, {refused} refused; the server was left alone for at most {longest} s");
    assert!(served > 0 && longest <= 2, "a server that asked for a second was left alone for {longest} s");
}

/// More bytes than sending or fetching a result may take, of whatever size it is.
const MEMORY_MAX: u64 = 64 << 20;

/// Bytes of this process that no file has.
fn anonymous() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line");
    line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).expect("a number") << 10
}

/// The most bytes that `run` takes beside those that there were.
fn memory_of(run: impl FnOnce()) -> u64 {
    let (before, most, is_over) = (anonymous(), AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                most.fetch_max(anonymous(), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(1));
            }
        });
        run();
        is_over.store(true, Ordering::Relaxed);
    });
    most.load(Ordering::Relaxed).saturating_sub(before)
}

/// Sending a result by a store and fetching it, at a size that no memory of theirs has.
fn expect_little_memory(server: &Server) {
    let mib = ratio::number("NDCACHE_BENCH_MEMORY_MIB", 512, 96);
    let words = (mib << 20) / size_of::<f64>();
    let (first, second) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    Memory::open(first.path()).expect("a memory").eval(painted::call(words));
    let url = || server.url("memory");
    let sender = machine(first.path(), url(), Access::ReadWrite);
    let sent = memory_of(|| assert_eq!(sender.push(&Filter::default()).expect("sent").moved, 1));
    let receiver = machine(second.path(), url(), Access::ReadOnly);
    let fetched = memory_of(|| assert_eq!(receiver.pull(&Filter::default()).expect("fetched").moved, 1));
    for (what, bytes) in [("sent", sent), ("fetched", fetched)] {
        println!("{mib} MiB {what}: {:.1} MiB of memory", bytes as f64 / f64::from(1 << 20));
        assert!(bytes <= MEMORY_MAX, "{what}: {bytes} bytes of memory, expected at most {MEMORY_MAX}");
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).skip_while(|argument| argument != ONE_OF_MANY).skip(1);
    if let Some(keys) = arguments.next() {
        let folder = arguments.next().expect("a folder");
        return compute_beside_others(keys.parse().expect("a number"), Path::new(&folder), arguments.next());
    }
    let Some(server) = Server::of(Kind::Nginx) else { return };
    if Command::new("curl").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "there is no curl");
        eprintln!("skipped: there is no curl");
        return;
    }
    let rounds = ratio::number("NDCACHE_BENCH_ROUNDS", 9, 1);
    compare_requests(server, rounds);
    let mib = ratio::number("NDCACHE_BENCH_MIB", 256, 1);
    let words = (mib << 20) / size_of::<f64>();
    compare_with_curl(server, "", words, |fetch, curl| {
        let goal = Goal::Times(1.0 / 0.85);
        ratio::hold(&format!("{mib} MiB, wall / curl"), goal, rounds, || fetch().0, || curl().0);
        let goal = Goal::Times(1.2);
        ratio::hold(&format!("{mib} MiB, processor / curl"), goal, rounds, || fetch().1, || curl().1);
    });
    compare_with_curl(server, "slow/", words, |fetch, curl| {
        let goal = Goal::Times(1.0 / 2.5);
        ratio::hold(&format!("{mib} MiB at 60 MB/s, wall / curl"), goal, rounds, || fetch().0, || curl().0);
    });
    compare_with_computing(server, rounds);
    compare_many_keys();
    compare_with_a_busy_server();
    expect_little_memory(server);
    ratio::print_missed();
}
