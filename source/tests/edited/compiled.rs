//! Crates that cargo has fetched for this workspace: whatever the compiler's own call graph has, the parts of a function
//! have, too.
//!
//! The graph is that of the MIR (`rustc --emit=mir`), in which each call names what it calls, methods and operators
//! included. A call into another crate names nothing that this crate's sources have, and is passed over.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

use ndcache_source::{Index, Position, Reached, Resolver, Why};

use super::pinned::{self, Pinned};

/// A crate without dependencies; of 1,000 pairs of a function and an item of it, at most `per_mille` may count.
struct Compiled {
    pinned: Pinned,
    per_mille: usize,
}

const CRATES: [Compiled; 5] = [
    Compiled {
        pinned: Pinned {
            features: &["std", "unicode", "unicode-case", "unicode-perl", "unicode-gencat", "unicode-script"],
            ..Pinned::new("regex-syntax", "0.8.11", 2021)
        },
        per_mille: 250,
    },
    Compiled { pinned: Pinned::new("hashbrown", "0.17.1", 2024), per_mille: 550 },
    Compiled { pinned: Pinned { features: &["std"], ..Pinned::new("aho-corasick", "1.1.5", 2021) }, per_mille: 870 },
    Compiled {
        pinned: Pinned { features: &["std", "alloc"], ..Pinned::new("fastrand", "2.5.0", 2018) },
        per_mille: 700,
    },
    Compiled { pinned: Pinned::new("glob", "0.3.4", 2021), per_mille: 450 },
];

#[test]
fn no_reference_of_the_compilers_call_graph_is_missed() {
    let mut tried = 0;
    for krate in &CRATES {
        if let Some(folder) = krate.pinned.sources() {
            tried += 1;
            check(krate, &folder);
        }
    }
    assert!(tried > 0 || !pinned::is_cargo_here(), "no crate was tried");
}

/// `NDCACHE_EVERY=1`: every function, and not one of four.
fn every() -> usize {
    if std::env::var_os("NDCACHE_EVERY").is_some() { 1 } else { 4 }
}

fn check(krate: &Compiled, folder: &Path) {
    let (pinned, root) = (&krate.pinned, folder.join("src/lib.rs"));
    let index = Index::read(pinned.session(&root)).unwrap();
    let resolver = Resolver::new(&index);
    let known = Known::of(&index);
    let (mut references, mut counted, mut functions, mut control) = (0, 0, 0, 0);
    let mut missed = Vec::new();
    for (place, called) in graph(pinned, &root, &known).into_iter().step_by(every()) {
        let reached = resolver.reach(&place, &[]).unwrap();
        let parts: BTreeSet<&str> = names(&reached, |_| true);
        let named = names(&reached, |why| !matches!(why, Why::Member(_)));
        for (text, candidates) in &called {
            references += 1;
            if !candidates.iter().any(|candidate| parts.contains(candidate.as_str())) {
                missed.push(format!("{} in {}: {text}, one of {candidates:?}", place.name, place.file.display()));
            }
            control += usize::from(!candidates.iter().any(|candidate| named.contains(candidate.as_str())));
        }
        functions += 1;
        counted += reached.parts.len();
    }
    let per_mille = counted * 1000 / (functions * index.len()).max(1);
    println!(
        "counted | references of {} {} in the compiler's call graph | {references} | {} | {per_mille} of 1,000 pairs count; without methods {control} are missed",
        pinned.name,
        pinned.version,
        missed.len(),
    );
    assert!(missed.is_empty(), "{} of {references} missed: {missed:#?}", missed.len());
    assert!(references > 0 && control > 0, "{}: {references} references, {control}", pinned.name);
    assert!(per_mille <= krate.per_mille, "{}: {per_mille} of 1,000 pairs count", pinned.name);
}

fn names(reached: &Reached, which: impl Fn(&Why) -> bool) -> BTreeSet<&str> {
    reached.parts.iter().filter(|part| which(&part.why)).map(|part| part.name.as_str()).collect()
}

/// The functions, constants and statics of the sources.
struct Known {
    values: Vec<(Position, String)>,
    by_name: HashMap<String, Vec<usize>>,
}

impl Known {
    fn of(index: &Index) -> Known {
        let values: Vec<(Position, String)> = index.values().collect();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, (place, _)) in values.iter().enumerate() {
            by_name.entry(place.name.clone()).or_default().push(number);
        }
        Known { values, by_name }
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &(Position, String)> {
        self.by_name.get(name).into_iter().flatten().map(|&number| &self.values[number])
    }

