//! Workspaces that Cargo builds: what a function reaches in its package's library and in crates by path.

mod files;

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use ndcache_source::{Fact, Index, Position, Reached, Resolver, Session};
use tempfile::TempDir;

use self::files::FILES;
use crate::crates::names;

const ROOTS: [&str; 6] = ["root", "narrow", "generic", "versioned", "hidden", "halved"];

struct Workspace {
    folder: TempDir,
    /// The compiled crates of the last build, as Cargo tells them.
    crates: RefCell<Vec<PathBuf>>,
}

impl Workspace {
    fn new(files: &[(&str, &str)]) -> Workspace {
        let workspace = Workspace { folder: tempfile::tempdir().unwrap(), crates: RefCell::default() };
        for (path, text) in files {
            workspace.write(path, text);
        }
        workspace
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from), "`{from}` stands nowhere in {path}");
        self.write(path, &text.replace(from, to));
    }

    /// Builds it, and returns what the program prints.
    fn build(&self, arguments: &[&str]) -> String {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut cargo = Command::new(cargo);
        cargo
            .args(["build", "--offline", "--quiet", "--message-format=json"])
            .args(arguments)
            .current_dir(self.folder.path());
        // The variables that Cargo sets for this test describe another workspace.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO")) {
            if name != "CARGO_HOME" {
                cargo.env_remove(name);
            }
        }
        cargo.env("CARGO_TARGET_DIR", self.path("target"));
        let output = cargo.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let messages = String::from_utf8(output.stdout).unwrap();
        let files = messages.split('"').filter(|text| text.ends_with(".rmeta")).map(PathBuf::from);
        *self.crates.borrow_mut() = files.collect();
        let program = self.path(&format!("target/{}/app", profile(arguments)));
        String::from_utf8(Command::new(program).output().unwrap().stdout).unwrap()
    }

    /// The compilation of the binary.
    fn session(&self, features: &[&str]) -> Session {
        let mut arguments: Vec<String> =
            ["rustc", "--crate-name", "app", "--edition=2021", "app/src/main.rs"].map(str::to_owned).into();
        for (name, krate) in [("app", "app"), ("forms", "shapes")] {
            let file = self.compiled(krate);
            arguments.extend(["--extern".to_owned(), format!("{name}={}", file.display())]);
        }
        for feature in features {
            arguments.extend(["--cfg".to_owned(), format!("feature=\"{feature}\"")]);
        }
        Session::from_arguments(arguments, self.folder.path(), None).unwrap()
    }

    /// The file of a crate in the last build.
    fn compiled(&self, krate: &str) -> PathBuf {
        let crates = self.crates.borrow();
        let is_it = |file: &&PathBuf| file.file_name().unwrap().to_str().unwrap().starts_with(&format!("lib{krate}-"));
        crates.iter().find(is_it).expect("a compiled crate").clone()
    }

    fn reached(&self, name: &str) -> Reached {
        self.reached_by(self.session(&[]), name)
    }

    fn reached_by(&self, session: Session, name: &str) -> Reached {
        self.reached_in(session, "app/src/main.rs", name)
    }

    fn reached_in(&self, session: Session, main: &str, name: &str) -> Reached {
        let main = self.path(main);
        let text = fs::read_to_string(&main).unwrap();
        let is_it = |line: &str| line.contains(&format!("fn {name}(")) || line.contains(&format!("fn {name}<"));
        let line = text.lines().position(is_it).unwrap() + 1;
        let index = Index::read(session).unwrap();
        let place = Position { file: main, line, name: name.to_owned(), ..Position::default() };
        Resolver::new(&index).reach(&place, &[]).unwrap()
    }

    fn digests(&self) -> Vec<([u8; 16], Vec<Fact>)> {
        ROOTS.iter().map(|root| told(&self.reached(root))).collect()
    }
}

/// What the key is made of: the digest, and the facts that are looked up.
fn told(reached: &Reached) -> ([u8; 16], Vec<Fact>) {
    let facts = reached.parts.iter().flat_map(|part| part.facts.iter().chain(&part.passed)).cloned();
    (reached.digest, facts.collect())
}

fn profile(arguments: &[&str]) -> &'static str {
    if arguments.contains(&"--release") { "release" } else { "debug" }
}

