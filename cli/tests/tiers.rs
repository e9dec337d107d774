//! `ndcache tier`: results are sent to a place that the environment names, and fetched from there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use ndcache::Memory;
use serde_json::Value;

use crate::archives::store_pickled;
use crate::documents::{check, schema};
use crate::support::{Run, Scene, bare};

/// Runs `ndcache tier` with these arguments and a folder as tier.
fn tier(scene: &Scene, arguments: &[&str]) -> Run {
    let _ = fs::create_dir(scene.root().join("place"));
    tier_at(scene, &format!("rw:{}", scene.root().join("place").display()), arguments)
}

/// Runs `ndcache tier` with these arguments and tiers.
fn tier_at(scene: &Scene, remote: &str, arguments: &[&str]) -> Run {
    let mut command = scene.command();
    command.arg("tier").args(arguments).stdin(Stdio::null());
    command.env("NDCACHE_REMOTE", remote).env("NDCACHE_REMOTE_SHARE", "any");
    scene.told(command.output().expect("the program runs"))
}

fn document(scene: &Scene, arguments: &[&str], definition: &str) -> Value {
    let run = tier(scene, &[arguments, &["--json"]].concat());
    let document = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {run:?}"));
    check(&document, &schema()["$defs"][definition], &schema(), definition);
    document
}

