//! Which cache a command uses, what it refuses, and how it ends.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::{Scene, bare};

/// The commands that read, with arguments that find something in the frozen cache.
pub(crate) const READING: &[&[&str]] = &[
    &[],
    &["ls"],
    &["ls", "-l", "--sort", "used", "-r", "-n", "3"],
    &["ls", "frozen fit", "-l"],
    &["ls", "frozen fit", "--where", "outcome>0", "--older", "1d"],
    &["ls", "--sort", "size", "-n", "3", "--entries"],
    &["ls", "--steps"],
    &["show", "frozen fit@1"],
    &["show", "frozen packed@1"],
    &["diff", "frozen fit@1", "frozen fit@2"],
    &["why", "frozen fit"],
    &["why", "frozen fit@1"],
    &["tree", "frozen sum@1"],
    &["tree", "frozen small@1", "--down"],
    &["tree", "frozen small@1", "--down", "--dot"],
    &["tree", "frozen sum@1", "--dot"],
    &["table", "frozen fit"],
    &["table", "frozen fit", "--csv"],
    &["stats"],
    &["stats", "--since", "7d", "--by", "host"],
    &["stats", "--by", "reason"],
    &["report"],
    &["report", "--pictures", "--texts"],
    &["report", "--format", "markdown", "--texts"],
    &["verify"],
    &["verify", "--sample", "50%"],
    &["verify", "frozen fit"],
    &["gc", "--max-items", "3", "--dry-run"],
    &["gc", "--superseded", "--unused", "1d", "--max-size", "1K", "--dry-run"],
    &["rm", "--function", "frozen fit", "--dry-run"],
    &["doctor"],
];

#[test]
fn what_only_reads_writes_nothing() {
    let scene = Scene::new();
    let before = scene.snapshot();
    for arguments in READING {
        for more in [&[][..], &["--json"], &["--jsonl"]] {
            let run = scene.run(&[arguments, more].concat());
            assert!(run.code == 0 || arguments[0] == "diff" && run.code == 1 || arguments[0] == "doctor", "{run:?}");
            // The frozen cache has no build steps, and so no line for one.
            let is_empty = arguments.contains(&"--steps") && more.contains(&"--jsonl");
            assert_eq!(run.stdout.is_empty(), is_empty, "{arguments:?} {more:?}");
        }
    }
    assert_eq!(scene.snapshot(), before);
}

#[test]
fn no_system_call_of_a_reading_command_writes() {
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "strace is needed and missing");
        println!("skipped: strace is missing");
        return;
    }
    let scene = Scene::new();
    for arguments in READING.iter().filter(|arguments| arguments.first() != Some(&"doctor")) {
        let log = scene.root().join("log");
        let inner = scene.command();
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-e", "trace=openat,open,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,ftruncate,fallocate,utimensat,fchmod,fchmodat,linkat,symlinkat"]);
        traced.arg("-o").arg(&log).arg(inner.get_program()).args(inner.get_args()).args(*arguments);
        traced.current_dir(scene.root()).env("TZ", "UTC");
        let output = traced.stdin(Stdio::null()).output().expect("strace runs");
        if String::from_utf8_lossy(&output.stderr).contains("ptrace") {
            assert!(std::env::var_os("CI").is_none(), "a permission to trace is needed and missing");
            println!("skipped: a permission to trace is missing");
            return;
        }
        assert!(output.status.code().is_some_and(|code| code <= 1), "{arguments:?}: {output:?}");
        let calls = fs::read_to_string(&log).expect("the log");
        let changing = calls.lines().filter(|line| {
            let opens = line.contains("open");
            let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].iter().any(|flag| line.contains(flag));
            let probes = line.contains("O_TMPFILE") || line.contains("/dev/null") || line.contains("/dev/tty");
            // `strace` doesn't know the last call of a thread that ended while it wasn't looked at.
            !line.contains("???(") && !line.contains("+++") && !line.contains("---") && !probes && (!opens || writes)
        });
        let changing: Vec<_> = changing.collect();
        assert!(changing.is_empty(), "{arguments:?}: {changing:?}");
    }
}

