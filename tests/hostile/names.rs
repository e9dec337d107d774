//! Any text in every place where something is named: it works, or it is an error that names the text, and all files
//! stay in their folder.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use ndarray::prelude::*;
use ndcache::make::{MsgpackFile, NoOutput, NpyFile, read_npy};
use ndcache::shelve::Shelved;
use ndcache::verify::Repair;
use ndcache::{Memory, cache};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::{files, snapshot};

#[cache]
fn lengths(text: &str, n: usize) -> Array1<f64> {
    Array1::from_elem(n, text.len() as f64)
}

/// Texts that mean something to a file system, a terminal or a format; and any others.
fn text() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "",
        ".",
        "..",
        "../..",
        "../../etc/passwd",
        "/",
        "/etc/passwd",
        "a/b",
        "a//b/",
        "nul\0inside",
        "\0",
        "~",
        "-rf",
        ".record",
        "a.npy",
        "CON",
        "trailing ",
        "line\nfeed",
        "\u{1b}[31m",
        "\u{202e}gnp",
        "é",
        "e\u{301}",
        "日本語",
        "\u{10ffff}",
        "*?[]",
        "$(true)",
        "`true`",
        "%00",
        "\\..\\..",
    ]);
    prop_oneof![
        2 => known.prop_map(str::to_owned),
        1 => any::<String>(),
        1 => (1_usize..5000, prop::sample::select(vec!["a", "é", "../", "日"])).prop_map(|(n, text)| text.repeat(n)),
        1 => prop::collection::vec(any::<char>(), 200..300).prop_map(|text| text.into_iter().collect()),
    ]
}

/// A folder inside of another one, in which everything has to stay.
fn inside() -> (TempDir, std::path::PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("a/b");
    fs::create_dir_all(&folder).unwrap();
    (outer, folder)
}