#[test]
fn what_a_binary_reaches_in_its_library_and_in_crates_by_path_counts() {
    let workspace = Workspace::new(&FILES);
    workspace.build(&[]);
    let root = workspace.reached("root");
    assert_eq!(
        names(&root),
        [
            "app::<impl Window for Vec<f64>>",
            "app::<impl Window for Vec<f64>>::windowed",
            "app::Window",
            "app::Window::windowed",
            "app::factor",
            "app::hidden::<impl Kept>",
            "app::hidden::<impl Kept>::apply",
            "app::hidden::Kept",
            "app::loudness",
            "app::times",
            "app::weights::scale",
            "app::weights::weight",
            "deep::bottom",
            "shapes::Area",
            "shapes::Area::area",
            "shapes::Area::twice",
            "shapes::area",
            "shapes::by_feature",
            "shapes::by_feature",
            "shapes::circle::<impl Area for Circle>",
            "shapes::circle::<impl Area for Circle>::area",
            "shapes::circle::Circle",
            "shapes::offset",
        ]
    );
    let unseen: Vec<String> = root.unseen.iter().map(ToString::to_string).collect();
    assert_eq!(
        unseen,
        ["whether crate `shapes` has `feature=\"fast\"`", "whether crate `shapes` has `not(feature=\"fast\")`"]
    );
    let narrow = workspace.reached("narrow");
    assert_eq!(names(&narrow), ["app::weights::scale", "app::weights::weight", "deep::bottom", "shapes::offset"]);
    // A variable has the value that the crate was compiled with, whatever this one's is.
    let version = &workspace.reached("versioned").parts[1];
    assert_eq!(version.facts, [Fact::Variable("CARGO_PKG_VERSION".to_owned(), Some("0.1.0".to_owned()))]);
}