#[test]
fn commands_end_with_a_code_that_says_how() {
    let scene = Scene::new();
    for (arguments, code, what) in [
        (&["ls", "nowhere"][..], 1, "no function `nowhere`"),
        (&["show", "ffff0000"], 1, "there is no entry `ffff0000`"),
        (&["show", "fff"], 2, "at least 4"),
        (
            &["show", "frozen fit"],
            2,
            "or `frozen fit@1` for the latest of a function; `ndcache ls frozen fit` lists all",
        ),
        (&["rm", "fit"], 2, "for the latest of a function; all of them are `--function frozen fit`"),
        (&["show", "frozen fit@0"], 2, "expected such as"),
        (&["show", "frozen fit@99"], 1, "there is no entry"),
        (&["show", "cache/f/nowhere.npy"], 2, "no key in its name"),
        (&["ls", "--older", "30"], 2, "duration is `30`"),
        (&["ls", "--older", "3m"], 2, "duration is `3m`"),
        (&["ls", "--where", "outcome"], 2, "condition is `outcome`"),
        (&["gc", "--max-size", "10 apples", "--dry-run"], 2, "size is `10 apples`"),
        (&["gc", "--max-size", "101%", "--dry-run"], 2, "share is `101%`"),
        (&["gc", "--superseded=soon", "--dry-run"], 2, "duration is `soon`"),
        (&["gc", "--unused", "-1d", "--dry-run"], 2, ""),
        (&["verify", "--sample", "0%"], 2, "share is `0%`"),
        (&["rm", "--yes"], 2, "which entries"),
        (&["rm", "abcd", "--function", "f", "--yes"], 2, "which entries"),
        (&["gc", "--max-items", "1"], 2, "`--yes` is needed"),
        (&["clear"], 2, "`--yes` is needed"),
        (&["unpin", "nothing"], 1, "nothing is pinned as `nothing`: there is no list of pins"),
        (&["pin", "nothing"], 1, "nothing is pinned as `nothing`: there is no list of pins"),
        (&["pin", "../x", "frozen fit@1"], 2, "pins can't have the name"),
        (&["nonsense"], 2, "unrecognized subcommand"),
        (&["ls", "--nonsense"], 2, "unexpected argument"),
        (&["hash", "nowhere.npy"], 3, "can't open"),
        (&["import", "nowhere.tar"], 3, "can't read the archive"),
        (&["show", "3f2a\u{1b}[2J"], 2, "\\u{1b}"),
    ] {
        let run = scene.run(arguments);
        assert_eq!(run.code, code, "{arguments:?}: {run:?}");
        assert!(run.stderr.contains(what), "{arguments:?}: {run:?}, expected {what}");
        assert!(run.stdout.is_empty() || arguments[0] == "gc" || arguments[0] == "clear", "{arguments:?}: {run:?}");
    }
    assert_eq!(scene.run(&["--version"]).code, 0);
    assert!(scene.run(&["--help"]).stdout.contains("Exit codes"));
}

#[test]
fn a_function_of_several_is_not_guessed() {
    let scene = Scene::new();
    let run = scene.run(&["ls", "frozen"]);
    assert_eq!(run.code, 1, "it is the beginning of several, and the end of none: {run:?}");
}

#[test]
fn a_cache_is_found_upward_for_reading_and_never_for_changing() {
    let scene = Scene::new();
    let deep = scene.root().join("a/b");
    fs::create_dir_all(&deep).expect("folders");
    let run = |arguments: &[&str]| {
        let mut command = bare(&deep);
        command.args(arguments);
        scene.told(command.stdin(Stdio::null()).output().expect("the program runs"))
    };
    let found = run(&["ls"]);
    assert_eq!(found.code, 0);
    assert!(found.stderr.contains("the cache is `/data/cache`"), "{found:?}");
    assert_eq!(run(&["ls", "-q"]).stderr, "");
    let refused = run(&["clear", "--yes"]);
    assert_eq!(refused.code, 2);
    let which = "named with `-C` or `NDCACHE_DIR`; the nearest one is `/data/cache`";
    assert!(refused.stderr.contains(which), "{refused:?}");
    assert!(scene.files().count() > 10);
    // The path of an entry's file also tells which cache is meant.
    let record = scene.files().find(|path| path.extension().is_some_and(|it| it == "record")).expect("a record");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let mut command = bare(elsewhere.path());
    let shown = scene.told(command.arg("show").arg(&record).output().expect("the program runs"));
    assert!(shown.code == 0 || record.display().to_string().contains("/code/"), "{shown:?}");
    let none = scene.told(bare(elsewhere.path()).arg("ls").output().expect("the program runs"));
    assert_eq!(none.code, 3);
    assert!(none.stderr.contains("there is no cache"), "{none:?}");
    let nothing = scene.told(bare(elsewhere.path()).args(["-C", ".", "ls"]).output().expect("the program runs"));
    assert_eq!((nothing.code, elsewhere.path().read_dir().expect("a folder").count()), (3, 0), "{nothing:?}");
}

