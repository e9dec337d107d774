//! `ndcache tier`: results go to a place and come from there, by the environment's word.

use std::process::Stdio;

use serde_json::Value;

use crate::documents::{check, schema};
use crate::support::{Run, Scene, bare};

/// Runs `ndcache tier` with these arguments and a folder as tier.
fn tier(scene: &Scene, arguments: &[&str]) -> Run {
    let mut command = scene.command();
    command.arg("tier").args(arguments).stdin(Stdio::null());
    let place = format!("rw:{}", scene.root().join("place").display());
    command.env("NDCACHE_REMOTE", place).env("NDCACHE_REMOTE_SHARE", "any");
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
    // What a limit takes may come back, unlike what is removed by name.
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
fn what_only_asks_after_tiers_needs_no_name_for_the_cache_and_writes_nothing_there() {
    let scene = Scene::new();
    let before = scene.snapshot();
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
