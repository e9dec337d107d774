//! Functions are shown without the word of their crate twice, and found by what is shown.

use ndcache::make::NpyFile;

use crate::study::{Made, empty, number, store};
use crate::support::Scene;

const KMEANS: &str = "app/app/app::pipeline::kmeans";
const LOAD: &str = "app/tool/tool::load";

#[ndcache::cache(name = "app/app/app::ramp")]
fn ramp(n: usize) -> ndarray::Array1<f64> {
    ndarray::Array1::zeros(n)
}

/// Functions of two binaries, one that stands in the library and in a binary, a build step, and a miss that was counted.
fn scene() -> Scene {
    let scene = empty();
    let made =
        [KMEANS, KMEANS, LOAD, "app/app::score", "app/app/app::score", "other/app::score::app::mean", "app/app::mean"];
    let made = made.into_iter().enumerate();
    let made = made.map(|(n, path)| Made { path, code: n as u8, arguments: vec![number("k", n as i64)] });
    store(&scene, made.collect());
    let memory = ndcache::Memory::open(scene.cache()).expect("a cache");
    memory.make(ramp::call(3), NpyFile::new(scene.root().join("ramp.npy"))).expect("made");
    scene
}

fn said(scene: &Scene, arguments: &[&str]) -> String {
    let run = scene.run(arguments);
    assert!(run.code <= 2, "{arguments:?}: {run:?}");
    run.stdout + &run.stderr
}

#[test]
fn functions_are_shown_without_the_same_word_twice_and_whole_in_documents() {
    let scene = scene();
    for arguments in [
        &["ls"][..],
        &["ls", "--entries"],
        &["ls", "--steps"],
        &["stats"],
        &["show", "kmeans@1"],
        &["show", "app::pipeline::kmeans"],
        &["diff", "kmeans@1", "load@1"],
        &["diff", "load@1"],
        &["tree", "kmeans@1"],
        &["why", "kmeans"],
        &["rm", "--function", "kmeans", "--dry-run", "-v"],
        &["gc", "--max-items", "0", "--dry-run", "-v"],
        &["report", "--format", "markdown", "-o", "-"],
    ] {
        let said = said(&scene, arguments);
        for whole in [KMEANS, LOAD, "app/app/app::ramp"] {
            assert!(!said.contains(whole), "{arguments:?}: {said}");
        }
    }
    let listed = said(&scene, &["ls"]);
    for name in ["app::pipeline::kmeans ", "app/tool::load ", "app/app::score ", "app/app/app::score "] {
        assert!(listed.lines().any(|line| line.starts_with(name)), "{name}: {listed}");
    }
    assert!(said(&scene, &["ls", "--steps"]).contains(" app::ramp "));
    assert!(said(&scene, &["show", "kmeans@1"]).contains("  app::pipeline::kmeans\n"));
    assert!(
        said(&scene, &["diff", "kmeans@1", "load@1"]).contains("function: app::pipeline::kmeans → app/tool::load\n")
    );
    assert!(said(&scene, &["gc", "--max-items", "0", "--dry-run"]).contains("\napp::pipeline::kmeans "));
    for arguments in
        [&["ls"][..], &["ls", "--entries"], &["show", "kmeans@1"], &["diff", "kmeans@1", "load@1"], &["stats"]]
    {
        assert!(scene.json(arguments).to_string().contains(KMEANS), "{arguments:?}");
    }
    assert!(scene.json(&["ls", "--steps"]).to_string().contains("app/app/app::ramp"));
}

#[test]
fn a_function_is_found_by_its_path_and_by_what_is_shown_of_it() {
    let scene = scene();
    let entries = |name: &str| scene.json(&["ls", name])["entries"].as_array().expect("a list").len();
    for name in [KMEANS, "app::pipeline::kmeans", "pipeline::kmeans", "kmeans"] {
        assert_eq!(entries(name), 2, "{name}");
    }
    for name in [LOAD, "app/tool::load", "tool::load", "load"] {
        assert_eq!(entries(name), 1, "{name}");
        assert_eq!(scene.json(&["show", &format!("{name}@1")])["function"], LOAD);
        assert_eq!(scene.json(&["rm", "--function", name, "--dry-run"])["entries"], 1, "{name}");
    }
    // The name that one function is shown by is the end of another one's path.
    assert_eq!(scene.json(&["show", "app::mean@1"])["function"], "app/app::mean");
    let alike = scene.run(&["ls", "app::score"]);
    assert_eq!(alike.code, 2, "{alike:?}");
    assert!(alike.stderr.contains("is one of 2: `app/app/app::score`, `app/app::score`"), "{alike:?}");
    assert_eq!(scene.run(&["ls", "app::ramp", "--steps", "--jsonl"]).stdout.lines().count(), 1);
    let misspelt = scene.run(&["ls", "app::pipeline::kmaens"]);
    assert!(misspelt.stderr.contains("did you mean `app::pipeline::kmeans`?"), "{misspelt:?}");
}
