//! Why entries were computed: what has changed is told, even where another entry is more alike.

use crate::archives::pickle;
use crate::study::{Made, array, empty, file, number, store};
use crate::support::Scene;

fn features(code: u8, scan: &str, width: i64) -> Made<'static> {
    Made { path: "pipeline.features", code, arguments: vec![array("scan", scan), number("width", width)] }
}

fn reasons(scene: &Scene, what: &str) -> Vec<String> {
    let why = scene.json(&["why", what]);
    let misses = why["misses"].as_array().expect("a list").iter();
    misses.map(|miss| miss["reason"].as_str().expect("a reason").to_owned()).collect()
}

#[test]
fn changed_code_is_told_of_every_entry_that_was_there_before() {
    let scene = empty();
    let all =
        |code: u8| ["a", "b", "c"].into_iter().flat_map(move |scan| [features(code, scan, 4), features(code, scan, 8)]);
    store(&scene, all(1).collect());
    store(&scene, all(2).collect());
    // The ten latest of twelve entries are shown: six of the new code, then four of the old.
    let why = reasons(&scene, "features");
    assert_eq!(why.len(), 10);
    assert!(why[..6].iter().all(|reason| reason.contains("code changed")), "{why:?}");
    assert!(why[6..].iter().all(|reason| reason.starts_with("argument")), "{why:?}");
    // Where all entries differ in arguments, the entry is compared with one of the same code.
    store(&scene, vec![features(2, "a", 16)]);
    assert_eq!(reasons(&scene, "features@1"), ["argument `width`: 8 → 16"]);
    let by_reason = scene.run(&["stats", "--by", "reason"]).stdout;
    let misses = |reason: &str| {
        let line = by_reason.lines().find(|line| line.starts_with(reason)).unwrap_or_default();
        line.split_whitespace().last().map(str::to_owned)
    };
    assert_eq!(misses("code").as_deref(), Some("6"), "{by_reason}");
    assert_eq!(misses("argument").as_deref(), Some("6"), "{by_reason}");
    let groups = scene.json(&["stats", "--by", "reason"])["groups"].clone();
    let groups: Vec<_> = groups.as_array().expect("a list").iter().map(|it| (&it["name"], &it["misses"])).collect();
    assert!(
        groups.contains(&(&"code".into(), &6.into())) && groups.contains(&(&"argument".into(), &6.into())),
        "{groups:?}"
    );
    assert!(groups.iter().all(|(name, _)| *name != "pipeline.features"), "{groups:?}");
}

#[test]
fn a_function_with_a_long_path_is_counted_as_itself() {
    let scene = empty();
    let [one, other] = ["one", "other"].map(|end| format!("study.{}.{end}", "long".repeat(60)));
    let of = |path, width| Made { path, code: 1, arguments: vec![number("width", width)] };
    store(&scene, vec![of(&*one, 1), of(&*one, 2), of(&*other, 1)]);
    let functions = scene.json(&["ls", "--sort", "name"])["functions"].clone();
    assert_eq!(functions.as_array().map(Vec::len), Some(2), "{functions}");
    assert!(functions.as_array().expect("a list").iter().all(|function| function["hits"] == 0), "{functions}");
    let logged = |path: &str| -> u64 {
        let logged = scene.json(&["why", path])["logged"].clone();
        logged.as_array().expect("a list").iter().map(|miss| miss["misses"].as_u64().expect("a number")).sum()
    };
    assert_eq!((logged(&one), logged(&other)), (2, 1));
    let report = scene.json(&["report", "--format", "json"])["functions"].clone();
    let told: Vec<_> =
        report.as_array().expect("a list").iter().map(|it| [&it["name"], &it["entries"], &it["misses"]]).collect();
    assert_eq!(told.len(), 2, "{report}");
    assert!(told.contains(&[&one.clone().into(), &2.into(), &2.into()]), "{report}");
}

#[test]
fn hits_are_told_with_the_day_since_which_they_are_counted() {
    let scene = empty();
    store(&scene, vec![features(1, "a", 4)]);
    let run = scene.run(&["ls"]);
    assert!(run.stderr.contains("hits since ") && run.stderr.contains("first of each key"), "{run:?}");
    assert_eq!(scene.run(&["stats", "--reset", "--yes"]).code, 0);
    assert!(!scene.run(&["ls"]).stderr.contains("hits since"), "nothing is counted");
}

