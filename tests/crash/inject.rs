//! One fault in one system call of a child, by `strace`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ndcache::policy::Durability;

use crate::check::copy_folder;
use crate::jobs::{Answer, Task};
use crate::scene::scene;

/// The errors of a file system, as `strace` names them.
const ERRORS: [&str; 9] = ["ENOSPC", "EIO", "EACCES", "EMFILE", "ESTALE", "EINTR", "EDQUOT", "EROFS", "ENOMEM"];

/// Calls that a file system serves, or that locks are made of. Others that fail are the end of any program.
const FILES: [&str; 26] = [
    "openat",
    "openat2",
    "read",
    "pread64",
    "write",
    "writev",
    "pwrite64",
    "close",
    "fstat",
    "newfstatat",
    "statx",
    "statfs",
    "fstatfs",
    "fallocate",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "fsync",
    "fchmod",
    "utimensat",
    "getdents64",
    "fcntl",
];

/// The call that flushes a file or a folder.
const FLUSH: &str = "fsync";

/// The number of a call that no process reaches.
const NEVER: usize = 1 << 14;

/// A process that runs longer counts as hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// For each call, how often it is made at most on one thread.
pub(crate) type Calls = BTreeMap<String, usize>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inject {
    Kill,
    Once(&'static str),
    /// The call fails with this error, and so does every later one.
    Ever(&'static str),
}

pub(crate) struct Fault {
    call: String,
    number: usize,
    pub(crate) kind: Inject,
}

/// How the process ended.
pub(crate) enum End {
    Killed,
    Answered {
        answer: Answer,
        warnings: u8,
    },
    /// It ended by a panic, by a signal, or not at all.
    Otherwise(ExitStatus),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed => f.write_str("killed"),
            Self::Answered { answer, warnings } => write!(f, "{answer:?} with {warnings} warnings"),
            Self::Otherwise(status) => write!(f, "{status}"),
        }
    }
}

impl Fault {
    /// No fault: the process runs to its end.
    pub(crate) fn none() -> Self {
        Self { call: "openat".to_owned(), number: NEVER, kind: Inject::Kill }
    }

    /// The call that it is in, or `end`.
    pub(crate) fn call(&self) -> &str {
        if self.number == NEVER { "end" } else { &self.call }
    }

    /// Whether it is a final error of a flush that the durability asks for.
    pub(crate) fn is_lost_flush(&self, task: Task) -> bool {
        let is_error = matches!(self.kind, Inject::Once(error) | Inject::Ever(error) if error != "EINTR");
        is_error && self.call == FLUSH && task.durability != Durability::Buffered
    }

    pub(crate) fn kills(calls: &Calls) -> Vec<Self> {
        Self::at(calls, |_| vec![Inject::Kill])
    }

    pub(crate) fn errors(calls: &Calls) -> Vec<Self> {
        Self::at(calls, |call| {
            let errors = if FILES.contains(&call) { &ERRORS[..] } else { &[] };
            let once = errors.iter().map(|&error| Inject::Once(error));
            // A call that is interrupted each time is repeated for ever, by the standard library too; and a lock that
            // is refused with `EACCES` is held by another process, and is waited for.
            let waits = |error| error == "EINTR" || call == "fcntl" && error == "EACCES";
            let lasting = errors.iter().filter(|&&error| !waits(error));
            once.chain(lasting.map(|&error| Inject::Ever(error))).collect()
        })
    }

    /// The errors of flushes only.
    pub(crate) fn flushes(calls: &Calls) -> Vec<Self> {
        let flushes = calls.iter().filter(|(call, _)| *call == FLUSH);
        Self::errors(&flushes.map(|(call, &count)| (call.clone(), count)).collect())
    }

    fn at(calls: &Calls, kinds: impl Fn(&str) -> Vec<Inject>) -> Vec<Self> {
        let points = calls.iter().flat_map(|(call, &count)| (1..=count).map(move |number| (call, number)));
        points
            .flat_map(|(call, number)| {
                kinds(call).into_iter().map(move |kind| Self { call: call.clone(), number, kind })
            })
            .collect()
    }

