//! Archives: what was exported can be imported, and nothing else can.

use std::fs::{self, File};
use std::io::Read as _;

use crate::support::Scene;

/// An archive with these files; `None` as content is a link.
fn archive(scene: &Scene, files: &[(&str, Option<&[u8]>)]) {
    let mut archive = tar::Builder::new(File::create(scene.root().join("evil.tar")).expect("a file"));
    for (name, content) in files {
        if let (true, Some(bytes)) = (name.len() > 100, content) {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, name, *bytes).expect("appended");
            continue;
        }
        let mut header = tar::Header::new_old();
        // The name is written by hand, since the crate `tar` refuses odd ones.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o644);
        match content {
            Some(bytes) => {
                header.set_size(bytes.len() as u64);
                header.set_entry_type(tar::EntryType::Regular);
            }
            None => {
                header.set_size(0);
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_link_name("/etc/passwd").expect("a link");
            }
        }
        header.set_cksum();
        archive.append(&header, content.unwrap_or_default()).expect("appended");
    }
    archive.finish().expect("finished");
}

/// The files of an archive.
fn unpack(scene: &Scene, name: &str) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(File::open(scene.root().join(name)).expect("an archive"));
    let entries = archive.entries().expect("entries").map(|entry| {
        let mut entry = entry.expect("an entry");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("its bytes");
        (String::from_utf8_lossy(&entry.path_bytes()).into_owned(), bytes)
    });
    entries.collect()
}

