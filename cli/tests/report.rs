//! A report says what `stats` and `ls` say, and shows nothing that wasn't asked for.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ndarray::{Array1, Array2, Array3, ArrayRef1, arr0};
use ndcache::{Memory, cache};
use serde_json::Value;

use crate::documents::{check, schema};
use crate::pages::{expect, furnished};
use crate::study;
use crate::support::Scene;

/// A text that a page must not run, and that must not mislead its readers.
const HOSTILE: &str = "</script><script>window.hacked=1</script>\"'`|&amp;\u{202e}gnp.exe";

#[cache(name = "</script><img src=x onerror='window.hacked=1'>\u{202e}\"`|[a](b)")]
fn hostile(text: &str, n: u64) -> String {
    format!("{text}{n}")
}

#[cache]
fn signal(subject: u64) -> Array1<f64> {
    let mut signal = Array1::from_shape_fn(400, |at| (at as f64 / 9.0 + subject as f64).sin());
    signal[7] = f64::NAN;
    signal
}

#[cache]
fn folded(signal: &ArrayRef1<f64>, rows: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, 400 / rows), |(row, column)| signal[row * (400 / rows) + column] as f32)
}

#[cache]
fn block(n: usize) -> Array3<u8> {
    Array3::from_shape_fn((n, n, n), |(x, y, z)| (x * y + z) as u8)
}

#[cache]
fn total(name: &str, signal: &ArrayRef1<f64>) -> ndarray::Array0<f64> {
    arr0(signal.sum() + name.len() as f64)
}

/// A cache with names that mean harm, texts that are private, pictures of every kind, and counts.
fn busy() -> Scene {
    let scene = Scene::new();
    fs::remove_dir_all(scene.cache()).expect("removed");
    for _ in 0..2 {
        let memory = Memory::open(scene.cache()).expect("a cache");
        for subject in 0..6 {
            let signal = memory.eval(signal::call(subject));
            memory.eval(folded::call(&signal, 20));
            memory.eval(total::call("private-7f3a", &signal));
            memory.eval(hostile::call(HOSTILE, subject));
        }
        memory.eval(block::call(40));
    }
    scene
}

/// Returns the text of the entries in a page's table.
fn table(page: &str) -> String {
    let data = page.split("id=\"data\">").nth(1).expect("the data").split('<').next().expect("its end");
    let digit = |char: u8| match char {
        b'A'..=b'Z' => char - b'A',
        b'a'..=b'z' => char - b'a' + 26,
        b'0'..=b'9' => char - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for part in data.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = part.iter().fold(0_u32, |bits, &char| bits << 6 | u32::from(digit(char))) << (6 * (4 - part.len()));
        bytes.extend((0..part.len() - 1).map(|at| (bits >> (16 - 8 * at)) as u8));
    }
    let mut text = String::new();
    flate2::read::ZlibDecoder::new(&*bytes).read_to_string(&mut text).expect("deflated text");
    text
}

#[test]
fn a_report_has_the_sums_of_stats_and_ls() {
    for scene in [busy(), Scene::new()] {
        let (report, stats, ls) = (scene.json(&["report", "--pictures"]), scene.json(&["stats"]), scene.json(&["ls"]));
        check(&report, &schema()["$defs"]["report"], &schema(), "report");
        for field in ["hits", "repeats", "misses", "faults", "saved_ns", "spent_ns", "reasons", "begin", "unread"] {
            assert_eq!(report[field], stats[field], "{field}");
        }
        let list = |list: &Value| list.as_array().expect("a list").clone();
        for field in ["entries", "bytes"] {
            let sum: u64 = list(&ls["functions"]).iter().map(|it| it[field].as_u64().expect("a number")).sum();
            assert_eq!(report[field], sum, "{field}");
        }
        for function in list(&report["functions"]).into_iter().filter(|function| function["entries"] != 0) {
            let listed = list(&ls["functions"]).into_iter().find(|it| it["name"] == function["name"]).expect("listed");
            for field in ["entries", "bytes", "duration_ns", "created", "used", "hits", "repeats", "saved_ns"] {
                assert_eq!(function[field], listed[field], "{field}");
            }
        }
        let rows = list(&report["rows"]);
        assert_eq!(rows.len() as u64, report["entries"].as_u64().expect("a number"));
        let plan = scene.json(&["gc", "--unused", "60d", "--dry-run"]);
        assert_eq!((&report["unused"]["entries"], &report["unused"]["bytes"]), (&plan["entries"], &plan["bytes"]));
    }
}

