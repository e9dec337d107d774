//! Helpers that `#[cache]` finds by itself, in a crate that is edited and compiled again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ndcache::cache;
use tempfile::TempDir;

const MAIN: &str = r#"
mod dsp;
mod shapes;

#[ndcache::cache]
fn smooth(x: u64) -> u64 {
    dsp::window(x) + 1
}

/// Reaches an enum, and through it all that names it.
#[ndcache::cache(helpers(without(shapes::Fault)))]
fn cut(x: u64) -> u64 {
    shapes::checked(x).unwrap_or(0)
}

#[ndcache::cache(helpers = "named")]
fn named(x: u64) -> u64 {
    dsp::window(x) + 2
}

#[allow(dead_code)]
fn unrelated() -> u64 {
    3
}

fn main() {
    let memory = ndcache::Memory::open(std::env::args().nth(1).unwrap()).unwrap();
    println!("smooth: {}", memory.explain(&smooth::call(2)));
    println!("cut: {}", memory.explain(&cut::call(2)));
    println!("named: {}", memory.explain(&named::call(2)));
    memory.eval(smooth::call(2));
    memory.eval(cut::call(2));
    memory.eval(named::call(2));
    for part in smooth::function().parts() {
        println!("part: {} in {}, {}", part.name, part.file.unwrap(), part.why);
    }
    for unseen in named::function().unseen() {
        println!("unseen: {unseen}");
    }
}
"#;

const DSP: &str = r#"
use core::convert::identity as last;

pub fn window(x: u64) -> u64 {
    last(taps(x)) + include_str!("table.txt").len() as u64
}

pub fn taps(x: u64) -> u64 {
    if cfg!(debug_assertions) == cfg!(debug_assertions) { x * 2 } else { 0 }
}
"#;

const SHAPES: &str = r#"
pub enum Fault {
    Odd,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("odd")
    }
}

pub fn checked(x: u64) -> Result<u64, Fault> {
    if x % 2 == 0 { Ok(x) } else { Err(Fault::Odd) }
}
"#;

/// A crate and the cache that its versions share.
struct Crate {
    folder: TempDir,
    cache: TempDir,
}

impl Crate {
    fn new() -> Self {
        let new = Self { folder: tempfile::tempdir().unwrap(), cache: tempfile::tempdir().unwrap() };
        new.write("main.rs", MAIN);
        new.write("dsp.rs", DSP);
        new.write("shapes.rs", SHAPES);
        new.write("table.txt", "1 2 3");
        new
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.folder.path().join(name)).unwrap();
        assert!(text.contains(from), "{from}");
        self.write(name, &text.replace(from, to));
    }

    /// Compiles the crate and runs it: what it prints.
    fn run(&self, options: &[&str]) -> Vec<String> {
        let program = self.folder.path().join("program");
        let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition=2024", "--crate-name=app", "--crate-type=bin", "-Adead_code"]).args(options);
        rustc.arg(self.folder.path().join("main.rs")).arg("-o").arg(&program).arg("-L").arg(&deps);
        rustc.arg(format!("--extern=ndcache={}", library(&deps).display()));
        // As in any folder, and by no package.
        rustc.current_dir("/").env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_PKG_NAME").env_remove("OUT_DIR");
        let compiled = rustc.output().unwrap();
        let told = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success() && told.is_empty(), "{told}");
        let ran = Command::new(program).arg(self.cache.path()).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// What is said of the calls of `smooth`, `cut` and `named`.
    #[track_caller]
    fn assert_told(&self, options: &[&str], smooth: &str, cut: &str, named: &str) {
        let told = self.run(options);
        assert_eq!(told[..3], [format!("smooth: {smooth}"), format!("cut: {cut}"), format!("named: {named}")]);
    }
}

/// The library that this program was built with: the youngest.
fn library(deps: &Path) -> PathBuf {
    let files = fs::read_dir(deps).unwrap().map(|file| file.unwrap().path());
    let is_library = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("libndcache-") && name.ends_with(".rlib")
    };
    files.filter(is_library).max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).expect("a library")
}

#[test]
fn helpers_are_found_and_told_with_the_reason() {
    let told = Crate::new().run(&[]);
    assert_eq!(told[..3], ["smooth: new function", "cut: new function", "named: new function"]);
    let expected = [
        "part: smooth in main.rs, the function itself",
        "part: dsp::window in dsp.rs, named by `smooth`",
        "part: dsp::taps in dsp.rs, named by `dsp::window`",
        "unseen: helpers that `depends(…)` doesn't name",
    ];
    assert_eq!(told[3..], expected);
}

#[test]
fn an_edited_helper_is_a_miss_that_names_it() {
    let edited = Crate::new();
    edited.run(&[]);
    edited.edit("dsp.rs", "x * 2", "x * 3");
    edited.assert_told(&[], "code of `dsp::taps` changed", "hit", "hit");
    edited.edit("table.txt", "1 2 3", "1 2 3 4");
    edited.assert_told(&[], "`include(table.txt)` of `dsp::window` changed", "hit", "hit");
    // The same tokens, and another function behind them.
    edited.edit("dsp.rs", "core::convert::identity as last", "crate::last");
    edited.edit("main.rs", "fn main()", "fn last(x: u64) -> u64 {\n    x\n}\n\nfn main()");
    edited.assert_told(&[], "`last` is new in the helpers", "hit", "hit");
}

#[test]
fn what_changes_nothing_is_a_hit_in_another_folder_and_build() {
    let first = Crate::new();
    first.run(&[]);
    let second = Crate { folder: Crate::new().folder, cache: first.cache };
    second.edit("main.rs", "    3\n", "    4\n");
    second.edit("dsp.rs", "pub fn taps", "/// Docs.\n// Comments.\n#[allow(unused)]\npub(crate) fn taps");
    second.edit("dsp.rs", "{ x * 2 }", "{\n        x\n            * 2\n    }");
    second.assert_told(&[], "hit", "hit", "hit");
    // To another module.
    second.edit("dsp.rs", "/// Docs.", "pub(crate) use fir::taps;\nmod fir {\n/// Docs.");
    second.write("dsp.rs", &(fs::read_to_string(second.folder.path().join("dsp.rs")).unwrap() + "}\n"));
    second.edit("shapes.rs", "\"odd\"", "\"not even\"");
    second.assert_told(&["-Copt-level=1", "-Cdebug-assertions=yes"], "hit", "hit", "hit");
    // A `cfg` that a helper asks for.
    let told = second.run(&["-Cdebug-assertions=no"]);
    assert!(told[0].starts_with("smooth: `cfg(debug_assertions)` of `dsp::fir::taps` true → false"), "{told:?}");
    assert_eq!(told[1..3], ["cut: hit", "named: hit"]);
}

#[cache]
fn outer() -> u64 {
    inner()
}

#[cache]
fn inner() -> u64 {
    offset::OFFSET
}

mod offset {
    pub(super) const OFFSET: u64 = 5;
}

#[test]
fn parts_are_those_of_the_package() {
    let parts = outer::function().parts();
    let named = |name: &str| parts.iter().find(|part| part.name == name).unwrap_or_else(|| panic!("{name}: {parts:?}"));
    assert_eq!(parts[0].why, "the function itself");
    assert_eq!(parts[0].file.as_deref(), Some("tests/helpers.rs"));
    assert_eq!(named("helpers::inner").why, "named by `helpers::outer`");
    assert_eq!(named("helpers::offset::OFFSET").why, "named by `helpers::inner`");
    assert_eq!(outer(), 5);
}
