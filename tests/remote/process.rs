//! Runtimes, forks, threads and machines.

use std::io;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ndcache::tier::{Backend, Deadline, Fault, Get, ObjectStore, Put};

use crate::fork::in_a_fork;
use crate::machines::share;
use crate::proxy::{Action, Proxy};
use crate::servers::{Kind, Server};

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

fn read(store: &ObjectStore) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    store.get(&Get::new("object", u64::MAX, soon()), &mut out).map(|_| out)
}

fn with_an_object(below: &str) -> Option<&'static Server> {
    let server = Server::of(Kind::Nginx)?;
    server.store(below).put(&Put::new("object", soon()), &vec![3; 100_000]).unwrap();
    Some(server)
}

#[test]
fn a_store_is_used_inside_of_runtimes() {
    let Some(server) = with_an_object("runtimes") else { return };
    let store = server.store("runtimes");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { assert_eq!(read(&store).unwrap().len(), 100_000) });
    drop(runtime);
    assert_eq!(read(&store).unwrap().len(), 100_000);
    let other = server.store("runtimes");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async move {
        assert_eq!(read(&other).unwrap().len(), 100_000);
        drop(other);
    });
}

#[test]
fn threads_share_a_store_and_each_gets_its_object() {
    let Some(server) = Server::of(Kind::Nginx) else { return };
    let store = server.store("threads");
    std::thread::scope(|scope| {
        for n in 0..16_u8 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..8_u8 {
                    let name = format!("object-{n}");
                    store.put(&Put::new(&name, soon()), &vec![n ^ round; 70_000]).unwrap();
                    let mut out = Vec::new();
                    store.get(&Get::new(&name, u64::MAX, soon()), &mut out).unwrap();
                    assert!(out == vec![n ^ round; 70_000]);
                }
            });
        }
    });
}

#[test]
fn a_forked_child_makes_connections_of_its_own_and_leaves_its_parents_alone() {
    let Some(server) = with_an_object("forks") else { return };
    let proxy = Proxy::before(server.port, |_, _| Action::Pass);
    let store = server.store_behind(proxy.port, "forks");
    read(&store).unwrap();
    read(&store).unwrap();
    assert_eq!(proxy.connections.load(Ordering::SeqCst), 1);
    for n in 0..3 {
        assert_eq!(in_a_fork(|| read(&store).is_ok_and(|object| object.len() == 100_000)), 0);
        assert_eq!(proxy.connections.load(Ordering::SeqCst), 2 + n, "the child's own");
    }
    read(&store).unwrap();
    assert_eq!(proxy.connections.load(Ordering::SeqCst), 4, "the parent's goes on");
    let dropped = store.clone();
    assert_eq!(
        in_a_fork(move || {
            drop(dropped);
            true
        }),
        0
    );
    read(&store).unwrap();
    assert_eq!(proxy.connections.load(Ordering::SeqCst), 4);
}

/// In a child that may have no more threads: as another user, since none of this one's is refused to root.
#[test]
#[allow(unsafe_code)]
fn where_no_thread_is_to_be_had_a_fault_says_so() {
    let Some(server) = with_an_object("no threads") else { return };
    let store = server.store("no threads");
    let said = in_a_fork(|| {
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: both change this child alone, which has one thread.
        let is_bare = unsafe {
            libc::setrlimit(libc::RLIMIT_NPROC, &none) == 0 && (libc::geteuid() != 0 || libc::setuid(65534) == 0)
        };
        let read = read(&store);
        is_bare && matches!(read, Err(Fault::Other(error)) if error.to_string().contains("no thread"))
    });
    assert_eq!(said, 0);
    assert_eq!(read(&store).unwrap().len(), 100_000);
}