#[test]
fn two_reports_of_one_folder_differ_in_the_line_of_the_time_alone() {
    let scene = busy();
    for format in ["html", "json", "markdown"] {
        let at = |time: &str| {
            let mut command = scene.command();
            command.args(["report", "--format", format, "--pictures", "--texts"]).env("SOURCE_DATE_EPOCH", time);
            scene.told(command.output().expect("it runs")).stdout
        };
        let (one, same, later) = (at("1796126400"), at("1796126400"), at("1796126999"));
        assert_eq!(one, same);
        let differing: Vec<_> = one.lines().zip(later.lines()).filter(|(one, later)| one != later).collect();
        assert_eq!(one.lines().count(), later.lines().count());
        assert!(differing.len() == 1 && differing[0].0.contains("made"), "{format}: {differing:?}");
    }
}

#[test]
fn texts_are_shown_only_where_that_is_asked_for() {
    let scene = busy();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    for format in ["html", "json", "markdown"] {
        let all = |texts: &[&str]| {
            let run = scene.run(&[&["report", "--format", format, "--pictures"], texts].concat());
            assert_eq!(run.code, 0, "{run:?}");
            if format == "html" { run.stdout.clone() + &table(&run.stdout) } else { run.stdout }
        };
        let (hidden, shown) = (all(&[]), all(&["--texts"]));
        for word in ["private-7f3a", "hacked=1</script>\\\"'`|&amp;", "/data/cache"] {
            assert!(!hidden.contains(word), "{format}: {word}");
        }
        assert!(shown.contains("private-7f3a") && shown.replace('\\', "").contains("/data/cache"), "{format}");
        assert!(host.trim().len() < 4 || !hidden.contains(&format!("on <bdi>{}", host.trim())));
        // The names, dtypes and shapes of arguments stay: they don't give the data away.
        assert!(hidden.replace('\\', "").contains("signal=f64[400] C"), "{format}");
    }
}

#[test]
fn hostile_names_are_text_and_nothing_else() {
    let scene = busy();
    let page = scene.run(&["report", "--texts", "--pictures"]).stdout;
    assert!(!page.contains("<img src=x") && !page.contains("<script>window"), "escaped");
    assert!(!page.contains('\u{202e}') && !table(&page).contains('\u{202e}'), "marks of direction are escaped");
    assert_eq!(page.matches("<script").count(), 2, "the data and the script");
    let text = scene.run(&["report", "--texts", "--format", "markdown"]).stdout;
    assert!(!text.replace("\\<", "").contains('<') && !text.contains('\u{202e}') && !text.contains("[a](b)"), "{text}");
    // No character of a name ends a cell of the table.
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    let table: Vec<_> = text.lines().skip_while(|line| *line != "## Newest entries").skip(2).collect();
    assert!(table.len() > 10 && table.iter().filter(|line| line.starts_with('|')).all(|line| columns(line) == 8));
}

#[test]
fn the_model_of_the_frozen_cache_is_as_it_was() {
    let scene = furnished();
    let report = scene.run(&["report", "--pictures", "--texts", "--json"]);
    expect("cli/tests/snapshots/report.json", &report.stdout);
    let text = scene.run(&["report", "--texts", "--format", "markdown"]);
    expect("cli/tests/snapshots/report.md", &text.stdout);
}