#[test]
fn the_environment_names_the_cache_and_forbids_changes() {
    let scene = Scene::new();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let run = |mode: &str, arguments: &[&str]| {
        let mut command = bare(elsewhere.path());
        command.env("NDCACHE_DIR", scene.cache()).env("NDCACHE_MODE", mode).args(arguments);
        scene.told(command.stdin(Stdio::null()).output().expect("the program runs"))
    };
    let before = scene.snapshot();
    for mode in ["read-only", "off"] {
        assert_eq!(run(mode, &["ls"]).code, 0);
        for arguments in [&["clear", "--yes"][..], &["gc", "--max-items", "0", "--yes"], &["pin", "x", "frozen fit@1"]]
        {
            let refused = run(mode, arguments);
            assert_eq!(refused.code, 2, "{refused:?}");
            assert!(refused.stderr.contains(&format!("NDCACHE_MODE is `{mode}`")), "{refused:?}");
        }
    }
    assert_eq!(run("sideways", &["clear", "--yes"]).code, 2);
    assert_eq!(scene.snapshot(), before);
    assert_eq!(run("read-write", &["clear", "--yes"]).code, 0);
    assert_eq!(run("", &["ls", "--json"]).code, 0);
}

#[test]
fn a_closed_pipe_is_silent() {
    let scene = Scene::new();
    for arguments in [&["ls", "--jsonl"][..], &["completions", "zsh"], &["show", "frozen fit@1", "--json"], &["--help"]]
    {
        let mut child =
            scene.command().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("its end");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{arguments:?}");
    }
}

#[test]
fn digests_of_files_are_printed_and_checked() {
    let scene = Scene::new();
    let npy = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/npy");
    let files = ["c_f8.npy", "structured.npy"].map(|name| format!("{npy}/{name}"));
    let run = scene.run(&["hash", &files[0], &files[1]]);
    assert_eq!((run.code, run.stdout.lines().count()), (0, 2), "{run:?}");
    let list = scene.root().join("digests");
    fs::write(&list, &run.stdout).expect("a list");
    let check = scene.run(&["hash", "--check", "digests"]);
    assert_eq!((check.code, check.stdout.matches(": OK").count()), (0, 2), "{check:?}");
    fs::write(&list, run.stdout.replace("structured", "bool")).expect("a list");
    let check = scene.run(&["hash", "--check", "digests"]);
    assert_eq!((check.code, check.stdout.matches("has digest").count()), (1, 1), "{check:?}");
    fs::write(&list, "nonsense\n").expect("a list");
    assert_eq!(scene.run(&["hash", "--check", "digests"]).code, 2);
}

#[test]
fn completions_pages_and_figures_come_without_a_cache() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish"] {
        let output = bare(folder.path()).args(["completions", shell]).output().expect("it runs");
        assert!(output.status.success() && output.stdout.len() > 1000, "{shell}");
    }
    assert!(bare(folder.path()).args(["man", "-o", "man"]).status().expect("it runs").success());
    assert!(folder.path().join("man/ndcache.1").exists() && folder.path().join("man/ndcache-gc.1").exists());
    let output = bare(folder.path()).args(["bench", "--largest", "1", "--json"]).output().expect("it runs");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a document");
    let sizes = document["sizes"].as_array().expect("a list");
    for figure in sizes.iter().flat_map(|size| ["one_thread", "all_threads", "read"].map(|field| &size[field])) {
        // A figure above this would mean that nothing was read.
        let figure = figure.as_u64().expect("a number");
        assert!(figure > 0 && figure < 10 << 40, "{document}");
    }
}

#[test]
fn names_of_bytes_that_are_no_text_do_no_harm() {
    use std::os::unix::ffi::OsStrExt;
    let scene = Scene::new();
    let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe.npy");
    let output = scene.command().arg("hash").arg(odd).output().expect("it runs");
    assert_eq!(output.status.code(), Some(3));
    let output = scene.command().arg("show").arg(odd).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let _ = std::io::stdout().flush();
}
