//! Caches that belong to somebody else or are on read-only media: commands that read work there, those that change
//! something say why they can't.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Run, Scene, bare, skip};
use crate::usage::READING;

/// Calls that would change the cache.
const CHANGING: &[&[&str]] = &[
    &["gc", "--max-items", "1", "--yes"],
    &["rm", "frozen fit@1", "--yes"],
    &["clear", "--yes"],
    &["pin", "x", "frozen fit@1"],
    &["stats", "--reset", "--yes"],
];

/// Copies the program to where every user can run it.
fn program(scene: &Scene) -> PathBuf {
    let copy = scene.root().join("ndcache");
    fs::copy(env!("CARGO_BIN_EXE_ndcache"), &copy).expect("copied");
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o755)).expect("its mode");
    copy
}

/// Makes commands that another user runs on the scene's cache. Returns `None` where that isn't possible, and prints
/// why.
fn by_another_user(scene: &Scene) -> Option<impl Fn(&[&str]) -> Command> {
    let (program, cache) = (program(scene), scene.cache());
    let command = move |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "60001", "--regid", "60001", "--clear-groups"]).arg(&program).current_dir("/");
        command.arg("-C").arg(&cache).args(arguments).env("TZ", "UTC").env_remove("NDCACHE_MODE").stdin(Stdio::null());
        command
    };
    if command(&["--version"]).output().is_ok_and(|output| output.status.success()) {
        return Some(command);
    }
    skip("`setpriv`, and the right to run as another user,");
    None
}

/// Runs all commands in a folder: those that read have to work, those that change something have to fail with a reason.
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
    let Some(command) = by_another_user(&scene) else { return };
    all(&scene, &scene.cache(), command);
}

/// Takes all permissions from a folder.
fn lock(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o000)).expect("its mode");
}

/// The folder of the function of the frozen cache with this name.
fn folder_of(scene: &Scene, function: &str) -> PathBuf {
    let path = scene.json(&["ls", function])["entries"][0]["path"].as_str().expect("a path").to_owned();
    let path = PathBuf::from(path.replace("/data", scene.root().to_str().expect("a path")));
    path.ancestors().nth(2).expect("its folder").to_owned()
}

