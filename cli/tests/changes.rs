//! Commands remove exactly what they listed, and nothing before the user has agreed.

use std::collections::BTreeSet;
use std::fs;

use crate::documents::{check, schema};
use crate::support::Scene;

/// The keys of all entries, by what `ls` says.
fn keys(scene: &Scene) -> BTreeSet<String> {
    let functions = scene.json(&["ls"]);
    let names = functions["functions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| it["name"].as_str().expect("a name").to_owned());
    names
        .flat_map(|name| {
            let entries = scene.json(&["ls", &name]);
            let entries = entries["entries"].as_array().expect("a list").clone();
            entries.into_iter().map(|entry| entry["key"].as_str().expect("a key").to_owned())
        })
        .collect()
}

fn listed(plan: &serde_json::Value) -> BTreeSet<String> {
    plan["keys"].as_array().expect("a list").iter().map(|key| key.as_str().expect("a key").to_owned()).collect()
}

#[test]
fn a_collection_removes_what_its_dry_run_lists() {
    for limits in [
        &["--max-items", "5"][..],
        &["--max-size", "4K"],
        &["--unused", "1d"],
        &["--unused", "3d"],
        &["--superseded"],
        &["--max-items", "1", "--function", "frozen fit"],
        &[],
    ] {
        let scene = Scene::new();
        let all = keys(&scene);
        let before = scene.snapshot();
        let plan = scene.json(&[&["gc", "--dry-run"][..], limits].concat());
        assert_eq!(scene.snapshot(), before, "{limits:?}");
        assert_eq!(plan["removed"], serde_json::Value::Null);
        let run = scene.run(&[&["gc", "--yes"][..], limits].concat());
        assert_eq!(run.code, 0, "{run:?}");
        let expected: BTreeSet<_> = all.difference(&listed(&plan)).cloned().collect();
        assert_eq!(keys(&scene), expected, "{limits:?}");
        assert_eq!(scene.run(&["verify"]).code, 0);
    }
}

#[test]
fn nothing_is_removed_without_a_yes() {
    let scene = Scene::new();
    let before = scene.snapshot();
    for arguments in [
        &["gc", "--max-items", "0"][..],
        &["clear"],
        &["clear", "--keep-steps"],
        &["rm", "frozen fit@1"],
        &["rm", "--function", "frozen fit"],
        &["rm", "--older", "1d"],
    ] {
        let run = scene.run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {run:?}");
        for answer in ["n\n", "\n", "no\n", "maybe\n", "\u{4}"] {
            let (code, shown) = scene.terminal(arguments, answer);
            assert_eq!(code, 1, "{arguments:?} {answer:?}: {shown}");
            assert!(shown.contains("[y/N]") && shown.contains("(in /data/cache)"), "{shown}");
            assert!(shown.contains("would remove") && shown.contains("nothing was removed"), "{shown}");
        }
    }
    assert_eq!(scene.snapshot(), before);
    let (code, shown) = scene.terminal(&["rm", "frozen fit@1"], "y\n");
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("removed 1 entry"), "{shown}");
}

#[test]
fn entries_are_removed_by_key_by_function_and_by_condition() {
    let scene = Scene::new();
    let all = keys(&scene);
    let key = scene.json(&["show", "frozen fit@1"])["key"].as_str().expect("a key").to_owned();
    assert_eq!(scene.run(&["rm", &key[..8], "--yes"]).code, 0);
    assert_eq!(keys(&scene).len(), all.len() - 1);
    assert_eq!(scene.run(&["rm", &key[..8], "--yes"]).code, 1, "it is gone");
    let selected = scene.json(&["rm", "--function", "frozen fit", "--where", "outcome=0", "--yes"]);
    assert_eq!(selected["removed"]["entries"], 1);
    assert_eq!(keys(&scene).len(), all.len() - 2);
    assert_eq!(scene.run(&["rm", "--where", "nothing=1", "--yes"]).code, 2, "no entry has such an argument");
    assert_eq!(scene.json(&["rm", "--function", "frozen fit", "--yes"])["removed"]["entries"], 1);
    assert_eq!(scene.run(&["clear", "--keep-steps", "--yes"]).code, 0);
    assert_eq!(keys(&scene).len(), 0);
    assert!(scene.cache().join("CACHEDIR.TAG").exists());
}

