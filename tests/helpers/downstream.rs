//! Functions of a library that are called with types of a program which is compiled after it.

use std::fs;

use super::crates::{Crate, rustc};

const ALGO: &str = r#"
use ndcache::ContentHash;

pub trait Model {
    fn predict(&self, x: f64) -> f64;
}

pub trait Scale {
    fn scale(&self) -> f64 {
        1.0
    }
}

#[derive(ContentHash)]
pub struct Mean;

impl Model for Mean {
    fn predict(&self, x: f64) -> f64 {
        x
    }
}

#[ndcache::cache]
pub fn fit<M: Model + ContentHash>(model: M, x: f64) -> f64 {
    model.predict(x)
}

#[ndcache::cache]
pub fn hidden(model: impl Model + ContentHash, x: f64) -> f64 {
    model.predict(x)
}

#[ndcache::cache]
pub fn behind(model: &(dyn Behind + Sync), x: f64) -> f64 {
    model.predict(x)
}

pub trait Behind: Model + ContentHash {}

#[ndcache::cache]
pub fn by_name<S: Scale>(x: f64) -> f64 where S: Default {
    S::default().scale() * x
}

#[derive(ContentHash)]
pub struct Runner<L> {
    pub loss: L,
    pub rate: f64,
}

impl<L: Model + ContentHash> Runner<L> {
    #[ndcache::cache]
    pub fn run(&self, x: f64) -> f64 {
        self.loss.predict(x) * self.rate
    }
}

/// The trait stands in a type, and no signature tells of it.
#[derive(ContentHash)]
pub struct Pipeline {
    pub steps: Vec<Box<dyn Behind + Sync>>,
}

#[ndcache::cache]
pub fn piped(pipeline: &Pipeline, x: f64) -> f64 {
    pipeline.steps.iter().fold(x, |x, step| step.predict(x))
}
"#;

const MAIN: &str = r#"
use algo::{Behind, Mean, Model, Pipeline, Runner, Scale};
use ndcache::ContentHash;

#[derive(ContentHash)]
struct Ridge {
    part: Part,
}

#[derive(ContentHash, Default)]
struct Part {
    alpha: f64,
}

impl Scale for Part {
    fn scale(&self) -> f64 {
        2.0
    }
}

impl Model for Ridge {
    fn predict(&self, x: f64) -> f64 {
        shifted(x) * self.part.scale() + self.part.alpha
    }
}

impl Behind for Ridge {}

fn shifted(x: f64) -> f64 {
    x + 1.0
}

/// Is called by nobody in the library.
impl Ridge {
    fn unrelated(&self) -> f64 {
        7.0
    }
}

/// Has no derive.
#[derive(Default)]
struct Plain;

impl ContentHash for Plain {
    fn content_hash(&self, hasher: &mut ndcache::hash::ContentHasher) {
        hasher.unit();
    }
}

impl Model for Plain {
    fn predict(&self, x: f64) -> f64 {
        x + 20.0
    }
}

impl Scale for Plain {}

#[ndcache::cache]
fn around(x: f64) -> f64 {
    algo::fit(ridge(), x)
}

fn ridge() -> Ridge {
    Ridge { part: Part { alpha: 0.5 } }
}

fn main() {
    let memory = ndcache::Memory::open(std::env::args().nth(1).unwrap()).unwrap();
    memory.set_global().unwrap();
    macro_rules! report {
        ($($name:literal $call:expr;)*) => {$(
            println!("{}: {}", $name, memory.explain(&$call));
            println!("{}", memory.eval($call));
        )*};
    }
    std::hint::black_box(ridge().unrelated());
    let pipeline = Pipeline { steps: vec![Box::new(ridge())] };
    report! {
        "fit" algo::fit::call(ridge(), 2.0);
        "own" algo::fit::call(Mean, 2.0);
        "hidden" algo::hidden::call(ridge(), 2.0);
        "behind" algo::behind::call(&ridge(), 2.0);
        "by name" algo::by_name::call::<Part>(2.0);
        "method" Runner { loss: ridge(), rate: 3.0 }.run_call(2.0);
        "pipeline" algo::piped::call(&pipeline, 2.0);
        "around" around::call(2.0);
        "plain" algo::fit::call(Plain, 2.0);
        "plain by name" algo::by_name::call::<Plain>(2.0);
    }
}
"#;

const MANIFEST: &str = "[package]\nname = \"algo\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";

/// What each call says, and its result.
type Told = Vec<(String, String)>;

struct Program {
    krate: Crate,
    /// Whether the library's sources are at hand where the program is compiled.
    is_followed: bool,
}

impl Program {
    fn new(is_followed: bool) -> Program {
        let krate = Crate::of(&[("main.rs", MAIN), ("algo/Cargo.toml", MANIFEST), ("algo/src/lib.rs", ALGO)]);
        Program { krate, is_followed }
    }

