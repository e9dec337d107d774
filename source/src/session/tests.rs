use super::*;

fn session(arguments: &[&str]) -> Option<Session> {
    let arguments = arguments.iter().map(|argument| argument.to_string());
    Session::from_arguments(arguments, Path::new("/project"), Some(PathBuf::from("/out")))
}

fn cargo() -> Session {
    Session {
        root: PathBuf::from("/project/src/main.rs"),
        crate_name: "app".to_owned(),
        edition: 2024,
        test: true,
        cfg: vec!["feature=\"fast\"".to_owned(), "loom".to_owned()],
        externs: vec!["ndarray".to_owned(), "serde".to_owned()],
        out_dir: Some(PathBuf::from("/out")),
        libraries: [("ndarray", "/deps/libndarray.rlib"), ("serde", "/libserde.rlib")]
            .map(|(name, file)| (name.to_owned(), PathBuf::from(file)))
            .into(),
        folder: Some(PathBuf::from("/project")),
        ..Session::default()
    }
}

#[test]
fn arguments_of_cargo_are_read() {
    let found = session(&[
        "rustc",
        "--crate-name",
        "app",
        "--edition=2024",
        "src/main.rs",
        "--error-format=json",
        "--test",
        "-C",
        "opt-level=3",
        "--cfg",
        "feature=\"fast\"",
        "--cfg=loom",
        "--check-cfg",
        "cfg(docsrs,test)",
        "-L",
        "dependency=a.rs",
        "--extern",
        "ndarray=/deps/libndarray.rlib",
        "--extern=priv,noprelude:serde=/libserde.rlib",
    ]);
    assert_eq!(found, Some(cargo()));
}

#[test]
fn a_test_with_a_main_of_its_own_is_a_test() {
    for arguments in [&["rustc", "tests/own.rs", "--cfg", "test"][..], &["rustc", "tests/own.rs", "--cfg=test"]] {
        assert!(session(arguments).unwrap().test, "{arguments:?}");
    }
    assert!(!session(&["rustc", "src/main.rs", "--cfg", "tests"]).unwrap().test);
}

#[test]
fn a_file_of_arguments_stands_for_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let text = "--crate-name\r\napp\n--edition=2024\nsrc/main.rs\n--test\n--cfg\nfeature=\"fast\"\n--cfg\nloom\n--extern\nndarray\n--extern\nserde\n";
    fs::write(folder.path().join("arguments"), text).unwrap();
    let arguments = ["rustc", "@arguments"].map(str::to_owned);
    let found = Session::from_arguments(arguments, folder.path(), Some(PathBuf::from("/out"))).unwrap();
    let (root, folder) = (folder.path().join("src/main.rs"), Some(folder.path().to_owned()));
    assert_eq!(found, Session { root, folder, libraries: Vec::new(), ..cargo() });
}

#[test]
fn clippy_passes_the_compilers_name_as_well() {
    let found = session(&["clippy-driver", "/bin/rustc", "--crate-name", "app", "src/lib.rs"]).unwrap();
    assert_eq!(found.root, Path::new("/project/src/lib.rs"));
}

#[test]
fn without_a_file_there_is_no_session() {
    assert_eq!(session(&["rustc", "-", "--crate-name", "rust_out"]), None);
    assert_eq!(session(&["rustc", "-o", "main.rs"]), None);
    assert_eq!(session(&["rustc", "--cfg"]), None);
    assert_eq!(session(&[]), None);
}

#[test]
fn a_process_that_compiles_nothing_is_no_session() {
    assert_eq!(Session::of_this_process(), None);
}

#[test]
fn a_library_is_what_is_no_program_for_certain() {
    for (arguments, expected) in [
        (&["--crate-type", "lib"][..], true),
        (&["--crate-type=cdylib", "--crate-type=rlib"], true),
        (&[], true),
        (&["--crate-type", "bin"], false),
        (&["--crate-type", "lib", "--test"], false),
        (&["--cfg", "test"], false),
    ] {
        let arguments: Vec<&str> = ["rustc", "src/lib.rs"].iter().chain(arguments).copied().collect();
        assert_eq!(session(&arguments).unwrap().is_library, expected, "{arguments:?}");
    }
}