    /// Does the job in the folder, with this fault in it.
    pub(crate) fn inject(&self, task: Task, folder: &Path) -> End {
        let Self { call, number, .. } = self;
        let inject = match self.kind {
            Inject::Kill => format!("inject={call}:signal=SIGKILL:when={number}"),
            Inject::Once(error) => format!("inject={call}:error={error}:when={number}"),
            Inject::Ever(error) => format!("inject={call}:error={error}:when={number}+"),
        };
        let status = run(task, folder, &["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
        match (status.signal(), status.code().and_then(Answer::of)) {
            (Some(9), _) => End::Killed,
            (_, Some((answer, warnings))) => End::Answered { answer, warnings },
            _ => End::Otherwise(status),
        }
    }

    /// Whether the process got so far.
    pub(crate) fn is_met(&self, end: &End) -> bool {
        self.kind != Inject::Kill || matches!(end, End::Killed)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Inject::Kill => "killed".to_owned(),
            Inject::Once(error) => format!("{error} once"),
            Inject::Ever(error) => format!("{error} from then on"),
        };
        write!(f, "{} number {}: {what}", self.call, self.number)
    }
}

/// The calls that the job makes in a copy of the folder.
pub(crate) fn trace(task: Task, before: &Path, folder: &Path) -> Calls {
    copy_folder(before, folder);
    let log = folder.with_extension("log");
    let status = run(task, folder, &["-o", log.to_str().expect("a path in Unicode")]);
    let answer = status.code().and_then(Answer::of);
    assert_eq!(answer, Some((Answer::Right, 0)), "{} without a fault: {status}", task.job.name());
    let log = fs::read_to_string(log).expect("the log of strace");
    let mut threads: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (thread, rest) in log.lines().filter_map(|line| line.split_once(' ')) {
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        let is_name = call.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_name && !call.starts_with("exit") {
            *threads.entry((thread, call)).or_default() += 1;
        }
    }
    let mut calls = Calls::new();
    for ((_, call), count) in threads {
        let most = calls.entry(call.to_owned()).or_default();
        *most = count.max(*most);
    }
    calls
}

/// Whether a child can be traced here; else why not.
pub(crate) fn is_possible() -> Result<(), String> {
    let done = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    match done {
        Err(error) => Err(format!("`strace` can't be run: {error}")),
        Ok(done) if !done.status.success() => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
        Ok(_) => Ok(()),
    }
}

/// Does the job in a child, traced from where it begins.
fn run(task: Task, folder: &Path, options: &[&str]) -> ExitStatus {
    let mut child = start(task, folder);
    let process = child.id().to_string();
    wait_until("State:", |word| word == "T", &process, None);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-p", &process]).args(options).stderr(Stdio::null());
    let mut strace = strace.spawn().expect("`strace` runs");
    wait_until("TracerPid:", |word| word != "0", &process, Some(&mut strace));
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::CONT).expect("a child");
    let status = wait(&mut child);
    strace.wait().expect("a child");
    status
}

/// Waits for the end of a child; one that hangs is ended, by a signal that no fault sends.
fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        if Instant::now() > deadline {
            let _ = Command::new("kill").args(["-ABRT", &child.id().to_string()]).status();
            return child.wait().expect("a child");
        }
        thread::sleep(Duration::from_micros(200));
    }
}

fn start(task: Task, folder: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child
        .args(["worker", task.job.name(), &format!("{:?}", task.durability), &scene().seed.to_string()])
        .arg(folder)
        .env("RAYON_NUM_THREADS", "2");
    child.env_remove("NDCACHE_DIR").env_remove("NDCACHE_MODE");
    child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a child")
}

/// Waits until a field of the process's status begins with such a word.
fn wait_until(field: &str, is: impl Fn(&str) -> bool, process: &str, mut tracer: Option<&mut Child>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the child's status");
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        if line.and_then(|line| line.split_whitespace().next()).is_some_and(&is) {
            return;
        }
        let ended = tracer.as_mut().is_some_and(|tracer| tracer.try_wait().expect("a child").is_some());
        assert!(!ended, "`strace` can't attach to a child of this program");
        assert!(Instant::now() < deadline, "a child of this program doesn't come to {field}");
        thread::sleep(Duration::from_micros(200));
    }
}
