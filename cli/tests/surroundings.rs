//! The surroundings of a command: pipes that nobody reads, narrow terminals, folders with odd names.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::hostile::sealed;
use crate::study::{Made, empty, number, store, study};
use crate::support::{Mount, Scene, bare};
use crate::usage::READING;

/// Runs a command whose stdout nobody reads; returns how it ended, and what it said on stderr.
fn unread(scene: &Scene, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = scene.command();
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("its end");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_was_agreed_to_is_done_though_nobody_reads() {
    let scene = empty();
    let name = "n".repeat(200);
    let of = |n| Made { path: "pipeline.fit", code: 1, arguments: vec![number(&name, n)] };
    store(&scene, (0..400).map(of).collect());
    // More is printed than a pipe holds before somebody reads.
    let listed = scene.run(&["gc", "--max-items", "3", "-v", "--dry-run"]).stdout.len();
    assert!(listed > 64 << 10, "{listed}");
    assert_eq!(unread(&scene, &["gc", "--max-items", "3", "-v", "--dry-run"]), (Some(0), String::new()));
    assert_eq!(scene.json(&["ls", "fit"])["entries"].as_array().map(Vec::len), Some(400));
    assert_eq!(unread(&scene, &["gc", "--max-items", "3", "-v", "--yes"]), (Some(0), String::new()));
    assert_eq!(scene.json(&["ls", "fit"])["entries"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_limit_on_file_sizes_ends_a_command_with_an_error_and_leaves_no_part() {
    let scene = Scene::new();
    for (arguments, file) in [
        (&["export", "frozen small@1", "--npy", "out.npy"][..], "out.npy"),
        (&["export", "--function", "small", "-o", "out.tar"], "out.tar"),
        (&["report", "-o", "out.html"], "out.html"),
        (&["ls"], "out.txt"),
    ] {
        let command = scene.command();
        let mut limited = Command::new("bash");
        let printed = if arguments == ["ls"] { " > out.txt" } else { "" };
        limited.arg("-c").arg(format!("ulimit -f 0; exec \"$0\" \"$@\"{printed}")).arg(command.get_program());
        limited.args(command.get_args()).args(arguments).current_dir(scene.root()).stdin(Stdio::null());
        limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let run = scene.told(limited.output().expect("it runs"));
        assert!(run.code > 0, "{arguments:?}: {run:?}");
        assert!(run.stderr.contains("File too large") && run.stderr.lines().count() == 1, "{arguments:?}: {run:?}");
        let left = fs::read_dir(scene.root()).expect("a folder").map(|item| item.expect("an item").file_name());
        let left: Vec<_> = left.filter(|name| name != "cache" && name != "out.txt").collect();
        assert!(left.is_empty(), "{arguments:?}: {left:?}");
        assert!(printed.is_empty() == run.stderr.contains(file), "{arguments:?}: {run:?}");
    }
}

/// Takes all room that is left in a folder's file system.
fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("filler");
    let mut filler = fs::File::create(&path).expect("a file");
    while filler.write(&[7; 4096]).is_ok_and(|written| written > 0) {}
    path
}

#[test]
fn on_a_full_disk_an_import_leaves_nothing_and_what_frees_room_works() {
    let Some(small) = Mount::tmpfs("size=1m") else { return };
    let scene = Scene::new();
    let ids = ["frozen packed@1", "frozen fit@1", "frozen mapped@1", "frozen long@1"];
    assert_eq!(scene.run(&[&["export"][..], &ids, &["-o", "in.tar"]].concat()).code, 0);
    drop(ndcache::Memory::open(small.path().join("cache")).expect("a cache"));
    let run = |arguments: &[&str]| {
        let mut command = bare(scene.root());
        command.arg("-C").arg(small.path().join("cache")).args(arguments).stdin(Stdio::null());
        scene.told(command.output().expect("it runs"))
    };
    let entries = || run(&["ls", "--entries", "--jsonl"]).stdout.lines().count();
    let filler = fill(small.path());
    let full = run(&["import", "in.tar"]);
    assert!(full.code == 3 && full.stderr.contains("No space left"), "{full:?}");
    assert_eq!(entries(), 0);
    let whole = run(&["verify"]);
    assert!(whole.code == 0 && whole.stdout.contains("all of it is what was written"), "no part is left: {whole:?}");
    fs::remove_file(&filler).expect("removed");
    assert_eq!((run(&["import", "in.tar"]).code, entries()), (0, ids.len()));
    // Without room for the new list of pins, the old one stays as it was.
    assert_eq!(run(&["pin", "paper", "frozen fit@1"]).code, 0);
    let list = small.path().join("cache/p/paper");
    let pinned = fs::read(&list).expect("the list");
    let filler = fill(small.path());
    let full = run(&["pin", "paper", "frozen packed@1", "frozen mapped@1"]);
    assert!(full.code == 3 && full.stderr.contains("No space left"), "{full:?}");
    assert_eq!(fs::read(&list).expect("the list"), pinned);
    // Commands that free room need none.
    let shown: serde_json::Value =
        serde_json::from_str(&run(&["show", "frozen packed@1", "--json"]).stdout).expect("JSON");
    let record = File::options().write(true).open(shown["path"].as_str().expect("a path")).expect("the record");
    record.set_len(100).expect("shorter");
    let repaired = run(&["verify", "--repair", "--yes"]);
    assert!(repaired.code == 0 && repaired.stdout.contains("removed 1 entry"), "{repaired:?}");
    let collected = run(&["gc", "--max-items", "1", "--yes"]);
    assert!(collected.code == 0 && collected.stdout.contains("removed 2 entries"), "{collected:?}");
    assert_eq!(entries(), 1, "the pinned one");
    fs::remove_file(&filler).expect("removed");
}

#[test]
fn a_folder_of_any_name_is_read_and_told_in_one_line() {
    let scene = Scene::new();
    let odd = "a\nb\u{1b}[2J\u{202e}\u{61c}";
    fs::rename(scene.cache(), scene.root().join(odd)).expect("renamed");
    std::os::unix::fs::symlink(odd, scene.root().join("link")).expect("a link");
    for (folder, name) in [(odd, "an odd name"), ("link", "a link")] {
        for arguments in READING {
            for json in [&[][..], &["--json"]] {
                let mut command = bare(scene.root());
                let output = command.args(["-C", folder]).args(*arguments).args(json).stdin(Stdio::null()).output();
                let run = scene.told(output.expect("it runs"));
                let is_fine = run.code == 0 || run.code == 1 && arguments.first() == Some(&"diff");
                assert!(is_fine || arguments.first() == Some(&"doctor"), "{name}: {arguments:?}: {run:?}");
                let told = format!("{}{}", run.stdout, run.stderr);
                let is_odd = |char: char| char.is_control() && char != '\n' || "\u{202e}\u{61c}".contains(char);
                let is_page = arguments.first() == Some(&"report") && json.is_empty();
                assert!(is_page || !told.contains(is_odd), "{name}: {arguments:?}: {told:?}");
                assert!(run.stderr.lines().all(|line| line.starts_with("ndcache: ")), "{arguments:?}: {run:?}");
            }
        }
    }
    for arguments in [&["show", "ffff"][..], &["ls", "nowhere"], &["clear"], &["rm", "ffff", "--yes"]] {
        let run = scene.told(bare(scene.root()).args(["-C", odd]).args(arguments).output().expect("it runs"));
        assert!(run.code == 1 || run.code == 2, "{arguments:?}: {run:?}");
        assert!(run.stderr.lines().count() == 1 && !run.stderr.contains('\u{1b}'), "{arguments:?}: {run:?}");
    }
    let run = scene.told(bare(scene.root()).args(["-C", "no\nwhere", "ls"]).output().expect("it runs"));
    assert!(run.code == 3 && run.stderr.lines().count() == 1, "{run:?}");
}

#[test]
fn a_narrow_terminal_shows_what_tells_apart() {
    let scene = study();
    let lines = |arguments: &[&str]| {
        let (code, shown) = scene.terminal_of(40, arguments, "");
        assert_eq!(code, 0, "{arguments:?}: {shown}");
        let plain = shown.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
        let lines: Vec<String> = plain.lines().map(str::to_owned).collect();
        assert!(lines.iter().all(|line| line.starts_with("ndcache: ") || line.chars().count() <= 40), "{plain}");
        lines
    };
    for arguments in [&["ls"][..], &["stats"]] {
        let lines = lines(arguments);
        assert!(["fit", "load"].iter().all(|name| lines.iter().any(|line| line.contains(name))), "{lines:?}");
    }
    for arguments in [&["ls", "fit"][..], &["ls", "--entries", "--where", "order=2"]] {
        let lines = lines(arguments);
        assert!(lines[1..].iter().all(|line| line.contains("alpha") || line.contains("alp…")), "{lines:?}");
    }
    let (_, shown) = scene.terminal_of(72, &["table", "fit", "--color", "never"], "");
    assert!(shown.lines().all(|line| line.chars().count() <= 72), "{shown}");
    assert!(shown.starts_with("features") && shown.contains("0.9") && shown.contains("…"), "{shown}");
    let (_, shown) = scene.terminal_of(40, &["gc", "--max-items", "2", "--dry-run"], "");
    assert!(shown.contains("pipeline.fit"), "{shown}");
}

#[test]
fn who_wants_no_colours_gets_none() {
    let scene = Scene::new();
    let colours = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = scene.command();
        command.args(arguments).envs(variables.iter().copied()).stdin(Stdio::null());
        scene.told(command.output().expect("it runs")).stdout.contains('\u{1b}')
    };
    assert!(!colours(&[], &["ls"]));
    assert!(colours(&[("CLICOLOR_FORCE", "1")], &["ls"]));
    assert!(!colours(&[("CLICOLOR_FORCE", "0")], &["ls"]));
    assert!(!colours(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &["ls"]), "who wants none is heard first");
    assert!(colours(&[("NO_COLOR", "1")], &["ls", "--color", "always"]), "an option is said last");
    assert!(colours(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "")], &["ls"]), "an empty one is none");
}

