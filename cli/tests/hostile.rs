//! Nothing that lies in a cache makes a command panic, or reaches the terminal as a command.

use std::fs;
use std::process::Stdio;

use crate::support::Scene;
use crate::usage::READING;

/// Runs every command that reads. Each may report damage or not, but must neither panic nor print control characters.
fn survive(scene: &Scene, what: &str) {
    let json: &[&str] = &["--json"];
    for (arguments, more) in READING.iter().flat_map(|arguments| [(arguments, &[][..]), (arguments, json)]) {
        let output = scene.command().args(*arguments).args(more).stdin(Stdio::null()).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code().is_some_and(|code| code <= 3), "{what}: {arguments:?}: {output:?}");
        assert!(!told.contains("panicked"), "{what}: {arguments:?}: {told}");
        // A report is read by a browser, which isolates texts that turn the direction of writing.
        let is_page = arguments.first() == Some(&"report") && more.is_empty();
        let turns = |char: char| "\u{202e}\u{2066}\u{61c}".contains(char) && !is_page;
        let is_odd = |char: char| char.is_control() && char != '\n' || turns(char);
        assert!(!told.contains(is_odd), "{what}: {arguments:?}: {told:?}");
    }
}

/// Runs every command that changes something, each on a folder of its own.
fn survive_changes(make: &dyn Fn() -> Scene, what: &str) {
    for arguments in [
        &["gc", "--max-items", "2", "--superseded", "--unused", "1d", "--yes"][..],
        &["gc", "--yes"],
        &["rm", "--older", "1h", "--yes"],
        &["rm", "--function", "frozen fit", "--yes"],
        &["verify", "--repair", "--yes"],
        &["pin", "x", "frozen fit@1", "--lineage"],
        &["unpin", "x"],
        &["export", "frozen fit@1", "--lineage", "-o", "out.tar"],
        &["export", "frozen mapped@1", "--npy", "out.npy"],
        &["stats", "--reset", "--yes"],
        &["clear", "--keep-steps", "--yes"],
        &["clear", "--yes"],
    ] {
        let output = make().command().args(arguments).stdin(Stdio::null()).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code().is_some_and(|code| code <= 3), "{what}: {arguments:?}: {output:?}");
        assert!(!told.contains("panicked") && !told.contains('\u{1b}'), "{what}: {arguments:?}: {told}");
    }
}

/// Puts every file of the fuzzing corpora in the place of a file of the cache.
#[test]
fn whatever_a_parser_was_tried_with_does_no_harm() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let inputs = |name: &str| -> Vec<Vec<u8>> {
        let files = fs::read_dir(corpus.join(name)).expect("a corpus").map(|it| it.expect("a file").path());
        let mut files: Vec<_> = files.collect();
        files.sort();
        files.iter().map(|path| fs::read(path).expect("its bytes")).collect()
    };
    let (records, arrays) = ([inputs("record"), inputs("values"), inputs("overflow")].concat(), inputs("file"));
    let (slots, lines, codes) = (inputs("slot"), inputs("line"), inputs("code"));
    let make = |seals: bool| {
        let scene = Scene::new();
        let files: Vec<_> = scene.files().collect();
        for (at, path) in files.iter().enumerate() {
            let kind = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
            let inputs = match kind {
                "record" if path.iter().any(|part| part == "code") => &codes,
                "record" => &records,
                "npy" | "gz" => &arrays,
                _ => continue,
            };
            // Every third file of the cache stays as it is.
            if at % 3 > 0 {
                let bytes = inputs[at % inputs.len()].clone();
                fs::remove_file(path).expect("removed");
                fs::write(path, if seals { sealed(bytes) } else { bytes }).expect("written");
            }
        }
        fs::create_dir_all(scene.cache().join("m")).expect("a folder");
        fs::create_dir_all(scene.cache().join("s")).expect("a folder");
        fs::create_dir_all(scene.cache().join("p")).expect("a folder");
        for (at, bytes) in slots.iter().enumerate() {
            let bytes = if seals { sealed(bytes.clone()) } else { bytes.clone() };
            fs::write(scene.cache().join(format!("m/{at:016x}.record")), bytes).expect("written");
        }
        // In the log each input is a line of its own, with others after it.
        fs::write(scene.cache().join("s/log"), lines.join(&b"\n"[..])).expect("written");
        fs::write(scene.cache().join("p/x"), lines.concat()).expect("written");
        scene
    };
    for seals in [false, true] {
        survive(&make(seals), "the corpora");
        survive_changes(&|| make(seals), "the corpora");
    }
}

