//! The rooms of the crate import one another one way only, and `unsafe` stays in its room.
//!
//! Code under `#[cfg(test)]` is left out: a test may compare its room with any other.

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
        match self.modules.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            // Below all others.
            ["map", "emptied"] => return "emptied",
            ["map", "range_locks"] => return "range_locks",
            _ => {}
        }
        match self.modules.first().map(String::as_str) {
            // `__private`, the back door of the macros.
            None | Some("private") => "lib",
            Some(room) => room,
        }
    }

    /// The first segment of each path that begins at the root of the crate.
    fn imports(&self) -> Vec<String> {
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

#[test]
fn rooms_import_one_way() {
    let mut violations = Vec::new();
    for source in sources() {
        let allowed = allowed(source.room());
        for import in source.imports() {
            if import != source.room() && !allowed.contains(&import.as_str()) {
                violations.push(format!("`{}` imports `{import}`", source.path.display()));
            }
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
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
        found
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

/// Finds `crate::x` and each `super::x` that leads out of `modules`, in token trees of any depth.
fn collect_imports(tokens: &[TokenTree], modules: &[String], found: &mut Vec<String>) {
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
            TokenTree::Ident(word) if word == "super" => {
                i = follow(tokens, i + 1, &modules[..modules.len().saturating_sub(1)], found);
            }
            token if token.to_string() == ";" => inner_module = None,
            _ => {}
        }
        i += 1;
    }
}

/// Reads the rest of a path that stands in `modules`, at `tokens[i]`; returns the index of its last token read.
fn follow(tokens: &[TokenTree], i: usize, modules: &[String], found: &mut Vec<String>) -> usize {
    let separated = [i, i + 1].iter().all(|&at| tokens.get(at).is_some_and(|token| token.to_string() == ":"));
    if !separated {
        return i - 1;
    }
    let i = i + 2;
    match &tokens.get(i) {
        Some(TokenTree::Ident(word)) if *word == "super" => {
            follow(tokens, i + 1, &modules[..modules.len().saturating_sub(1)], found)
        }
        Some(TokenTree::Ident(word)) => {
            found.push(modules.first().map_or_else(|| word.to_string(), String::clone));
            i
        }
        Some(TokenTree::Group(group)) => {
            let inner: Vec<_> = group.stream().into_iter().collect();
            for part in inner.split(|token| token.to_string() == ",") {
                follow_part(part, modules, found);
            }
            i
        }
        _ => i - 1,
    }
}

/// Reads one of the paths between the braces of a path that stands in `modules`.
fn follow_part(part: &[TokenTree], modules: &[String], found: &mut Vec<String>) {
    match part.first() {
        Some(TokenTree::Ident(word)) if *word == "super" => {
            follow(part, 1, &modules[..modules.len().saturating_sub(1)], found);
        }
        Some(first) => found.push(modules.first().map_or_else(|| first.to_string(), String::clone)),
        None => {}
    }
}

fn count(tokens: &[TokenTree], word: &str) -> usize {
    let each = tokens.iter().map(|token| match token {
        TokenTree::Group(group) => count(&group.stream().into_iter().collect::<Vec<_>>(), word),
        TokenTree::Ident(found) => usize::from(found == word),
        _ => 0,
    });
    each.sum()
}
