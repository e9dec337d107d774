//! Cached functions of a library that those of a program call: a warning where their code doesn't count there.

use std::fs;
use std::process::Command;

use super::crates::{Crate, rustc, with_ndcache};

const MAIN: &str = r#"
mod LIBRARY {
    pub fn hidden(x: u64) -> u64 {
        crate::HOOK.get().unwrap()(x)
    }
}

use ::LIBRARY::fir;

static HOOK: std::sync::OnceLock<fn(u64) -> u64> = std::sync::OnceLock::new();

#[ndcache::cache]
fn holds(x: u64) -> u64 {
    use ::LIBRARY::{Model as _, Ridge};
    let ridge = Ridge(x);
    ::LIBRARY::fir::window(x) + ::LIBRARY::with_name(x) + ::LIBRARY::of_body(x) + ridge.fit() + ridge.total() + near(x)
}

#[ndcache::cache]
fn near(x: u64) -> u64 {
    x
}

/// Holds a function of the name that is called, which isn't it.
#[ndcache::cache]
fn by_hook(x: u64) -> u64 {
    LIBRARY::hidden(x)
}

#[ndcache::cache(helpers = "named")]
fn by_name(x: u64) -> u64 {
    ::LIBRARY::fir::window(x)
}

#[ndcache::cache(helpers(without(fir::window)))]
fn without(x: u64) -> u64 {
    fir::window(x)
}

fn main() {
    let memory = ndcache::Memory::builder(std::env::args().nth(1).unwrap()).verbose(1).open().unwrap();
    HOOK.set(::LIBRARY::hidden).unwrap();
    memory.set_global().unwrap();
    println!("{}", holds(2) + by_hook(2) + by_name(2) + without(2));
}
"#;

const LIBRARY: &str = r#"
pub mod fir {
    #[ndcache::cache]
    pub fn window(x: u64) -> u64 {
        if cfg!(feature = "wide") { x } else { x + 1 }
    }
}

#[ndcache::cache]
pub fn hidden(x: u64) -> u64 {
    x
}

#[ndcache::cache(name = "a name")]
pub fn with_name(x: u64) -> u64 {
    x
}

#[ndcache::cache(code = "body")]
pub fn of_body(x: u64) -> u64 {
    x
}

#[derive(ndcache::ContentHash)]
pub struct Ridge(pub u64);

impl Ridge {
    #[ndcache::cache]
    pub fn total(&self) -> u64 {
        self.0
    }
}

pub trait Model {
    fn fit(&self) -> u64;
}

#[ndcache::cache]
impl Model for Ridge {
    #[ndcache::cache]
    fn fit(&self) -> u64 {
        self.0
    }
}
"#;

/// What a program of the package `package` says that uses the library `library` of the package `of`.
fn warnings(library: &str, of: &str) -> Vec<String> {
    let manifest = format!("[package]\nname = \"{of}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    let files =
        [("main.rs", &*MAIN.replace("LIBRARY", library)), ("dsp/Cargo.toml", &manifest), ("dsp/src/lib.rs", LIBRARY)];
    let krate = Crate::of(&files);
    let (out, root) = (krate.path("deps").display().to_string(), krate.path("dsp/src/lib.rs"));
    fs::create_dir_all(&out).unwrap();
    let of_package = |compiler: &mut Command, name: &str| {
        compiler.env("CARGO_PKG_NAME", name).env("CARGO_PKG_VERSION", "0.1.0");
    };
    let mut compiler = rustc();
    of_package(&mut compiler, of);
    compiler.args(["--edition=2024", "--crate-type=lib", "--emit=dep-info,metadata,link", "-Cmetadata=library"]);
    compiler.arg(format!("--crate-name={library}")).args(["-Cextra-filename=-0123456789abcdef", "--out-dir", &out]);
    krate.compile(compiler.arg(root).args(with_ndcache()));
    let mut compiler = rustc();
    of_package(&mut compiler, "app");
    compiler.env("CARGO_BIN_NAME", "app").args(krate.arguments("main.rs"));
    krate.compile(compiler.arg(format!("--extern={library}={out}/lib{library}-0123456789abcdef.rlib")));
    let (printed, said) = krate.said();
    assert_eq!(printed, ["21"]);
    said.into_iter().filter(|line| line.contains("warning")).collect()
}

#[test]
fn a_cached_function_of_a_library_is_warned_of_where_it_does_not_count() {
    for (library, of) in [("dsp", "dsp"), ("app", "app")] {
        let unnamed = |outer: &str, inner: &str| {
            format!("ndcache: warning: app::{outer} calls {library}::{inner}, and doesn't name it in `depends(…)`")
        };
        let expected =
            [unnamed("by_hook", "hidden"), unnamed("by_name", "fir::window"), unnamed("without", "fir::window")];
        assert_eq!(warnings(library, of), expected);
    }
}