#[test]
fn what_was_typed_is_no_command_for_a_terminal() {
    let scene = Scene::new();
    for arguments in [
        &["\u{1b}[2J"][..],
        &["ls", "--\u{1b}[2J"],
        &["ls", "--sort", "\u{1b}[2J\u{202e}"],
        &["show", "\u{1b}[2J\u{61c}"],
        &["ls", "--where", "\u{1b}[2J"],
        &["-C", "\u{1b}[2J", "ls"],
    ] {
        for json in [&[][..], &["--json"]] {
            let run = scene.run(&[arguments, json].concat());
            assert!(run.code == 2 || run.code == 3, "{arguments:?}: {run:?}");
            let told = format!("{}{}", run.stdout, run.stderr);
            assert!(!told.contains(['\u{1b}', '\u{202e}', '\u{61c}']), "{arguments:?}: {told:?}");
        }
    }
}

#[test]
fn a_list_of_which_nothing_can_be_read_is_none() {
    let scene = study();
    for path in scene.files().filter(|path| path.extension().is_some_and(|it| it == "record")) {
        if path.to_string_lossy().contains("pipeline-load") {
            fs::write(&path, b"nonsense").expect("written");
        }
    }
    for arguments in [
        &["export", "--where", "*~scan", "-o", "out.tar"][..],
        &["rm", "--where", "alpha=0.5", "--dry-run"],
        &["rm", "--function", "fit", "--dry-run"],
    ] {
        let told = scene.run(arguments).stderr.contains("3 can't be read: see `ndcache verify`");
        assert_eq!(told, arguments[1] == "--where", "{arguments:?}");
    }
    let run = scene.run(&["ls"]);
    assert!(run.code == 0 && run.stderr.contains("can't be read: see `ndcache verify`; "), "{run:?}");
    for path in scene.files().filter(|path| path.extension().is_some_and(|it| it == "record")) {
        fs::write(&path, b"nonsense").expect("written");
    }
    for arguments in [&["ls"][..], &["ls", "--entries"], &["ls", "--entries", "--jsonl"], &["ls", "--json"]] {
        let run = scene.run(arguments);
        assert!(run.code == 3 && run.stderr.contains("can't be read"), "{arguments:?}: {run:?}");
    }
}

