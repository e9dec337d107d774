//! A copy of the frozen cache, and runs of the program on it.

#[path = "../../tests/support/mount.rs"]
mod mount;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;

pub(crate) use mount::Mount;

/// The frozen cache.
const FROZEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/v1");

/// 2026-12-01 12:00:00 UTC: the present of the tests.
const NOW: u64 = 1_796_126_400;

/// A folder with the copy `cache` of the frozen cache, all of whose entries were used a day ago.
pub(crate) struct Scene {
    folder: TempDir,
}

/// The outcome of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let copied = Command::new("cp").arg("-a").arg(FROZEN).arg(scene.cache()).status().expect("`cp` runs");
        assert!(copied.success());
        let used = UNIX_EPOCH + Duration::from_secs(NOW - 86_400 - 3600);
        for path in scene.files() {
            match path.extension().is_some_and(|it| it == "record") {
                true => File::open(path).and_then(|file| file.set_modified(used)).expect("its stamp"),
                // The checkout has lost the modes of the array files.
                false => fs::set_permissions(path, fs::Permissions::from_mode(0o444)).expect("its mode"),
            }
        }
        scene
    }

    /// A copy of it as it is now.
    pub(crate) fn again(&self) -> Self {
        let scene = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let from = self.root().join(".");
        assert!(Command::new("cp").arg("-a").arg(from).arg(scene.root()).status().expect("`cp` runs").success());
        scene
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.root().join("cache")
    }

    /// All files of the cache.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.snapshot().into_keys().filter(|path| path.is_file())
    }

    /// Every file and folder, with its inode, length, times and mode.
    pub(crate) fn snapshot(&self) -> BTreeMap<PathBuf, (u64, u64, i64, i64, u32)> {
        let (mut found, mut folders) = (BTreeMap::new(), vec![self.cache()]);
        while let Some(folder) = folders.pop() {
            for item in fs::read_dir(&folder).expect("a folder") {
                let path = item.expect("an item").path();
                let stat = fs::symlink_metadata(&path).expect("its state");
                if stat.is_dir() {
                    folders.push(path.clone());
                }
                found.insert(path, (stat.ino(), stat.len(), stat.mtime(), stat.mtime_nsec(), stat.mode()));
            }
        }
        found
    }

    /// The program, with the cache named by `-C cache` in the working directory; the arguments come last.
    pub(crate) fn command(&self) -> Command {
        let mut command = bare(self.root());
        command.args(["-C", "cache"]);
        command
    }

    /// Runs the program with these arguments; stdout and stderr are pipes.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let mut command = self.command();
        command.args(arguments);
        self.told(command.stdin(Stdio::null()).output().expect("the program runs"))
    }

    /// What a program has printed, with a fixed name for the folder.
    pub(crate) fn told(&self, output: Output) -> Run {
        let root = self.root().display().to_string();
        let text = |bytes: Vec<u8>| on_ext4(String::from_utf8(bytes).expect("UTF-8").replace(&root, "/data"));
        let code = output.status.code().unwrap_or(-1);
        Run { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The document that a run prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let run = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {run:?}"))
    }

    /// Runs the program on a terminal of 100 columns, and types `input`; returns all that appears there.
    pub(crate) fn terminal(&self, arguments: &[&str], input: &str) -> (i32, String) {
        self.terminal_of(100, arguments, input)
    }

    /// Runs the program on a terminal of `columns` columns.
    pub(crate) fn terminal_of(&self, columns: usize, arguments: &[&str], input: &str) -> (i32, String) {
        let (mut controller, mut child) = self.begun(columns, arguments, None);
        controller.write_all(input.as_bytes()).expect("typing");
        self.ended(&mut controller, &mut child, String::new())
    }

    /// Runs the program on a terminal, and does something once it asks, before `answer` is typed.
    pub(crate) fn answered(&self, arguments: &[&str], answer: &str, meanwhile: impl FnOnce()) -> (i32, String) {
        let (mut controller, mut child) = self.begun(100, arguments, None);
        let mut shown = Vec::new();
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&shown).contains("[y/N]") {
            let read = controller.read(&mut buffer).expect("a question");
            shown.extend_from_slice(&buffer[..read]);
        }
        meanwhile();
        controller.write_all(answer.as_bytes()).expect("typing");
        self.ended(&mut controller, &mut child, String::from_utf8_lossy(&shown).into_owned())
    }

    /// Runs the program with a terminal for stdin and stderr and a pipe for stdout; returns its code, and what appears
    /// on both.
    pub(crate) fn piped(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
        let (mut controller, mut child) = self.begun(100, arguments, Some(Stdio::piped()));
        controller.write_all(input.as_bytes()).expect("typing");
        let mut stdout = String::new();
        child.stdout.take().expect("a pipe").read_to_string(&mut stdout).expect("UTF-8");
        let (code, shown) = self.ended(&mut controller, &mut child, String::new());
        (code, stdout, shown)
    }

    /// The program on a terminal, with another stdout if there is one.
    fn begun(&self, columns: usize, arguments: &[&str], stdout: Option<Stdio>) -> (File, Child) {
        let (controller, side) = terminal();
        let mut command = self.command();
        command.args(arguments).env("COLUMNS", columns.to_string()).env("TERM", "xterm");
        let clone = || Stdio::from(side.try_clone().expect("a descriptor"));
        let stdout = stdout.unwrap_or_else(clone);
        let child = command.stdin(clone()).stdout(stdout).stderr(clone()).spawn().expect("the program runs");
        (controller, child)
    }

    /// Waits for the program; returns its code, and all that appeared on its terminal, which begins with `shown`.
    fn ended(&self, controller: &mut File, child: &mut Child, mut shown: String) -> (i32, String) {
        let (mut buffer, mut rest) = ([0; 4096], Vec::new());
        // On Linux, reading from a terminal whose other end was closed is an error.
        while let Ok(read @ 1..) = controller.read(&mut buffer) {
            rest.extend_from_slice(&buffer[..read]);
        }
        shown.push_str(&String::from_utf8_lossy(&rest));
        let code = child.wait().expect("its end").code().unwrap_or(-1);
        let root = self.root().display().to_string();
        (code, on_ext4(shown.replace(&root, "/data").replace("\r\n", "\n")))
    }
}

