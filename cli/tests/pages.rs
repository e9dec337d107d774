//! What the commands print is what the pages say: `docs/cli.md` for a pipe, `tests/snapshots` for terminals and colours.
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

/// The commands that are shown on terminals and in colours.
const SHOWN: &[&[&str]] = &[
    &[],
    &["ls"],
    &["ls", "frozen fit"],
    &["show", "frozen fit@1"],
    &["diff", "frozen fit@1", "frozen fit@2"],
    &["why", "frozen small"],
    &["tree", "frozen sum@1"],
    &["table", "frozen fit"],
    &["stats", "--by", "day"],
    &["verify"],
    &["gc", "--max-items", "10", "--dry-run"],
    &["rm", "--function", "frozen fit", "--dry-run"],
    &["show", "ffff0000"],
];

#[test]
fn terminals_and_colours_change_how_it_looks_and_nothing_else() {
    let scene = Scene::new();
    let (mut piped_color, mut shown_color, mut shown) = (String::new(), String::new(), String::new());
    for arguments in SHOWN {
        let plain = scene.run(arguments);
        assert!(!plain.stdout.contains('\u{1b}') && !plain.stderr.contains('\u{1b}'), "{arguments:?}");
        let colored = scene.run(&[arguments, &["--color", "always"][..]].concat());
        assert_eq!(without_color(&colored.stdout), plain.stdout);
        let (code, terminal) = scene.terminal(&[arguments, &["--no-progress", "--color", "never"][..]].concat(), "");
        assert_eq!(code, plain.code);
        assert!(!terminal.contains('\u{1b}'), "{arguments:?}: {terminal:?}");
        let (_, colorful) = scene.terminal(&[arguments, &["--no-progress"][..]].concat(), "");
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