/// The record as a later version would write it.
fn newer(record: &[u8]) -> Vec<u8> {
    let name = b"\xa6format";
    let at = record.windows(name.len()).position(|window| window == name).expect("its format") + name.len();
    let mut bytes = record[..record.len() - 16].to_vec();
    bytes[at] = 2;
    sealed(bytes)
}

#[test]
fn an_entry_of_a_later_version_is_told_and_stays() {
    let scene = study();
    let shown = scene.json(&["show", "load@2"]);
    let (key, path) = (shown["key"].as_str().expect("a key"), shown["path"].as_str().expect("a path"));
    let path = path.replace("/data", scene.root().to_str().expect("a path"));
    let record = newer(&fs::read(&path).expect("a record"));
    fs::write(&path, &record).expect("written");
    for (arguments, code) in [
        (&["ls"][..], 0),
        (&["ls", "load"], 0),
        (&["show", key], 3),
        (&["doctor"], 1),
        (&["verify"], 0),
        (&["verify", "load"], 0),
        (&["verify", "--repair", "--yes"], 0),
        (&["gc", "--max-items", "0", "--yes"], 0),
        (&["rm", "--function", "load", "--yes"], 1),
        (&["verify", "--sample", "100%"], 0),
    ] {
        let run = scene.run(arguments);
        assert_eq!(run.code, code, "{arguments:?}: {run:?}");
        let told = format!("{}{}", run.stdout, run.stderr);
        let is_silent = arguments[0] == "gc" || arguments[0] == "rm";
        assert!(
            is_silent || ["newer", "format is 2", "later"].iter().any(|word| told.contains(word)),
            "{arguments:?}: {run:?}"
        );
        assert_eq!(fs::read(&path).expect("its bytes"), record, "{arguments:?}");
    }
}

#[test]
fn the_doctor_sees_folders_that_anybody_may_write_to() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = study();
    assert!(scene.run(&["doctor"]).stdout.contains(", format 1\n"));
    let function =
        fs::read_dir(scene.cache().join("f")).expect("a folder").next().expect("a function").expect("an item");
    fs::set_permissions(function.path(), fs::Permissions::from_mode(0o777)).expect("its mode");
    let run = scene.run(&["doctor"]);
    assert!(run.code == 1 && run.stdout.contains("; 1 folder in it that anybody may write to"), "{run:?}");
}

#[test]
fn what_is_no_list_of_digests_is_told_as_that() {
    let scene = Scene::new();
    assert_eq!(scene.run(&["export", "frozen mapped@1", "--npy", "in.npy"]).code, 0);
    fs::write(scene.root().join("notes.txt"), "no digest").expect("written");
    for (file, code) in [("in.npy", 3), ("notes.txt", 2)] {
        let run = scene.run(&["hash", "--check", file]);
        assert!(
            run.code == code && run.stderr.contains("`--check` takes lists as `ndcache hash` prints them"),
            "{run:?}"
        );
    }
}
