//! Entries are exported by the names that commands know them by, and imported into folders that aren't caches yet.

use std::fs;

use crate::study::study;
use crate::support::{Run, Scene};

/// Runs the program in a scene's folder with another cache.
fn with(scene: &Scene, folder: &str, arguments: &[&str]) -> Run {
    let mut command = crate::support::bare(scene.root());
    command.args(["-C", folder]).args(arguments);
    scene.told(command.stdin(std::process::Stdio::null()).output().expect("the program runs"))
}

#[test]
fn entries_are_exported_by_function_and_by_condition() {
    let scene = study();
    let keys = |arguments: &[&str]| {
        let document = scene.json(&[&["export", "-o", "out.tar"], arguments].concat());
        fs::remove_file(scene.root().join("out.tar")).expect("removed");
        document["keys"].as_array().expect("keys").len()
    };
    assert_eq!(keys(&["--function", "fit"]), 9);
    assert_eq!(keys(&["--function", "fit", "--where", "alpha>0.4"]), 6);
    assert_eq!(keys(&["--where", "path~scan01"]), 1);
    assert_eq!(keys(&["--older", "0s"]), 12);
    for (arguments, code) in [
        (&["export", "-o", "out.tar"][..], 2),
        (&["export", "fit@1", "--function", "fit", "-o", "out.tar"], 2),
        (&["export", "--older", "30d", "-o", "out.tar"], 1),
        (&["export", "--function", "nothing", "-o", "out.tar"], 1),
    ] {
        let run = scene.run(arguments);
        assert_eq!(run.code, code, "{arguments:?}: {run:?}");
        assert!(!scene.root().join("out.tar").exists());
    }
}

#[test]
fn an_import_makes_the_cache_that_it_is_for() {
    let scene = study();
    assert_eq!(scene.run(&["export", "--function", "fit", "-o", "fit.tar"]).code, 0);
    fs::create_dir_all(scene.root().join("empty")).expect("a folder");
    fs::create_dir_all(scene.root().join("tagged")).expect("a folder");
    fs::write(scene.root().join("tagged/CACHEDIR.TAG"), "").expect("a tag");
    for folder in ["missing", "deep/missing", "empty", "tagged"] {
        let dry = with(&scene, folder, &["import", "fit.tar", "--dry-run"]);
        assert!(dry.code == 0 && dry.stdout.contains("would import 9 entries"), "{folder}: {dry:?}");
        assert!(dry.stderr.contains(&format!("would make a cache in `/data/{folder}`")), "{folder}: {dry:?}");
        let exists = fs::exists(scene.root().join(folder)).expect("a look");
        assert_eq!(exists, !folder.contains("missing"), "{folder}");
        let done = with(&scene, folder, &["import", "fit.tar"]);
        assert!(done.code == 0 && done.stdout.contains("imported 9 entries"), "{folder}: {done:?}");
        assert!(done.stderr.contains(&format!("made a cache in `/data/{folder}`")), "{folder}: {done:?}");
        assert_eq!(with(&scene, folder, &["verify"]).code, 0);
        let again = with(&scene, folder, &["import", "fit.tar"]);
        assert!(again.stdout.contains("9 entries already there") && again.stderr.is_empty(), "{folder}: {again:?}");
    }
    // A folder with other files belongs to somebody: nothing is imported into it.
    fs::create_dir_all(scene.root().join("other")).expect("a folder");
    fs::write(scene.root().join("other/thesis.tex"), "").expect("a file");
    let refused = with(&scene, "other", &["import", "fit.tar"]);
    assert!(refused.code == 3 && refused.stderr.contains("isn't a cache"), "{refused:?}");
    let mut command = crate::support::bare(scene.root());
    command.args(["-C", "new", "import", "fit.tar"]).env("NDCACHE_MODE", "read-only");
    assert_eq!(scene.told(command.output().expect("it runs")).code, 2);
    assert!(!scene.root().join("new").exists());
}

#[test]
fn an_import_that_is_refused_leaves_no_cache() {
    let scene = study();
    assert_eq!(scene.run(&["export", "--function", "fit", "-o", "fit.tar"]).code, 0);
    let mut bytes = fs::read(scene.root().join("fit.tar")).expect("the archive");
    // This byte is in the first record, behind the header of the archive.
    bytes[600] ^= 1;
    fs::write(scene.root().join("bad.tar"), bytes).expect("written");
    let refused = with(&scene, "missing", &["import", "bad.tar"]);
    assert!(refused.code == 1 && refused.stderr.contains("nothing was taken"), "{refused:?}");
    assert!(!scene.root().join("missing").exists());
    // A folder that was there before the import is left as it was.
    for (folder, tag) in [("empty", false), ("tagged", true)] {
        fs::create_dir_all(scene.root().join(folder)).expect("a folder");
        if tag {
            fs::write(scene.root().join(folder).join("CACHEDIR.TAG"), "mine").expect("a tag");
        }
        assert_eq!(with(&scene, folder, &["import", "bad.tar"]).code, 1);
        let left: Vec<_> =
            fs::read_dir(scene.root().join(folder)).expect("a folder").flatten().map(|it| it.path()).collect();
        assert_eq!(left.len(), usize::from(tag), "{left:?}");
    }
    assert_eq!(fs::read_to_string(scene.root().join("tagged/CACHEDIR.TAG")).expect("the tag"), "mine");
}

#[test]
fn what_is_no_archive_is_told_as_that_and_nothing_of_it_is_shown() {
    let scene = study();
    assert_eq!(scene.run(&["export", "--function", "fit", "-o", "fit.tar"]).code, 0);
    let good = fs::read(scene.root().join("fit.tar")).expect("the archive");
    let before = scene.snapshot();
    for (content, what) in [
        ("memory = ndcache.Memory()\n".repeat(50).into_bytes(), "it is no tar"),
        (b"short".to_vec(), "it is no tar"),
        (Vec::new(), "there is no entry in it"),
        (vec![0; 1024], "there is no entry in it"),
        (b"\x1f\x8b\x08\0\0\0\0\0".to_vec(), "it is compressed"),
        (good[..1124].to_vec(), "it is damaged, or ends, after file 1"),
        (good[..good.len() - 2000].to_vec(), ""),
    ] {
        fs::write(scene.root().join("x.tar"), content).expect("written");
        let run = scene.run(&["import", "x.tar"]);
        assert!(run.code != 0 && run.stderr.contains(what), "{what}: {run:?}");
        assert!(!run.stderr.contains("ndcache.Memory()"), "{run:?}");
    }
    assert_eq!(scene.snapshot().len(), before.len());
}

#[test]
fn a_command_that_fails_prints_a_document_where_one_is_wanted() {
    use crate::documents::{check, schema};
    let scene = study();
    for (arguments, exit) in [
        (&["ls", "nothing"][..], 1),
        (&["show", "ffff0000"], 1),
        (&["ls", "fit", "--where", "alpa=1"], 2),
        (&["gc", "--max-size", "10 apples", "--dry-run"], 2),
        (&["clear"], 2),
        (&["import", "nowhere.tar"], 3),
        (&["ls", "--nonsense"], 2),
    ] {
        let document = scene.json(arguments);
        check(&document, &schema()["$defs"]["error"], &schema(), "error");
        assert_eq!(document["exit"], exit, "{arguments:?}: {document}");
        let run = scene.run(&[arguments, &["--json"]].concat());
        assert!(run.code == exit && !run.stderr.is_empty(), "{run:?}");
        assert_eq!(scene.run(&[arguments, &["--jsonl"]].concat()).stdout, "", "lines are items and nothing else");
    }
}