#[test]
fn pinned_entries_stay_until_they_are_unpinned() {
    let scene = Scene::new();
    let all = keys(&scene).len();
    let key = scene.json(&["pin", "paper", "frozen sum@1", "--lineage"])["keys"].clone();
    let count = key.as_array().expect("a list").len();
    assert!(count > 1, "with what went into it: {key}");
    let plan = scene.json(&["gc", "--max-items", "0", "--dry-run"]);
    assert!(listed(&plan).len() <= all - count);
    assert_eq!(scene.run(&["gc", "--max-items", "0", "--yes"]).code, 0);
    assert_eq!(scene.run(&["show", "frozen sum@1"]).code, 0);
    assert_eq!(scene.run(&["unpin", "paper"]).code, 0);
    assert_eq!(scene.run(&["gc", "--max-items", "0", "--yes"]).code, 0);
    assert_eq!(scene.run(&["show", "frozen sum@1"]).code, 1);
}

#[test]
fn lists_of_pins_are_shown_with_what_is_in_them_and_what_is_gone() {
    let scene = Scene::new();
    let shown = scene.run(&["pin"]);
    assert_eq!((shown.code, shown.stdout.as_str()), (0, ""));
    assert!(shown.stderr.contains("nothing is pinned"), "{shown:?}");
    let keys = scene.json(&["pin", "paper", "frozen fit@1", "frozen sum@1"])["keys"].clone();
    assert_eq!(scene.json(&["pin", "talk", "frozen fit@1"])["keys"].as_array().map(Vec::len), Some(1));
    let lists = scene.json(&["pin"])["pins"].clone();
    assert_eq!((&lists[0]["name"], &lists[0]["keys"], &lists[1]["name"]), (&"paper".into(), &keys, &"talk".into()));
    assert_eq!(scene.json(&["pin", "paper"])["keys"], keys);
    assert_eq!(scene.json(&["show", "frozen fit@1"])["pins"], serde_json::json!(["paper", "talk"]));
    assert!(scene.run(&["show", "frozen sum@1"]).stdout.contains("pinned as `paper`\n"));
    // Limits don't remove a pinned entry; `rm` does, since it is given the entry's name.
    assert_eq!(scene.run(&["rm", "frozen fit@1", "--yes"]).code, 0);
    let list = scene.run(&["pin", "paper"]).stdout;
    assert!(list.contains("  no entry any more\n") && list.contains("  frozen sum("), "{list}");
    for arguments in [&["pin", "papr"][..], &["unpin", "papr"]] {
        let run = scene.run(arguments);
        assert!(run.code == 1 && run.stderr.contains("the lists are `paper`, `talk`"), "{run:?}");
    }
}

