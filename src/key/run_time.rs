//! What identifies a function, and what is known of a function that is defined at run time.

use super::{CodePart, KeyStream, Part};
use crate::digest::Digest;

/// What counts of a function whose code somebody else has digested.
const GIVEN: &str = "given";

/// The digests of a function: what its code is, and what names it.
#[derive(Clone, Copy)]
pub(crate) struct FunctionDigests {
    pub(crate) code: Digest,
    /// The digest of path and code together.
    pub(crate) function: Digest,
}

/// What is known of a function that no macro has seen.
pub(super) struct RunTime {
    path: String,
    mark: String,
    digests: FunctionDigests,
    parts: Vec<Part>,
}

impl RunTime {
    /// A function of this path and this code, the digests of whose body and helpers are known by name.
    pub(super) fn new(
        (path, member, mark): (String, &str, String),
        code: Digest,
        body: Option<Digest>,
        parts: Vec<(String, Digest)>,
    ) -> Self {
        let function = function_stream(&path, member, &mark, code).finish();
        let itself = part(String::new(), GIVEN, body.unwrap_or(code));
        let helpers = parts.into_iter().map(|(name, digest)| part(name, Part::FOUND, digest));
        let parts = std::iter::once(itself).chain(helpers).collect();
        Self { path, mark, digests: FunctionDigests { code, function }, parts }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    pub(super) fn digests(&self) -> FunctionDigests {
        self.digests
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What counts as its code, with the reasons.
    pub(super) fn code_parts(&self) -> Vec<CodePart> {
        let code_part = |part: &Part| match part.name.as_str() {
            "" => CodePart { name: self.path.clone(), file: None, why: "the function itself".to_owned() },
            name => CodePart { name: name.to_owned(), file: None, why: "given as a part of it".to_owned() },
        };
        self.parts.iter().map(code_part).collect()
    }
}

fn part(name: String, scope: &str, digest: Digest) -> Part {
    Part { name, scope: scope.to_owned(), package: None, version: None, body: Some(digest), facts: Vec::new() }
}

/// What names a function: path, type that it belongs to, package and code.
pub(super) fn function_stream(path: &str, member: &str, mark: &str, code: Digest) -> KeyStream {
    let mut stream = KeyStream::new("ndcache-function:1");
    stream.text(path);
    stream.text(member);
    stream.text(mark);
    stream.digest(code);
    stream
}