#[test]
fn what_is_sent_is_fetched_again_and_what_is_purged_is_not() {
    let scene = Scene::new();
    let there = scene.json(&["ls", "frozen fit"])["entries"].as_array().expect("entries").len();
    assert_eq!(document(&scene, &["status"], "tier_status")["tiers"][0]["queued"], 0);
    assert!(document(&scene, &["doctor"], "tier_doctor")["tiers"][0]["problem"].is_null());
    let sent = document(&scene, &["push", "--function", "frozen fit"], "tier_moved");
    assert_eq!((&sent["moved"], &sent["failed"]), (&there.into(), &0.into()));
    assert_eq!(document(&scene, &["flush", "--timeout", "5"], "tier_flush")["left"], 0);
    // An entry that was removed by a limit may be fetched again, unlike one that was removed by name.
    assert_eq!(scene.run(&["gc", "--function", "frozen fit", "--max-items", "0", "--yes"]).code, 0);
    let fetched = document(&scene, &["pull", "--function", "frozen fit"], "tier_moved");
    assert_eq!(fetched["moved"], there, "{fetched}");
    let refused = tier(&scene, &["purge", "--function", "frozen fit"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    let purged = document(&scene, &["purge", "--function", "frozen fit", "--yes"], "tier_purge");
    assert_eq!((&purged["here"], &purged["there"]), (&there.into(), &there.into()));
    assert_eq!(document(&scene, &["pull"], "tier_moved")["moved"], 0);
}

#[test]
fn what_was_damaged_and_repaired_away_is_fetched_again() {
    let scene = Scene::new();
    assert_eq!(document(&scene, &["push"], "tier_moved")["failed"], 0);
    let of = |name: &str| scene.json(&["show", name]);
    let root = scene.root().to_str().expect("a path");
    let path = |path: &Value| PathBuf::from(path.as_str().expect("a path").replace("/data", root));
    let (fit, mapped) = (of("frozen fit@1"), of("frozen mapped@1"));
    fs::write(path(&fit["path"]), "nonsense").expect("written");
    let array = path(&mapped["arrays"][0]["file"]);
    fs::remove_file(&array).expect("removed");
    fs::write(&array, "nonsense").expect("written");
    assert_eq!(scene.json(&["verify", "--repair", "--yes"])["removed"], 2);
    assert_eq!(document(&scene, &["pull"], "tier_moved")["moved"], 2);
    assert_eq!((of("frozen fit@1")["key"].clone(), scene.run(&["verify"]).code), (fit["key"].clone(), 0));
    // An entry that was removed by name isn't fetched again, even if it was damaged.
    fs::write(path(&fit["path"]), "nonsense").expect("written");
    assert_eq!(scene.run(&["rm", fit["key"].as_str().expect("a key"), "--yes"]).code, 0);
    assert_eq!(document(&scene, &["pull"], "tier_moved")["moved"], 0);
}

#[test]
fn what_only_asks_after_tiers_needs_no_name_for_the_cache_and_writes_nothing_there() {
    let scene = Scene::new();
    let before = scene.snapshot();
    fs::create_dir(scene.root().join("place")).expect("a folder");
    let place = format!("rw:{}", scene.root().join("place").display());
    for command in ["status", "doctor"] {
        let mut asked = bare(scene.root());
        asked.args(["tier", command]).stdin(Stdio::null()).env("NDCACHE_REMOTE", &place);
        let run = scene.told(asked.output().expect("the program runs"));
        assert!(run.code == 0 && run.stderr.contains("the cache is `/data/cache`"), "{run:?}");
        assert_eq!(scene.snapshot(), before);
    }
    let mut sent = bare(scene.root());
    sent.args(["tier", "push"]).stdin(Stdio::null()).env("NDCACHE_REMOTE", &place);
    assert_eq!(scene.told(sent.output().expect("the program runs")).code, 2, "it isn't guessed what is sent");
}

#[test]
fn without_tiers_the_command_says_where_they_are_named() {
    let run = Scene::new().run(&["tier", "status"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("`NDCACHE_REMOTE`"), "{run:?}");
}

/// The names of all objects of the tier.
fn objects(scene: &Scene) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![scene.root().join("place")]);
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).into_iter().flatten() {
            let path = item.expect("an item").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

#[test]
fn a_function_that_nobody_knows_is_an_error_that_names_those_near_it() {
    let scene = Scene::new();
    assert_eq!(tier(&scene, &["push", "--function", "fit"]).code, 0);
    let before = objects(&scene);
    for command in [&["push"][..], &["pull"], &["purge", "--yes"]] {
        let run = tier(&scene, &[command, &["--function", "frozen fitt"]].concat());
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains("no function `frozen fitt`") && run.stderr.contains("`frozen fit`"), "{run:?}");
        let run = tier(&scene, &[command, &["--function", "quite another"]].concat());
        assert!(run.code == 1 && run.stderr.contains("no function `quite another`"), "{run:?}");
    }
    assert_eq!(objects(&scene), before, "nothing is denied that there isn't");
}

#[test]
fn a_function_is_named_by_the_end_of_its_path_here_and_there() {
    let scene = Scene::new();
    let there = scene.json(&["ls", "fit"])["entries"].as_array().expect("entries").len();
    assert_eq!(document(&scene, &["push", "--function", "fit"], "tier_moved")["moved"], there);
    // Runs the command as another machine, whose cache is empty.
    let other = |arguments: &[&str]| {
        let mut command = bare(scene.root());
        command.args(["-C", "other", "tier"]).args(arguments).arg("--json").stdin(Stdio::null());
        command.env("NDCACHE_REMOTE", "rw:place").env("NDCACHE_REMOTE_SHARE", "any");
        let run = scene.told(command.output().expect("the program runs"));
        (run.code, serde_json::from_str::<Value>(&run.stdout).unwrap_or_else(|_| panic!("{run:?}")))
    };
    let (code, pulled) = other(&["pull", "--function", "fit"]);
    assert_eq!((code, &pulled["moved"]), (0, &there.into()), "{pulled}");
    let (code, purged) = other(&["purge", "--function", "fit", "--yes"]);
    assert_eq!((code, &purged["here"], &purged["there"]), (0, &there.into(), &there.into()), "{purged}");
}

#[test]
fn a_pull_makes_a_cache_in_an_empty_folder_and_in_no_other() {
    let scene = Scene::new();
    assert_eq!(tier(&scene, &["push", "--function", "fit"]).code, 0);
    let pull = |folder: &str| {
        let mut command = bare(scene.root());
        command.args(["-C", folder, "tier", "pull"]).stdin(Stdio::null());
        command.env("NDCACHE_REMOTE", "place").env("NDCACHE_REMOTE_SHARE", "any");
        scene.told(command.output().expect("the program runs"))
    };
    fs::create_dir(scene.root().join("empty")).expect("a folder");
    fs::create_dir_all(scene.root().join("foreign/thesis")).expect("a folder");
    for folder in ["empty", "missing"] {
        let run = pull(folder);
        assert!(run.code == 0 && run.stderr.contains(&format!("made a cache in `/data/{folder}`")), "{run:?}");
        assert!(scene.root().join(folder).join("CACHEDIR.TAG").exists());
    }
    let run = pull("foreign");
    assert!(run.code == 3 && !scene.root().join("foreign/CACHEDIR.TAG").exists(), "{run:?}");
}

#[test]
fn objects_that_are_foreign_or_damaged_are_named_and_the_rest_is_fetched() {
    let scene = Scene::new();
    let sent = document(&scene, &["push", "--function", "fit"], "tier_moved")["moved"].as_u64().expect("a number");
    let records: Vec<_> =
        objects(&scene).into_iter().filter(|path| path.extension().is_some_and(|it| it == "record")).collect();
    let shard = records[0].parent().expect("a folder");
    fs::write(shard.join("notes.record"), "x").expect("a file");
    fs::write(&records[0], "x").expect("a file");
    assert_eq!(scene.run(&["gc", "--function", "frozen fit", "--max-items", "0", "--yes"]).code, 0);
    let run = tier(&scene, &["pull"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stdout.contains(&format!("fetched {}", sent - 1)) && run.stdout.contains("2 failed"), "{run:?}");
    assert!(run.stderr.contains("notes.record`: foreign: ") && run.stderr.contains("damaged: "), "{run:?}");
    // A purge removes from the place all entries that it can read.
    let purged = tier(&scene, &["purge", "--since", "9999d", "--yes"]);
    assert!(purged.code == 1 && purged.stderr.contains("notes.record`"), "{purged:?}");
    assert!(purged.stdout.contains(&format!("and {} entr", sent - 1)), "{purged:?}");
}

#[test]
fn a_damaged_entry_here_is_named_and_the_rest_is_sent() {
    let scene = Scene::new();
    let record = scene.files().find(|path| {
        path.display().to_string().contains("frozen-fit-") && path.extension().is_some_and(|it| it == "record")
    });
    fs::write(record.expect("a record"), "x").expect("a file");
    let run = tier(&scene, &["push"]);
    assert!(run.code == 1 && run.stdout.contains("1 failed"), "{run:?}");
    assert!(run.stderr.contains("frozen-fit-") && run.stderr.contains("`ndcache verify --repair`"), "{run:?}");
    assert!(!objects(&scene).is_empty());
}

#[test]
fn a_tier_that_fails_is_told_with_its_class_its_cause_and_what_helps() {
    let scene = Scene::new();
    let missing = format!("rw:{}", scene.root().join("not/mounted").display());
    let run = tier_at(&scene, &missing, &["push"]);
    assert_eq!(run.code, 1, "{run:?}");
    let told = "no place: folder `/data/not/mounted` isn't there; mount the file server";
    assert_eq!(run.stderr.matches(told).count(), 1, "once for a tier: {run:?}");
    for command in ["pull", "doctor"] {
        let run = tier_at(&scene, &missing, &[command]);
        let text = run.stdout + &run.stderr;
        assert!(run.code != 0 && text.contains("isn't there") && text.contains("mount the file server"), "{text}");
    }
    assert!(!scene.root().join("not").exists());
}

#[test]
fn the_doctor_puts_something_where_results_are_put() {
    let scene = Scene::new();
    fs::create_dir(scene.root().join("place")).expect("a folder");
    let fine = tier(&scene, &["doctor"]);
    assert!(fine.code == 0 && fine.stdout.contains("read-write, works"), "{fine:?}");
    for step in ["get ", "list ", "put ", "get back ", "delete "] {
        assert!(fine.stdout.contains(&format!("  {step}")), "{step}: {fine:?}");
    }
    assert!(objects(&scene).is_empty(), "nothing stays there");
    if rustix::process::geteuid().is_root() {
        println!("skipped: to root no folder is closed");
        return;
    }
    fs::set_permissions(scene.root().join("place"), fs::Permissions::from_mode(0o555)).expect("its mode");
    let run = tier(&scene, &["doctor"]);
    assert!(run.code == 1 && run.stdout.contains("put") && run.stdout.contains("denied"), "{run:?}");
}

#[test]
fn what_can_go_nowhere_is_said() {
    let scene = Scene::new();
    fs::create_dir(scene.root().join("place")).expect("a folder");
    let run = tier_at(&scene, "place", &["push"]);
    assert!(run.code == 3 && run.stderr.contains("`rw:`") && run.stderr.contains("can't push"), "{run:?}");
    let run = tier_at(&scene, "place", &["flush"]);
    assert!(run.code == 0 && run.stderr.contains("nothing is sent") && run.stderr.contains("`rw:`"), "{run:?}");
    let run = tier_at(&scene, "place", &["purge", "--yes"]);
    assert!(run.code == 3 && run.stderr.contains("`rw:`"), "{run:?}");
    fs::set_permissions(scene.cache(), fs::Permissions::from_mode(0o777)).expect("its mode");
    let run = tier(&scene, &["push"]);
    assert!(run.code == 1 && run.stderr.contains("anybody may write to") && run.stderr.contains("chmod"), "{run:?}");
}

#[test]
fn what_other_processes_left_is_counted() {
    let scene = Scene::new();
    // This makes the queue.
    assert_eq!(tier(&scene, &["flush"]).code, 0);
    let queue = fs::read_dir(scene.cache().join("t")).expect("a folder").map(|item| item.expect("an item").path());
    let queue =
        queue.map(|path| path.join(format!("q-{}", rustix::process::geteuid().as_raw()))).find(|path| path.exists());
    let note = "frozen-fit-18d15e25a91b5b2e-0c3e264c767b9f1326f873db8c902583";
    fs::write(queue.as_ref().expect("a queue").join(note), "").expect("a note");
    fs::write(queue.expect("a queue").join("circuit"), "4000000000 30\n").expect("a state");
    let before = scene.snapshot();
    let status = document(&scene, &["status"], "tier_status");
    assert_eq!((&status["tiers"][0]["queued"], &status["queued_elsewhere"]), (&1.into(), &0.into()));
    assert_eq!(scene.snapshot(), before, "it only looks");
    // A place has one queue, whether it may be written to or not; another place has another one.
    let run = tier_at(&scene, &scene.root().join("place").display().to_string(), &["status"]);
    assert!(run.stdout.contains("read-only, share any, 1 to be sent"), "{run:?}");
    let run = tier_at(&scene, "rw:other", &["status"]);
    assert!(run.stdout.contains("0 to be sent") && run.stdout.contains("1 to be sent to places that"), "{run:?}");
    let run = tier_at(&scene, &scene.root().join("place").display().to_string(), &["flush", "--timeout", "1"]);
    assert!(run.code == 1 && run.stderr.contains("read-only") && run.stdout.contains("1 left"), "{run:?}");
}

#[test]
fn what_was_fetched_is_counted() {
    use ndcache::tier::{Folder, Share, Tier};
    #[ndcache::cache]
    fn tripled(n: u64) -> u64 {
        3 * n
    }
    let (team, scene) = (tempfile::tempdir().expect("a folder"), Scene::new());
    let stored = Memory::open(team.path()).expect("a cache");
    (0..3).for_each(|n| assert_eq!(stored.eval(tripled::call(n)), 3 * n));
    drop(stored);
    let open = || {
        let tier = Tier::new(Folder::new(team.path()).expect("a place")).share(Share::Any);
        Memory::builder(scene.cache()).tier(tier).open().expect("a cache")
    };
    let run = scene.run(&["stats"]);
    assert!(!run.stdout.contains("FETCHED"), "nothing was: {run:?}");
    let memory = open();
    (0..4).for_each(|n| assert_eq!(memory.eval(tripled::call(n)), 3 * n));
    (0..4).for_each(|n| assert_eq!(memory.eval(tripled::call(n)), 3 * n));
    drop(memory);
    let stats = scene.json(&["stats"]);
    check(&stats, &schema()["$defs"]["stats"], &schema(), "stats");
    let counts = |of: &Value| ["hits", "repeats", "fetched", "misses"].map(|field| of[field].as_u64());
    assert_eq!(counts(&stats), [Some(4), Some(3), Some(3), Some(1)], "{stats}");
    assert_eq!(counts(&stats["functions"][0]), counts(&stats));
    let run = scene.run(&["stats"]);
    let lines: Vec<Vec<&str>> = run.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..5], ["FUNCTION", "HITS", "REPEATS", "FETCHED", "MISSES"], "{run:?}");
    assert_eq!(lines[2][..5], ["all", "4", "3", "3", "1"], "{run:?}");
}

