//! The commands print what the pages say: `docs/cli.md` for a pipe, `tests/snapshots` for terminals and colours.
//!
//! A run with `NDCACHE_SNAPSHOTS=write` writes the pages anew.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::support::{Scene, words};

fn page(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(name)
}

/// Compares a page with what it should be, or writes it.
pub(crate) fn expect(name: &str, found: &str) {
    let path = page(name);
    if std::env::var_os("NDCACHE_SNAPSHOTS").is_some_and(|it| it == "write") {
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
        fs::write(&path, found).expect("the page");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    for (at, (expected, found)) in expected.lines().zip(found.lines()).enumerate() {
        assert_eq!(expected, found, "`{name}`, line {}; NDCACHE_SNAPSHOTS=write writes it anew", at + 1);
    }
    assert_eq!(expected.lines().count(), found.lines().count(), "`{name}` has other lines");
}

/// The commands in the `console` blocks of a page.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.strip_prefix("$ ndcache") {
            Some(rest) if inside => commands.push(rest.trim().to_owned()),
            _ if line == "```console" => inside = true,
            _ if line.starts_with("```") => inside = false,
            _ => {}
        }
    }
    commands
}

/// The page with the outputs of its commands, each run in one and the same copy of the cache, in order.
fn with_outputs(text: &str) -> String {
    let scene = Scene::new();
    let (mut page, mut inside) = (String::new(), false);
    for line in text.lines() {
        if line == "```console" {
            inside = true;
        } else if line.starts_with("```") {
            inside = false;
        }
        if !inside || line == "```console" {
            page.push_str(line);
            page.push('\n');
        } else if let Some(rest) = line.strip_prefix("$ ndcache") {
            let arguments = words(rest.split(" # ").next().unwrap_or(rest));
            let run = scene.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
            page.push_str(line);
            page.push('\n');
            page.push_str(&run.stderr);
            page.push_str(&run.stdout);
            if run.code != 0 {
                let _ = writeln!(page, "[exit {}]", run.code);
            }
        }
    }
    page
}

#[test]
fn the_page_of_the_commands_shows_what_they_print() {
    let text = fs::read_to_string(page("docs/cli.md")).expect("the page");
    assert!(commands(&text).len() > 20, "the page has commands");
    expect("docs/cli.md", &with_outputs(&text));
}

#[test]
fn every_command_is_on_the_page() {
    let text = fs::read_to_string(page("docs/cli.md")).expect("the page");
    let help = Scene::new().run(&["--help"]).stdout;
    let listed = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let names: Vec<_> = listed.map_while(|line| line.split_whitespace().next().map(str::to_owned)).collect();
    assert!(names.len() >= 20, "{names:?}");
    for name in names.iter().filter(|name| *name != "help") {
        assert!(text.contains(&format!("ndcache {name}")), "`{name}` is not on the page");
    }
}

#[test]
fn the_readme_shows_what_the_page_shows() {
    let readme = fs::read_to_string(page("README.md")).expect("the page");
    let cli = fs::read_to_string(page("docs/cli.md")).expect("the page");
    let blocks: Vec<_> = readme.split("```console\n").skip(1).filter(|block| block.starts_with("$ ndcache")).collect();
    let mut shown = 0;
    for block in blocks {
        let block = block.split("```").next().unwrap_or(block);
        for part in block.split("$ ndcache").skip(1) {
            assert!(cli.contains(&format!("$ ndcache{}", part.trim_end())), "on `docs/cli.md`: {part}");
            shown += 1;
        }
    }
    assert!(shown >= 3, "{shown} commands are in the README");
}

/// The commands whose output on terminals and in colours is compared. Left out are `doctor` and `bench`, which print
/// figures of the machine, `completions` and `man`, which print what clap makes, and those of `tier` that need a place
/// and print times: the page shows these.
const SHOWN: &[&[&str]] = &[
    &[],
    &["ls"],
    &["ls", "frozen fit"],
    &["ls", "--entries", "--sort", "size", "-n", "3"],
    &["ls", "--steps"],
    &["show", "frozen fit@1"],
    &["diff", "frozen fit@1", "frozen fit@2"],
    &["why", "frozen small"],
    &["tree", "frozen sum@1"],
    &["tree", "frozen small@1", "--down"],
    &["table", "frozen fit"],
    &["table", "frozen fit", "--csv"],
    &["stats"],
    &["stats", "--by", "day"],
    &["stats", "--by", "reason"],
    &["stats", "--by", "run", "--since", "2d"],
    &["stats", "--by", "host"],
    &["stats", "--reset", "--yes"],
    &["report", "--format", "markdown"],
    &["verify"],
    &["verify", "--repair", "--sample", "10%"],
    &["gc", "--max-items", "10", "--dry-run"],
    &["gc", "--max-items", "10", "--yes", "-v"],
    &["gc", "--yes"],
    &["rm", "--function", "frozen fit", "--dry-run"],
    &["rm", "frozen fit@1", "--yes"],
    &["clear", "--yes"],
    &["pin", "paper", "frozen sum@1", "--lineage"],
    &["pin"],
    &["pin", "kept"],
    &["unpin", "kept"],
    &["export", "frozen sum@1", "--lineage", "-o", "out.tar"],
    &["export", "frozen mapped@1", "--npy", "out.npy"],
    &["import", "in.tar"],
    &["import", "in.tar", "--dry-run"],
    &["hash", "in.npy"],
    &["hash", "--check", "in.digests"],
    &["tier", "status"],
    &["show", "ffff0000"],
];