    /// The function whose body the MIR calls `path`; of one inside of another, that other one.
    fn place(&self, path: &str) -> Option<Position> {
        if let Some((_, method)) = path.split_once("<impl at ") {
            let (at, rest) = method.split_once(">::")?;
            let name = rest.split("::").next()?;
            let mut numbers = at.splitn(3, ':');
            let (file, line) = (numbers.next()?, numbers.next()?.parse::<usize>().ok()?);
            let after = |place: &&(Position, String)| place.0.line >= line && place.0.file == Path::new(file);
            return self.named(name).filter(after).min_by_key(|(place, _)| place.line).map(|(place, _)| place.clone());
        }
        let mut path = path;
        loop {
            let name = path.rsplit("::").next()?;
            if let Some((place, _)) = self.named(name).find(|(_, known)| known == path) {
                return Some(place.clone());
            }
            path = path.rsplit_once("::")?.0;
        }
    }

    /// The items that a callee may be: those of its name that its path allows.
    fn candidates(&self, callee: &str) -> Vec<String> {
        let (owner, implemented, name) = parsed(callee);
        let allowed = |(_, path): &&(Position, String)| {
            let label = path.strip_suffix(&format!("::{name}")).unwrap_or("");
            let label = label.rsplit_once("<impl").map_or(label, |(_, label)| label);
            match (&implemented, &owner) {
                // A trait's method is that of the type if it has one, else any of the trait.
                (Some(implemented), _) => words(label).contains(&implemented.as_str()),
                (None, Some(owner)) => words(label).contains(&owner.as_str()),
                (None, None) => !path.contains("<impl"),
            }
        };
        let all: Vec<&(Position, String)> = self.named(&name).filter(allowed).collect();
        let arguments = arguments_of_trait(callee);
        let of_type = |(_, path): &&&(Position, String)| {
            let implementor = path.rsplit_once(" for ").map_or(path.as_str(), |(_, implementor)| implementor);
            // `Index<usize>` for a `Vec` isn't `Index<SmallIndex>`; a name of one letter is a type parameter.
            let has = words(of_trait(path, implemented.as_deref()));
            let is_of = |word: &&str| has.contains(word) || has.iter().any(|word| word.len() == 1);
            owner.as_ref().is_some_and(|owner| words(implementor).contains(&owner.as_str()))
                && (arguments.is_empty() || arguments.iter().any(is_of))
        };
        let exact: Vec<&(Position, String)> = all.iter().filter(of_type).copied().collect();
        // If the trait and the type are of other crates, the method is, too.
        let declares = |(_, path): &&&(Position, String)| !path.contains("<impl");
        let is_foreign = implemented.is_some() && !all.iter().any(|value| declares(&value));
        let found = if implemented.is_some() && (is_foreign || !exact.is_empty()) { exact } else { all };
        found.iter().map(|(_, path)| path.clone()).collect()
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect()
}

/// Last names of type and trait, and the function's: of `<a::T as b::U<V>>::f` `T`, `U` and `f`.
fn parsed(callee: &str) -> (Option<String>, Option<String>, String) {
    if let Some(rest) = callee.strip_prefix('<')
        && let Some((inside, name)) = closing(rest)
        && let Some((owner, implemented)) = top_level_as(inside)
    {
        return (last(owner), last(implemented), last(name).unwrap_or_default());
    }
    let plain = without_generics(callee);
    let segments: Vec<&str> = plain.split("::").filter(|segment| !segment.is_empty()).collect();
    let name = segments.last().copied().unwrap_or_default().to_owned();
    let owner = segments.len().checked_sub(2).map(|at| segments[at].to_owned());
    (owner, None, name)
}

/// Splits behind the `>` that closes a `<` standing before the text.
fn closing(text: &str) -> Option<(&str, &str)> {
    let mut depth = 1;
    let bytes = text.as_bytes();
    for at in 0..bytes.len() {
        match bytes[at] {
            b'<' => depth += 1,
            b'>' if at == 0 || bytes[at - 1] != b'-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&text[..at], &text[at + 1..]));
        }
    }
    None
}

/// The part of a label that begins behind the trait's name and ends before `for`.
fn of_trait<'a>(path: &'a str, implemented: Option<&str>) -> &'a str {
    let header = path.rsplit_once(" for ").map_or("", |(header, _)| header);
    implemented.and_then(|name| header.rsplit_once(name)).map_or("", |(_, rest)| rest)
}

