//! What can't be followed.

use std::fmt;
use std::path::PathBuf;

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
