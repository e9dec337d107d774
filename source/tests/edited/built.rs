//! Edits of a crate that is built and run: whatever changes what a function returns changes its digest.

use std::process::Command;

use ndcache_source::{Fact, Position, Resolver};

use crate::crates::Crate;

const FILES: [(&str, &str); 4] = [
    (
        "main.rs",
        r#"mod shapes;
mod math;
mod data;
use math::first as chosen;
use shapes::{Area, Circle, Scale as _, Square, make};

fn areas() -> f64 {
    let shapes: Vec<Box<dyn Area>> = vec![Box::new(Circle::new(2.0)), Box::new(Square { side: 3.0 })];
    shapes.iter().map(|shape| shape.area()).sum::<f64>() + chosen(1.0)
}

fn scaled() -> f64 {
    let (left, right) = (make(), make());
    (left + right).side.scaled() + math::weight::<2>() as f64
}

fn listed() -> f64 {
    let total: f64 = data::Table::load().into_iter().map(|x| x * data::FACTOR).sum();
    total + format!("{}", data::Label("ab")).len() as f64 + data::TEXT.len() as f64
}

fn fallible() -> f64 {
    data::parsed("12").unwrap_or(-1.0) + data::parsed("x").map_or_else(|error| error.code(), |x| x)
}

fn made() -> f64 {
    math::square!(3.0) + math::triple(2.0) + math::by_feature() + data::Counter::default().next().unwrap_or(0.0)
}

fn main() {
    for (name, value) in
        [("areas", areas()), ("scaled", scaled()), ("listed", listed()), ("fallible", fallible()), ("made", made())]
    {
        println!("{name} {value}");
    }
}
"#,
    ),
    (
        "shapes.rs",
        r#"use std::f64::consts::PI;
use std::ops::Add;

pub trait Area {
    fn area(&self) -> f64 {
        self.half() * 2.0
    }
    fn half(&self) -> f64 {
        0.5
    }
}

pub struct Circle {
    radius: f64,
}

impl Circle {
    pub fn new(radius: f64) -> Circle {
        Circle { radius }
    }
}

impl Area for Circle {
    fn area(&self) -> f64 {
        PI * self.radius * self.radius
    }
}

pub struct Square {
    pub side: f64,
}

impl Area for Square {
    fn half(&self) -> f64 {
        self.side * self.side / 2.0
    }
}

impl Add for Square {
    type Output = Square;
    fn add(self, other: Square) -> Square {
        Square { side: self.side + other.side }
    }
}

pub trait Scale {
    fn scaled(&self) -> f64;
}

impl Scale for f64 {
    fn scaled(&self) -> f64 {
        self * 10.0
    }
}

pub trait OtherScale {
    fn scaled(&self) -> f64;
}

impl OtherScale for f64 {
    fn scaled(&self) -> f64 {
        self * 100.0
    }
}

pub fn make() -> Square {
    Square { side: 1.5 }
}
"#,
    ),
    (
        "math.rs",
        r#"pub fn first(x: f64) -> f64 {
    x + 1.0
}

pub fn second(x: f64) -> f64 {
    x + 2.0
}

pub fn weight<const N: usize>() -> usize {
    N * BASE
}

const BASE: usize = if cfg!(unix) { 4 } else { 5 };

macro_rules! square {
    ($x:expr) => {
        $crate::math::times($x, $x)
    };
}
pub(crate) use square;

pub fn times(x: f64, y: f64) -> f64 {
    x * y
}

macro_rules! multiple {
    ($name:ident, $factor:expr) => {
        pub fn $name(x: f64) -> f64 {
            x * $factor
        }
    };
}

multiple!(triple, 3.0);
multiple!(fourfold, 4.0);

#[cfg(not(feature = "fast"))]
pub fn by_feature() -> f64 {
    7.0
}

#[cfg(feature = "fast")]
pub fn by_feature() -> f64 {
    8.0
}
"#,
    ),
    (
        "data.rs",
        r#"pub const FACTOR: f64 = 2.0;
pub static TEXT: &str = include_str!("text.txt");

pub struct Table(Vec<f64>);

impl Table {
    pub fn load() -> Table {
        Table(vec![1.0, 2.0, 3.0])
    }
}

impl IntoIterator for Table {
    type Item = f64;
    type IntoIter = std::vec::IntoIter<f64>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

pub struct Label(pub &'static str);

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

pub enum Fault {
    Digit,
    Empty,
}

impl Fault {
    pub fn code(&self) -> f64 {
        match self {
            Fault::Digit => 100.0,
            Fault::Empty => 200.0,
        }
    }
}

impl From<std::num::ParseFloatError> for Fault {
    fn from(_: std::num::ParseFloatError) -> Fault {
        Fault::Digit
    }
}

pub fn parsed(text: &str) -> Result<f64, Fault> {
    if text.is_empty() {
        return Err(Fault::Empty);
    }
    Ok(text.parse::<f64>()?)
}

#[derive(Default)]
pub struct Counter {
    at: u8,
}

impl Iterator for Counter {
    type Item = f64;
    fn next(&mut self) -> Option<f64> {
        self.at += 1;
        Some(f64::from(self.at))
    }
}
"#,
    ),
];

const ROOTS: [&str; 5] = ["areas", "scaled", "listed", "fallible", "made"];

/// A text, what replaces it, and the functions that then return something else.
type Edit = (&'static str, &'static str, &'static [&'static str]);