#[test]
fn a_misspelt_url_is_no_folder() {
    let scene = Scene::new();
    for place in [
        "s3:/bucket",
        "s3:bucket",
        "https:/server/x",
        "rw:s3:/bucket/x",
        "RW:/nfs",
        "rw:ro:/nfs",
        "https:user:geheim@server",
    ] {
        let run = tier_at(&scene, place, &["status"]);
        assert!(run.code == 2 && run.stderr.contains("`NDCACHE_REMOTE`"), "{place}: {run:?}");
        assert!(run.stderr.contains("`s3://bucket/folder`") && !run.stderr.contains("geheim"), "{place}: {run:?}");
    }
    for place in ["./s3:bucket", "/a:b", "a/b:c"] {
        assert_eq!(tier_at(&scene, place, &["status"]).code, 0, "{place}");
    }
}

/// The output of a command, line by line, without the parts that differ from run to run.
fn shown(text: &str) -> Vec<String> {
    let line =
        |line: &str| line.split(", in ").next().unwrap_or(line).split(", of 20").next().unwrap_or(line).to_owned();
    text.lines().map(line).collect()
}

#[test]
fn the_pages_show_what_the_commands_print() {
    let scene = Scene::new();
    fs::create_dir(scene.root().join("place")).expect("a folder");
    for page in ["docs/tiers.md", "docs/cli.md"] {
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(page);
        let text = fs::read_to_string(path).expect("the page");
        let block = text.split("```text\n$ ndcache tier ").nth(1).and_then(|rest| rest.split("\n```").next());
        for part in block.expect("a block").split("$ ndcache tier ") {
            let (command, output) = part.split_once('\n').unwrap_or((part, ""));
            let run = tier(&scene, &command.split(' ').collect::<Vec<_>>());
            assert_eq!(shown(&(run.stderr + &run.stdout)), shown(output), "`{page}`: {command}");
        }
    }
}

