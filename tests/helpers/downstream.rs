//! Functions of a library that are called with types of a program which is compiled after it.

use std::collections::BTreeSet;
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

/// Says by itself how it is hashed.
pub trait Known: Model {
    fn id(&self) -> u64;
}

impl ContentHash for dyn Known + '_ {
    fn content_hash(&self, hasher: &mut ndcache::hash::ContentHasher) {
        hasher.u64(self.id());
    }
}

#[ndcache::cache]
pub fn known(model: &dyn Known, x: f64) -> f64 {
    model.predict(x)
}

#[ndcache::cache(ignore(model))]
pub fn ignored(model: &(dyn Behind + Sync), x: f64) -> f64 {
    model.predict(x)
}

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

impl algo::Known for Ridge {
    fn id(&self) -> u64 {
        1
    }
}

/// A generic type beside a trait that the library has never heard of.
#[derive(ContentHash)]
struct Twice<T>(T);

trait Local {
    fn local(&self) -> f64;
}

#[derive(ContentHash)]
struct Inner;

impl Local for Inner {
    fn local(&self) -> f64 {
        50.0
    }
}

impl<T: Local> Model for Twice<T> {
    fn predict(&self, x: f64) -> f64 {
        2.0 * (x + self.0.local())
    }
}

macro_rules! made {
    ($($item:item)*) => {
        $($item)*
    };
}

made! {
    #[derive(ContentHash)]
    struct Made;
}

impl Model for Made {
    fn predict(&self, x: f64) -> f64 {
        x + 70.0
    }
}

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

impl Behind for Plain {}

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
        "generic" algo::fit::call(Twice(Inner), 2.0);
        "made" algo::fit::call(Made, 2.0);
        "known" algo::known::call(&ridge(), 2.0);
        "ignored" algo::ignored::call(&ridge(), 2.0);
        "plain behind" algo::behind::call(&Plain, 2.0);
        "plain" algo::fit::call(Plain, 2.0);
        "plain by name" algo::by_name::call::<Plain>(2.0);
    }
}
"#;

const RENAMED: &str = r#"
/// Its `impl` stands for another name.
#[derive(ContentHash)]
struct Renamed;

const _: () = {
    type Other = Renamed;
    impl Model for Other {
        fn predict(&self, x: f64) -> f64 {
            x + 60.0
        }
    }
};
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
        let krate = Crate::of(&[("algo/src/main.rs", MAIN), ("algo/Cargo.toml", MANIFEST), ("algo/src/lib.rs", ALGO)]);
        Program { krate, is_followed }
    }

    /// Compiles both and runs the program. Where sources are at hand, as Cargo does for a package with `lib.rs` and `main.rs`:
    /// both crates have its name.
    fn run(&self) -> Told {
        let (krate, out) = (&self.krate, self.krate.path("deps").display().to_string());
        fs::create_dir_all(&out).unwrap();
        let (own, mut arguments): (Vec<String>, Vec<String>) = krate
            .arguments("algo/src/main.rs")
            .into_iter()
            .partition(|it| !it.starts_with("-L") && !it.starts_with("--extern"));
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

/// Calls whose types are given by a name alone, or don't derive `ContentHash`, or are made by a macro, or hidden.
const BY_BUILD: [&str; 7] = ["by name", "made", "known", "ignored", "plain behind", "plain", "plain by name"];

/// Calls that see `Ridge`, `Part` and what they reach.
const OF_RIDGE: [&str; 6] = ["fit", "hidden", "behind", "method", "pipeline", "around"];

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
    assert!(computed(&program.run()).len() > BY_BUILD.len() + OF_RIDGE.len());
    // Types without the derive count by the build, in which nothing changes here.
    assert_eq!(computed(&program.run()), [""; 0]);

    let krate = if is_followed { "algo" } else { "app" };
    let ridge = format!("code of `{krate}::Ridge` changed");
    let mut check = |from: &str, to: &str, by_code: &[&str]| {
        let told = edited(&mut program, "algo/src/main.rs", from, to);
        let expected: BTreeSet<&str> = BY_BUILD.iter().chain(by_code).copied().collect();
        let computed: BTreeSet<&str> = computed(&told).into_iter().collect();
        // Whose text is at hand, a `dyn Known` of the library brings each type that may stand behind it.
        assert!(computed == expected || is_followed && computed.is_superset(&expected), "{from} → {to}: {computed:?}");
        assert!(!computed.contains("own"));
        if by_code.contains(&"fit") {
            assert!(says(&told, "fit").ends_with(&ridge), "{told:?}");
        }
        assert_eq!(says(&told, "plain"), "code of the program changed");
    };
    check("x + 1.0", "x + 2.0", &OF_RIDGE);
    check("        2.0\n", "        4.0\n", &OF_RIDGE);
    check("        50.0\n", "        51.0\n", &["generic"]);
    check("x + 70.0", "x + 71.0", &[]);
    check("x + 20.0", "x + 30.0", &[]);
    // No trait asks for it.
    check("        7.0\n", "        8.0\n", &[]);

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

#[test]
fn an_impl_under_another_name_counts_with_its_type() {
    for is_followed in [false, true] {
        let mut program = Program::new(is_followed);
        let main = "algo/src/main.rs";
        program.krate.edit(
            main,
            "    report! {\n",
            "    report! {\n        \"renamed\" algo::fit::call(Renamed, 2.0);\n",
        );
        program.krate.edit(main, "fn main()", &format!("{RENAMED}\nfn main()"));
        program.run();
        let told = edited(&mut program, main, "x + 60.0", "x + 61.0");
        assert!(computed(&told).contains(&"renamed"), "{told:?}");
    }
}
