//! Nothing that lies in a cache makes a command panic, or reaches the terminal as a command.

use std::fs;
use std::process::Stdio;

use crate::support::Scene;
use crate::usage::READING;

/// Runs every command that reads; what it says of damage is its own affair.
fn survive(scene: &Scene, what: &str) {
    for arguments in READING {
        let output = scene.command().args(*arguments).stdin(Stdio::null()).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code().is_some_and(|code| code <= 3), "{what}: {arguments:?}: {output:?}");
        assert!(!told.contains("panicked"), "{what}: {arguments:?}: {told}");
        let is_odd = |char: char| char.is_control() && char != '\n';
        assert!(!told.contains(is_odd), "{what}: {arguments:?}: {told:?}");
    }
}

/// A record without its trailer, and the trailer.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
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
    let scene = Scene::new();
    let mut changed = 0;
    for path in scene.files().filter(|path| path.extension().is_some_and(|it| it == "record")) {
        let mut bytes = fs::read(&path).expect("its bytes");
        bytes.truncate(bytes.len() - 16);
        // A text of an argument, of the same length.
        for word in [&b"outcome"[..], b"f64[2, 3]", b"rustc 1"] {
            if let Some(at) = bytes.windows(word.len()).position(|window| window == word) {
                bytes[at..at + 4].copy_from_slice(b"\x1b[2J");
                changed += 1;
            }
        }
        fs::write(&path, sealed(bytes)).expect("written");
    }
    assert!(changed > 5, "{changed}");
    survive(&scene, "escapes");
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
}