#[test]
fn a_file_that_has_changed_is_told_as_that_file() {
    let scene = empty();
    let load = |path: &'static str, content| Made {
        path: "pipeline.load",
        code: 1,
        arguments: vec![file("path", path, content)],
    };
    store(&scene, vec![load("data/a.npy", "1"), load("data/b.npy", "2"), load("data/c.npy", "3")]);
    store(&scene, vec![load("data/a.npy", "4")]);
    assert_eq!(reasons(&scene, "load@1"), ["argument `path`: the content of 'data/a.npy' changed"]);
    assert_eq!(reasons(&scene, "load@2"), ["argument `path`: 'data/b.npy' → 'data/c.npy'"]);
}

#[test]
fn of_arrays_one_of_the_same_shape_is_compared_with() {
    let scene = empty();
    let of = |content: &'static str, text: &'static str| Made {
        path: "pipeline.fit",
        code: 1,
        arguments: vec![ndcache::dynamic::RunTimeArgument::new("x", ndcache::digest(content), text)],
    };
    store(&scene, vec![of("a", "f64[3, 2] C"), of("b", "f64[3, 3] C"), of("c", "f32[3, 2] C")]);
    store(&scene, vec![of("d", "f64[3, 2] F")]);
    assert_eq!(reasons(&scene, "fit@1"), ["argument `x`: f64[3, 2] C → f64[3, 2] F"]);
    store(&scene, vec![of("e", "f64[7] C")]);
    assert_eq!(reasons(&scene, "fit@1"), ["argument `x`: f64[3, 2] F → f64[7] C"], "the newest, as none is alike");
}