    /// Compiles both and runs the program. Where sources are at hand, as Cargo does for a package with `lib.rs` and `main.rs`:
    /// both crates have its name.
    fn run(&self) -> Told {
        let (krate, out) = (&self.krate, self.krate.path("deps").display().to_string());
        fs::create_dir_all(&out).unwrap();
        let (own, mut arguments): (Vec<String>, Vec<String>) =
            krate.arguments("main.rs").into_iter().partition(|it| !it.starts_with("-L") && !it.starts_with("--extern"));
        let emit = if self.is_followed { "--emit=dep-info,metadata,link" } else { "--emit=metadata,link" };
        let (mut library, mut program) = (rustc(), rustc());
        library.args(["--crate-name=algo", "--edition=2021", "--crate-type=lib", emit, "--out-dir", &out]);
        library.arg("-Cextra-filename=-0123456789abcdef").args(&arguments).arg(krate.path("algo/src/lib.rs"));
        arguments.push(format!("--extern=algo={out}/libalgo-0123456789abcdef.rlib"));
        let name = if self.is_followed { "algo" } else { "app" };
        program
            .args(own.iter().map(|it| it.replace("--crate-name=app", &format!("--crate-name={name}"))))
            .args(arguments);
        if self.is_followed {
            for compiler in [&mut library, &mut program] {
                compiler.envs([("CARGO_PKG_NAME", "algo"), ("CARGO_PKG_VERSION", "0.1.0")]);
            }
            program.env("CARGO_BIN_NAME", "algo");
        }
        krate.compile(&mut library);
        krate.compile(&mut program);
        pairs(krate.execute())
    }
}

fn pairs(printed: Vec<String>) -> Told {
    printed.chunks(2).map(|lines| (lines[0].clone(), lines[1].clone())).collect()
}

/// The names of the calls that had to be computed.
fn computed(told: &Told) -> Vec<&str> {
    let missed = told.iter().filter(|(explained, _)| !explained.ends_with(": hit"));
    missed.map(|(explained, _)| explained.split(':').next().unwrap()).collect()
}

/// Calls whose types are given by a name alone, or don't derive `ContentHash`.
const BY_BUILD: [&str; 3] = ["by name", "plain", "plain by name"];

const ALL_BUT_OWN: [&str; 9] =
    ["fit", "hidden", "behind", "by name", "method", "pipeline", "around", "plain", "plain by name"];

/// Edits a file and compares with what the program computes in a folder of its own.
fn edited(program: &mut Program, file: &str, from: &str, to: &str) -> Told {
    program.krate.edit(file, from, to);
    let told = program.run();
    let cache = std::mem::replace(&mut program.krate.cache, tempfile::tempdir().unwrap());
    let fresh = pairs(program.krate.execute());
    program.krate.cache = cache;
    let results = |told: &Told| told.iter().map(|(_, result)| result.clone()).collect::<Vec<_>>();
    assert_eq!(results(&told), results(&fresh), "{from} → {to}: {told:#?}");
    told
}

fn says<'a>(told: &'a Told, name: &str) -> &'a str {
    told.iter().find_map(|(explained, _)| explained.strip_prefix(name)?.strip_prefix(": ")).unwrap()
}

fn what_a_type_of_the_program_does_counts(is_followed: bool) {
    let mut program = Program::new(is_followed);
    assert_eq!(computed(&program.run()).len(), 10);
    // Types without the derive count by the build, in which nothing changes here.
    assert_eq!(computed(&program.run()), [""; 0]);

    let told = edited(&mut program, "main.rs", "x + 1.0", "x + 2.0");
    assert_eq!(computed(&told), ALL_BUT_OWN);
    let krate = if is_followed { "algo" } else { "app" };
    assert_eq!(says(&told, "fit"), format!("code of `{krate}::Ridge` changed"));
    let told = edited(&mut program, "main.rs", "        2.0\n", "        4.0\n");
    assert_eq!(computed(&told), ALL_BUT_OWN);

    let told = edited(&mut program, "main.rs", "        7.0\n", "        8.0\n");
    assert_eq!(computed(&told), BY_BUILD, "no trait asks for it");
    let told = edited(&mut program, "main.rs", "x + 20.0", "x + 30.0");
    assert_eq!(computed(&told), BY_BUILD);
    assert_eq!(says(&told, "plain"), "code of the program changed");

    // The default of a trait of the library is the function's own code.
    let told = edited(&mut program, "algo/src/lib.rs", "        1.0\n", "        1.5\n");
    assert!(computed(&told).contains(&"by name"));
}

#[test]
fn what_a_type_of_the_program_does_counts_in_a_library() {
    what_a_type_of_the_program_does_counts(false);
}

#[test]
fn what_a_type_of_the_program_does_counts_in_a_library_whose_sources_are_at_hand() {
    what_a_type_of_the_program_does_counts(true);
}