#[test]
fn what_is_pinned_and_removed_all_the_same_is_told_with_its_lists() {
    let scene = Scene::new();
    let key = scene.json(&["pin", "paper", "frozen sum@1"])["keys"][0].clone();
    let digits = key.as_str().expect("a key")[..8].to_owned();
    assert_eq!(scene.run(&["pin", "talk", "frozen sum@1"]).code, 0);
    let one = format!("1 of these is pinned, and goes all the same, as it was named: {digits} in `paper`, `talk`\n");
    for arguments in [
        &["rm", "frozen sum@1", "frozen long@1", "--dry-run"][..],
        &["rm", "--function", "frozen sum", "--dry-run"],
        &["rm", "--where", "x~f64", "--dry-run"],
    ] {
        let run = scene.run(arguments);
        assert!(run.code == 0 && run.stdout.contains(&one), "{arguments:?}: {run:?}");
        let document = scene.json(arguments);
        assert_eq!(document["pinned"], serde_json::json!([{ "key": key, "lists": ["paper", "talk"] }]), "{document}");
    }
    for arguments in [&["rm", "frozen long@1", "--dry-run"][..], &["gc", "--max-items", "0", "--dry-run"]] {
        let run = scene.run(arguments);
        assert!(run.code == 0 && !run.stdout.contains("pinned"), "{run:?}");
        assert_eq!(scene.json(arguments)["pinned"], serde_json::json!([]));
    }
    // It is told before anybody is asked.
    let (code, shown) = scene.terminal(&["rm", "frozen sum@1", "--color", "never"], "n\n");
    assert_eq!(code, 1);
    assert!(shown.find(&one).is_some_and(|at| at < shown.find("[y/N]").expect("a question")), "{shown}");
    let path = scene.json(&["show", "frozen sum@1"])["path"].as_str().expect("a path").to_owned();
    let path = path.replace("/data", scene.root().to_str().expect("a path"));
    fs::write(path, b"nonsense").expect("written");
    let run = scene.run(&["rm", key.as_str().expect("a key"), "--yes"]);
    assert!(run.code == 0 && run.stdout.contains(&one) && run.stdout.contains("removed 1 entry"), "{run:?}");
}

#[test]
fn only_what_is_damaged_is_repaired_away() {
    let scene = Scene::new();
    let all = keys(&scene);
    let array = scene.files().find(|path| path.extension().is_some_and(|it| it == "npy")).expect("an array");
    let mut bytes = fs::read(&array).expect("its bytes");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::remove_file(&array).expect("removed");
    fs::write(&array, bytes).expect("written");
    let report = scene.json(&["verify"]);
    assert_eq!((report["damaged"].as_u64(), scene.run(&["verify"]).code), (Some(1), 1));
    assert_eq!(keys(&scene), all, "nothing was asked to be removed");
    assert_eq!(scene.run(&["verify", "--repair"]).code, 2);
    for (arguments, code) in [(&["verify", "--repair"][..], 2), (&["verify", "--repair", "--dry-run"], 1)] {
        let document = scene.json(arguments);
        check(&document, &schema()["$defs"]["verify"], &schema(), "verify");
        let counts = ["damaged", "would_remove", "removed"].map(|field| document[field].as_u64());
        assert_eq!((counts, scene.run(arguments).code), ([Some(1), Some(1), Some(0)], code), "{document}");
    }
    assert!(report["would_remove"].is_null(), "{report}");
    let (code, shown) = scene.terminal(&["verify", "--repair"], "n\n");
    assert_eq!(code, 1, "{shown}");
    assert_eq!(keys(&scene), all);
    let report = scene.json(&["verify", "--repair", "--yes"]);
    assert_eq!((report["damaged"].as_u64(), report["removed"].as_u64()), (Some(1), Some(1)));
    assert_eq!(keys(&scene).len(), all.len() - 1);
    assert_eq!(scene.run(&["verify"]).code, 0);
    assert_eq!(scene.run(&["show", "frozen packed@1"]).code, 0);
}

