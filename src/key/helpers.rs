//! What `#[cache]` has found of the code that a function reaches in its crate.

use super::{Fact, KeyStream, Part};
use crate::digest::Digest;

/// What stands for all items where they are more than are told apart.
const EVERY_FILE: &str = "every file of the crate";

/// The helpers of one function, as the macro writes them down; a constant.
pub struct Helpers {
    /// Over the items and over what their mentions lead to (`ndcache-source`).
    pub digest: [u8; 16],
    /// What the items take from the build, in the order in which it is part of the key.
    pub facts: &'static [HelperFact],
    /// A line for each item, the function itself first: digest in hex, name, file, why it counts, and `elsewhere` if it is
    /// another crate's, with tabs between.
    pub parts: &'static str,
    /// A line for each crate whose sources are read, its name: that of the function first.
    pub crates: &'static str,
    /// A line for each thing that can't be followed.
    pub unseen: &'static str,
    /// Whether every file of the crate counts, and `parts` holds the function alone.
    pub is_whole_crate: bool,
}

/// Something that a helper takes from the build.
pub struct HelperFact {
    /// The helper's name, which is part of no digest.
    pub helper: &'static str,
    /// The helper's digest in hex, empty for what has one value in the whole crate.
    pub item: &'static str,
    /// What it takes.
    pub fact: Fact,
}

/// One piece of the code that is part of a function's key: the function, a helper, or what `depends(…)` names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodePart {
    /// Its path in the crate; that of a member has its `impl` in angle brackets. What `depends(…)` names is called as it is there.
    pub name: String,
    /// The file in which it stands, from the package's folder on, if that is known.
    pub file: Option<String>,
    /// Why it counts, in words: ``named by `window` ``.
    pub why: String,
}

/// A line of `parts`.
#[derive(Clone, Copy, PartialEq, Eq)]
struct PartLine {
    digest: &'static str,
    name: &'static str,
    file: &'static str,
    why: &'static str,
    /// The name begins with that of another crate.
    is_elsewhere: bool,
}

impl Helpers {
    /// Where none are looked for.
    pub const NONE: Self =
        Self { digest: [0; 16], facts: &[], parts: "", crates: "", unseen: "", is_whole_crate: false };

    pub(super) fn feed(&self, stream: &mut KeyStream) {
        stream.bytes(&self.digest);
        stream.length(self.facts.len());
        for HelperFact { item, fact, .. } in self.facts {
            stream.text(item);
            fact.feed(stream);
        }
    }

    /// The helpers, without the function itself; or all files as one.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        let files = self.is_whole_crate.then(|| Part {
            name: EVERY_FILE.to_owned(),
            scope: Part::FOUND.to_owned(),
            package: None,
            version: None,
            body: Some(Digest::from_bytes(self.digest)),
            facts: self.facts.iter().map(|fact| fact.fact.part()).collect(),
        });
        self.lines().skip(1).map(|line| self.part(line)).chain(files)
    }

    /// The function itself, as the sources have it, and its helpers.
    pub(super) fn code_parts(&self) -> impl Iterator<Item = CodePart> {
        let lines = self.lines().map(|PartLine { name, file, why, .. }| CodePart {
            name: name.to_owned(),
            file: (!file.is_empty()).then(|| file.to_owned()),
            why: why.to_owned(),
        });
        lines.chain(self.is_whole_crate.then(|| CodePart {
            name: EVERY_FILE.to_owned(),
            file: None,
            why: "more items count than are told apart".to_owned(),
        }))
    }

    pub(super) fn unseen(&self) -> impl Iterator<Item = &'static str> {
        self.unseen.lines()
    }

    /// Whether the function of the helpers `other` is among these; or, if the sources don't tell of it, the item at the
    /// path `path`, which begins with the crate. `is_near` if their packages and binaries are one: both may be of one crate.
    pub(super) fn hold(&self, other: &Self, path: &str, is_near: bool) -> bool {
        let inner = other.lines().next();
        let within = path.rsplit('/').next().and_then(|path| path.split_once("::"));
        let found = inner.map(|inner| (other.crates.lines().next().unwrap_or_default(), inner.name)).or(within);
        let Some((krate, name)) = found else { return false };
        let mut crates = self.crates.lines();
        let is_here = is_near && crates.next().unwrap_or_default() == krate;
        if self.is_whole_crate {
            return is_here || crates.any(|read| read == krate);
        }
        let full = format!("{krate}::{name}");
        // An item's digest is another one where another crate sees it.
        self.lines().any(|line| match line.is_elsewhere {
            true => line.name == full,
            false => is_here && line.name == name && inner.is_none_or(|inner| inner.digest == line.digest),
        })
    }

    fn part(&self, line: PartLine) -> Part {
        let facts = self.facts.iter().filter(|fact| fact.helper == line.name).map(|fact| fact.fact.part());
        Part {
            name: line.name.to_owned(),
            scope: Part::FOUND.to_owned(),
            package: None,
            version: None,
            body: line.digest.parse().ok(),
            facts: facts.collect(),
        }
    }

    fn lines(&self) -> impl Iterator<Item = PartLine> + use<> {
        self.parts.lines().filter_map(|line| {
            let mut fields = line.splitn(5, '\t');
            let [digest, name, file, why] = [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
            Some(PartLine { digest, name, file, why, is_elsewhere: fields.next().is_some() })
        })
    }
}
