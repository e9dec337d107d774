//! `gc` lists the entries that go, and says why others stay although one might expect them to go.

use std::fs;
use std::time::{Duration, SystemTime};

use ndarray::{Array1, ArrayRef1};

use crate::study::{Made, array, decimal, empty, number, store, study};
use crate::support::Scene;

#[test]
fn every_entry_that_would_go_is_listed_where_that_is_asked_for() {
    let scene = study();
    let shown = scene.run(&["gc", "--max-items", "5", "--dry-run", "-v"]).stdout;
    let plan = scene.json(&["gc", "--max-items", "5", "--dry-run"]);
    let keys = plan["keys"].as_array().expect("keys");
    assert_eq!(keys.len(), 7);
    for key in keys {
        assert!(shown.contains(&key.as_str().expect("a key")[..8]), "{key}: {shown}");
    }
    assert!(shown.contains("alpha=") && shown.contains("above the limit"), "{shown}");
    let shown = scene.run(&["rm", "--function", "load", "--dry-run", "-v"]).stdout;
    assert!(shown.contains("path='data/scan02.npy'"), "{shown}");
}

#[test]
fn sizes_may_be_spelt_as_they_are_elsewhere() {
    let scene = study();
    let bytes = |size: &str| scene.json(&["gc", "--max-size", size, "--dry-run"])["bytes"].clone();
    assert_ne!(bytes("1K"), 0);
    for size in ["1KB", "1KiB", "1 KiB", "1024B", "1kB"] {
        assert_eq!(bytes(size), bytes("1K"), "{size}");
    }
    let told = scene.run(&["gc", "--max-size", "60MB", "--dry-run"]).stderr;
    assert!(told.contains("`60MB` is taken for 60.0 MiB"), "{told}");
    assert_eq!(scene.run(&["gc", "--max-size", "60MiB", "--dry-run"]).stderr, "");
    for size in ["60X", "60MBs", "B", "MiB"] {
        let run = scene.run(&["gc", "--max-size", size, "--dry-run"]);
        assert!(run.code == 2 && run.stderr.contains(&format!("size is `{size}`")), "{run:?}");
    }
}

#[test]
fn what_saves_little_may_go_first() {
    use std::time::Duration;
    #[ndcache::cache]
    fn slow(n: u64) -> u64 {
        std::thread::sleep(Duration::from_millis(30));
        n
    }
    #[ndcache::cache]
    fn fast(n: u64) -> Vec<u64> {
        vec![n; 3000]
    }
    let scene = empty();
    let memory = ndcache::Memory::open(scene.cache()).expect("a cache");
    memory.eval(slow::call(1));
    std::thread::sleep(Duration::from_millis(20));
    memory.eval(fast::call(1));
    drop(memory);
    let before = scene.snapshot();
    let first = |by: &[&str]| {
        let plan = scene.json(&[&["gc", "--max-items", "1", "--dry-run"], by].concat());
        plan["functions"][0]["name"].as_str().expect("a name").rsplit("::").next().map(str::to_owned)
    };
    assert_eq!((first(&[]).as_deref(), first(&["--by", "used"]).as_deref()), (Some("slow"), Some("slow")));
    assert_eq!(first(&["--by", "value"]).as_deref(), Some("fast"));
    assert_eq!(scene.snapshot(), before, "a plan writes nothing");
    assert_eq!(scene.run(&["gc", "--max-items", "1", "--by", "value", "--yes"]).code, 0);
    assert_eq!((scene.run(&["show", "slow@1"]).code, scene.run(&["ls", "fast"]).code), (0, 1));
}

fn both_codes() -> Scene {
    let scene = empty();
    let of = |code| Made { path: "study.features", code, arguments: vec![number("width", 4)] };
    store(&scene, vec![of(1), of(2)]);
    scene
}

/// Where the record of an entry is.
fn record(scene: &Scene, id: &str) -> String {
    let shown = scene.json(&["show", id]);
    shown["path"].as_str().expect("a path").replace("/data/cache", &scene.cache().display().to_string())
}

fn touch(scene: &Scene, id: &str, time: std::time::SystemTime) {
    fs::File::open(record(scene, id)).and_then(|file| file.set_modified(time)).expect("its stamp");
}

