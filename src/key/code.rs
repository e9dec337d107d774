//! The digest of a function's code and of the code it names in `depends(…)`.

use super::part::Part;
use super::{CodePart, Fact, Helpers, KeyStream, object};
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
    pub scope: CodeScope,
    /// `depends(…)`
    pub depends: &'static [Dependency],
    /// What else of its crate counts, and what can't be known of that.
    pub helpers: Helpers,
    /// What tells the crate from others.
    pub mark: &'static str,
}

/// One name in `depends(…)`.
pub struct Dependency {
    /// The name as it is written there; no part of any digest.
    pub name: &'static str,
    /// The codes found under it: an item's, and that of its `impl` block.
    pub codes: &'static [Option<CodeOf>],
}

/// Where a [`Code`] is: behind a function, because the compiler follows references between constants, and would find
/// two functions that depend on each other to be a circle.
pub type CodeOf = fn() -> &'static Code;

/// What of a function counts as its code.
pub enum CodeScope {
    /// `"auto"`: the tokens and the helpers.
    Auto,
    /// `"package"`: the tokens and the package's version.
    Package(&'static str),
    /// `"body"`: the tokens.
    Body,
    /// `"version"`: nothing but `version = …`.
    Version,
    /// `"build"`: the loaded object that holds this function.
    Build(fn()),
}

/// How a piece of code enters a digest.
#[derive(Clone, Copy, PartialEq)]
enum How {
    /// With what the code itself says.
    Own,
    /// With its tokens alone, without its helpers and its package's version.
    Body,
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
    /// everything else. Under `"auto"` it is the version of its own crate, whose helpers it has found.
    pub(crate) fn digest(&'static self) -> Result<Digest> {
        let mut stream = KeyStream::new("ndcache-code:1");
        let counted = match self.scope {
            CodeScope::Version => vec![self],
            _ => self.reachable(),
        };
        for code in counted {
            stream.digest(code.own_digest(self.how(code))?);
        }
        Ok(stream.finish())
    }

    /// The digest of the code of a type.
    ///
    /// # Errors
    ///
    /// Never for what the derive writes down.
    #[doc(hidden)]
    pub fn of_type(&'static self) -> Result<Digest> {
        self.digest()
    }

    /// What the digest is made of, in its order; nothing where there is none.
    pub(crate) fn parts(&'static self) -> Vec<Part> {
        let counted = match self.scope {
            CodeScope::Version => vec![(String::new(), self)],
            _ => self.named(),
        };
        let own = counted.iter().map(|(name, code)| code.part(name.clone(), self.how(code)));
        let Ok(mut parts) = own.collect::<Result<Vec<Part>>>() else { return Vec::new() };
        let with_helpers =
            |code: &&&Code| matches!(code.scope, CodeScope::Auto) && !matches!(self.scope, CodeScope::Body);
        for code in counted.iter().map(|(_, code)| code).filter(with_helpers) {
            for part in code.helpers.parts() {
                if !parts.contains(&part) {
                    parts.push(part);
                }
            }
        }
        parts
    }

    /// The names of [`Self::parts`], with the reason why each counts.
    pub(crate) fn code_parts(&'static self, path: &str) -> Vec<CodePart> {
        let mut parts: Vec<CodePart> = self.helpers.code_parts().collect();
        if parts.is_empty() {
            parts.push(CodePart { name: path.to_owned(), file: None, why: "the function itself".to_owned() });
        }
        if !matches!(self.scope, CodeScope::Version) {
            let named = self.named().into_iter().skip(1);
            parts.extend(named.map(|(name, _)| CodePart { name, file: None, why: "named in `depends(…)`".to_owned() }));
        }
        parts
    }

    /// How `code` enters this digest.
    fn how(&self, code: &Code) -> How {
        match (&self.scope, &code.scope) {
            (CodeScope::Body, CodeScope::Auto | CodeScope::Package(_)) => How::Body,
            // Its helpers are known, whatever the crate's version is.
            (CodeScope::Auto, CodeScope::Package(_)) if code.mark == self.mark => How::Body,
            _ => How::Own,
        }
    }

    /// Whether `other` is this code or one that it depends on.
    pub(crate) fn reaches(&'static self, other: &'static Code) -> bool {
        self.reachable().iter().any(|&code| std::ptr::eq(code, other))
    }

    fn reachable(&'static self) -> Vec<&'static Code> {
        self.named().into_iter().map(|(_, code)| code).collect()
    }

    /// This code, without a name, and all that it depends on, by the names of their first mention.
    fn named(&'static self) -> Vec<(String, &'static Code)> {
        let mut found = vec![(String::new(), self)];
        let mut next = 0;
        while let Some(&(_, code)) = found.get(next) {
            for (name, dependency) in code.depends.iter().flat_map(Dependency::named) {
                if !found.iter().any(|&(_, known)| std::ptr::eq(known, dependency)) {
                    found.push((name, dependency));
                }
            }
            next += 1;
        }
        found
    }

    fn part(&self, name: String, how: How) -> Result<Part> {
        let (scope, package, body) = match self.scope {
            _ if how == How::Body => ("body", None, Some(self.body())),
            CodeScope::Package(version) => ("package", Some(version.to_owned()), Some(self.body())),
            CodeScope::Body => ("body", None, Some(self.body())),
            CodeScope::Auto => ("auto", None, Some(self.body())),
            CodeScope::Version => ("version", None, None),
            CodeScope::Build(function) => ("build", None, Some(Digest::of(object::build_id(function as usize)?))),
        };
        let facts = match self.scope {
            CodeScope::Auto | CodeScope::Package(_) | CodeScope::Body => self.facts.iter().map(Fact::part).collect(),
            CodeScope::Version | CodeScope::Build(_) => Vec::new(),
        };
        Ok(Part { name, scope: scope.to_owned(), package, version: self.version, body, facts })
    }

    fn body(&self) -> Digest {
        Digest::from_bytes(self.tokens)
    }

    fn own_digest(&self, how: How) -> Result<Digest> {
        let mut stream = KeyStream::new("ndcache-item:1");
        match self.scope {
            _ if how == How::Body => {
                stream.text("body");
                self.feed_body(&mut stream);
            }
            CodeScope::Package(version) => {
                stream.text("package");
                stream.text(version);
                self.feed_body(&mut stream);
            }
            CodeScope::Body => {
                stream.text("body");
                self.feed_body(&mut stream);
            }
            CodeScope::Auto => {
                stream.text("auto");
                self.feed_body(&mut stream);
                self.helpers.feed(&mut stream);
            }
            CodeScope::Version => stream.text("version"),
            CodeScope::Build(function) => {
                stream.text("build");
                stream.bytes(object::build_id(function as usize)?);
            }
        }
        stream.length(self.version.iter().len());
        stream.number(self.version.unwrap_or(0));
        Ok(stream.finish())
    }

    fn feed_body(&self, stream: &mut KeyStream) {
        stream.bytes(&self.tokens);
        stream.length(self.facts.len());
        for fact in self.facts {
            fact.feed(stream);
        }
    }
}

impl Dependency {
    fn named(&'static self) -> impl Iterator<Item = (String, &'static Code)> {
        let kinds = ["", "impl "].into_iter().chain(std::iter::repeat("impl "));
        let codes = self.codes.iter().zip(kinds);
        codes.filter_map(|(code, kind)| code.map(|code_of| (format!("{kind}{}", self.name), code_of())))
    }
}
