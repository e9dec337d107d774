//! The rooms of the crate import one another one way only, and `unsafe` stays in its room.
//!
//! Code under `#[cfg(test)]` is left out: a test may compare its room with any other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Each room, and the rooms that it may import: those above it in this table alone.
const IMPORTS: &[(&str, &[&str])] = &[
    ("emptied", &[]),
    ("range_locks", &[]),
    ("error", &[]),
    ("planted", &[]),
    ("threads", &["emptied"]),
    ("store", &["range_locks", "threads", "planted", "error"]),
    ("digest", &["threads", "error"]),
    ("map", &["digest", "threads", "error"]),
    ("key", &["digest", "threads", "error"]),
    ("record", &["key", "digest", "threads", "error"]),
    ("payload", &["map", "digest", "threads", "planted", "error"]),
    ("entry", &["payload", "record", "key", "map", "digest", "store", "threads", "planted", "error"]),
    ("flight", &["key", "digest", "threads", "planted", "error"]),
    ("call", &["entry", "payload", "record", "key", "digest", "error"]),
    ("stats", &["call", "entry", "record", "key", "digest", "store", "threads", "error"]),
    ("memo", &["stats", "entry", "payload", "record", "key", "map", "digest"]),
    ("folder", &["entry", "payload", "record", "key", "map", "digest", "store", "threads", "planted", "error"]),
    (
        "tier",
        &[
            "folder", "stats", "call", "entry", "payload", "record", "key", "map", "digest", "store", "threads",
            "planted", "error",
        ],
    ),
    ("memory", MEMORY),
    (
        "results",
        &[
            "memory", "tier", "folder", "stats", "call", "entry", "payload", "record", "key", "map", "digest", "store",
            "error",
        ],
    ),
    (
        "make",
        &[
            "memory", "stats", "call", "flight", "entry", "payload", "record", "key", "map", "digest", "store",
            "threads", "error",
        ],
    ),
    ("nifti", &["make", "map", "digest", "error"]),
    (
        "inspect",
        &[
            "results", "memory", "tier", "folder", "stats", "entry", "payload", "record", "key", "map", "digest",
            "store", "error",
        ],
    ),
    (
        "dynamic",
        &[
            "memory", "stats", "call", "flight", "entry", "payload", "record", "key", "digest", "store", "threads",
            "error",
        ],
    ),
    ("lib", DOOR),
];

/// What the crate shows, and what its macros use.
const DOOR: &[&str] = &[
    "inspect", "make", "results", "memory", "tier", "folder", "stats", "call", "entry", "payload", "record", "key",
    "map", "digest", "store", "error",
];

/// Where the rooms meet.
const MEMORY: &[&str] = &[
    "tier", "folder", "memo", "stats", "call", "flight", "entry", "payload", "record", "key", "digest", "store",
    "threads", "planted", "error",
];

/// The folders of `src/` in which `unsafe` may stand: what maps files, and what is compiled for some processors alone.
const UNSAFE: &[&[&str]] = &[&["map"], &["digest", "xxh3"]];

/// The modules of a room that import one another, which is one thing in several files (docs/design.md, "Why do some modules
/// of a room import one another?").
const CIRCLES: &[(&str, &str)] =
    &[("digest", "arrays, values"), ("payload", "by_serde, format, kinds, name, value, wire")];

/// How often `unsafe` stands outside of them: in the declaration of `map_network`, which leaves a promise to its caller and
/// does nothing unsafe itself.
const UNSAFE_ELSEWHERE: &[(&str, usize)] = &[("memory", 1)];

/// A source file: the modules it is in, its own name last, and what remains of it without tests.
struct Source {
    path: PathBuf,
    modules: Vec<String>,
    tokens: Vec<TokenTree>,
}

impl Source {
    fn room(&self) -> &str {
        room_of(&self.modules)
    }

    /// The paths that begin at the root of the crate, of at most [`SEGMENTS`].
    fn imports(&self) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        collect_imports(&self.tokens, &self.modules, &mut found);
        found
    }

    fn may_be_unsafe(&self) -> bool {
        UNSAFE.iter().any(|folder| self.modules.iter().zip(*folder).filter(|(a, b)| a == b).count() == folder.len())
    }

    fn count(&self, word: &str) -> usize {
        count(&self.tokens, word)
    }
}

/// The room in which a module is.
fn room_of(modules: &[String]) -> &str {
    match modules.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // Below all others.
        ["map", "emptied"] => "emptied",
        ["map", "range_locks"] => "range_locks",
        // A domain of its own.
        ["make", "nifti", ..] => "nifti",
        // `__private`, the back door of the macros.
        [] | ["private", ..] => "lib",
        [room, ..] => room,
    }
}