/// Replaces the name of the file system in a summary by `ext4`, so that it is the same on all machines.
fn on_ext4(text: String) -> String {
    match text.split_once(", mapped\n") {
        Some((before, after)) if before.contains(" functions  ") => {
            let (before, _) = before.rsplit_once("  ").unwrap_or((before, ""));
            format!("{before}  ext4, mapped\n{after}")
        }
        _ => text,
    }
}

/// Says that a test is skipped that needs `what`. In CI it may not be.
pub(crate) fn skip(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what} is needed and missing");
    println!("skipped: {what} is missing");
}

/// The program in this folder, with nothing of this process's environment that matters to it.
pub(crate) fn bare(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ndcache"));
    command.current_dir(folder).env("TZ", "UTC").env("SOURCE_DATE_EPOCH", NOW.to_string());
    for variable in ["NDCACHE_DIR", "NDCACHE_MODE", "NO_COLOR", "CLICOLOR_FORCE", "COLUMNS"] {
        command.env_remove(variable);
    }
    command
}

/// Both ends of a terminal.
fn terminal() -> (File, File) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&controller).expect("its permissions");
    unlockpt(&controller).expect("its lock");
    let name = ptsname(&controller, Vec::new()).expect("its name");
    let side = File::options().read(true).write(true).open(name.to_str().expect("a path")).expect("its other end");
    (File::from(controller), side)
}

/// The words of a command line, with quotes as a shell has them.
pub(crate) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for char in line.chars() {
        match (quote, char) {
            (Some(open), char) if char == open => quote = None,
            (None, '\'' | '"') => quote = Some(char),
            (None, ' ') if word.is_empty() => {}
            (None, ' ') => words.push(std::mem::take(&mut word)),
            (_, char) => word.push(char),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