#[test]
fn each_reason_is_told_with_the_number_that_goes_for_it() {
    let scene = study();
    let damaged = record(&scene, "fit@1");
    fs::write(&damaged, "damaged").expect("written");
    // The entry that was used longest ago goes first.
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    fs::File::open(&damaged).and_then(|file| file.set_modified(long_ago)).expect("its stamp");
    let collect = ["gc", "--max-items", "0", "--dry-run"];
    let shown = scene.run(&collect).stdout;
    let why = |function: &str| {
        let line = shown.lines().find(|line| line.starts_with(function)).unwrap_or_else(|| panic!("{shown}"));
        line.rsplit("  ").next().map(str::to_owned)
    };
    assert_eq!(why("pipeline.fit").as_deref(), Some("1 damaged, 8 above the limit"), "{shown}");
    assert_eq!(why("pipeline.load").as_deref(), Some("above the limit"), "{shown}");
    let plan = scene.json(&collect);
    let functions = plan["functions"].as_array().expect("a list");
    let fit = functions.iter().find(|it| it["name"] == "pipeline.fit").expect("the function");
    assert_eq!(fit["reasons"], serde_json::json!({ "damaged": 1, "above the limit": 8 }));
}

#[test]
fn older_code_that_stays_is_told_with_the_reason() {
    let scene = both_codes();
    let run = scene.run(&["gc", "--superseded", "--dry-run"]);
    assert!(run.stdout.contains("would remove 1 of 2"), "{run:?}");
    assert!(!run.stderr.contains("of older code stay"), "{run:?}");
    let superseded = |scene: &Scene| scene.json(&["report"])["functions"][0]["superseded"]["entries"].clone();
    assert_eq!(superseded(&scene), 1);
    // The entry was used since.
    touch(&scene, "features@2", std::time::SystemTime::now());
    let run = scene.run(&["gc", "--superseded", "--dry-run"]);
    assert!(run.stdout.contains("nothing would be removed"), "{run:?}");
    assert!(run.stderr.contains("1 entry of older code stays: it was used since"), "{run:?}");
    assert_eq!(superseded(&scene), 0);
    let page = scene.run(&["report"]).stdout;
    assert!(page.contains("Of which may go") && !page.contains("gc --superseded"), "no command that does nothing");
}

#[ndcache::cache]
fn ramp(n: usize) -> Array1<f64> {
    Array1::from_elem(n, 1.5)
}

#[ndcache::cache]
fn scaled(x: &ArrayRef1<f64>, by: f64) -> f64 {
    x.sum() * by
}

#[test]
fn one_array_is_one_array_however_often_it_was_taken() {
    let scene = empty();
    let memory = ndcache::Memory::open(scene.cache()).expect("a cache");
    let x = memory.eval(ramp::call(1000));
    for n in 0..10 {
        memory.eval(scaled::call(&x, f64::from(n)));
    }
    drop(memory);
    let edges = scene.json(&["report"])["lineage"]["edges"].clone();
    assert_eq!((&edges[0]["links"], &edges[0]["bytes"]), (&10.into(), &8000.into()), "{edges}");
}