#[test]
fn a_room_imports_rooms_above_it_in_the_table_alone() {
    for (i, (room, imports)) in IMPORTS.iter().enumerate() {
        for import in *imports {
            let is_above = IMPORTS[..i].iter().any(|(above, _)| above == import);
            assert!(is_above, "`{room}` may import `{import}`, which doesn't stand above it");
        }
    }
}

#[test]
fn rooms_import_one_way() {
    let mut violations = Vec::new();
    for source in sources() {
        let allowed = allowed(source.room());
        for import in source.imports().iter().map(|path| room_of(path)) {
            if import != source.room() && !allowed.contains(&import) {
                violations.push(format!("`{}` imports `{import}`", source.path.display()));
            }
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

/// The modules of a room, by name, with those of the same room that each imports.
type Parts = BTreeMap<String, BTreeSet<String>>;

/// The modules at the top of a room; what the room re-exports is imported from where it is defined.
fn parts_of(room: &str, sources: &[Source]) -> Parts {
    let here: Vec<_> = sources.iter().filter(|source| source.room() == room).collect();
    let front = here.iter().filter(|source| source.modules.len() == 1 && source.path.ends_with("mod.rs"));
    let shown: BTreeMap<_, _> = front.flat_map(|source| re_exports(&source.tokens)).collect();
    let mut parts: Parts =
        here.iter().filter_map(|source| Some((source.modules.get(1)?.clone(), BTreeSet::new()))).collect();
    for source in here.iter().filter(|source| source.modules.len() > 1) {
        let imports = source.imports().into_iter().filter(|path| path.len() == 2 && path[0] == source.modules[0]);
        let imports = imports.map(|path| shown.get(&path[1]).unwrap_or(&path[1]).clone());
        let other = imports.filter(|part| *part != source.modules[1] && parts.contains_key(part)).collect::<Vec<_>>();
        parts.entry(source.modules[1].clone()).or_default().extend(other);
    }
    parts
}

/// The names that the `use` of a module show, with the module that each is from.
fn re_exports(tokens: &[TokenTree]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (i, _) in tokens.iter().enumerate().filter(|(_, token)| token.to_string() == "use") {
        let end = tokens[i..].iter().position(|token| token.to_string() == ";").map_or(tokens.len(), |at| i + at);
        let mut names = Vec::new();
        shown(&tokens[i + 1..end], &mut names);
        found.extend(names.into_iter().map(|name| (name, tokens[i + 1].to_string())));
    }
    found
}

/// The modules that import one another, directly or not: in each set, every module leads to every other.
fn circles(parts: &Parts) -> Vec<Vec<String>> {
    let reached = |from: &String| {
        let (mut reached, mut todo) = (BTreeSet::new(), vec![from]);
        while let Some(part) = todo.pop() {
            todo.extend(parts.get(part).into_iter().flatten().filter(|next| reached.insert((*next).clone())));
        }
        reached
    };
    let reached: BTreeMap<_, _> = parts.keys().map(|part| (part, reached(part))).collect();
    let circle = |part: &&String| -> Vec<String> {
        let back = reached[*part].iter().filter(|other| reached[*other].contains(*part));
        back.cloned().collect()
    };
    let circles: BTreeSet<_> = parts.keys().map(|part| circle(&part)).filter(|circle| !circle.is_empty()).collect();
    circles.into_iter().collect()
}

#[test]
fn inside_a_room_modules_import_one_way() {
    let sources = sources();
    let mut found = Vec::new();
    for (room, _) in IMPORTS {
        let circles = circles(&parts_of(room, &sources));
        found.extend(circles.into_iter().map(|circle| format!("{room}: {}", circle.join(", "))));
    }
    let expected = CIRCLES.iter().map(|(room, circle)| format!("{room}: {circle}")).collect::<Vec<_>>();
    assert_eq!(found, expected, "circles of modules");
}

#[test]
fn circles_are_found() {
    let parts = |edges: &[(&str, &[&str])]| -> Parts {
        let set = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        edges.iter().map(|(from, to)| (from.to_string(), set(to))).collect()
    };
    assert!(circles(&parts(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])])).is_empty());
    let two = parts(&[("a", &["b"]), ("b", &["c", "d"]), ("c", &["a"]), ("d", &["e"]), ("e", &["d"]), ("f", &["a"])]);
    assert_eq!(circles(&two), [vec!["a", "b", "c"], vec!["d", "e"]]);
    assert_eq!(
        re_exports(&without_tests("mod a; pub use a::{B, c::D}; pub(crate) use e::f;".parse().unwrap())),
        [("B".to_owned(), "a".to_owned()), ("D".to_owned(), "a".to_owned()), ("f".to_owned(), "e".to_owned()),]
    );
}

#[test]
fn every_source_file_is_in_a_room() {
    for source in sources() {
        let known = IMPORTS.iter().any(|(room, _)| *room == source.room());
        assert!(known, "`{}` is in no room of the table", source.path.display());
    }
}