#[test]
fn a_store_that_is_dropped_ends_its_thread() {
    let Some(server) = with_an_object("ends") else { return };
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().map_while(Result::ok);
        let named = |path: std::path::PathBuf| std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        tasks.filter(|task| named(task.path()).trim() == "ndc-ending").count()
    };
    assert_eq!(threads(), 0);
    let begin = Instant::now();
    let before = std::fs::read_dir("/proc/self/task").unwrap().count();
    for _ in 0..200 {
        read(&server.store("ends")).unwrap();
    }
    while std::fs::read_dir("/proc/self/task").unwrap().count() > before + 100 {
        assert!(begin.elapsed() < Duration::from_secs(20), "threads are left behind");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Two machines: each in a network of its own, with one link to the server between them.
#[test]
fn machines_in_two_networks_share_what_they_compute() {
    const CHILD: &str = "NDCACHE_REMOTE_MACHINE";
    if let Ok(url) = std::env::var(CHILD) {
        let (n, url) = url.split_once(' ').unwrap();
        return share(url, n == "1");
    }
    let Some(networks) = Networks::make() else { return };
    let Some(server) = Server::of(Kind::Nginx) else { return };
    nobody_is_waited_for("10.231.7.99");
    let forward = Forward::begin("10.231.7.1:0", server.port);
    let other = Forward::begin("10.231.8.1:0", server.port);
    let test = "process::machines_in_two_networks_share_what_they_compute";
    let begin = |network: &str, host: String, n: usize| {
        let mut child = Command::new("ip");
        child.args(["netns", "exec", network]).arg(std::env::current_exe().unwrap());
        child.args(["--exact", test, "--nocapture"]).env(CHILD, format!("{n} http://{host}/machines"));
        child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children = [begin(&networks.names[0], forward.at.clone(), 0), begin(&networks.names[1], other.at.clone(), 1)];
    let mut computed = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{said}");
        let number = said.split("computed ").nth(1).and_then(|rest| rest.lines().next()?.parse::<u64>().ok());
        computed += number.unwrap_or_else(|| panic!("{said}"));
    }
    // Each key was computed once, or twice if both machines needed it at one time.
    assert!((200..400).contains(&computed), "{computed} computations of 200 keys");
}

/// An address of the test's own network that nobody has: packets to it vanish.
fn nobody_is_waited_for(address: &str) {
    let store = ObjectStore::new(format!("http://{address}/a")).unwrap();
    let begin = Instant::now();
    let got = store.get(&Get::new("object", 1, Deadline::after(Duration::from_secs(60))), &mut Vec::new());
    assert!(matches!(got, Err(Fault::Late | Fault::Other(_))), "{got:?}");
    assert!(begin.elapsed() < Duration::from_millis(3500), "{:?}", begin.elapsed());
}

/// Two network namespaces, each linked to this one.
struct Networks {
    names: [String; 2],
}

impl Networks {
    fn make() -> Option<Self> {
        let own = std::process::id();
        let networks = Self { names: [format!("ndc-{own}-a"), format!("ndc-{own}-b")] };
        for (n, name) in networks.names.iter().enumerate() {
            let net = 7 + n;
            let (here, there) = (format!("nd{own}h{n}"), format!("nd{own}t{n}"));
            let commands = [
                format!("ip netns add {name}"),
                format!("ip link add {here} type veth peer name {there} netns {name}"),
                format!("ip addr add 10.231.{net}.1/24 dev {here}"),
                format!("ip link set {here} up"),
                format!("ip -n {name} addr add 10.231.{net}.2/24 dev {there}"),
                format!("ip -n {name} link set {there} up"),
            ];
            for command in commands {
                if let Err(why) = run(&command) {
                    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "`{command}`: {why}");
                    eprintln!("skipped: there is no right to make networks: `{command}`: {why}");
                    return None;
                }
            }
        }
        Some(networks)
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        // The links between the namespaces go with them.
        for name in &self.names {
            let _ = run(&format!("ip netns del {name}"));
        }
    }
}

fn run(command: &str) -> Result<(), String> {
    let mut words = command.split(' ');
    let output = Command::new(words.next().unwrap_or_default()).args(words).output();
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

/// Carries connections on to a server that listens on the loopback interface alone.
struct Forward {
    at: String,
}

impl Forward {
    fn begin(at: &str, port: u16) -> Self {
        let listener = std::net::TcpListener::bind(at).unwrap();
        let at = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for from in listener.incoming().map_while(Result::ok) {
                let to = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
                let (from_again, to_again) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                std::thread::spawn(move || carry(&from, &to));
                std::thread::spawn(move || carry(&to_again, &from_again));
            }
        });
        Self { at }
    }
}

fn carry(mut from: &std::net::TcpStream, mut to: &std::net::TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}
