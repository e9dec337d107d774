//! A command reads only the records that it needs for its answer.

use std::fs;
use std::process::{Command, Stdio};

use crate::study::{Made, number, store, study};
use crate::support::{Scene, skip};

/// Returns how many records of entries a command opens, and what it prints; `None` where that can't be watched.
fn opened(scene: &Scene, arguments: &[&str]) -> Option<(usize, String)> {
    let log = scene.root().join("log");
    let inner = scene.command();
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-y", "-e", "trace=open,openat,openat2", "-o"]).arg(&log);
    traced.arg(inner.get_program()).args(inner.get_args()).args(arguments);
    traced.current_dir(scene.root()).env("TZ", "UTC");
    let Ok(output) = traced.stdin(Stdio::null()).output() else {
        skip("strace");
        return None;
    };
    if String::from_utf8_lossy(&output.stderr).contains("ptrace") {
        skip("a permission to trace");
        return None;
    }
    let run = scene.told(output);
    assert!(run.code <= 1, "{arguments:?}: {run:?}");
    let calls = fs::read_to_string(&log).expect("the log");
    let is_record = |line: &&str| line.contains(".record\"") && !line.contains("/code") && !line.contains(" = -1");
    Some((calls.lines().filter(is_record).count(), run.stdout))
}

/// Three files that are loaded, nine fits of them, and forty entries of another function.
fn scene() -> Scene {
    let scene = study();
    let other = |n| Made { path: "pipeline.baseline", code: 1, arguments: vec![number("seed", n)] };
    store(&scene, (0..40).map(other).collect());
    scene
}

#[test]
fn a_command_reads_what_it_says_something_of() {
    let scene = scene();
    let key = scene.json(&["show", "pipeline.load@1"])["key"].as_str().expect("a key").to_owned();
    // A whole path is confirmed by one record of its function; the end of a path needs one record of each of the three
    // functions.
    let (whole, end) = (1, 3);
    for (arguments, most) in [
        // The record is opened to find the entry, and again for its value.
        (&["show", &*key][..], 2),
        (&["rm", &key, "--dry-run"], 1),
        (&["rm", &key, "--dry-run", "-v"], 2),
        // The record is opened to find the entry, and again to show it.
        (&["tree", &key], 2),
        (&["pin", "x", &key, "--lineage"], 1),
        (&["why", &key], 1 + 3),
        (&["show", "pipeline.load@2"], whole + 3 + 1),
        (&["show", "load@2"], end + 3 + 1),
        (&["tree", "pipeline.load@2"], whole + 3 + 1),
        (&["pin", "x", "pipeline.load@2", "pipeline.load@3", "--lineage"], 2 * (whole + 3)),
        (&["ls", "pipeline.load"], whole + 2 * 3),
        (&["rm", "--function", "pipeline.load", "--dry-run"], whole + 3),
        (&["gc", "--function", "pipeline.load", "--max-items", "1", "--superseded", "--dry-run"], whole + 3),
        (&["gc", "--max-items", "50", "--superseded", "--dry-run", "-v"], 52 + 2),
        // The record of each entry is opened twice: once by itself, and once for the files that it names.
        (&["verify", "pipeline.load"], whole + 2 * 3),
        (&["verify", "--sample", "10%"], 2 * 6),
        // All records are read once to learn which entry holds which array, however many entries are asked for. Of each
        // only its key is kept: to pack an entry, its record is read again, and then its bytes as they are.
        (&["export", "--function", "pipeline.fit", "--lineage", "-o", "fit.tar"], whole + 9 + 52 + 2 * 9),
        (&["stats"], 0),
        (&[], 52),
        (&["ls"], 52),
        // The record is read once more before it is removed.
        (&["rm", &key, "--yes"], 2),
        (&["clear", "--keep-steps", "--yes"], 0),
        (&["clear", "--yes"], 0),
    ] {
        let Some((opened, stdout)) = opened(&scene, arguments) else { return };
        assert!(opened <= most, "{arguments:?}: {opened} records were opened, expected at most {most}: {stdout}");
        assert!(arguments.is_empty() || !stdout.is_empty());
    }
}

#[test]
fn a_sample_is_the_same_one_each_time_and_of_a_function_all_is_checked() {
    let scene = scene();
    let checked = |arguments: &[&str]| scene.json(arguments)["entries"].as_u64().expect("a number");
    assert_eq!((checked(&["verify"]), checked(&["verify", "--sample", "10%"])), (52, 6));
    assert_eq!(checked(&["verify", "load", "--sample", "1%"]), 1);
    let path = scene.json(&["show", "load@2"])["path"].as_str().expect("a path").to_owned();
    let path = path.replace("/data", scene.root().to_str().expect("a path"));
    fs::write(&path, b"nonsense").expect("written");
    let report = scene.json(&["verify", "load"]);
    assert_eq!((report["entries"].as_u64(), report["damaged"].as_u64()), (Some(3), Some(1)), "{report}");
    assert_eq!((scene.run(&["verify", "load"]).code, scene.run(&["verify", "fit"]).code), (1, 0));
    let report = scene.json(&["verify", "load", "--repair", "--yes"]);
    assert_eq!(report["removed"], 1, "{report}");
    assert!(!fs::exists(&path).expect("a look"));
    assert_eq!(checked(&["verify", "load"]), 2);
}
