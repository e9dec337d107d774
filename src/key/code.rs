//! The digest of a function's code and of the code it names in `depends(…)`.

use super::Stream;
use super::object;
use crate::digest::Digest;
use crate::error::Result;

/// What `#[cache]` and `#[code]` know of a piece of code: a literal, and references to what it depends on.
///
/// A plain static without lazy parts, so that two functions may depend on each other.
pub struct Code {
    /// XXH3-128 of the canonical tokens, big-endian.
    pub tokens: [u8; 16],
    /// What the compiler decides about those tokens.
    pub facts: &'static [Fact],
    /// `version = …`
    pub version: Option<u64>,
    /// `code = "…"`
    pub counts: Counts,
    /// `depends(…)`: for each name the codes found under it (an item's, and that of its `impl` block).
    pub depends: &'static [&'static [Option<CodeOf>]],
}

/// Where a [`Code`] is: behind a function, because the compiler follows references between constants, and would find
/// two functions that depend on each other to be a circle.
pub type CodeOf = fn() -> &'static Code;

/// What of a function counts as its code.
pub enum Counts {
    /// `"package"`: the tokens and the package's version.
    Package(&'static str),
    /// `"body"`: the tokens.
    Body,
    /// `"version"`: nothing but `version = …`.
    Version,
    /// `"build"`: the loaded object that holds this function.
    Build(fn()),
}

/// Something the tokens refer to and don't contain.
pub enum Fact {
    /// The value of a `cfg` predicate.
    Cfg(&'static str, bool),
    /// The value of an `env!` or `option_env!`.
    Env(&'static str, Option<&'static str>),
    /// The bytes of an `include_str!`, `include_bytes!` or `include!`.
    Include(&'static str, &'static [u8]),
    /// The value of `module_path!()`.
    Module(&'static str),
}

/// Gives every type the answer "no code", which the inherent constants of companions and `#[code]` types shadow.
pub trait HasCode {
    /// The code of the item itself.
    #[doc(hidden)]
    const __NDCACHE_CODE: Option<CodeOf> = None;
    /// The code of the type's `impl` block.
    #[doc(hidden)]
    const __NDCACHE_IMPL_CODE: Option<CodeOf> = None;
}

impl<T: ?Sized> HasCode for T {}

impl Code {
    /// The digest of this code and of all that it depends on, each piece once, in the order of first mention.
    ///
    /// What the root leaves out it leaves out everywhere: under `"body"` the packages' versions, under `"version"`
    /// everything else.
    pub(crate) fn digest(&'static self) -> Result<Digest> {
        let mut stream = Stream::new("ndcache-code:1");
        let counted = match self.counts {
            Counts::Version => vec![self],
            _ => self.reachable(),
        };
        let bare = matches!(self.counts, Counts::Body);
        for code in counted {
            stream.digest(code.own_digest(bare)?);
        }
        Ok(stream.finish())
    }

    /// Whether `other` is this code or one that it depends on.
    pub(crate) fn reaches(&'static self, other: &'static Code) -> bool {
        self.reachable().iter().any(|&code| std::ptr::eq(code, other))
    }

    fn reachable(&'static self) -> Vec<&'static Code> {
        let mut found = vec![self];
        let mut next = 0;
        while let Some(&code) = found.get(next) {
            for dependency in code.depends.iter().copied().flatten().flatten().map(|code_of| code_of()) {
                if !found.iter().any(|&known| std::ptr::eq(known, dependency)) {
                    found.push(dependency);
                }
            }
            next += 1;
        }
        found
    }

    fn own_digest(&self, bare: bool) -> Result<Digest> {
        let mut stream = Stream::new("ndcache-item:1");
        match self.counts {
            Counts::Package(version) if !bare => {
                stream.text("package");
                stream.text(version);
                self.feed_body(&mut stream);
            }
            Counts::Package(_) | Counts::Body => {
                stream.text("body");
                self.feed_body(&mut stream);
            }
            Counts::Version => stream.text("version"),
            Counts::Build(function) => {
                stream.text("build");
                stream.bytes(object::build_id(function)?);
            }
        }
        stream.length(self.version.iter().len());
        stream.number(self.version.unwrap_or(0));
        Ok(stream.finish())
    }

    fn feed_body(&self, stream: &mut Stream) {
        stream.bytes(&self.tokens);
        stream.length(self.facts.len());
        for fact in self.facts {
            fact.feed(stream);
        }
    }
}

impl Fact {
    fn feed(&self, stream: &mut Stream) {
        match self {
            Fact::Cfg(predicate, value) => {
                stream.text("cfg");
                stream.text(predicate);
                stream.number(u64::from(*value));
            }
            Fact::Env(name, value) => {
                stream.text("env");
                stream.text(name);
                stream.length(value.iter().len());
                stream.text(value.unwrap_or(""));
            }
            Fact::Include(name, bytes) => {
                stream.text("include");
                stream.text(name);
                stream.bytes(bytes);
            }
            Fact::Module(path) => {
                stream.text("module");
                stream.text(path);
            }
        }
    }
}
