//! Ctrl-C at any point: the process ends with code 130, and leaves what it was writing complete or removes it.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{Scene, skip};

/// The system calls before each of which the tests press Ctrl-C.
const CALLS: &str = "openat,mkdir,mkdirat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,ftruncate,fallocate";

/// Runs the program, and interrupts it before the `nth` of each of these calls; `None` where this process may not trace.
fn interrupted(scene: &Scene, arguments: &[&str], calls: &str, nth: usize) -> Option<Output> {
    let inner = scene.command();
    // A shell lets jobs in its background ignore Ctrl-C, and so would their children.
    let mut traced = Command::new("env");
    traced.args(["--default-signal=INT", "strace", "-f", "-qq", "-e", &format!("trace={calls}")]);
    traced.args(["-e", &format!("inject={calls}:signal=INT:when={nth}"), "-o", "/dev/null"]);
    traced.arg(inner.get_program()).args(inner.get_args()).args(arguments).current_dir(scene.root());
    let temporary = scene.root().join("tmp");
    fs::create_dir_all(&temporary).expect("a folder");
    // Libraries are looked for in few places, so that the program begins soon.
    traced.env_remove("LD_LIBRARY_PATH");
    traced.env("TZ", "UTC").env("TMPDIR", temporary).env_remove("NDCACHE_DIR").env_remove("NDCACHE_MODE");
    let output = traced.stdin(Stdio::null()).output().ok()?;
    // Without strace, `env` says so by this code.
    let is_traced = output.status.code() != Some(127) && !String::from_utf8_lossy(&output.stderr).contains("ptrace");
    is_traced.then_some(output)
}

/// Interrupts a command at ever later calls until it ends before that; checks what is left each time. Returns how
/// often it was interrupted.
fn at_every_point(arguments: &[&str], make: impl Fn() -> Scene, check: impl Fn(&Scene, bool)) -> Option<usize> {
    at_every_point_of(CALLS, arguments, make, |scene, done, _| check(scene, done))
}

/// [`at_every_point`] of these calls, where what the command has said is checked, too.
fn at_every_point_of(
    calls: &str,
    arguments: &[&str],
    make: impl Fn() -> Scene,
    check: impl Fn(&Scene, bool, &str),
) -> Option<usize> {
    let mut times = 0;
    for nth in (1..40).chain((40..4000).step_by(7)) {
        let scene = make();
        let output = interrupted(&scene, arguments, calls, nth)?;
        let code = output.status.code();
        // While its libraries are still loaded, the signal ends the program as it does any other.
        let by_signal = nth <= 8 && output.status.signal() == Some(2);
        assert!(matches!(code, Some(0 | 1 | 130)) || by_signal, "{arguments:?} {nth}: {output:?}");
        assert_eq!(fs::read_dir(scene.root().join("tmp")).expect("a folder").count(), 0, "{arguments:?} {nth}");
        // The exit code 1 says that the repair was done and had found damage.
        let done = matches!(code, Some(0 | 1));
        let said = [&*output.stdout, &output.stderr].map(String::from_utf8_lossy).concat();
        check(&scene, done, &said);
        if done {
            break;
        }
        times += 1;
    }
    Some(times)
}

/// Asserts that nothing is damaged; returns the number of entries, and that of the files that no entry names.
fn state(scene: &Scene) -> (u64, usize) {
    let report = scene.json(&["verify"]);
    assert_eq!(report["damaged"], 0, "{report}");
    let orphans = report["problems"].as_array().expect("a list").iter().filter(|it| it["kind"] == "orphan").count();
    (report["entries"].as_u64().expect("a number"), orphans)
}

#[test]
fn an_interrupted_import_leaves_all_of_it_or_nothing() {
    let from = Scene::new();
    let ids = ["frozen packed@1", "frozen fit@1", "frozen mapped@1", "frozen long@1"];
    assert_eq!(from.run(&[&["export"][..], &ids, &["-o", "in.tar"]].concat()).code, 0);
    let make = || {
        let scene = Scene::new();
        fs::copy(from.root().join("in.tar"), scene.root().join("in.tar")).expect("copied");
        assert_eq!(scene.run(&["clear", "--yes"]).code, 0);
        scene
    };
    let check = |scene: &Scene, done: bool| {
        let (entries, orphans) = state(scene);
        assert!(entries == ids.len() as u64 || entries == 0 && !done, "{entries} {done}");
        assert_eq!(orphans, 0);
    };
    for arguments in [&["import", "in.tar"][..], &["import", "in.tar", "--dry-run"]] {
        let is_dry = arguments.len() == 3;
        let check =
            |scene: &Scene, done: bool| if is_dry { assert_eq!(state(scene), (0, 0)) } else { check(scene, done) };
        let Some(times) = at_every_point(arguments, make, check) else {
            skip("strace, or the permission to trace,");
            return;
        };
        assert!(times > 10, "{arguments:?}: {times}");
    }
}

