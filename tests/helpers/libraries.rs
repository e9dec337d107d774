//! A program whose function uses a library that is compiled beside it.

use std::fs;
use std::time::{Duration, SystemTime};

use super::crates::{Crate, rustc};

const MAIN: &str = r#"
#[ndcache::cache]
fn smooth(x: u64) -> u64 {
    dsp::window(x) + 1
}

#[ndcache::cache]
fn placed() -> u64 {
    dsp::place().len() as u64
}

fn main() {
    let memory = ndcache::Memory::open(std::env::args().nth(1).unwrap()).unwrap();
    println!("{}", memory.explain(&smooth::call(2)));
    println!("{}", memory.explain(&placed::call()));
    memory.eval(smooth::call(2));
    memory.eval(placed::call());
    for part in smooth::function().parts() {
        println!("{} in {}", part.name, part.file.unwrap_or_default());
    }
    for unseen in smooth::function().unseen() {
        println!("unseen: {unseen}");
    }
}
"#;

const DSP: &str = r#"
pub fn window(x: u64) -> u64 {
    taps(x) + 1 + if cfg!(feature = "wide") { 1 } else { 0 }
}

fn taps(x: u64) -> u64 {
    x * 2
}

pub fn place() -> &'static str {
    concat!(env!("PLACE"), module_path!())
}

pub fn unrelated() -> u64 {
    3
}
"#;

const MANIFEST: &str = "[package]\nname = \"dsp\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";

const PARTS: [&str; 4] = [
    "smooth in main.rs",
    "dsp::window in dsp/src/lib.rs",
    "dsp::taps in dsp/src/lib.rs",
    "unseen: whether crate `dsp` has `feature=\"wide\"`",
];

struct Program(Crate);

impl Program {
    fn new() -> Program {
        let files = [("main.rs", MAIN), ("dsp/Cargo.toml", MANIFEST), ("dsp/src/lib.rs", DSP)];
        Program(Crate::of(&files))
    }

    /// Compiles the library, then the program: whether each call hits, and what counts.
    fn run(&self, options: &[&str]) -> Vec<String> {
        let krate = &self.0;
        let (out, root) = (krate.path("deps").display().to_string(), krate.path("dsp/src/lib.rs"));
        fs::create_dir_all(&out).unwrap();
        let mut library = rustc();
        library.args(["--crate-name=dsp", "--edition=2021", "--crate-type=lib", "--emit=dep-info,metadata,link"]);
        library.args(["-Cextra-filename=-0123456789abcdef", "--out-dir", &out]).arg(root).env("PLACE", "a place");
        krate.compile(library.args(options));
        let library = format!("--extern=dsp={out}/libdsp-0123456789abcdef.rlib");
        krate.run(&[&library, options.first().copied().unwrap_or("-Cdebuginfo=0")])
    }
}

#[test]
fn a_changed_helper_in_a_library_is_no_stale_hit() {
    let program = Program::new();
    let hits = |found: &[String]| found[..2].iter().map(|told| told == "hit").collect::<Vec<_>>();
    let first = program.run(&[]);
    assert_eq!(hits(&first), [false; 2], "{first:?}");
    assert_eq!(first[2..], PARTS);
    let second = program.run(&["-Copt-level=2"]);
    assert_eq!(hits(&second), [true; 2], "{second:?}");
    program.0.edit("dsp/src/lib.rs", "    3\n", "    4\n");
    assert_eq!(hits(&program.run(&[])), [true; 2]);
    program.0.edit("dsp/src/lib.rs", "x * 2", "x * 5");
    assert_eq!(program.run(&[])[..2], ["code of `dsp::taps` changed", "hit"]);
    program.0.edit("dsp/src/lib.rs", "env!(\"PLACE\"), ", "env!(\"PLACE\"), 1, ");
    assert_eq!(hits(&program.run(&[])), [true, false]);
}

#[test]
fn a_library_in_another_folder_has_the_same_keys() {
    let first = Program::new();
    first.run(&[]);
    let second = Program(Crate { folder: Program::new().0.folder, cache: first.0.cache });
    assert_eq!(second.run(&[])[..2], ["hit"; 2]);
}

#[test]
fn a_library_whose_sources_are_newer_than_it_is_unseen() {
    let program = Program::new();
    program.run(&[]);
    // As an edit between the compilation of the library and that of the program: the key is one of its own.
    let root = fs::File::options().append(true).open(program.0.path("dsp/src/lib.rs")).unwrap();
    root.set_modified(SystemTime::now() + Duration::from_secs(60)).unwrap();
    let told = program.run(&[]);
    assert_ne!(told[0], "hit");
    assert_eq!(told[2..], ["smooth in main.rs", "unseen: crate `dsp`"]);
}