#[test]
fn a_report_is_written_whole_or_not_at_all() {
    let scene = busy();
    let path = scene.root().join("report.html");
    fs::write(&path, "before").expect("written");
    let run = scene.run(&["report", "-o", "report.html"]);
    assert!(run.code == 0 && run.stdout.is_empty() && run.stderr.contains("wrote `report.html`"), "{run:?}");
    assert!(fs::read_to_string(&path).expect("the page").ends_with("</html>\n"));
    let run = scene.run(&["report", "-o", "nowhere/report.html"]);
    assert!(run.code == 3 && run.stderr.contains("can't write `nowhere/report.html`"), "{run:?}");
    let left: Vec<_> =
        fs::read_dir(scene.root()).expect("a folder").map(|it| it.expect("an item").file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(scene.run(&["report", "-o", "/dev/null"]).code, 0);
    let (code, shown) = scene.terminal(&["report"], "");
    assert!(code == 2 && shown.contains("name a file for it"), "{shown}");
}

#[test]
fn damage_is_told_in_a_report_and_stops_none() {
    let scene = busy();
    let array = scene.files().find(|path| path.extension().is_some_and(|it| it == "npy")).expect("an array");
    let length = fs::metadata(&array).expect("its state").len();
    fs::remove_file(&array).expect("removed");
    fs::write(&array, vec![7; length as usize]).expect("written");
    let report = scene.json(&["report", "--pictures"]);
    assert_eq!((&report["unreadable"], &report["pictures"]["unreadable"]), (&0.into(), &1.into()));
    let is_record =
        |path: &PathBuf| path.extension().is_some_and(|it| it == "record") && !path.iter().any(|it| it == "code");
    let record = scene.files().find(is_record).expect("a record");
    fs::write(&record, "nonsense").expect("written");
    let report = scene.json(&["report", "--pictures"]);
    assert_eq!(report["unreadable"], 1);
    assert!(scene.run(&["report"]).stderr.contains("1 can't be read"));
}

#[cache]
fn listed(n: u64) -> u64 {
    n
}

/// Makes as many entries and pictures as a report has to cope with in half a second.
fn large() -> Scene {
    let scene = busy();
    let memory = Memory::open(scene.cache()).expect("a cache");
    (0..10_000).for_each(|n| assert_eq!(memory.eval(listed::call(n)), n));
    (6..60).for_each(|subject| assert_eq!(memory.eval(signal::call(subject)).len(), 400));
    drop(memory);
    let drawn = scene.json(&["report", "--pictures"])["pictures"]["drawn"].as_array().map(Vec::len);
    assert_eq!(drawn, Some(60));
    scene
}

/// Where the browser's driver is: the folder that `.ci/prepare` made, or the one in the build folder.
fn driver() -> PathBuf {
    let built = || Path::new(env!("CARGO_BIN_EXE_ndcache")).ancestors().nth(2).expect("a folder").join("browser");
    std::env::var_os("NDCACHE_BROWSER").map_or_else(built, PathBuf::from)
}

/// Why the pages can't be looked at, where that may be.
fn missing() -> Option<&'static str> {
    let runs = |program: &str| Command::new(program).arg("--version").output().is_ok_and(|it| it.status.success());
    match () {
        () if !runs("node") => Some("node"),
        () if !runs("chromium") => Some("chromium"),
        () if !driver().join("node_modules/playwright-core").exists() => Some("playwright-core"),
        () if !driver().join("node_modules/axe-core").exists() => Some("axe-core"),
        () => None,
    }
}

#[test]
fn a_browser_shows_every_part_of_a_page() {
    if let Some(what) = missing() {
        assert!(std::env::var_os("CI").is_none(), "{what} is needed and missing: see .ci/prepare");
        println!("skipped: {what} is missing, and pages aren't looked at in a browser");
        return;
    }
    let pages = [
        (busy(), &["report", "--texts", "--pictures", "-o", "page.html"][..]),
        (Scene::new(), &["report", "-o", "page.html"]),
        (large(), &["report", "--pictures", "-o", "page.html"]),
    ];
    for (scene, arguments) in pages {
        let sums = scene.json(&["report"]);
        assert_eq!(scene.run(arguments).code, 0);
        fs::write(scene.root().join("sums.json"), sums.to_string()).expect("written");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser.mjs");
        let mut command = Command::new("node");
        command.arg(script).arg(driver()).arg(scene.root().join("page.html")).arg(scene.root().join("sums.json"));
        let output = command.output().expect("node runs");
        let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {told}");
        println!("{arguments:?}: {told}");
    }
}

#[test]
fn what_a_drawing_or_a_list_of_functions_leaves_out_is_said() {
    let scene = study::empty();
    for code in [1, 2] {
        let made = (0..23).map(|n| study::Made { path: PATHS[n], code, arguments: Vec::new() });
        study::store(&scene, made.collect());
    }
    let page = scene.run(&["report"]).stdout;
    assert!(page.contains("The 10 functions with most misses are drawn; 13 more aren't."));
    assert!(page.contains("The 20 functions that take most bytes are listed; 3 more with older code aren't."));
}

/// The paths of many functions.
const PATHS: [&str; 23] = [
    "s.a", "s.b", "s.c", "s.d", "s.e", "s.f", "s.g", "s.h", "s.i", "s.j", "s.k", "s.l", "s.m", "s.n", "s.o", "s.p",
    "s.q", "s.r", "s.s", "s.t", "s.u", "s.v", "s.w",
];