#[test]
fn a_purge_is_shown_and_lifted() {
    let scene = Scene::new();
    assert_eq!(tier(&scene, &["push", "--function", "fit"]).code, 0);
    assert_eq!(tier(&scene, &["purge", "--function", "fit", "--yes"]).code, 0);
    let status = tier(&scene, &["status", "-v"]);
    assert!(status.stdout.contains("1 purge in force") && status.stdout.contains("purged frozen-fit-"), "{status:?}");
    let purges = &document(&scene, &["status"], "tier_status")["tiers"][0]["purges"];
    assert_eq!(purges.as_array().map(Vec::len), Some(1));
    let wrong = tier(&scene, &["purge", "--lift", "--function", "sum", "--yes"]);
    assert!(wrong.code == 1 && wrong.stderr.contains("`frozen-fit-18d15e25a91b5b2e`"), "{wrong:?}");
    assert_eq!(document(&scene, &["purge", "--lift", "--function", "fit", "--yes"], "tier_lift")["lifted"], 1);
    assert!(tier(&scene, &["status"]).stdout.contains("0 to be sent\n"), "nothing is in force");
    assert_eq!(tier(&scene, &["purge", "--lift", "--function", "fit", "--yes"]).code, 1);
}

#[test]
fn a_limit_on_bytes_says_what_is_sent_fetched_and_purged() {
    let scene = Scene::new();
    let memory = ndcache::Memory::inspect(scene.cache()).expect("the cache");
    let mut sizes: Vec<_> = memory.entries().map(|entry| entry.expect("an entry").bytes()).collect();
    sizes.sort_unstable();
    let limit = sizes[sizes.len() / 2];
    let most = limit.to_string();
    let expected = sizes.iter().filter(|size| **size <= limit).count() as u64;
    assert!(expected < sizes.len() as u64, "{sizes:?}");
    let sent = document(&scene, &["push", "--max-bytes", &most], "tier_moved");
    let moved = sent["moved"].as_u64().expect("a number");
    assert_eq!(moved + sent["skipped"].as_u64().expect("a number"), expected, "{sent}");
    assert!(moved > 1, "{sent}");
    // The records in the place have names of other lengths, so the limit is a little higher.
    let above = (limit + 1024).to_string();
    let mut pull = bare(scene.root());
    pull.args(["-C", "other", "tier", "pull", "--max-bytes", &above, "--json"]).stdin(Stdio::null());
    pull.env("NDCACHE_REMOTE", "place").env("NDCACHE_REMOTE_SHARE", "any");
    let run = scene.told(pull.output().expect("the program runs"));
    let pulled: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"));
    assert_eq!(pulled["moved"], moved, "{pulled}");
    assert_eq!(document(&scene, &["purge", "--max-bytes", "1", "--yes"], "tier_purge")["there"], 0);
    assert_eq!(document(&scene, &["purge", "--max-bytes", &above, "--yes"], "tier_purge")["there"], moved);
    for wrong in
        [&["push", "--max-bytes", "many"][..], &["pull", "--max-bytes", "-1"], &["purge", "--lift", "--max-bytes", "1"]]
    {
        let run = tier(&scene, wrong);
        assert_eq!(run.code, 2, "{run:?}");
    }
}