#[test]
fn the_front_door_holds_no_logic() {
    let door = sources().into_iter().find(|source| source.modules.is_empty()).expect("src/lib.rs");
    assert_eq!((door.count("fn"), door.count("impl")), (0, 0), "functions and impls in src/lib.rs");
}

/// How many names may stand at the root, its public modules among them.
const ROOT_NAMES: usize = 45;

#[test]
fn few_names_stand_at_the_root() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let names = public_names(&without_tests(text.parse().unwrap()));
    assert!(names.len() <= ROOT_NAMES, "{} names stand at the root of the crate: {names:?}", names.len());
    for expected in ["cache", "Memory", "MemoryBuilder", "Mapped2", "zeros", "make", "policy", "stats"] {
        assert!(names.iter().any(|name| name == expected), "`{expected}` doesn't stand at the root: {names:?}");
    }
}

#[test]
fn public_names_are_found_in_every_spelling() {
    let names = |text: &str| public_names(&without_tests(text.parse().unwrap()));
    assert_eq!(names("mod a; pub mod b; pub mod c { pub use crate::x::Y; } pub(crate) mod d;"), ["b", "c"]);
    assert_eq!(names("pub use a::{B, c::{D, E as F}, g}; use h::I; pub use j::K;"), ["B", "D", "F", "K", "g"]);
    assert_eq!(names("pub use a::B; pub use c::B; #[doc(hidden)] pub mod d;"), ["B"]);
    assert_eq!(names("pub struct S; pub fn f() {}"), ["S", "f"]);
}

/// The names that the items of a module show, each once, in order; those that the documentation hides are left out.
fn public_names(tokens: &[TokenTree]) -> Vec<String> {
    let mut names = Vec::new();
    let mut hidden = false;
    for (i, token) in tokens.iter().enumerate() {
        hidden |= token.to_string().replace(' ', "") == "[doc(hidden)]";
        let group = matches!(tokens.get(i + 1), Some(TokenTree::Group(_)));
        if token.to_string() == "pub" && !group {
            let end = tokens[i..].iter().position(ends_shown).map_or(tokens.len(), |at| i + at);
            if !std::mem::take(&mut hidden) {
                shown(&tokens[i + 2..end], &mut names);
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

/// Whether an item ends here, or begins its body; the list of a `use` is no body, and is followed by its `;`.
fn ends_shown(token: &TokenTree) -> bool {
    token.to_string() == ";" || matches!(token, TokenTree::Group(group) if group.to_string().contains("pub "))
}

/// The names in the rest of a declaration, or in the paths of a `use`: the last word of each.
fn shown(tokens: &[TokenTree], names: &mut Vec<String>) {
    for part in tokens.split(|token| token.to_string() == ",") {
        let list = part.iter().rev().find_map(|token| match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group.stream()),
            _ => None,
        });
        match list {
            Some(list) if !list.is_empty() => shown(&list.into_iter().collect::<Vec<_>>(), names),
            _ => names.extend(part.iter().rev().find_map(|token| match token {
                TokenTree::Ident(word) => Some(word.to_string()),
                _ => None,
            })),
        }
    }
}

#[test]
fn unsafe_stays_in_its_room() {
    let sources = sources();
    for (room, _) in IMPORTS {
        let outside = sources.iter().filter(|source| source.room() == *room && !source.may_be_unsafe());
        let found: usize = outside.map(|source| source.count("unsafe")).sum();
        let allowed = UNSAFE_ELSEWHERE.iter().find(|(name, _)| name == room).map_or(0, |(_, allowed)| *allowed);
        assert!(found <= allowed, "`unsafe` stands {found} times in `{room}`, expected at most {allowed}");
    }
}

#[test]
fn imports_are_found_in_every_spelling() {
    let imports = |text: &str, modules: &[&str]| {
        let modules: Vec<_> = modules.iter().map(|name| name.to_string()).collect();
        let mut found = Vec::new();
        collect_imports(&without_tests(text.parse().unwrap()), &modules, &mut found);
        let mut rooms: Vec<_> = found.into_iter().map(|path| path[0].clone()).collect();
        rooms.dedup();
        rooms
    };
    assert_eq!(imports("use crate::{digest::{Digest, Element}, error};", &["map"]), ["digest", "error"]);
    assert_eq!(imports("fn f() -> crate::key::Key { macro!(crate::store::Disk) }", &["map"]), ["key", "store"]);
    assert_eq!(imports("use super::super::store::Disk;", &["map", "mapping"]), ["store"]);
    assert_eq!(imports("use super::mapping::Mapping;", &["map", "cow"]), ["map"]);
    assert_eq!(imports("mod inner { use super::{super::{make}, a}; }", &["map"]), ["make", "map"]);
    assert_eq!(
        imports("#[cfg(test)] mod tests { use crate::memory::Memory; } use crate::error::Error;", &["map"]),
        ["error"]
    );
    assert!(imports("// crate::store\nconst TEXT: &str = \"crate::store\";", &["map"]).is_empty());
}

fn allowed(room: &str) -> &'static [&'static str] {
    IMPORTS.iter().find(|(name, _)| *name == room).map_or(&[], |(_, allowed)| allowed)
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    walk(&root, &mut Vec::new(), &mut sources);
    assert!(!sources.is_empty());
    sources
}

fn walk(folder: &Path, modules: &mut Vec<String>, sources: &mut Vec<Source>) {
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "tests" {
            continue;
        }
        if path.is_dir() {
            modules.push(name);
            walk(&path, modules, sources);
            modules.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut modules = modules.clone();
            if name != "mod" && name != "lib" {
                modules.push(name);
            }
            let text = fs::read_to_string(&path).unwrap();
            let tokens = text.parse().unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
            sources.push(Source { path, modules, tokens: without_tests(tokens) });
        }
    }
}