const EDITS: [Edit; 36] = [
    // Functions, methods, constants.
    ("    x + 1.0\n", "    x + 1.5\n", &["areas"]),
    ("Circle { radius }", "Circle { radius: radius + 1.0 }", &["areas"]),
    ("PI * self.radius", "3.0 * self.radius", &["areas"]),
    ("self.side * self.side / 2.0", "self.side / 2.0", &["areas"]),
    ("self.half() * 2.0", "self.half() * 3.0", &["areas"]),
    ("side: 1.5", "side: 2.5", &["scaled"]),
    ("self * 10.0", "self * 20.0", &["scaled"]),
    ("N * BASE", "N + BASE + 1", &["scaled"]),
    ("{ 4 } else { 5 }", "{ 6 } else { 5 }", &["scaled"]),
    ("FACTOR: f64 = 2.0", "FACTOR: f64 = 3.0", &["listed"]),
    ("vec![1.0, 2.0, 3.0]", "vec![1.0, 2.0]", &["listed"]),
    ("=> 100.0", "=> 101.0", &["fallible"]),
    ("text.is_empty()", "!text.is_empty()", &["fallible"]),
    ("    x * y\n", "    x * y * y\n", &["made"]),
    ("Some(f64::from(self.at))", "Some(f64::from(self.at) * 5.0)", &["made"]),
    // `impl`s: operators, conversions, iteration, formats, provided methods that are overridden, or no longer.
    ("self.side + other.side", "self.side * other.side * 4.0", &["scaled"]),
    ("        Fault::Digit\n", "        Fault::Empty\n", &["fallible"]),
    ("self.0.into_iter()", "self.0.into_iter().rev().skip(1).collect::<Vec<f64>>().into_iter()", &["listed"]),
    ("\"<{}>\"", "\"<<{}>>\"", &["listed"]),
    ("    fn half(&self) -> f64 {\n        self.side * self.side / 2.0\n    }\n", "", &["areas"]),
    ("impl Area for Circle {\n", "impl Area for Circle {\n    fn half(&self) -> f64 { 4.0 }\n", &[]),
    (
        "impl Area for Circle {\n    fn area(",
        "impl Area for Circle {}\nimpl Circle {\n    #[allow(dead_code)]\n    fn own(",
        &["areas"],
    ),
    (
        "#[derive(Default)]\npub struct Counter",
        "impl Default for Counter {\n    fn default() -> Counter {\n        Counter { at: 7 }\n    }\n}\npub struct Counter",
        &["made"],
    ),
    // `use`: another item, another trait of the same method, another constant of the standard library.
    ("math::first as chosen", "math::second as chosen", &["areas"]),
    ("Scale as _", "OtherScale as _", &["scaled"]),
    ("std::f64::consts::PI", "std::f64::consts::E as PI", &["areas"]),
    (
        "use math::first as chosen;\n",
        "use other::*;\nmod other {\n    pub fn chosen(x: f64) -> f64 {\n        x * 30.0\n    }\n}\n",
        &["areas"],
    ),
    ("    shapes.iter()", "    use math::second as chosen;\n    shapes.iter()", &["areas"]),
    // `cfg`, included files, macros, const arguments.
    ("cfg!(unix)", "cfg!(not(unix))", &["scaled"]),
    ("not(feature = \"fast\")", "feature = \"none\"", &["made"]),
    ("a text", "a longer text", &["listed"]),
    ("times($x, $x)", "times($x, 2.0)", &["made"]),
    ("x * $factor", "x + $factor", &["made"]),
    ("multiple!(triple, 3.0)", "multiple!(triple, 3.5)", &["made"]),
    ("weight::<2>()", "weight::<3>()", &["scaled"]),
    // Nothing reaches this function.
    ("x + 2.0", "x + 2.5", &[]),
];