#[test]
fn an_interrupted_export_or_report_leaves_no_file() {
    let is_left = |scene: &Scene, name: &str| scene.root().join(name).exists();
    for (arguments, name) in [
        (&["export", "frozen sum@1", "--lineage", "-o", "out.tar"][..], "out.tar"),
        (&["report", "-o", "page.html"], "page.html"),
    ] {
        let check = |scene: &Scene, done: bool| {
            let names = fs::read_dir(scene.root()).expect("a folder").map(|it| it.expect("an item").file_name());
            let odd: Vec<_> = names.filter(|it| !["cache", "tmp", name].contains(&&*it.to_string_lossy())).collect();
            assert!(odd.is_empty(), "{odd:?}");
            if is_left(scene, name) {
                let length = fs::metadata(scene.root().join(name)).expect("its state").len();
                assert!(length > 1000, "whole, if it is there at all: {length}");
            }
            assert!(is_left(scene, name) || !done);
        };
        let Some(times) = at_every_point(arguments, Scene::new, check) else {
            skip("strace, or the permission to trace,");
            return;
        };
        assert!(times > 10, "{arguments:?}: {times}");
    }
}

#[test]
fn an_interrupted_collection_or_repair_leaves_whole_entries() {
    let damage = |path: &Path| {
        let mut bytes = fs::read(path).expect("its bytes");
        *bytes.last_mut().expect("a byte") ^= 1;
        fs::remove_file(path).expect("removed");
        fs::write(path, bytes).expect("written");
    };
    let collected = |scene: &Scene, done: bool| {
        let (entries, _) = state(scene);
        assert!(entries >= 3 && (entries == 3) == done || entries == 3, "{entries} {done}");
    };
    let Some(times) = at_every_point(&["gc", "--max-items", "3", "--yes"], Scene::new, collected) else {
        skip("strace, or the permission to trace,");
        return;
    };
    assert!(times > 10, "{times}");
    let make = || {
        let scene = Scene::new();
        let array = scene.files().find(|path| path.extension().is_some_and(|it| it == "npy")).expect("an array");
        damage(&array);
        scene
    };
    let repaired = |scene: &Scene, done: bool| {
        let report = scene.json(&["verify"]);
        let damaged = report["damaged"].as_u64().expect("a number");
        assert!(damaged <= 1 && (!done || damaged == 0), "{report}");
    };
    let times = at_every_point(&["verify", "--repair", "--yes"], make, repaired).expect("it was traced before");
    assert!(times > 3, "{times}");
}

#[test]
fn an_interrupted_removal_says_what_it_has_removed() {
    let all = state(&Scene::new()).0;
    let damaged = || {
        let scene = Scene::new();
        for path in scene.files().filter(|path| is_entry(path)) {
            fs::write(path, b"nonsense").expect("written");
        }
        scene
    };
    let entries = |scene: &Scene| scene.files().filter(|path| is_entry(path)).count() as u64;
    // An edited entry stays, whatever the limit.
    for (arguments, make, goes) in [
        (&["gc", "--max-items", "0", "--yes"][..], &Scene::new as &dyn Fn() -> Scene, all - 1),
        (&["rm", "--older", "0s", "--yes"], &Scene::new, all),
        (&["clear", "--yes"], &Scene::new, all),
        (&["verify", "--repair", "--yes"], &damaged, all),
    ] {
        let halves = std::cell::Cell::new(0);
        let check = |scene: &Scene, done: bool, said: &str| {
            let removed = all - entries(scene);
            let told = if removed == 1 { "removed 1 entry".to_owned() } else { format!("removed {removed} entries") };
            assert!(!done || removed == goes, "{arguments:?}: {removed} of {goes}: {said}");
            assert!(removed == 0 || said.contains(&told), "{arguments:?}: {removed}: {said}");
            let is_half = 0 < removed && removed < goes;
            assert!(!is_half || said.contains("ndcache: interrupted; removed "), "{arguments:?}: {said}");
            halves.set(halves.get() + u64::from(is_half));
        };
        // Of several calls each would send a signal, and the second one ends the command at once.
        let Some(_) = at_every_point_of("unlinkat", arguments, make, check) else {
            skip("strace, or the permission to trace,");
            return;
        };
        assert!(halves.get() > 1, "{arguments:?} was interrupted in the middle {} times", halves.get());
    }
}

/// Whether a file is the record of an entry, and not of what a code is made of or of a build step.
fn is_entry(path: &Path) -> bool {
    let shard = path.parent().and_then(Path::file_name).unwrap_or_default();
    path.extension().is_some_and(|it| it == "record") && shard.len() == 2
}