/// Whether an error names what it is about, as people are shown it.
fn names(error: &ndcache::Error, path: &Path) -> bool {
    let (error, path) = (error.to_string(), path.display().to_string());
    error.contains(&path) || path.split('/').all(|part| error.contains(part)) || error.contains(&format!("{path:?}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_text_is_the_path_of_a_cache_or_an_error_that_names_it(text in text()) {
        let (_outer, folder) = inside();
        let path = folder.join(text.trim_start_matches('/'));
        // So many `..` lead up to `_outer`, and no further.
        prop_assume!(text.matches("..").count() <= 2);
        match Memory::builder(&path).inline(0).open() {
            Ok(memory) => {
                memory.eval(lengths::call("x", 3));
                prop_assert_eq!(memory.eval(lengths::call("x", 3)), lengths::compute("x", 3));
                prop_assert_eq!((memory.stats().hits(), memory.stats().faults()), (1, 0));
            }
            Err(error) => prop_assert!(names(&error, &path), "{}", error),
        }
    }

    #[test]
    fn any_text_is_an_argument_of_a_readable_name_and_a_salt(argument in text(), salt in text()) {
        let (outer, folder) = inside();
        let before = snapshot(outer.path()).len();
        let memory = Memory::builder(&folder).inline(0).readable(true).salt(&salt).statistics(false).open().unwrap();
        let kept = memory.eval(lengths::call(&argument, 3));
        prop_assert_eq!(&memory.eval(lengths::call(&argument, 3)), &kept);
        prop_assert_eq!((memory.stats().hits(), memory.stats().faults()), (1, 0));
        prop_assert!(memory.verify(Repair::No).unwrap().is_intact());
        prop_assert_eq!(files(&folder.join("f"), ".npy").len(), 1);
        prop_assert_eq!(memory.entries().filter(Result::is_ok).count(), 1);
        memory.clear().unwrap();
        // The tag and the locks stay.
        prop_assert_eq!(snapshot(outer.path()).len(), before + 2);
    }

    #[test]
    fn any_text_is_a_target_or_an_error_that_names_it(text in text()) {
        let (outer, folder) = inside();
        prop_assume!(text.matches("..").count() <= 2);
        let memory = Memory::open(outer.path().join("cache")).unwrap();
        let path = folder.join(text.trim_start_matches('/'));
        match memory.make(lengths::call("x", 3), NpyFile::new(&path)) {
            Ok(made) => {
                prop_assert_eq!(&made, &lengths::compute("x", 3));
                prop_assert_eq!(memory.make(lengths::call("x", 3), NpyFile::new(&path)).unwrap(), made);
                prop_assert_eq!(memory.stats().hits(), 1);
            }
            Err(error) => prop_assert!(names(&error, &path), "{}", error),
        }
        prop_assert!(files(outer.path(), ".tmp").is_empty());
        let step = || memory.make(lengths::call("y", 3), NoOutput::named(&text));
        step().unwrap();
        step().unwrap();
        prop_assert!(memory.stats().hits() >= 1);
    }

    #[test]
    fn any_bytes_are_a_target_or_an_error(bytes in prop::collection::vec(any::<u8>(), 1..300)) {
        let (outer, folder) = inside();
        prop_assume!(!bytes.contains(&b'/'));
        let memory = Memory::open(outer.path().join("cache")).unwrap();
        let path = folder.join(OsStr::from_bytes(&bytes));
        match memory.make(lengths::call("x", 3), NpyFile::new(&path)) {
            Ok(made) => prop_assert_eq!(made, lengths::compute("x", 3)),
            Err(error) => prop_assert!(names(&error, &path), "{}", error),
        }
    }

    #[test]
    fn any_text_in_a_reference_is_refused_or_finds_nothing(text in text(), field in 0_usize..5) {
        let (_outer, folder) = inside();
        let memory = Memory::open(&folder).unwrap();
        let shelved = memory.shelve(lengths::call("x", 3)).unwrap();
        let mut value = serde_json::to_value(&shelved).unwrap();
        let name = ["function", "result", "key", "content", "array"][field];
        value[name] = text.into();
        if let Ok(forged) = serde_json::from_value::<Shelved<Array1<f64>>>(value) {
            prop_assert!(forged.load(&memory).is_err());
            prop_assert!(!forged.remove(&memory).unwrap_or(false));
        }
        prop_assert_eq!(shelved.load(&memory).unwrap(), lengths::compute("x", 3));
    }
}

/// Names that are written in attributes.
#[test]
fn functions_of_any_name_have_folders_below_that_of_functions() {
    #[cache(name = "..")]
    fn up(n: u64) -> u64 {
        n + 1
    }
    #[cache(name = "../../../etc/passwd")]
    fn far_up(n: u64) -> u64 {
        n + 2
    }
    #[cache(name = "/etc/passwd")]
    fn absolute(n: u64) -> u64 {
        n + 3
    }
    #[cache(name = "日本語/é::\u{202e}gnp")]
    fn unicode(n: u64) -> u64 {
        n + 4
    }
    #[cache(
        name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    )]
    fn long(n: u64) -> u64 {
        n + 5
    }
    let (outer, folder) = inside();
    let memory = Memory::open(&folder).unwrap();
    for _ in 0..2 {
        assert_eq!(memory.eval(up::call(1)), 2);
        assert_eq!(memory.eval(far_up::call(1)), 3);
        assert_eq!(memory.eval(absolute::call(1)), 4);
        assert_eq!(memory.eval(unicode::call(1)), 5);
        assert_eq!(memory.eval(long::call(1)), 6);
    }
    assert_eq!((memory.stats().hits(), memory.stats().faults()), (5, 0));
    assert_eq!(files(outer.path(), ".record").len(), 5);
    let functions = fs::read_dir(folder.join("f")).unwrap().map(|item| item.unwrap().file_name());
    assert!(functions.into_iter().all(|name| name.len() <= 97 && name.is_ascii()));
    for function in [up::function(), far_up::function(), absolute::function(), unicode::function(), long::function()] {
        memory.clear_function(function).unwrap();
    }
    assert_eq!(files(outer.path(), ".record").len(), 0);
}

#[test]
fn headers_that_declare_more_than_there_is_are_errors_that_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claims.npy");
    let deep = format!("{}2{}", "(".repeat(30_000), ",)".repeat(10_000));
    for shape in ["(1152921504606846976,)", "(1152921504606846976, 0)", "(4, 288230376151711744)", &deep] {
        let dict = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = (dict.len() as u32).to_le_bytes();
        fs::write(&path, [b"\x93NUMPY\x02\x00", &length[..], dict.as_bytes()].concat()).unwrap();
        match read_npy::<f64, IxDyn>(&path) {
            Ok(array) => assert!(array.is_empty(), "{shape:.40}"),
            Err(error) => assert!(error.to_string().contains("claims.npy"), "{error:.200}"),
        }
    }
}

#[test]
fn values_nested_without_end_are_made_again() {
    #[cache]
    fn nested(n: u64) -> Vec<Vec<u64>> {
        vec![vec![n]]
    }
    let (outer, folder) = inside();
    let memory = Memory::open(outer.path().join("cache")).unwrap();
    let path = folder.join("nested.msgpack");
    for byte in [0x91, 0x81, 0xdd, 0xdf, 0xc1] {
        memory.make(nested::call(1), MsgpackFile::new(&path)).unwrap();
        fs::write(&path, vec![byte; 1_000_000]).unwrap();
        assert_eq!(memory.make(nested::call(1), MsgpackFile::new(&path)).unwrap(), [[1]]);
    }
}