#[test]
fn what_python_pickled_is_pulled_only_where_that_is_asked_for() {
    let scene = Scene::new();
    store_pickled(&scene);
    assert_eq!(document(&scene, &["push", "--function", "study.load"], "tier_moved")["moved"], 1);
    assert_eq!(scene.run(&["gc", "--function", "study.load", "--max-items", "0", "--yes"]).code, 0);
    let left = document(&scene, &["pull"], "tier_moved");
    assert_eq!((&left["moved"], &left["skipped"]), (&0.into(), &1.into()), "{left}");
    assert_eq!(document(&scene, &["pull", "--with-pickles"], "tier_moved")["moved"], 1);
    let shown = scene.json(&["show", "study.load@1"]);
    assert_eq!((&shown["origin"], &shown["value"]["pickle"]), (&"tier".into(), &3.into()), "{shown}");
}

#[ndcache::cache]
fn cube(n: u64) -> u64 {
    n * n * n
}

/// First a program that ends as soon as it has computed, before it can send anything; then the last step of its job,
/// which sends; then another machine.
#[test]
fn what_a_program_leaves_that_ends_at_once_is_flushed_and_hits_on_another_machine() {
    const CHILD: &str = "NDCACHE_TEST_PROGRAM";
    const RESULTS: u64 = 20;
    if let Some(folder) = std::env::var_os(CHILD) {
        let memory = ndcache::Memory::builder(folder).env().open().expect("a memory");
        memory.clone().set_global().expect("the only one");
        (0..RESULTS).for_each(|n| assert_eq!(cube(n), n * n * n));
        println!("computed {}", memory.stats().misses());
        std::process::exit(0);
    }
    let scene = Scene::new();
    let place = scene.root().join("mounted/place");
    let remote = format!("rw:{}", place.display());
    let program = |folder: &str| {
        let mut command = std::process::Command::new(std::env::current_exe().expect("this program"));
        let test = "tiers::what_a_program_leaves_that_ends_at_once_is_flushed_and_hits_on_another_machine";
        command.args(["--exact", test, "--nocapture"]).env(CHILD, scene.root().join(folder));
        command.env("NDCACHE_REMOTE", &remote).env_remove("NDCACHE_REMOTE_SHARE");
        String::from_utf8(command.output().expect("the program runs").stdout).expect("text")
    };
    let said = program("one");
    assert!(said.contains(&format!("computed {RESULTS}")), "{said}");
    fs::create_dir(scene.root().join("mounted")).expect("a folder");
    let mut flush = bare(scene.root());
    flush.args(["-C", "one", "tier", "flush", "--timeout", "600", "--json"]).stdin(Stdio::null());
    let run = scene.told(flush.env("NDCACHE_REMOTE", &remote).output().expect("the program runs"));
    let flushed: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"));
    assert_eq!((run.code, &flushed["uploaded"], &flushed["left"]), (0, &RESULTS.into(), &0.into()), "{run:?}");
    let said = program("two");
    assert!(said.contains("computed 0"), "{said}");
}