#[test]
fn damage_is_told_with_the_call_that_it_is_of_and_the_remedy() {
    let scene = Scene::new();
    let shown = scene.json(&["show", "frozen mapped@1"]);
    let array =
        shown["arrays"][0]["file"].as_str().expect("a file").replace("/data", &scene.root().display().to_string());
    let mut bytes = fs::read(&array).expect("its bytes");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::remove_file(&array).expect("removed");
    fs::write(&array, bytes).expect("written");
    let doctor = scene.run(&["doctor"]).stdout;
    assert!(doctor.contains("not read: `ndcache verify` checks every stored byte"), "{doctor}");
    let run = scene.run(&["verify"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("frozen mapped(rows=10)") && run.stdout.contains("1 problem"), "{run:?}");
    assert!(
        run.stdout.contains("checked 18 entries, ") && run.stdout.contains(" of 99.3 KiB is what was written"),
        "{run:?}"
    );
    assert!(run.stderr.contains("`ndcache verify --repair` removes what is damaged"), "{run:?}");
    let document = scene.json(&["verify"]);
    assert_eq!(
        (&document["problems"][0]["function"], &document["problems"][0]["arguments"]),
        (&"frozen mapped".into(), &"rows=10".into())
    );
    let before = scene.snapshot();
    let dry = scene.run(&["verify", "--repair", "--dry-run"]);
    assert!(dry.code == 1 && dry.stdout.contains("would remove 1 entry"), "{dry:?}");
    assert_eq!(scene.snapshot(), before);
    let done = scene.run(&["verify", "--repair", "--yes"]);
    assert!(done.code == 0 && done.stdout.contains("removed 1 entry"), "what was found is mended: {done:?}");
    assert_eq!(scene.run(&["verify"]).code, 0);
}

#[test]
fn many_calls_of_one_function_are_folded_at_a_terminal() {
    #[ndcache::cache]
    fn largest(x: &ArrayRef1<f64>) -> f64 {
        x.sum()
    }
    let scene = empty();
    let memory = ndcache::Memory::open(scene.cache()).expect("a cache");
    let x = memory.eval(ramp::call(1000));
    memory.eval(largest::call(&x));
    for n in 0..60 {
        memory.eval(scaled::call(&x, f64::from(n)));
    }
    drop(memory);
    assert_eq!(scene.run(&["tree", "ramp@1", "--down"]).stdout.lines().count(), 62, "a pipe has all of it");
    let (_, shown) = scene.terminal(&["tree", "ramp@1", "--down", "--color", "never"], "");
    assert_eq!(shown.lines().count(), 1 + 1 + 5 + 1, "{shown}");
    assert!(shown.contains("└─ … and 55 more of `") && shown.contains("`--all` lists them"), "{shown}");
    let (_, shown) = scene.terminal(&["tree", "ramp@1", "--down", "--all", "--color", "never"], "");
    assert_eq!(shown.lines().count(), 62);
}

#[test]
fn what_tells_entries_apart_stays_where_a_terminal_is_narrow() {
    use unicode_width::UnicodeWidthStr;
    let scene = empty();
    let of = |alpha| Made {
        path: "study.fit",
        code: 1,
        arguments: vec![array("features", "x"), decimal("alpha", alpha), number("order", 2)],
    };
    store(&scene, vec![of(0.070_707), of(0.9)]);
    for columns in [60, 80, 100, 120] {
        let (_, shown) = scene.terminal_of(columns, &["ls", "fit", "--color", "never"], "");
        assert!(shown.lines().all(|line| line.width() <= columns), "{columns}: {shown}");
        let needed = if columns < 80 { "alpha=0." } else { "alpha=0.07" };
        assert!(shown.contains(needed) && shown.contains("alpha=0.9, o"), "{columns}: {shown}");
    }
}

#[test]
fn a_share_of_what_is_stored_is_a_limit() {
    let scene = study();
    let plan = |limit: &str| scene.json(&["gc", "--max-size", limit, "--dry-run"]);
    let half = plan("50%");
    let (total, going) = (half["total_bytes"].as_u64().expect("a number"), half["bytes"].as_u64().expect("a number"));
    assert_eq!(half, plan(&(total / 2).to_string()));
    assert!(going >= total / 2 && going < total, "{half}");
    assert_eq!(plan("100%")["entries"], 0);
    let of_load = scene.json(&["gc", "--function", "load", "--max-size", "40%", "--dry-run"]);
    assert_eq!((of_load["total_entries"].as_u64(), of_load["entries"].as_u64()), (Some(3), Some(2)));
    for wrong in ["0%", "101%", "%", "x%", "-1%"] {
        let run = scene.run(&["gc", &format!("--max-size={wrong}"), "--dry-run"]);
        assert!(run.code == 2 && run.stderr.contains("share is"), "{run:?}");
    }
}

#[test]
fn so_much_is_freed_as_is_asked_for_and_no_entry_more() {
    let scene = study();
    let plan = |more: &[&str]| scene.json(&[&["gc", "--dry-run"][..], more].concat());
    let all = plan(&["--max-items", "0"]);
    let total = all["total_bytes"].as_u64().expect("a number");
    for bytes in [1, total / 3, total / 2, total - 1] {
        let freed = plan(&["--free", &bytes.to_string()]);
        let (freed, keys) = (freed["bytes"].as_u64().expect("a number"), freed["keys"].clone());
        let last = keys.as_array().and_then(|keys| keys.last()?.as_str().map(str::to_owned)).expect("a key");
        let last = scene.json(&["show", &last])["bytes"].as_u64().expect("a number");
        assert!(freed >= bytes && freed - last < bytes, "{freed} of {bytes}, and {last} were the last");
        // The same go as above the limit that leaves so much.
        assert_eq!(keys, plan(&["--max-size", &(total - bytes).to_string()])["keys"]);
    }
    assert_eq!(plan(&["--free", "100%"])["entries"], all["entries"]);
    assert_eq!(plan(&["--free", "0"])["entries"], 0);
    let by_value = plan(&["--free", "40%", "--by", "value"]);
    assert_eq!(by_value, plan(&["--max-size", &(total - (total as f64 * 0.4) as u64).to_string(), "--by", "value"]));
    let of_load = plan(&["--function", "load", "--free", "1"]);
    assert_eq!((of_load["total_entries"].as_u64(), of_load["entries"].as_u64()), (Some(3), Some(1)));
    let run = scene.run(&["gc", "--free", "1T", "--dry-run"]);
    assert!(run.code == 0 && run.stderr.contains("of 1.0 TiB can be freed"), "{run:?}");
    for wrong in [&["--free", "x"][..], &["--free", "101%"], &["--free", "1G", "--max-size", "1G"]] {
        assert_eq!(scene.run(&[&["gc", "--dry-run"][..], wrong].concat()).code, 2, "{wrong:?}");
    }
}

#[test]
fn arrays_that_a_lineage_does_not_see_are_told_where_it_is_asked_for() {
    let scene = empty();
    let text = |name: &str, text: &str| ndcache::dynamic::RunTimeArgument::new(name, ndcache::digest(text), text);
    let of = |path: &'static str, arguments| Made { path, code: 1, arguments };
    let inside = vec![text("parts", "{'a': float64[3, 2], 'b': 1}"), text("x", "float64[64,512]")];
    store(
        &scene,
        vec![of("study.fit", inside), of("study.plain", vec![array("x", "x"), text("name", "'float64[3]'")])],
    );
    let told = "arrays inside of `parts of study.fit` aren't traced";
    for (arguments, is_told) in [
        (&["tree", "fit@1"][..], true),
        (&["tree", "fit@1", "--json"], true),
        (&["show", "fit@1"], true),
        (&["export", "fit@1", "--lineage", "-o", "a.tar"], true),
        (&["pin", "paper", "fit@1", "--lineage"], true),
        (&["export", "fit@1", "-o", "b.tar"], false),
        (&["pin", "paper", "fit@1"], false),
        (&["tree", "plain@1"], false),
        (&["show", "plain@1"], false),
        (&["export", "plain@1", "--lineage", "-o", "c.tar"], false),
    ] {
        let run = scene.run(arguments);
        assert!(run.code == 0 && run.stderr.contains(told) == is_told, "{arguments:?}: {run:?}");
        assert_eq!(run.stderr.contains("aren't traced"), is_told, "{arguments:?}: {run:?}");
    }
}

#[test]
fn files_that_a_program_is_about_to_name_are_no_problem() {
    let scene = study();
    let path = scene.json(&["show", "load@1"])["path"].as_str().expect("a path").to_owned();
    let path = path.replace("/data", scene.root().to_str().expect("a path"));
    let staged = [format!("{path}.0123456789abcdef.tmp"), path.replace(".record", ".0123456789abcdef.npy")];
    staged.iter().for_each(|path| fs::write(path, b"half").expect("written"));
    let run = scene.run(&["verify"]);
    assert!(run.code == 0 && run.stdout.contains("all of it is what was written"), "{run:?}");
    assert!(run.stderr.contains("2 files without an entry, less than a day old"), "{run:?}");
    let kinds = |report: serde_json::Value| report["problems"].as_array().expect("a list").len();
    assert_eq!(kinds(scene.json(&["verify"])), 2, "a document has them");
    let old = SystemTime::now() - Duration::from_secs(25 * 3600);
    for path in &staged {
        fs::File::options().write(true).open(path).and_then(|file| file.set_modified(old)).expect("its time");
    }
    let run = scene.run(&["verify"]);
    assert!(
        run.code == 0 && run.stdout.contains("2 problems") && run.stdout.contains("belongs to no entry"),
        "{run:?}"
    );
    assert!(!run.stderr.contains("a day old"), "{run:?}");
}
