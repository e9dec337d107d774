//! Caches of somebody else, and on media that nobody writes to: what reads works there, and what changes says why not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Scene, bare, skip};
use crate::usage::READING;

/// What changes a cache, with arguments that would.
const CHANGING: &[&[&str]] = &[
    &["gc", "--max-items", "1", "--yes"],
    &["rm", "frozen fit@1", "--yes"],
    &["clear", "--yes"],
    &["pin", "x", "frozen fit@1"],
    &["stats", "--reset", "--yes"],
];

/// A copy of the program where everybody finds it.
fn program(scene: &Scene) -> PathBuf {
    let copy = scene.root().join("ndcache");
    fs::copy(env!("CARGO_BIN_EXE_ndcache"), &copy).expect("copied");
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o755)).expect("its mode");
    copy
}

/// Runs all commands in a folder; those that read have to work, and those that change to fail with a reason.
fn all(scene: &Scene, cache: &Path, run: impl Fn(&[&str]) -> Command) {
    let before = scene.snapshot();
    for arguments in READING.iter().filter(|arguments| !arguments.contains(&"doctor")) {
        let output = run(arguments).stdin(Stdio::null()).output().expect("it runs");
        let is_fine = output.status.success() || arguments[0] == "diff" && output.status.code() == Some(1);
        assert!(is_fine && !output.stdout.is_empty(), "{arguments:?}: {output:?}");
    }
    let doctor = run(&["doctor"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("can be read only"), "{doctor:?}");
    for arguments in CHANGING {
        let output = run(arguments).stdin(Stdio::null()).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_some_and(|code| (1..=3).contains(&code)), "{arguments:?}: {output:?}");
        assert!(told.starts_with("ndcache: ") && !told.contains("panicked"), "{arguments:?}: {told}");
    }
    assert_eq!(scene.snapshot(), before, "{}", cache.display());
}

#[test]
fn a_cache_of_another_user_is_read_and_not_changed() {
    let scene = Scene::new();
    let program = program(&scene);
    let run = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "60001", "--regid", "60001", "--clear-groups"]).arg(&program);
        command
            .arg("-C")
            .arg(scene.cache())
            .args(arguments)
            .current_dir("/")
            .env("TZ", "UTC")
            .env_remove("NDCACHE_MODE");
        command
    };
    if !run(&["--version"]).output().is_ok_and(|output| output.status.success()) {
        skip("`setpriv`, and the right to run as another user,");
        return;
    }
    all(&scene, &scene.cache(), run);
}

#[test]
fn a_cache_on_a_medium_that_can_only_be_read_is_read() {
    let scene = Scene::new();
    let place = tempfile::tempdir().expect("a folder");
    let mounted = Command::new("mount").args(["--bind"]).arg(scene.cache()).arg(place.path()).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("skipped: the right to mount (CAP_SYS_ADMIN) is missing");
        return;
    }
    let mount = |arguments: &[&str]| {
        assert!(
            Command::new(arguments[0]).args(&arguments[1..]).arg(place.path()).status().expect("it runs").success()
        );
    };
    let tested = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        mount(&["mount", "-o", "remount,bind,ro"]);
        all(&scene, place.path(), |arguments| {
            let mut command = bare(scene.root());
            command.arg("-C").arg(place.path()).args(arguments);
            command
        });
    }));
    mount(&["umount"]);
    if let Err(panic) = tested {
        std::panic::resume_unwind(panic);
    }
}