#[test]
fn a_folder_that_can_not_be_listed_is_told_and_hides_no_other() {
    let scene = Scene::new();
    let Some(command) = by_another_user(&scene) else { return };
    let run = |arguments: &[&str]| scene.told(command(arguments).output().expect("it runs"));
    let all = scene.json(&["ls", "--entries"])["entries"].as_array().map(Vec::len).expect("entries") as u64;
    let fits = scene.json(&["ls", "frozen fit"]);
    let (fit, sum) = (fits["entries"][0]["key"].as_str().expect("a key"), "frozen sum@1");
    // A damaged record beside the unreadable folders is reported, too.
    let damaged = scene.json(&["show", "frozen long@1"])["path"].as_str().expect("a path").to_owned();
    fs::write(damaged.replace("/data", scene.root().to_str().expect("a path")), b"nonsense").expect("written");
    let mapped = folder_of(&scene, "frozen mapped");
    let shard = fs::read_dir(&mapped).expect("shards").map(|it| it.expect("an item").path());
    let shard = shard.into_iter().find(|path| !path.ends_with("code")).expect("a shard");
    let locked = folder_of(&scene, "frozen fit");
    for folder in [&locked, &shard] {
        lock(folder);
    }
    let paths =
        [&locked, &shard].map(|it| it.display().to_string().replace(&scene.root().display().to_string(), "/data"));
    // Nothing can be checked of the function that can't be read, nor of the other one its only entry.
    for (arguments, checked) in [(&["verify"][..], all - 4), (&["verify", "--sample", "100%"], all - 4)] {
        let told = run(arguments);
        assert_eq!(told.code, 1, "{told:?}");
        for path in &paths {
            assert!(told.stdout.contains(&format!("unreadable: can't list `{path}`")), "{told:?}");
        }
        assert!(
            told.stdout.contains("damaged: ") && told.stdout.contains(&format!("checked {checked} entries")),
            "{told:?}"
        );
        let document = run(&[arguments, &["--json"]].concat());
        let document: serde_json::Value = serde_json::from_str(&document.stdout).expect("a document");
        let problems = document["problems"].as_array().expect("a list");
        let unreadable = problems.iter().filter(|it| it["kind"] == "unreadable").map(|it| &it["path"]);
        assert_eq!(unreadable.collect::<Vec<_>>().len(), 2, "{document}");
        assert_eq!((&document["damaged"], &document["entries"]), (&1.into(), &checked.into()), "{document}");
    }
    // Entries elsewhere are found, and an entry that may be in an unreadable folder isn't called missing.
    let commands = [
        (&["ls"][..], 0, "3 can't be read"),
        (&["ls", "frozen small"], 0, ""),
        (&["show", "frozen small@1"], 0, ""),
        (&["show", &fit[..8]], 3, "can't list"),
        (&["tree", sum], 0, "something may be missing: can't list"),
        (&["tree", sum, "--down"], 0, "something may be missing: can't list"),
        (&["show", sum], 0, "can't list"),
        (&["gc", "--max-items", "3", "--dry-run"], 0, "not all of the cache could be read: can't list"),
        (&["report"], 0, "3 can't be read"),
        (&["export", sum, "--lineage", "-o", "/dev/null"], 3, "can't list"),
        (&["doctor"], 1, ""),
        (&[], 0, ""),
    ];
    expect_each(&commands, run);
    let key = scene.json(&["show", sum])["key"].as_str().expect("a key")[..8].to_owned();
    assert_eq!(
        run(&["show", &key]).code,
        0,
        "a folder of another function that can't be listed is none of its business"
    );
}

/// Runs each command, which ends with its code and says its note.
fn expect_each(commands: &[(&[&str], i32, &str)], run: impl Fn(&[&str]) -> Run) {
    for (arguments, code, note) in commands {
        let told = run(arguments);
        assert!(told.code == *code && told.stderr.contains(note), "{arguments:?}: {told:?}");
        assert!(*code != 0 || !told.stdout.is_empty(), "{arguments:?}: {told:?}");
    }
}

#[test]
fn counts_and_pins_that_can_not_be_read_hide_no_entries() {
    let scene = Scene::new();
    for folder in ["s", "p"] {
        fs::create_dir_all(scene.cache().join(folder)).expect("a folder");
        lock(&scene.cache().join(folder));
    }
    let Some(command) = by_another_user(&scene) else { return };
    let run = |arguments: &[&str]| scene.told(command(arguments).output().expect("it runs"));
    let unknown = "what calls have saved isn't known: can't list";
    for (arguments, code, note) in [
        (&[][..], 0, unknown),
        (&["ls"], 0, unknown),
        (&["why", "frozen small"], 0, unknown),
        (&["report"], 0, unknown),
        (&["report"], 0, "`ndcache gc` would remove nothing: "),
        (&["stats"], 3, "can't list"),
        (&["gc", "--dry-run"], 3, "can't list"),
        (&["doctor"], 1, ""),
        (&["verify"], 0, ""),
    ] {
        let told = run(arguments);
        assert!(told.code == code && told.stderr.contains(note), "{arguments:?}: {told:?}");
    }
    // Now nothing can be read at all.
    for item in fs::read_dir(scene.cache().join("f")).expect("functions") {
        lock(&item.expect("an item").path());
    }
    for arguments in [&["verify"][..], &["ls"], &["verify", "--sample", "10%"]] {
        let told = run(arguments);
        assert!(told.code == 3 && format!("{}{}", told.stdout, told.stderr).contains("can't list"), "{told:?}");
    }
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
