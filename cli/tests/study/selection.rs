//! Entries are selected by the names that they are shown by, and a condition that no entry can meet is an error.

use ndcache::digest;
use ndcache::dynamic::RunTimeArgument;

use crate::study::{Made, array, empty, number, rows, store, study};
use crate::support::Scene;

fn of(scene: &Scene, function: &str, condition: &str) -> usize {
    rows(scene, &["ls", function, "--where", condition])
}

#[test]
fn the_end_of_a_function_names_it() {
    let scene = study();
    for name in ["fit", "pipeline.fit"] {
        for arguments in [
            &["ls", name][..],
            &["table", name],
            &["why", name],
            &["verify", name],
            &["gc", "--function", name, "--max-items", "1", "--dry-run"],
            &["rm", "--function", name, "--dry-run"],
        ] {
            let run = scene.run(arguments);
            assert!(run.code == 0 && run.stdout.lines().count() > 0, "{arguments:?}: {run:?}");
        }
        assert_eq!(scene.run(&["show", &format!("{name}@2")]).code, 0);
    }
    for command in ["ls", "table"] {
        assert_eq!(scene.json(&[command, "fit"])["function"], "pipeline.fit", "documents have the whole path");
    }
    let run = scene.run(&["show", "fit"]);
    assert!(run.code == 2 && run.stderr.contains("`pipeline.fit@1` for the latest"), "{run:?}");
    let of = |path, code| Made { path, code, arguments: vec![number("n", 1)] };
    store(&scene, vec![of("app::fit", 1), of("frozen fit", 1), of("tools/refit", 1), of("fit", 1)]);
    assert_eq!(rows(&scene, &["ls", "fit"]), 1, "the one whose whole path it is");
    assert_eq!((rows(&scene, &["ls", "app::fit"]), rows(&scene, &["ls", "frozen fit"])), (1, 1));
    assert_eq!(scene.run(&["rm", "--function", "fit", "--yes"]).code, 0);
    let run = scene.run(&["ls", "fit"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("one of 3: `app::fit`, `frozen fit`, `pipeline.fit`"), "not `refit`: {run:?}");
}

#[test]
fn a_misspelt_function_is_told_with_the_one_that_is_meant() {
    let scene = study();
    for (name, meant) in [("fitt", "`fit`"), ("pipeline.laod", "`pipeline.load`"), ("piepline.fit", "`pipeline.fit`")] {
        let run = scene.run(&["ls", name]);
        assert!(run.code == 1 && run.stderr.contains(&format!("did you mean {meant}?")), "{run:?}");
    }
    let run = scene.run(&["ls", "something"]);
    assert!(run.code == 1 && run.stderr.contains("see `ndcache ls`"), "{run:?}");
    let run = scene.run(&["show", "loda"]);
    assert!(run.code == 2 && run.stderr.contains("did you mean `load`?"), "{run:?}");
}

#[test]
fn a_text_is_met_with_and_without_its_quotes() {
    let scene = study();
    for (condition, count) in [
        ("path=data/scan01.npy", 1),
        ("path='data/scan01.npy'", 1),
        ("path=\"data/scan01.npy\"", 1),
        ("path==data/scan01.npy", 1),
        ("path!=data/scan01.npy", 2),
        ("path!='data/scan01.npy'", 2),
        ("path~scan01", 1),
        ("path>data/scan00.npy", 2),
        ("*=data/scan01.npy", 1),
        ("*!=data/scan01.npy", 2),
        ("path=data/scan99.npy", 0),
    ] {
        assert_eq!(of(&scene, "load", condition), count, "{condition}");
    }
    for (condition, count) in
        [("alpha=0.50", 3), ("alpha!=0.5", 6), ("alpha>0.1", 6), ("alpha<=0.5", 6), ("order=2", 9)]
    {
        assert_eq!(of(&scene, "fit", condition), count, "{condition}");
    }
    let removed = scene.json(&["rm", "--function", "load", "--where", "path!=data/scan01.npy", "--yes"]);
    assert_eq!(removed["removed"]["entries"], 2);
    let left = scene.run(&["ls", "load"]).stdout;
    assert!(left.contains("scan01") && left.lines().count() == 2, "{left}");
}

#[test]
fn a_condition_that_nothing_could_meet_is_an_error() {
    let scene = study();
    let before = scene.snapshot();
    for (function, condition, what) in [
        ("fit", "alphas>0.5", "did you mean `alpha`?"),
        ("fit", "alpa!=0.9", "did you mean `alpha`?"),
        ("fit", "path~scan", "there are `alpha`, `features`, `order`"),
        ("fit", "alpha=>0.9", "expected an argument's name"),
        ("fit", "alpha=<0.9", "expected an argument's name"),
        ("fit", "alpha>abc", "can't be compared with any of these, such as `0."),
        ("fit", "alpha<abc", "can't be compared"),
        ("fit", "features>1", "can't be compared"),
        ("fit", "alpha=big", "`big` can't be compared with any of these, such as `0."),
        ("fit", "alpha!=big", "can't be compared"),
        ("fit", "order=x1", "can't be compared"),
        ("load", "path<5x*", "`*` stands for nothing"),
        ("load", "path=*", "`path~part` finds texts"),
        ("load", "path!=*.npy", "`path~part` finds texts"),
        ("load", "path~*.npy", "`path~part` finds texts"),
    ] {
        for command in [
            &["ls", function][..],
            &["ls", function, "--json"],
            &["ls", function, "--jsonl"],
            &["table", function],
            &["rm", "--function", function, "--yes"],
            &["export", "--function", function, "-o", "out.tar"],
            &["ls"],
        ] {
            // Without a function, the argument that the condition names may belong to any of them.
            if command.len() == 1 && (condition.starts_with("path~") || condition == "path<5x*") {
                continue;
            }
            let run = scene.run(&[command, &["--where", condition]].concat());
            assert!(run.code == 2 && run.stderr.contains(what), "{command:?} {condition}: {run:?}");
        }
    }
    // A value without quotes, a text in quotes, and a value that any argument may have: that no entry has them is no
    // error.
    for condition in ["alpha=None", "alpha='big'", "*=big", "*=None"] {
        assert_eq!(of(&scene, "fit", condition), 0, "{condition}");
    }
    assert_eq!(scene.snapshot(), before);
    assert!(!scene.root().join("out.tar").exists());
}

#[test]
fn the_first_digits_of_an_array_name_it() {
    let scene = study();
    let digests: Vec<String> = ["00", "01", "02"]
        .map(|scan| ndcache::digest(&format!("data/scan{scan}.npy")).to_string())
        .into_iter()
        .collect();
    for digest in &digests {
        for digits in [4, 8, 20, 32] {
            let digits = &digest[..digits];
            let others = digests.iter().filter(|other| other.starts_with(digits)).count();
            assert_eq!(others, 1, "the digests differ there");
            assert_eq!(of(&scene, "fit", &format!("features={digits}")), 3);
            assert_eq!(of(&scene, "fit", &format!("features!={}", digits.to_uppercase())), 6);
        }
        assert_eq!(of(&scene, "fit", &format!("features={}", &digest[..3])), 0, "three are no name");
    }
    // The first digits of the digest of a number select nothing, since they might be a number themselves.
    let alpha = ndcache::digest(&0.5).to_string();
    assert_eq!(of(&scene, "fit", &format!("alpha={}", &alpha[..8])), 0);
    assert_eq!(of(&scene, "fit", &format!("alpha={alpha}")), 3);
}

#[test]
fn digits_of_several_arrays_are_not_guessed() {
    let scene = empty();
    let digest = |last: u8| {
        let mut bytes = [0xab; 16];
        bytes[15] = last;
        ndcache::dynamic::RunTimeArgument::new("x", ndcache::Digest::from_bytes(bytes), "float64[3]")
    };
    let of = |last| Made { path: "f", code: 1, arguments: vec![digest(last)] };
    store(&scene, vec![of(1), of(2)]);
    let run = scene.run(&["rm", "--function", "f", "--where", "x=abab", "--yes"]);
    assert!(run.code == 2 && run.stderr.contains("is the beginning of 2 digests"), "{run:?}");
    assert_eq!(rows(&scene, &["ls", "f"]), 2);
}

#[test]
fn a_text_that_was_cut_is_nobodys_and_not_another_one() {
    let scene = empty();
    let long = "x".repeat(150);
    let text = |text: &str| ndcache::dynamic::RunTimeArgument::new("t", ndcache::digest(text), &format!("'{text}'"));
    let of = |it: &str| Made { path: "f", code: 1, arguments: vec![text(it)] };
    store(&scene, vec![of(&long), of("short")]);
    assert_eq!(rows(&scene, &["ls", "f", "--where", &format!("t={long}")]), 0);
    assert_eq!(rows(&scene, &["ls", "f", "--where", &format!("t!={long}")]), 1, "the one that is surely another");
    assert_eq!(rows(&scene, &["ls", "f", "--where", "t!=short"]), 1);
}

#[test]
fn secret_arguments_meet_nothing() {
    let scene = empty();
    let of = |token: &str| Made {
        path: "f",
        code: 1,
        arguments: vec![ndcache::dynamic::RunTimeArgument::of("token", token).expect("an argument").secret()],
    };
    store(&scene, vec![of("a"), of("b")]);
    for condition in ["token=a", "token!=a", "token>a", "token~a", "token~secret", "*=a", "*!=a"] {
        assert_eq!(rows(&scene, &["ls", "f", "--where", condition]), 0, "{condition}");
    }
}

#[test]
fn a_table_is_shortened_put_in_order_and_names_its_entries() {
    let scene = study();
    let table = |more: &[&str]| scene.run(&[&["table", "fit", "--csv"], more].concat()).stdout;
    let all = table(&[]);
    assert_eq!(all.lines().next(), Some("features,alpha,order,result,took,created,key"));
    assert_eq!(table(&["-n", "2"]).lines().collect::<Vec<_>>(), all.lines().take(3).collect::<Vec<_>>());
    let newest = table(&["-r", "-n", "1"]);
    assert_eq!(newest.lines().last(), all.lines().last());
    let key = newest.trim_end().rsplit(',').next().expect("a key").to_owned();
    assert_eq!(scene.json(&["show", &key])["key"], *key);
    assert_eq!(table(&["--sort", "name"]).lines().count(), all.lines().count());
    let took = table(&["--sort", "took"]);
    let times: Vec<f64> = took.lines().skip(1).filter_map(|line| line.split(',').nth(4)?.parse().ok()).collect();
    assert!(times.len() == 9 && times.is_sorted_by(|a, b| a >= b), "{took}");
    let shown = scene.run(&["table", "fit", "-n", "1"]).stdout;
    assert!(shown.lines().next().is_some_and(|head| head.ends_with("key")), "{shown}");
    // An argument called `key` keeps its name, and the entry's key gets another.
    store(&scene, vec![Made { path: "g", code: 1, arguments: vec![number("key", 7), array("x", "x")] }]);
    assert_eq!(scene.run(&["table", "g", "--csv"]).stdout.lines().next(), Some("key,x,result,took,created,entry.key"));
}

#[test]
fn a_table_is_sorted_by_any_of_its_columns() {
    use std::collections::BTreeMap;
    #[ndcache::cache(name = "sweep.trial")]
    fn trial(alpha: f64, label: &str, at: Option<u64>) -> BTreeMap<String, Option<f64>> {
        let number = at.filter(|_| !label.is_empty()).map(|at| at as f64);
        [("loss".to_owned(), Some(alpha * alpha)), ("label".to_owned(), number), ("took".to_owned(), Some(-alpha))]
            .into()
    }
    let scene = empty();
    let memory = ndcache::Memory::open(scene.cache()).expect("a cache");
    for (alpha, label, at) in
        [(-1.0, "run10", Some(2)), (10.0, "run9", None), (2.5, "run1", Some(10)), (f64::NAN, "Run2", Some(1))]
    {
        drop(memory.eval(trial::call(alpha, label, at)));
    }
    drop(memory);
    let head = scene.run(&["table", "trial", "--csv"]).stdout;
    let head: Vec<&str> = head.lines().next().expect("a head").split(',').collect();
    let mut fields = head[3..6].to_vec();
    fields.sort_unstable();
    assert_eq!((&head[..3], &*fields), (&["alpha", "label", "at"][..], &["loss", "result.label", "took"][..]));
    assert_eq!(head[6..], ["entry.took", "created", "key"]);
    let sorted = |more: &[&str], column: &str| -> Vec<String> {
        let run = scene.run(&[&["table", "trial", "--csv"], more].concat());
        assert_eq!(run.code, 0, "{run:?}");
        let at = head.iter().position(|name| *name == column).expect("a column");
        run.stdout.lines().skip(1).map(|line| line.split(',').nth(at).expect("a field").to_owned()).collect()
    };
    assert_eq!(sorted(&["--sort", "alpha"], "alpha"), ["-1.0", "2.5", "10.0", "NaN"], "by value");
    assert_eq!(sorted(&["--sort", "alpha", "-r", "-n", "2"], "alpha"), ["10.0", "2.5"], "what is no number is last");
    assert_eq!(sorted(&["--sort", "label"], "label"), ["Run2", "run1", "run9", "run10"], "naturally");
    assert_eq!(sorted(&["--sort", "label", "-r"], "label"), ["run10", "run9", "run1", "Run2"]);
    assert_eq!(sorted(&["--sort", "at"], "at"), ["Some(1)", "Some(2)", "Some(10)", "None"]);
    assert_eq!(sorted(&["--sort", "result.label"], "result.label"), ["[1.0]", "[2.0]", "[10.0]", ""], "none is last");
    assert_eq!(sorted(&["--sort", "result.label", "-r"], "result.label"), ["[10.0]", "[2.0]", "[1.0]", ""]);
    assert_eq!(sorted(&["--sort", "loss"], "loss"), ["[1.0]", "[6.25]", "[100.0]", "[NaN]"]);
    assert_eq!(sorted(&["--sort", "took", "-n", "1"], "took"), ["[-10.0]"], "the field, and not the time");
    let mut times = sorted(&["--sort", "entry.took", "-r"], "entry.took");
    assert!(times.is_sorted_by_key(|time| time.parse::<f64>().expect("a time")), "{times:?}");
    times.reverse();
    assert_eq!(sorted(&["--sort", "entry.took"], "entry.took"), times, "the longest first, as in a list");
    let mut newest = sorted(&["--sort", "created"], "key");
    newest.reverse();
    assert_eq!(newest, sorted(&[], "key"), "the newest first, as in a list");
    let keys = sorted(&["--sort", "key"], "key");
    assert!(keys.is_sorted(), "{keys:?}");
    assert_eq!(sorted(&["--sort", "size"], "key").len(), 4, "as in a list");
    let run = scene.run(&["table", "trial", "--sort", "lost"]);
    assert!(run.code == 2 && run.stderr.contains("did you mean `loss`? there are `alpha`, `label`, "), "{run:?}");
    assert_eq!(scene.run(&["table", "trial", "--older", "9999w", "--sort", "lost"]).code, 0, "there are no rows");
}

#[test]
fn a_table_of_many_takes_as_long_as_their_list() {
    use std::time::Instant;
    let scene = empty();
    let memory = ndcache::Memory::open(scene.cache()).expect("a cache");
    #[ndcache::cache]
    fn pair(n: u64) -> (u64, std::collections::BTreeMap<String, u64>) {
        (n, [("a".to_owned(), n), ("b".to_owned(), n)].into())
    }
    #[ndcache::cache]
    fn fields(n: u64) -> std::collections::BTreeMap<String, u64> {
        pair::compute(n).1
    }
    (0..3000).for_each(|n| drop(memory.eval(fields::call(n))));
    drop(memory);
    let shortest = |arguments: &[&str]| {
        let run = || {
            let begin = Instant::now();
            assert_eq!(rows(&scene, arguments), 3000);
            begin.elapsed()
        };
        (0..3).map(|_| run()).min().expect("a run")
    };
    let (list, table) = (shortest(&["ls", "fields"]), shortest(&["table", "fields"]));
    assert!(table < 6 * list, "{table:?} and {list:?}: not by the square of their number");
}

#[test]
fn entries_of_all_functions_are_one_list() {
    let scene = study();
    let list = scene.json(&["ls", "--entries"]);
    assert_eq!((list["function"].is_null(), list["entries"].as_array().map(Vec::len)), (true, Some(12)));
    assert_eq!(rows(&scene, &["ls", "-e", "--where", "*~scan01"]), 1);
    assert_eq!(scene.run(&["ls", "-e", "--jsonl"]).stdout.lines().count(), 12);
    let sizes = |arguments: &[&str]| -> Vec<u64> {
        let list = scene.json(&[&["ls", "-e", "--sort", "size"], arguments].concat());
        list["entries"].as_array().expect("a list").iter().map(|it| it["bytes"].as_u64().expect("a number")).collect()
    };
    let all = sizes(&[]);
    assert!(all.is_sorted_by(|a, b| a >= b), "{all:?}");
    assert_eq!(sizes(&["-n", "2"]), all[..2]);
    assert_eq!(sizes(&["-n", "1", "-r"]), all[11..]);
    let run = scene.run(&["ls", "--where", "*~scan01"]);
    assert!(run.stderr.contains("`--entries` lists the entries"), "{run:?}");
    let run = scene.run(&["ls", "scan01"]);
    assert!(run.code == 1 && run.stderr.contains("`ndcache ls --entries --where '*~scan01'`"), "{run:?}");
}

#[test]
fn of_a_file_that_is_no_entry_it_is_told_how_the_calls_with_it_are_found() {
    let scene = study();
    let root = scene.root();
    std::fs::create_dir(root.join("data")).expect("a folder");
    for file in ["data/scan01.npy", "scan01.csv"] {
        std::fs::write(root.join(file), b"numbers").expect("written");
    }
    for (file, name) in
        [("data/scan01.npy", "scan01.npy"), ("scan01.csv", "scan01.csv"), ("./scan01.csv", "scan01.csv")]
    {
        for arguments in [&["tree", "--down", file][..], &["show", file], &["why", file], &["rm", file, "--dry-run"]] {
            let run = scene.run(arguments);
            let advice = format!("`ndcache ls --entries --where '*~{name}'` lists the calls");
            assert!(run.code == 2 && run.stderr.contains(&advice), "{arguments:?}: {run:?}");
        }
    }
    assert_eq!(rows(&scene, &["ls", "--entries", "--where", "*~scan01.npy"]), 1);
    // Without the name of a cache: the one that is looked for isn't that of the file.
    let output = crate::support::bare(root).args(["tree", "data/scan01.npy"]).output().expect("the program runs");
    assert_eq!(scene.told(output).code, 2);
}

#[test]
fn texts_are_in_a_csv_as_the_program_had_them() {
    let scene = empty();
    let text = |name: &str, text: &str| RunTimeArgument::new(name, digest(text), text);
    let arguments =
        vec![text("a", r#""C:\\data""#), text("b", r#"'it\'s, "so"'"#), text("c", "b'\\\\'"), number("n", 3)];
    store(&scene, vec![Made { path: "pipeline.load", code: 1, arguments }]);
    let csv = scene.run(&["table", "load", "--csv"]).stdout;
    let row = csv.lines().nth(1).expect("a row");
    assert!(row.starts_with(r#"C:\data,"it's, ""so""",b'\\',3,"#), "{csv}");
}