#[test]
fn another_array_is_told_with_the_calls_that_it_came_from() {
    use ndarray::{Array1, ArrayRef1};
    use ndcache::Memory;
    #[ndcache::cache(name = "origins.load")]
    fn load(path: &str, scale: f64) -> Array1<f64> {
        Array1::linspace(0.0, path.len() as f64 * scale, 5)
    }
    #[ndcache::cache(name = "origins.fit")]
    fn fit(x: &ArrayRef1<f64>, order: u64) -> f64 {
        x.sum() * order as f64
    }
    let scene = empty();
    let memory = Memory::open(scene.cache()).expect("a cache");
    let load = |path: &str, scale: f64| memory.eval(load::call(path, scale));
    let fit = |x: &Array1<f64>, order| assert!(memory.eval(fit::call(x, order)) >= 0.0);
    fit(&load("a", 1.0), 2);
    fit(&load("a", 2.0), 2);
    let origins = |what: &str| scene.json(&["why", what])["misses"][0]["origins"].clone();
    let told = origins("origins.fit@1");
    assert_eq!(told.as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!((&told[0]["argument"], &told[0]["function"]), (&"x".into(), &"origins.load".into()), "{told}");
    assert_eq!(told[0]["reason"], "argument `scale`: 1.0 → 2.0");
    assert_eq!(told[0]["now"], scene.json(&["show", "origins.load@1"])["key"]);
    assert_eq!(told[0]["before"], scene.json(&["show", "origins.load@2"])["key"]);
    let shown = scene.run(&["why", "origins.fit@1"]).stdout;
    assert!(shown.contains("`x` came from origins.load ") && shown.contains("before from origins.load "), "{shown}");
    // Of an array that two calls have made nobody knows which of them was meant.
    assert_eq!(load("aa", 1.0), load("a", 2.0));
    assert_eq!(origins("origins.fit@1").as_array().map(Vec::len), Some(0));
    // Nor is there anything to say of an array that no call has made, or of other arguments.
    fit(&Array1::zeros(5), 2);
    assert_eq!(origins("origins.fit@1").as_array().map(Vec::len), Some(0));
    fit(&Array1::zeros(5), 3);
    assert_eq!(origins("origins.fit@1").as_array().map(Vec::len), Some(0));
}

#[test]
fn what_was_logged_says_of_which_run_and_of_how_many_misses_it_is() {
    let scene = empty();
    store(&scene, (0..3).map(|width| features(1, "a", width)).collect());
    let why = scene.json(&["why", "features"]);
    let logged = why["logged"].as_array().expect("a list");
    assert!(!logged.is_empty(), "{why}");
    let misses: u64 = logged.iter().map(|miss| miss["misses"].as_u64().expect("a number")).sum();
    assert_eq!(misses, 3, "{why}");
    let run = logged[0]["run"].as_str().expect("digits");
    assert_eq!(run.len(), 16, "{run}");
    let text = scene.run(&["why", "features"]).stdout;
    assert!(text.contains(&format!("run {}", &run[..8])), "{text}");
    assert_eq!(scene.run(&["stats", "--run", &run[..8]]).code, 0);
    assert_eq!(scene.json(&["why", "features@1"])["logged"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_changed_helper_is_told_from_a_changed_body() {
    use ndcache::dynamic::{Form, FunctionBuilder, RawValue, RunTimeCall};
    use ndcache::{Digest, Memory};
    let scene = empty();
    let memory = Memory::open(scene.cache()).expect("a cache");
    let of = |digit: u8| Digest::from_bytes([digit; 16]);
    for (code, body, helper) in [(1, 10, 20), (2, 10, 21), (3, 11, 22)] {
        let function = FunctionBuilder::new("study.smoothed", of(code)).body(of(body)).part("window", of(helper));
        let call = RunTimeCall::new(function.build().expect("a function"), [number("width", 4)]);
        call.eval(&memory, Form::Owned, || RawValue::of(&1.5)).expect("stored");
    }
    drop(memory);
    assert_eq!(reasons(&scene, "smoothed@2"), ["code of `window` changed"]);
    assert_eq!(reasons(&scene, "smoothed@1"), ["code changed, code of `window` changed"]);
    let differences = |before: &str, now: &str| scene.run(&["diff", before, now]).stdout;
    assert_eq!(differences("smoothed@3", "smoothed@2"), "code: code of `window` changed\n");
    let both = "code: code of the function itself changed\ncode: code of `window` changed\n";
    assert_eq!(differences("smoothed@2", "smoothed@1"), both);
}

#[test]
fn one_entry_is_compared_with_the_nearest_before_it() {
    let scene = empty();
    store(&scene, vec![features(1, "a", 4)]);
    let run = scene.run(&["diff", "features@1"]);
    assert!(run.code == 1 && run.stderr.contains("no other call of `pipeline.features`"), "{run:?}");
    store(&scene, vec![features(1, "a", 8), features(2, "a", 4)]);
    let run = scene.run(&["diff", "features@1"]);
    assert!(run.stdout.contains("code") && !run.stdout.contains("argument"), "{run:?}");
    assert!(run.stderr.contains("against pipeline.features "), "{run:?}");
    assert_eq!(scene.json(&["diff", "features@1"]), scene.json(&["diff", "features@3", "features@1"]));
    // This function's own body isn't recorded, so nothing may be said of the function itself.
    assert!(!run.stdout.contains("itself"), "{run:?}");
}

#[test]
fn pickled_results_differ_by_their_bytes_and_by_their_arrays() {
    use ndcache::dynamic::{Array, Form, FunctionBuilder, Order, RawValue, RunTimeCall};
    use ndcache::{Digest, Memory};
    let scene = empty();
    let memory = Memory::open(scene.cache()).expect("a cache");
    let function = FunctionBuilder::new("study.train", Digest::from_bytes([1; 16])).build().expect("a function");
    let train = |n: i64, stream: &[u8], last: f64| {
        let elements: Vec<u8> = [1.0, last].iter().flat_map(|element: &f64| element.to_le_bytes()).collect();
        let weights = Array::new("<f8", 8, &[2], Order::C, elements).expect("an array");
        let value = RawValue::new(pickle(stream, &[0]), vec![weights]).expect("a value");
        let call = RunTimeCall::new(function, [number("n", n)]);
        call.eval(&memory, Form::Owned, || Ok::<_, ndcache::Error>(value)).expect("stored");
    };
    train(1, b"\x80\x05a.", 2.0);
    train(2, b"\x80\x05a.", 2.0);
    train(3, b"\x80\x05b.", 2.0);
    train(4, b"\x80\x05b.", 5.0);
    train(5, b"\x80\x05long.", 2.0);
    drop(memory);
    let results = |before: &str, now: &str| {
        let shown = scene.run(&["diff", before, now]).stdout;
        shown.lines().filter(|line| line.starts_with("result")).map(str::to_owned).collect::<Vec<_>>()
    };
    let array = "result array #0: 50 % of elements differ, max |Δ| 3";
    assert_eq!(results("train@5", "train@4"), [""; 0]);
    assert_eq!(results("train@4", "train@3"), ["result: a pickle of 4 bytes, of other content"]);
    assert_eq!(results("train@3", "train@2"), [array]);
    assert_eq!(results("train@2", "train@1"), ["result: a pickle of 4 bytes → a pickle of 7 bytes", array]);
}
