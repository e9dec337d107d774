//! The items that count, and what can't be followed, in words.

use std::fmt;
use std::path::PathBuf;

use super::position::Copies;

/// What a function's code reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Every item that counts, the function itself first.
    pub parts: Vec<Part>,
    /// What can't be followed, sorted.
    pub unseen: Vec<Unseen>,
    /// Over the items and over what each mention in them leads to: 128 bits, big-endian. Where items stand, and in which
    /// order, is no part of it.
    pub digest: [u8; 16],
    /// Whether more items count than are told apart: every file of the crate counts then, and `parts` holds the function
    /// alone, with the facts of all items.
    pub whole_crate: bool,
    /// What macros of the crate do to the text at the place.
    pub copies: Copies,
}

/// One item that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its path in its crate, behind the crate's name if that is another one; that of a member has its `impl` in angle
    /// brackets.
    pub name: String,
    /// Whether another crate holds it.
    pub is_elsewhere: bool,
    /// The file in which it stands.
    pub file: PathBuf,
    /// The line in which it begins.
    pub line: usize,
    /// Why it counts.
    pub why: Why,
    /// The digest of its own tokens: 128 bits, big-endian.
    pub digest: [u8; 16],
    /// Each `cfg` predicate around it that the compiler's arguments don't decide.
    pub guards: Vec<String>,
    /// What its tokens take from the build.
    pub facts: Vec<Fact>,
    /// What macros of this crate that it calls look up in the build by what it gives them, as far as that is known; of
    /// the function also the predicates of imports that lead to its parts.
    pub passed: Vec<Fact>,
}

/// Why an item counts: by which rule, and the item that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// It is the function itself.
    Function,
    /// An item names it.
    Named(String),
    /// An item calls a method, or takes a member, of this name.
    Member(String),
    /// It is an `impl` of a trait for a type that counts.
    ImplOf(String),
    /// It implements a trait in a bound, or after `dyn`, of an item.
    Bound(String),
    /// A macro call that may make something an item names, or something for a type that counts.
    MadeBy(String),
    /// A type that the item around a named closure reaches, so that what the closure captures may have it.
    InSight(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Function => f.write_str("the function itself"),
            Why::Named(by) => write!(f, "named by `{by}`"),
            Why::Member(by) => write!(f, "a member that `{by}` calls by name"),
            Why::ImplOf(by) => write!(f, "an `impl` for `{by}`"),
            Why::Bound(by) => write!(f, "an `impl` of a trait that `{by}` is open for"),
            Why::InSight(by) => write!(f, "a type that what `{by}` captures may have"),
            Why::MadeBy(by) => write!(f, "a macro call that may make what `{by}` names"),
        }
    }
}

/// Something that an item's tokens refer to and don't contain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fact {
    /// A `cfg` predicate in its body, and its value, if the compiler's arguments tell.
    Cfg(String, Option<bool>),
    /// The variable of `env!` or `option_env!`.
    Env(String),
    /// A variable that another crate looks up, and the value that it was compiled with.
    Variable(String, Option<String>),
    /// The file of `include_str!`, `include_bytes!` or `include!`, if it is there.
    Include(PathBuf),
    /// `module_path!()`
    ModulePath,
}

/// Something that a function's result may depend on and that its parts don't hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Unseen {
    /// Another crate, by its name.
    Crate(String),
    /// A crate that is followed, by its name, and a `cfg` predicate in it that its manifest or build decides.
    Setting(String, String),
    /// A macro of another crate: what it calls. Derives and attributes are among these.
    Macro(String),
    /// The item in which a macro pastes names together: those names.
    Pasted(String),
    /// A function or static of an `extern` block.
    Extern(String),
    /// A function with type parameters: what the types of other crates do that it is called with.
    TypeArguments(String),
    /// An import that may be that of a trait of another crate, and that decides by itself which methods are called.
    Import(String),
    /// A macro of this crate, by its name: a variable, file or module that it names by what it is given.
    Lookup(String),
    /// A file that a module or an `include!` names and that isn't there.
    File(PathBuf),
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unseen::Crate(name) => write!(f, "crate `{name}`"),
            Unseen::Setting(name, predicate) => write!(f, "whether crate `{name}` has `{predicate}`"),
            Unseen::Macro(name) => write!(f, "what macro `{name}` of another crate calls"),
            Unseen::Pasted(name) => write!(f, "names that a macro pastes together in `{name}`"),
            Unseen::Extern(name) => write!(f, "`extern` item `{name}`"),
            Unseen::TypeArguments(name) => write!(f, "types of other crates as type arguments of `{name}`"),
            Unseen::Import(path) => write!(f, "methods that the import of `{path}` brings"),
            Unseen::Lookup(name) => write!(f, "what macro `{name}` looks up by what it is given"),
            Unseen::File(path) => write!(f, "file `{}`, which isn't there", path.display()),
        }
    }
}