#[test]
fn a_record_that_can_not_be_read_is_told_and_removed_by_its_whole_key() {
    let scene = Scene::new();
    let shown = scene.json(&["show", "frozen packed@1"]);
    let (key, path) = (shown["key"].as_str().expect("a key"), shown["path"].as_str().expect("a path"));
    let path = path.replace("/data", scene.root().to_str().expect("a path"));
    fs::write(&path, b"nonsense").expect("written");
    assert_eq!(scene.run(&["show", key]).code, 1);
    assert!(scene.run(&["ls"]).stderr.contains("1 can't be read"));
    assert_eq!(scene.run(&["rm", &key[..8], "--yes"]).code, 1);
    assert!(fs::exists(&path).expect("a look"));
    assert_eq!(scene.run(&["rm", key]).code, 2, "nobody was asked");
    for (arguments, told) in
        [(&["--dry-run"][..], "would remove 1 entry that can't be read, 8 B\n"), (&["--yes"], "removed 1 entry, 8 B\n")]
    {
        fs::write(&path, b"nonsense").expect("written");
        let all = [&["rm", key][..], arguments].concat();
        let run = scene.run(&all);
        assert!(run.code == 0 && run.stdout.ends_with(told), "{run:?}");
        fs::write(&path, b"nonsense").expect("written");
        let document = scene.json(&all);
        check(&document, &schema()["$defs"]["plan"], &schema(), "plan");
        assert_eq!(
            (&document["entries"], &document["bytes"], &document["keys"][0]),
            (&1.into(), &8.into(), &key.into())
        );
        let removed = if arguments == ["--yes"] { Some(1) } else { None };
        assert_eq!(document["removed"]["entries"].as_u64(), removed, "{document}");
        assert_eq!(fs::exists(&path).expect("a look"), removed.is_none());
    }
}

#[test]
fn a_record_that_was_stored_anew_while_somebody_was_asked_stays() {
    let scene = Scene::new();
    let shown = scene.json(&["show", "frozen packed@1"]);
    let (key, path) = (shown["key"].as_str().expect("a key"), shown["path"].as_str().expect("a path"));
    let path = path.replace("/data", scene.root().to_str().expect("a path"));
    let record = fs::read(&path).expect("its bytes");
    fs::write(&path, b"nonsense").expect("written");
    let (code, told) = scene.answered(&["rm", key], "y\n", || fs::write(&path, &record).expect("written"));
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("1 entry stayed: replaced meanwhile"), "{told}");
    assert_eq!(scene.run(&["show", key]).code, 0);
}

#[test]
fn nobody_is_asked_and_no_bar_is_drawn_where_stdout_is_no_terminal() {
    let scene = Scene::new();
    let before = scene.snapshot();
    for arguments in [&["gc", "--max-items", "0"][..], &["rm", "frozen fit@1"], &["clear"]] {
        let (code, stdout, shown) = scene.piped(arguments, "y\n");
        assert_eq!(code, 2, "{arguments:?}: {stdout} {shown}");
        assert!(stdout.contains("would remove") && !stdout.contains('\u{1b}'), "{arguments:?}: {stdout}");
        assert!(shown.contains("`--yes` is needed") && !shown.contains("[y/N]"), "{arguments:?}: {shown}");
    }
    assert_eq!(scene.snapshot(), before);
    let (code, stdout, shown) = scene.piped(&["verify"], "");
    assert!(code == 0 && stdout.contains("checked 18 entries") && shown.is_empty(), "{code} {stdout} {shown:?}");
}

#[test]
fn files_that_no_entry_needs_are_told_apart_from_entries() {
    let scene = Scene::new();
    let array = scene.files().find(|path| path.extension().is_some_and(|it| it == "npy")).expect("an array");
    let key = array.file_name().and_then(|name| name.to_str()).expect("a name")[..32].to_owned();
    fs::remove_file(array.with_file_name(format!("{key}.record"))).expect("removed");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 86_400);
    fs::File::open(&array).and_then(|file| file.set_modified(long_ago)).expect("its stamp");
    let run = scene.run(&["gc", "--dry-run"]);
    let told = run.stdout.strip_prefix("would remove 1 file that no entry needs, ");
    assert!(run.code == 0 && told.is_some_and(|rest| rest.lines().count() == 1), "{run:?}");
    let run = scene.run(&["gc", "--max-items", "10", "--dry-run"]);
    let last = run.stdout.lines().last().unwrap_or_default();
    assert!(
        run.stdout.starts_with("would remove 7 of 17 entries") && last.starts_with("and 1 file that no"),
        "{run:?}"
    );
    assert!(scene.run(&["gc", "--yes"]).code == 0 && !fs::exists(&array).expect("a look"));
}