/// A file, what is replaced in it, by what, and the functions that then return something else.
type Edit = (&'static str, &'static str, &'static str, &'static [&'static str]);

const EDITS: [Edit; 20] = [
    ("app/src/weights.rs", "    0.5\n", "    0.75\n", &["root", "narrow"]),
    ("app/src/weights.rs", "x * scale()", "x / scale()", &["root", "narrow"]),
    ("app/src/hidden.rs", "x + 7.0", "x + 8.0", &["root"]),
    ("app/src/lib.rs", "    3.0\n", "    3.5\n", &["root"]),
    ("app/src/lib.rs", "factor() * $x", "factor() + $x + 0.1", &["root"]),
    ("app/src/lib.rs", "* 0.25", "* 0.5", &["root"]),
    ("app/src/lib.rs", "{ 4.0 }", "{ 5.0 }", &["root"]),
    ("shapes/src/circle.rs", "self.radius * 3.0", "self.radius * 3.25", &["root", "generic"]),
    ("shapes/src/lib.rs", "self.area() * 2.0", "self.area() * 4.0", &["root"]),
    ("shapes/src/lib.rs", "    2.5\n", "    2.75\n", &["root", "generic"]),
    ("shapes/src/lib.rs", "{ 1.0 } else { 2.0 }", "{ 1.0 } else { 2.25 }", &["root", "narrow"]),
    ("deep/src/lib.rs", "0.125", "0.25", &["root", "narrow"]),
    (
        "app/src/lib.rs",
        "    pub use crate::hidden::Kept;\n",
        "    pub use crate::hidden::Kept as Before;\n    pub struct Kept;\n    impl Kept {\n        pub fn apply(&self, x: f64) -> f64 {\n            x + 70.0\n        }\n    }\n",
        &["root"],
    ),
    ("shapes/Cargo.toml", "version = \"0.1.0\"", "version = \"0.10.0\"", &["versioned"]),
    // A function or a macro of the same name hides the first two.
    ("shapes/src/lib.rs", "        700.0\n", "        800.0\n", &["hidden"]),
    ("shapes/src/lib.rs", "    70.0\n", "    80.0\n", &["hidden"]),
    ("shapes/src/lib.rs", "$x / 2.0", "$x / 4.0", &["halved"]),
    // Nothing reaches these.
    ("app/src/lib.rs", "1000.0", "2000.0", &[]),
    ("app/src/hidden.rs", "77.0", "78.0", &[]),
    ("deep/src/lib.rs", "9.0", "10.0", &[]),
];

#[test]
fn an_edit_of_a_crate_by_path_changes_the_digest_of_what_reaches_it() {
    let workspace = Workspace::new(&FILES);
    let values = workspace.build(&[]);
    let digests = workspace.digests();
    let values: Vec<&str> = values.split_whitespace().collect();
    for (path, from, to, expected) in EDITS {
        workspace.edit(path, from, to);
        let after = workspace.build(&[]);
        let after: Vec<&str> = after.split_whitespace().collect();
        let told = workspace.digests();
        for (at, root) in ROOTS.iter().enumerate() {
            let is_other = values[at] != after[at];
            // A function that returns a text prints its length.
            assert_eq!(is_other, expected.contains(root), "`{from}` → `{to}`: {root} returns {}", after[at]);
            assert_eq!(told[at] != digests[at], is_other, "`{from}` → `{to}`: {root}");
        }
        workspace.edit(path, to, from);
    }
    // Everything is as before: neither an earlier build nor the time of an edit is part of a digest.
    workspace.build(&[]);
    assert!(workspace.digests() == digests);
}

#[test]
fn a_digest_depends_neither_on_folders_nor_on_profiles_nor_on_earlier_builds() {
    let [here, there] = [(); 2].map(|()| Workspace::new(&FILES));
    here.build(&[]);
    there.build(&["--release"]);
    assert!(here.digests() == there.digests());
    fs::remove_dir_all(here.path("target")).unwrap();
    here.build(&[]);
    there.build(&[]);
    assert!(here.digests() == there.digests());
}

#[test]
fn features_of_the_package_decide_in_its_library() {
    let workspace = Workspace::new(&FILES);
    workspace.build(&[]);
    let quiet = workspace.reached("root");
    let loud = workspace.reached_by(workspace.session(&["loud"]), "root");
    assert_ne!(quiet.digest, loud.digest);
    assert_eq!(told(&workspace.reached("narrow")).0, {
        let session = workspace.session(&["loud"]);
        workspace.reached_by(session, "narrow").digest
    });
}

#[test]
fn a_crate_whose_sources_are_those_of_the_next_build_is_unseen() {
    let workspace = Workspace::new(&FILES);
    workspace.build(&[]);
    let before = workspace.reached("narrow");
    workspace.edit("app/src/weights.rs", "0.5", "0.75");
    let after = workspace.reached("narrow");
    assert!(after.unseen.iter().any(|unseen| unseen.to_string() == "crate `app`"), "{:?}", after.unseen);
    assert_ne!(before.digest, after.digest);
    workspace.build(&[]);
    assert_eq!(names(&workspace.reached("narrow")), names(&before));
}

#[test]
fn a_name_that_only_a_manifest_explains_is_unseen() {
    let workspace = Workspace::new(&FILES);
    workspace.edit("app/src/main.rs", "app::weights::weight(3.0)", "forms::lost()");
    workspace.build(&[]);
    let narrow = workspace.reached("narrow");
    assert_eq!(names(&narrow), ["shapes::lost"]);
    assert_eq!(narrow.unseen.iter().map(ToString::to_string).collect::<Vec<_>>(), ["crate `named_otherwise`"]);
}

#[test]
fn crates_that_cargo_has_fetched_are_unseen() {
    let workspace = Workspace::new(&FILES);
    for mark in ["shapes/.cargo-ok", "shapes/.cargo-checksum.json"] {
        workspace.write(mark, "");
        workspace.build(&[]);
        let narrow = workspace.reached("narrow");
        assert_eq!(names(&narrow), ["app::weights::scale", "app::weights::weight"], "{mark}");
        let unseen: Vec<String> = narrow.unseen.iter().map(ToString::to_string).collect();
        assert_eq!(unseen, ["crate `forms`"], "{mark}");
        fs::remove_file(workspace.path(mark)).unwrap();
    }
    // A crate without a list of its sources, or with a damaged list, is unseen as well.
    let list = workspace.compiled("shapes").with_extension("d");
    let list = list.with_file_name(list.file_name().unwrap().to_str().unwrap().trim_start_matches("lib"));
    for text in ["", "nothing: \n", "\0\u{1}: \u{2}", "x: nowhere.rs\n"] {
        fs::write(&list, text).unwrap();
        assert!(
            workspace.reached("narrow").unseen.iter().any(|unseen| unseen.to_string() == "crate `forms`"),
            "{text}"
        );
    }
    fs::remove_file(list).unwrap();
    assert!(workspace.reached("narrow").unseen.iter().any(|unseen| unseen.to_string() == "crate `forms`"));
}

/// A package whose library is one of C, too, and that uses a crate of another folder, which has a build script.
const OUTSIDE: [(&str, &str); 9] = [
    (
        "here/Cargo.toml",
        "[package]\nname = \"user\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\nname = \"app\"\ncrate-type = [\"cdylib\", \"rlib\"]\n[[bin]]\nname = \"app\"\npath = \"app/src/main.rs\"\n[dependencies]\nforms = { path = \"../there\" }\n",
    ),
    (
        "here/src/lib.rs",
        "pub use forms;\n\npub fn own() -> usize {\n    forms::table().len()\n}\n\n#[cfg(test)]\npub fn only_in_tests() {}\n",
    ),
    (
        "here/app/src/main.rs",
        "mod same;\n\nfn root() -> usize {\n    app::own() + same::here() + app::forms::same::here() + forms::generated()\n}\n\nfn main() {\n    println!(\"{}\", root());\n}\n",
    ),
    ("here/app/src/same.rs", "pub fn here() -> usize {\n    1\n}\n"),
    (
        "there/Cargo.toml",
        "[package]\nname = \"forms\"\nversion = \"0.1.0\"\nedition = \"2021\"\nbuild = \"build.rs\"\n",
    ),
    (
        "there/build.rs",
        "fn main() {\n    println!(\"cargo:rerun-if-changed=build.rs\");\n    let out = std::env::var(\"OUT_DIR\").unwrap();\n    std::fs::write(format!(\"{out}/made.rs\"), \"pub fn generated() -> usize { 40 }\").unwrap();\n}\n",
    ),
    (
        "there/src/lib.rs",
        "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\npub mod same;\n\npub fn table() -> &'static str {\n    include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/data/table.txt\"))\n}\n",
    ),
    ("there/src/same.rs", "pub fn here() -> usize {\n    2\n}\n"),
    ("there/data/table.txt", "a table"),
];

#[test]
fn crates_of_other_folders_and_what_build_scripts_write_are_followed() {
    let workspace = Workspace::new(&OUTSIDE);
    let reached = || {
        let manifest = workspace.path("here/Cargo.toml");
        workspace.build(&["--manifest-path", manifest.to_str().unwrap()]);
        let forms = workspace.path("target/debug/deps/libapp.rlib");
        let arguments = ["rustc", "--crate-name", "app", "--edition=2021", "--test", "app/src/main.rs", "--extern"];
        let libraries =
            [format!("app={}", forms.display()), format!("forms={}", workspace.compiled("forms").display())];
        let libraries = [libraries[0].clone(), "--extern".to_owned(), libraries[1].clone()];
        let arguments = arguments.into_iter().map(str::to_owned).chain(libraries);
        let session = Session::from_arguments(arguments, &workspace.path("here"), None).unwrap();
        workspace.reached_in(session, "here/app/src/main.rs", "root")
    };
    let before = reached();
    assert_eq!(names(&before), ["app::own", "forms::generated", "forms::same::here", "forms::table", "same::here"]);
    assert_eq!(before.unseen, []);
    let facts: Vec<&Fact> = before.parts.iter().flat_map(|part| &part.facts).collect();
    assert_eq!(facts, [&Fact::Include(workspace.path("there").canonicalize().unwrap().join("data/table.txt"))]);
    for (path, from, to) in [
        ("there/src/same.rs", "2", "3"),
        ("here/app/src/same.rs", "1", "4"),
        ("there/build.rs", "40", "41"),
        ("here/src/lib.rs", ".len()", ".len() + 1"),
    ] {
        workspace.edit(path, from, to);
        assert_ne!(reached().digest, before.digest, "{path}");
        workspace.edit(path, to, from);
    }
    assert_eq!(reached().digest, before.digest);
}