/// The counts of two programs on the two days before the present of the tests, and a line that was cut off.
const LOG: &str = concat!(
    r#"{"v":1,"run":"0011223344556677","host":"node-1","from":1795950000000000000,"to":1795953600000000000,"f":{"#,
    r#""frozen fit":{"miss":3,"spent":7200000000000,"hash":3000000,"store":9000000,"out":20480,"why":{"argument":2,"new function":1},"last":"argument `outcome`: 0 → 2"},"#,
    r#""frozen small":{"hit":2,"repeat":40,"miss":1,"saved":90000000000,"spent":45000000000,"in":4096,"out":512,"why":{"code":1},"last":"code changed"}}}"#,
    "\n",
    r#"{"v":1,"run":"8899aabbccddeeff","host":"node-2","from":1796036400000000000,"to":1796040000000000000,"f":{"#,
    r#""frozen fit":{"hit":3,"repeat":1980,"fetch":1,"fault":1,"saved":7200000000000,"load":5000000,"in":20480},"#,
    r#""frozen gone":{"miss":5,"spent":600000000000,"why":{"argument":5}}}}"#,
    "\n",
    r#"{"v":1,"run":"8899aa"#,
    "\n",
);

/// A scene with counts, with a list of pins, and with an archive, an array and its digest to read beside the cache.
pub(crate) fn furnished() -> Scene {
    let scene = Scene::new();
    fs::create_dir_all(scene.cache().join("s")).expect("a folder");
    fs::write(scene.cache().join("s/log"), LOG).expect("written");
    for (arguments, name) in [
        (&["export", "frozen fit@1", "-o", "in.tar"][..], "in.tar"),
        (&["export", "frozen mapped@1", "--npy", "in.npy"], "in.npy"),
        (&["pin", "kept", "frozen number@1"], "kept"),
    ] {
        assert_eq!(scene.run(arguments).code, 0, "{name}");
    }
    let digest = scene.run(&["hash", "in.npy"]).stdout;
    fs::write(scene.root().join("in.digests"), format!("{digest}{}", digest.replace(&digest[..4], "ffff")))
        .expect("written");
    scene
}

#[test]
fn terminals_and_colours_change_how_it_looks_and_nothing_else() {
    let (mut piped_color, mut shown_color, mut shown) = (String::new(), String::new(), String::new());
    let furnished = furnished();
    for arguments in SHOWN {
        // Each command has a cache of its own, since some of them change it.
        let plain = furnished.again().run(arguments);
        assert!(!plain.stdout.contains('\u{1b}') && !plain.stderr.contains('\u{1b}'), "{arguments:?}");
        let colored = furnished.again().run(&[arguments, &["--color", "always"][..]].concat());
        assert_eq!(without_color(&colored.stdout), plain.stdout);
        let quiet = ["--no-progress", "--color", "never"];
        let (code, terminal) = furnished.again().terminal(&[arguments, &quiet[..]].concat(), "");
        assert_eq!(code, plain.code);
        assert!(!terminal.contains('\u{1b}'), "{arguments:?}: {terminal:?}");
        let (_, colorful) = furnished.again().terminal(&[arguments, &quiet[..1]].concat(), "");
        assert_eq!(without_color(&colorful), terminal, "{arguments:?}");
        for (page, text) in
            [(&mut piped_color, &colored.stdout), (&mut shown, &terminal), (&mut shown_color, &colorful)]
        {
            let text = text.replace('\u{1b}', "␛");
            let _ = write!(page, "$ ndcache {}\n{text}\n", arguments.join(" "));
        }
    }
    expect("cli/tests/snapshots/pipe-color.txt", &piped_color);
    expect("cli/tests/snapshots/terminal.txt", &shown);
    expect("cli/tests/snapshots/terminal-color.txt", &shown_color);
}

fn without_color(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').map_or(part, |(_, rest)| rest))
}