/// Leaves out what follows `#[cfg(test)]`, up to its `;` or its closing brace.
fn without_tests(stream: TokenStream) -> Vec<TokenTree> {
    let mut kept: Vec<TokenTree> = Vec::new();
    let mut skipping = false;
    for token in stream {
        if skipping {
            skipping = !ends_item(&token);
        } else if is_cfg_test(&token) && kept.last().is_some_and(|last| last.to_string() == "#") {
            kept.pop();
            skipping = true;
        } else {
            kept.push(token);
        }
    }
    kept
}

fn ends_item(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        token => token.to_string() == ";",
    }
}

fn is_cfg_test(token: &TokenTree) -> bool {
    token.to_string().replace(' ', "") == "[cfg(test)]"
}

/// How many segments of a path are looked at: the room, and the module in it.
const SEGMENTS: usize = 2;

/// Finds `crate::x::y` and each `super::x` that leads out of `modules`, in token trees of any depth: paths from the root of
/// the crate, of at most [`SEGMENTS`].
fn collect_imports(tokens: &[TokenTree], modules: &[String], found: &mut Vec<Vec<String>>) {
    let mut inner_module = None;
    let mut i = 0;
    while i < tokens.len() {
        match &tokens[i] {
            TokenTree::Group(group) => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                let mut modules = modules.to_vec();
                modules.extend(inner_module.take());
                collect_imports(&inner, &modules, found);
            }
            TokenTree::Ident(word) if word == "mod" => {
                inner_module = tokens.get(i + 1).map(ToString::to_string);
            }
            TokenTree::Ident(word) if word == "crate" => i = follow(tokens, i + 1, &[], found),
            TokenTree::Ident(word) if word == "super" => i = follow(tokens, i + 1, parent(modules), found),
            token if token.to_string() == ";" => inner_module = None,
            _ => {}
        }
        i += 1;
    }
}

fn parent(modules: &[String]) -> &[String] {
    &modules[..modules.len().saturating_sub(1)]
}

/// Reads the rest of a path whose beginning is `base`, from the `::` at `tokens[at]` on; returns the index of its last token
/// read.
fn follow(tokens: &[TokenTree], at: usize, base: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let separated = [at, at + 1].iter().all(|&at| tokens.get(at).is_some_and(|token| token.to_string() == ":"));
    if separated { segment(tokens, at + 2, base, found) } else { at - 1 }
}

/// Reads a path from the segment at `tokens[at]` on, or the paths between the braces there.
fn segment(tokens: &[TokenTree], at: usize, base: &[String], found: &mut Vec<Vec<String>>) -> usize {
    match tokens.get(at) {
        Some(TokenTree::Ident(word)) if *word == "super" => return follow(tokens, at + 1, parent(base), found),
        Some(TokenTree::Ident(word)) if *word != "self" => {
            let path = [base, &[word.to_string()]].concat();
            let end = if path.len() < SEGMENTS { follow(tokens, at + 1, &path, found) } else { at };
            if end == at {
                found.push(path);
            }
            return end;
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let inner: Vec<_> = group.stream().into_iter().collect();
            for part in inner.split(|token| token.to_string() == ",").filter(|part| !part.is_empty()) {
                segment(part, 0, base, found);
            }
        }
        // `self`, `*`.
        Some(_) if !base.is_empty() => found.push(base.to_vec()),
        _ => {}
    }
    at
}

fn count(tokens: &[TokenTree], word: &str) -> usize {
    let each = tokens.iter().map(|token| match token {
        TokenTree::Group(group) => count(&group.stream().into_iter().collect::<Vec<_>>(), word),
        TokenTree::Ident(found) => usize::from(found == word),
        _ => 0,
    });
    each.sum()
}
