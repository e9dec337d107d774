//! What `#[cache]` has found of the code that a function reaches in its crate.

use super::{Fact, KeyStream, Part};

/// The helpers of one function, as the macro writes them down; a constant.
pub struct Helpers {
    /// Over the items and over what their mentions lead to (`ndcache-source`).
    pub digest: [u8; 16],
    /// What the items take from the build, in the order in which it is part of the key.
    pub facts: &'static [HelperFact],
    /// A line for each item, the function itself first: digest in hex, name, file and why it counts, with tabs between.
    pub parts: &'static str,
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
}

impl Helpers {
    /// Where none are looked for.
    pub const NONE: Self = Self { digest: [0; 16], facts: &[], parts: "", unseen: "", is_whole_crate: false };

    pub(super) fn feed(&self, stream: &mut KeyStream) {
        stream.bytes(&self.digest);
        stream.length(self.facts.len());
        for HelperFact { item, fact, .. } in self.facts {
            stream.text(item);
            fact.feed(stream);
        }
    }

    /// The helpers, without the function itself.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        self.lines().skip(1).map(|line| self.part(line))
    }

    /// The function itself, as the sources have it, and its helpers.
    pub(super) fn code_parts(&self) -> impl Iterator<Item = CodePart> {
        let lines = self.lines().map(|PartLine { name, file, why, .. }| CodePart {
            name: name.to_owned(),
            file: (!file.is_empty()).then(|| file.to_owned()),
            why: why.to_owned(),
        });
        lines.chain(self.is_whole_crate.then(|| CodePart {
            name: "every file of the crate".to_owned(),
            file: None,
            why: "more items count than are told apart".to_owned(),
        }))
    }

    pub(super) fn unseen(&self) -> impl Iterator<Item = &'static str> {
        self.unseen.lines()
    }

    /// Whether the function of the helpers `other` is among these; or, if the sources don't tell of it, the item at the
    /// path `path`, which begins with the crate. Both are of one crate.
    pub(super) fn hold(&self, other: &Self, path: &str) -> bool {
        let inner = other.lines().next();
        let path = path.split_once("::").map(|(_, path)| path);
        let is_it = |line: PartLine| match inner {
            Some(inner) => inner.digest == line.digest && inner.name == line.name,
            None => path == Some(line.name),
        };
        self.is_whole_crate || self.lines().any(is_it)
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
            let mut fields = line.splitn(4, '\t');
            Some(PartLine { digest: fields.next()?, name: fields.next()?, file: fields.next()?, why: fields.next()? })
        })
    }
}