#[test]
fn what_is_exported_can_be_imported() {
    let (from, to) = (Scene::new(), Scene::new());
    let run = from.run(&[
        "export",
        "frozen sum@1",
        "frozen fit@1",
        "frozen long@1",
        "frozen packed@1",
        "--lineage",
        "-o",
        "out.tar",
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(from.run(&["export", "frozen sum@1", "-o", "out.tar"]).code, 2, "it is there already");
    fs::copy(from.root().join("out.tar"), to.root().join("out.tar")).expect("copied");
    let known = to.json(&["import", "out.tar"]);
    assert_eq!(
        (known["new"].as_u64(), known["known"].as_u64().is_some_and(|known| known >= 5)),
        (Some(0), true),
        "{known}"
    );
    assert_eq!(to.run(&["clear", "--yes"]).code, 0);
    let before = to.snapshot();
    let dry = to.json(&["import", "out.tar", "--dry-run"]);
    assert_eq!(to.snapshot(), before, "a dry run leaves nothing");
    let done = to.json(&["import", "out.tar"]);
    assert_eq!((&dry["new"], &dry["known"]), (&done["new"], &known["new"]), "{dry} {done}");
    assert_eq!(to.run(&["verify"]).code, 0);
    let shown = to.json(&["show", "frozen long@1"]);
    assert_eq!(shown["origin"], "import");
    let (mut a, b) = (from.json(&["show", "frozen long@1"]), shown);
    a["origin"] = "import".into();
    assert_eq!((&a["key"], &a["value"], &a["created"]), (&b["key"], &b["value"], &b["created"]));
}

/// `[stream, buffers]` as extension 3, which is how a value holds what Python pickled.
pub(crate) fn pickle(stream: &[u8], buffers: &[u8]) -> Vec<u8> {
    let mut held = vec![0x92, 0xc4, stream.len() as u8];
    held.extend(stream);
    held.push(0x90 | buffers.len() as u8);
    held.extend(buffers);
    [&[0xc7, held.len() as u8, 3], &held[..]].concat()
}

/// Stores a result of `study.load` that Python has pickled.
pub(crate) fn store_pickled(scene: &Scene) {
    use ndcache::dynamic::{Form, FunctionBuilder, RawValue, RunTimeArgument, RunTimeCall};
    let memory = ndcache::Memory::open(scene.cache()).expect("a cache");
    let function =
        FunctionBuilder::new("study.load", ndcache::Digest::from_bytes([7; 16])).build().expect("a function");
    let call = RunTimeCall::new(function, [RunTimeArgument::of("n", &1).expect("an argument")]);
    let value = RawValue::new(pickle(b"\x80\x05.", &[]), vec![]).expect("a value");
    call.eval(&memory, Form::Owned, || Ok::<_, ndcache::Error>(value)).expect("stored");
}

#[test]
fn what_python_pickled_goes_out_and_comes_in_only_where_that_is_asked_for() {
    let (from, to) = (Scene::new(), Scene::new());
    store_pickled(&from);
    let export =
        |more: &[&str]| from.run(&[&["export", "study.load@1", "frozen fit@1", "-o", "out.tar"][..], more].concat());
    let refused = export(&[]);
    assert!(refused.code == 2 && refused.stderr.contains("--with-pickles"), "{refused:?}");
    assert!(!from.root().join("out.tar").exists());
    assert_eq!(export(&["--with-pickles"]).code, 0);
    fs::copy(from.root().join("out.tar"), to.root().join("out.tar")).expect("copied");
    assert_eq!(to.run(&["clear", "--yes"]).code, 0);
    for arguments in [&["import", "out.tar"][..], &["import", "out.tar", "--dry-run"]] {
        let refused = to.run(arguments);
        assert!(refused.code == 1 && refused.stderr.contains("say `--with-pickles`"), "{refused:?}");
        assert_eq!(to.json(&["ls"])["functions"].as_array().map(Vec::len), Some(0), "nothing of it was taken");
    }
    assert_eq!(to.json(&["import", "out.tar", "--with-pickles"])["new"], 2);
    let shown = to.json(&["show", "study.load@1"]);
    assert_eq!((&shown["origin"], &shown["value"]["pickle"]), (&"import".into(), &3.into()), "{shown}");
}

#[test]
fn what_says_of_what_code_was_made_goes_along() {
    #[ndcache::cache]
    fn helped(n: u64) -> u64 {
        helper(n)
    }
    fn helper(n: u64) -> u64 {
        n + 1
    }
    let (from, to) = (Scene::new(), Scene::new());
    let memory = ndcache::Memory::open(from.cache()).expect("a cache");
    assert_eq!((memory.eval(helped::call(1)), memory.eval(helped::call(2))), (2, 3));
    drop(memory);
    assert_eq!(from.run(&["export", "helped@1", "helped@2", "-o", "out.tar"]).code, 0);
    let files = unpack(&from, "out.tar");
    let code: Vec<_> = files.iter().filter(|(name, _)| name.contains("/code/")).collect();
    assert_eq!((files.len(), code.len()), (3, 1), "once for both");
    fs::copy(from.root().join("out.tar"), to.root().join("out.tar")).expect("copied");
    assert_eq!(to.run(&["import", "out.tar"]).code, 0);
    let parts = |scene: &Scene| scene.json(&["show", "helped@1"])["code_parts"].clone();
    assert_eq!(parts(&from), parts(&to));
    assert!(parts(&to).as_array().is_some_and(|parts| parts.len() >= 2), "{}", parts(&to));
    // An archive whose list of code parts says something else is refused as a whole.
    let mut files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let at = files.iter().position(|(name, _)| name.contains("/code/")).expect("its place");
    files[at].1[20] ^= 1;
    let files: Vec<_> = files.iter().map(|(name, bytes)| (*name, Some(bytes.as_slice()))).collect();
    assert_eq!(to.run(&["clear", "--yes"]).code, 0);
    archive(&to, &files);
    let refused = to.run(&["import", "evil.tar"]);
    assert!(refused.code == 1 && refused.stderr.contains("nothing was taken"), "{refused:?}");
    assert_eq!(to.json(&["ls"])["functions"].as_array().map(Vec::len), Some(0));
}

#[test]
fn one_array_is_exported_as_a_file() {
    let scene = Scene::new();
    for id in ["frozen packed@1", "frozen small@1", "frozen mapped@1"] {
        let digest = scene.json(&["show", id])["arrays"][0]["digest"].clone();
        let run = scene.run(&["export", id, "--npy", "out.npy"]);
        assert_eq!(run.code, 0, "{run:?}");
        let hash = scene.run(&["hash", "out.npy"]);
        assert!(hash.stdout.starts_with(digest.as_str().expect("a digest")), "{hash:?}");
        fs::remove_file(scene.root().join("out.npy")).expect("removed");
    }
    let run = scene.run(&["export", "frozen fit@1", "--npy", "out.npy"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(!scene.root().join("out.npy").exists());
}

#[test]
fn an_archive_that_was_cut_off_anywhere_is_refused_as_a_whole() {
    let scene = Scene::new();
    assert_eq!(scene.run(&["export", "frozen fit@1", "frozen packed@1", "-o", "good.tar"]).code, 0);
    assert_eq!(scene.run(&["clear", "--yes"]).code, 0);
    let good = std::fs::read(scene.root().join("good.tar")).unwrap();
    for cut in (0..good.len()).step_by(256) {
        std::fs::write(scene.root().join("cut.tar"), &good[..cut]).unwrap();
        let run = scene.run(&["import", "cut.tar"]);
        assert_ne!(run.code, 0, "{cut} of {} bytes: {run:?}", good.len());
        assert!(!run.stdout.contains("imported"), "{cut} of {} bytes: {run:?}", good.len());
    }
    assert_eq!(scene.run(&["import", "good.tar"]).code, 0);
}

#[test]
fn an_archive_with_anything_wrong_in_it_is_refused_as_a_whole() {
    let scene = Scene::new();
    assert_eq!(scene.run(&["export", "frozen fit@1", "frozen packed@1", "-o", "good.tar"]).code, 0);
    let good = unpack(&scene, "good.tar");
    assert_eq!(scene.run(&["clear", "--yes"]).code, 0);
    let before = scene.snapshot();
    let refused = |files: &[(&str, Option<&[u8]>)], what: &str| {
        archive(&scene, files);
        for arguments in [&["import", "evil.tar"][..], &["import", "evil.tar", "--dry-run"]] {
            let run = scene.run(arguments);
            assert_eq!(run.code, 1, "{what}: {run:?}");
            assert!(run.stderr.contains(what), "{what}: {run:?}");
            let now = scene.snapshot();
            let left: Vec<_> = now.keys().filter(|path| path.is_file() && !before.contains_key(*path)).collect();
            assert!(left.iter().all(|path| path.ends_with("locks")), "{what}: {left:?}");
        }
    };
    let files: Vec<_> = good.iter().map(|(name, bytes)| (name.as_str(), Some(bytes.as_slice()))).collect();
    let with = |more: &[(&'static str, Option<&'static [u8]>)]| {
        let mut files = files.clone();
        files.extend(more.iter().copied());
        files
    };
    refused(&with(&[("f/x-0123456789abcdef/3f/../../../evil.npy", Some(b"x"))]), "isn't the name of a file");
    refused(&with(&[("../evil.npy", Some(b"x"))]), "isn't the name of a file");
    refused(&with(&[("/tmp/evil.npy", Some(b"x"))]), "isn't the name of a file");
    refused(&with(&[("f/x-0123456789abcdef/3f/link.npy", None)]), "isn't a regular file");
    refused(&with(&[("CACHEDIR.TAG", Some(b"x"))]), "isn't the name of a file");
    let mut twice = files.clone();
    twice.push(files[0]);
    refused(&twice, "is there twice");
    for (at, (name, bytes)) in good.iter().enumerate() {
        let mut bad = bytes.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        let mut files = files.clone();
        files[at] = (name, Some(&bad));
        refused(&files, "nothing was taken");
        files.remove(at);
        if !name.ends_with(".record") && !name.contains("/code/") {
            refused(&files, "nothing was taken");
        }
    }
    // The record of one entry gets the name of another key.
    let record = good.iter().find(|(name, _)| name.ends_with(".record")).expect("a record");
    let renamed = record.0.replace(&record.0[record.0.len() - 12..record.0.len() - 7], "00000");
    let mut moved = files.clone();
    let at = good.iter().position(|(name, _)| *name == record.0).expect("its place");
    moved[at].0 = &renamed;
    refused(&moved, "nothing was taken");
    archive(&scene, &files);
    assert_eq!(scene.run(&["import", "evil.tar"]).code, 0, "what is right is taken");
    assert_eq!(scene.run(&["verify"]).code, 0);
}