/// Appends the trailer that fits the bytes of a record.
pub(crate) fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let trailer = xxhash_rust::xxh3::xxh3_128(&bytes);
    bytes.extend((0..16).rev().map(|i| (trailer >> (8 * i)) as u8));
    bytes
}

#[test]
fn damaged_records_do_no_harm() {
    let scene = Scene::new();
    let records: Vec<_> = scene.files().filter(|path| path.extension().is_some_and(|it| it == "record")).collect();
    for round in 0..6 {
        for (at, path) in records.iter().enumerate() {
            let mut bytes = fs::read(path).expect("its bytes");
            if bytes.len() < 100 {
                continue;
            }
            bytes.truncate(bytes.len() - 16);
            let place = (17 * round + 31 * at) % (bytes.len() - 8) + 8;
            bytes[place] = bytes[place].wrapping_add(1 + round as u8);
            fs::write(path, sealed(bytes)).expect("written");
        }
        survive(&scene, &format!("round {round}"));
    }
}

#[test]
fn texts_of_a_record_are_no_commands_for_a_terminal() {
    for (command, what) in [("\u{1b}[2J", "escapes"), ("\u{202e}x", "marks of direction"), ("\u{61c}\u{9b}", "both")] {
        let scene = Scene::new();
        let mut changed = 0;
        for path in scene.files().filter(|path| path.extension().is_some_and(|it| it == "record")) {
            let mut bytes = fs::read(&path).expect("its bytes");
            bytes.truncate(bytes.len() - 16);
            // The text of an argument is replaced by one of the same length.
            for word in [&b"outcome"[..], b"f64[2, 3]", b"rustc 1"] {
                if let Some(at) = bytes.windows(word.len()).position(|window| window == word) {
                    bytes[at..at + 4].copy_from_slice(command.as_bytes());
                    changed += 1;
                }
            }
            fs::write(&path, sealed(bytes)).expect("written");
        }
        assert!(changed > 5, "{changed}");
        survive(&scene, what);
    }
}

#[test]
fn what_is_no_entry_does_no_harm() {
    use std::os::unix::fs::symlink;
    let scene = Scene::new();
    let root = scene.cache();
    symlink("/", root.join("f/root-0123456789abcdef")).expect("a link");
    symlink("/dev/zero", root.join("p")).expect("a link");
    fs::create_dir_all(root.join("f/x-0123456789abcdef/00")).expect("folders");
    symlink("/etc", root.join("f/x-0123456789abcdef/01")).expect("a link");
    fs::create_dir_all(root.join("f/x-0123456789abcdef/02/02000000000000000000000000000000.record")).expect("a folder");
    symlink("/dev/zero", root.join("f/x-0123456789abcdef/00/00000000000000000000000000000000.record")).expect("a link");
    let fifo = root.join("f/x-0123456789abcdef/00/00000000000000000000000000000001.record");
    assert!(std::process::Command::new("mkfifo").arg(fifo).status().expect("`mkfifo` runs").success());
    survive(&scene, "links, folders and pipes");
    for arguments in [&["gc", "--yes"][..], &["verify", "--repair", "--yes"], &["clear", "--yes"]] {
        let output = scene.command().args(arguments).stdin(Stdio::null()).output().expect("it runs");
        assert!(output.status.code().is_some_and(|code| code <= 3), "{arguments:?}: {output:?}");
        assert!(fs::exists("/etc/passwd").expect("a look"), "no link was followed");
    }
}