struct Built {
    values: Vec<String>,
    /// The digest of each function, with the files that its parts include, which count by their contents where the
    /// macro expands.
    digests: Vec<Vec<u8>>,
}

/// Builds and runs the crate: what each function returns, and its digest; `None` if it doesn't compile.
fn built(from: &str, to: &str) -> Option<Built> {
    let text = ("text.txt", "a text");
    let edited = |(name, text): (&str, &str)| (name.to_owned(), text.replace(from, to));
    let files: Vec<(String, String)> = FILES.iter().copied().chain([text]).map(edited).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let fast = to.contains("\"none\"").then_some("feature=\"fast\"");
    let krate = Crate::new(&files).with(|session| session.cfg.extend(fast.map(str::to_owned)));
    let program = krate.path("program");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut rustc = Command::new(rustc);
    rustc.args(["--edition=2021", "--cap-lints=allow", "-Cdebuginfo=0", "-o"]).arg(&program).arg(krate.path("main.rs"));
    rustc.args(fast.map(|fast| format!("--cfg={fast}")));
    if !rustc.output().unwrap().status.success() {
        return None;
    }
    let printed = String::from_utf8(Command::new(program).output().unwrap().stdout).unwrap();
    let index = krate.index();
    let resolver = Resolver::new(&index);
    let main = std::fs::read_to_string(krate.path("main.rs")).unwrap();
    let digest = |name: &&str| {
        let line = main.lines().position(|line| line.starts_with(&format!("fn {name}("))).unwrap() + 1;
        let place = Position { file: krate.path("main.rs"), line, name: (*name).to_owned(), ..Position::default() };
        let reached = resolver.reach(&place, &[]).unwrap();
        let facts = reached.parts.iter().flat_map(|part| &part.facts);
        let included = facts.filter_map(|fact| match fact {
            Fact::Include(path) => Some(std::fs::read(path).unwrap()),
            _ => None,
        });
        [reached.digest.to_vec()].into_iter().chain(included).collect::<Vec<_>>().concat()
    };
    Some(Built { values: printed.lines().map(str::to_owned).collect(), digests: ROOTS.iter().map(digest).collect() })
}

#[test]
fn an_edit_that_changes_what_a_function_returns_changes_its_digest() {
    let before = built("", "").expect("the crate compiles");
    let (mut changed, mut kept, mut spared) = (0, 0, 0);
    for (from, to, expected) in EDITS {
        assert!(FILES.iter().any(|(_, text)| text.contains(from)) || from == "a text", "`{from}` stands nowhere");
        let after = built(from, to).unwrap_or_else(|| panic!("`{from}` → `{to}` doesn't compile"));
        for (at, root) in ROOTS.iter().enumerate() {
            let is_other = before.values[at] != after.values[at];
            assert_eq!(is_other, expected.contains(root), "`{from}` → `{to}`: {root} returns {}", after.values[at]);
            let is_told = before.digests[at] != after.digests[at];
            assert!(is_told || !is_other, "`{from}` → `{to}`: {root} is a stale hit");
            changed += usize::from(is_other);
            kept += usize::from(!is_told);
            spared += usize::from(!is_other);
        }
    }
    println!(
        "counted | edits of a crate that was built and run | {} | 0 | {changed} changed results; of {spared} unchanged ones {kept} kept their digest",
        EDITS.len()
    );
    assert!(changed >= 30, "{changed} results changed");
    assert!(kept * 10 >= spared * 9, "{kept} of {spared} kept their digest");
}