/// The words between the angle brackets of the trait.
fn arguments_of_trait(callee: &str) -> Vec<&str> {
    let inside = callee.strip_prefix('<').and_then(closing).and_then(|(inside, _)| top_level_as(inside));
    inside.and_then(|(_, implemented)| implemented.split_once('<')).map_or(Vec::new(), |(_, list)| words(list))
}

fn top_level_as(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_i32;
    for (at, c) in text.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' if !text[..at].ends_with('-') => depth -= 1,
            ')' | ']' => depth -= 1,
            ' ' if depth == 0 && text[at..].starts_with(" as ") => return Some((&text[..at], &text[at + 4..])),
            _ => {}
        }
    }
    None
}

fn last(path: &str) -> Option<String> {
    words(without_generics(path).rsplit("::").find(|segment| !segment.is_empty())?)
        .last()
        .map(|word| (*word).to_owned())
}

fn without_generics(path: &str) -> String {
    let (mut plain, mut depth) = (String::new(), 0_i32);
    let mut before = ' ';
    for c in path.chars() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            c if depth == 0 => plain.push(c),
            _ => {}
        }
        before = c;
    }
    plain
}

/// What a function calls, and what each may be.
type Called = BTreeMap<String, Vec<String>>;

type Graph = Vec<(Position, Called)>;

/// For each function that the sources have, what it calls or takes of this crate.
fn graph(pinned: &Pinned, root: &Path, known: &Known) -> Graph {
    let text = mir(pinned, root);
    let mut graph: HashMap<(PathBuf, usize), (Position, Called)> = HashMap::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(header) = line.strip_prefix("fn ") {
            let path = header.split("::{closure#").next().unwrap_or(header);
            let path = path.split('(').next().unwrap_or(path);
            current = known.place(path);
            if let Some(place) = &current {
                let key = (place.file.clone(), place.line);
                graph.entry(key).or_insert_with(|| (place.clone(), BTreeMap::new()));
            }
        } else if let Some(place) = &current {
            let called = &mut graph.get_mut(&(place.file.clone(), place.line)).unwrap().1;
            for callee in callees(line) {
                let candidates = known.candidates(&callee);
                if !candidates.is_empty() {
                    called.insert(callee, candidates);
                }
            }
        }
    }
    let mut graph: Graph = graph.into_values().collect();
    graph.sort_by(|(a, _), (b, _)| (&a.file, a.line).cmp(&(&b.file, b.line)));
    graph
}

/// `_1 = path(…) -> [return`, and the constants among its operands.
fn callees(line: &str) -> Vec<String> {
    let line = line.trim();
    let mut found = Vec::new();
    if line.contains(") -> [return") || line.contains(") -> unwind") {
        let call = line.split_once(" = ").map_or(line, |(_, call)| call);
        found.push(before_arguments(call).to_owned());
    }
    for operand in line.split("const ").skip(1) {
        let path = operand.split([',', ')', ';', ' ']).next().unwrap_or("");
        let name = path.rsplit("::").next().unwrap_or("");
        let is_constant =
            name.len() > 1 && name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit());
        if is_constant && name.starts_with(|c: char| c.is_ascii_uppercase()) {
            found.push(path.to_owned());
        }
    }
    found
}

/// The path before the parenthesis at its own level.
fn before_arguments(call: &str) -> &str {
    let mut depth = 0_i32;
    for (at, c) in call.char_indices() {
        match c {
            '<' | '[' | '{' => depth += 1,
            '>' if !call[..at].ends_with('-') => depth -= 1,
            ']' | '}' => depth -= 1,
            '(' if depth == 0 => return &call[..at],
            _ => {}
        }
    }
    call
}

fn mir(pinned: &Pinned, root: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("crate.mir");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut rustc = Command::new(rustc);
    rustc.args(["--crate-type=lib", "--emit=mir", "--cap-lints=allow", "-Copt-level=0"]);
    rustc.arg(format!("--edition={}", pinned.edition)).arg(format!("--crate-name={}", pinned.name.replace('-', "_")));
    for feature in pinned.features {
        rustc.arg(format!("--cfg=feature=\"{feature}\""));
    }
    let built = rustc.arg("-o").arg(&output).arg(root).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    std::fs::read_to_string(output).unwrap()
}
