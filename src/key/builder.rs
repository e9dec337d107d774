//! Builds functions that are defined at run time: of another language, of a tool.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::Function;
use super::run_time::RunTime;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::threads::fork::ForkMutex;

/// The longest path, in bytes: a record has to have room for it.
const PATH_MAX: usize = 4096;

/// A function that is defined at run time, and not when the program is compiled.
///
/// Its calls have the same keys as those of a `#[cache]` function with the same path, package, code digest, arguments
/// and result type, so that both find the same entries.
///
/// ```
/// use ndcache::digest;
/// use ndcache::dynamic::FunctionBuilder;
///
/// let source = "def smooth(x, sigma): return blur(x, kernel(sigma))";
/// let smooth = FunctionBuilder::new("filters.smooth", digest(source))
///     .package("filters", "2.1.0")
///     .part("filters.kernel", digest("def kernel(sigma): …"))
///     .build()?;
/// assert_eq!(smooth.path(), "filters.smooth");
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FunctionBuilder {
    path: String,
    code: Digest,
    member: String,
    mark: String,
    body: Option<Digest>,
    parts: Vec<(String, Digest)>,
}

impl FunctionBuilder {
    /// Makes a function with this path (`module.name`, `package/module::name`) and this code.
    ///
    /// `code` must differ wherever the function may compute something else: it is the digest of its code with its
    /// helpers.
    #[must_use]
    pub fn new(path: impl Into<String>, code: Digest) -> Self {
        Self { path: path.into(), code, member: String::new(), mark: String::new(), body: None, parts: Vec::new() }
    }

    /// Sets the package that the function is in. The part of its version that changes when compatibility breaks is
    /// part of the key (`1` of 1.2.3, `0.2` of 0.2.5), as for a `#[cache]` function.
    #[must_use]
    pub fn package(self, name: &str, version: &str) -> Self {
        let mark = format!("{name}@{}", compatible(version));
        self.mark(mark)
    }

    /// Sets the mark of the function's package in full: `kern@0.2/tests`; see "mark" in `docs/format.md`.
    #[must_use]
    pub fn mark(self, mark: impl Into<String>) -> Self {
        Self { mark: mark.into(), ..self }
    }

    /// Sets the type of which the function is a method, if its path doesn't say it; see "member" in `docs/format.md`.
    #[must_use]
    pub fn member(self, member: impl Into<String>) -> Self {
        Self { member: member.into(), ..self }
    }

    /// Sets the digest of the function's own body, without its helpers, so that
    /// [`explain`](super::super::dynamic::RunTimeCall::explain) can say whether the body has changed, too, when a
    /// helper has. It isn't part of the key.
    #[must_use]
    pub fn body(self, body: Digest) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Adds a helper that the code digest covers, by name, so that
    /// [`explain`](super::super::dynamic::RunTimeCall::explain) can say which helper has changed. It isn't part of
    /// the key.
    #[must_use]
    pub fn part(mut self, name: impl Into<String>, digest: Digest) -> Self {
        self.parts.push((name.into(), digest));
        self
    }

    /// Returns the function: the same one for the same path, package, member and code, with the parts that were given
    /// first. It is kept as long as the process runs, and takes some hundred bytes for each code of a function.
    ///
    /// # Errors
    ///
    /// Returns an error when the path is empty, has control characters, or has more than 4,096 bytes.
    pub fn build(self) -> Result<&'static Function> {
        type Known = HashMap<(String, String, String, Digest), &'static Function>;
        static KNOWN: LazyLock<ForkMutex<Known>> = LazyLock::new(ForkMutex::default);
        let path = &self.path;
        if path.is_empty() || path.len() > PATH_MAX || path.chars().any(char::is_control) {
            let shown: String = path.escape_debug().take(80).collect();
            return Err(Error::invalid(format!(
                "path of a function is `{shown}`, expected 1 to {PATH_MAX} bytes without control characters"
            )));
        }
        let name = (self.path.clone(), self.member.clone(), self.mark.clone(), self.code);
        let mut known = KNOWN.lock();
        Ok(known.entry(name).or_insert_with(|| Box::leak(Box::new(Function::at_run_time(self.into())))))
    }
}

impl From<FunctionBuilder> for RunTime {
    fn from(builder: FunctionBuilder) -> Self {
        let FunctionBuilder { path, code, member, mark, body, parts } = builder;
        Self::new((path, &member, mark), code, body, parts)
    }
}

/// What of a package's version only incompatible ones differ in, as the macros have it.
fn compatible(version: &str) -> &str {
    let version = version.split('+').next().unwrap_or_default();
    if version.contains('-') {
        return version;
    }
    let mut end = 0;
    for number in version.split('.') {
        end += number.len() + usize::from(end > 0);
        if number != "0" {
            break;
        }
    }
    &version[..end]
}

/// Copies `text` once and keeps the copy for as long as the process runs: for names of parameters, which are few.
pub(crate) fn interned(text: &str) -> &'static str {
    static INTERNED: LazyLock<ForkMutex<HashSet<&'static str>>> = LazyLock::new(ForkMutex::default);
    let mut interned = INTERNED.lock();
    match interned.get(text) {
        Some(known) => known,
        None => {
            let leaked: &'static str = Box::leak(text.to_owned().into_boxed_str());
            interned.insert(leaked);
            leaked
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_told_apart_where_they_are_incompatible() {
        for (version, expected) in [
            ("1.2.3", "1"),
            ("10.0.0", "10"),
            ("0.1.7", "0.1"),
            ("0.0.3", "0.0.3"),
            ("0.0.0", "0.0.0"),
            ("1.2.3+4.5", "1"),
            ("1.0.0-alpha.1", "1.0.0-alpha.1"),
            ("", ""),
        ] {
            assert_eq!(compatible(version), expected, "{version}");
        }
    }

    /// The macros are a program of their own, and can't be asked.
    #[test]
    fn what_is_compatible_is_decided_as_the_macros_do() {
        let own = |text: &'static str| {
            let begin = text.find("fn compatible(").unwrap();
            let length = text[begin..].find("\n}\n").unwrap();
            &text[begin..begin + length]
        };
        let [here, there] = [include_str!("builder.rs"), include_str!("../../macros/src/package.rs")];
        assert_eq!(own(here), own(there));
    }

    #[test]
    fn one_function_is_made_once() {
        let smooth = || FunctionBuilder::new("key.smooth", Digest::of(b"1"));
        let first = smooth().build().unwrap();
        assert!(std::ptr::eq(first, smooth().part("kernel", Digest::of(b"2")).build().unwrap()));
        let others = [
            smooth().package("key", "1.0.0"),
            smooth().member("Model"),
            FunctionBuilder::new("key.smooth", Digest::of(b"3")),
            FunctionBuilder::new("key.rough", Digest::of(b"1")),
        ];
        let mut seen = vec![first.digests().unwrap().function];
        for other in others {
            let function = other.build().unwrap().digests().unwrap().function;
            assert!(!seen.contains(&function));
            seen.push(function);
        }
    }

    #[test]
    fn a_path_that_no_record_has_room_for_is_refused() {
        for path in ["", "a\nb", &"x".repeat(PATH_MAX + 1)] {
            let error = FunctionBuilder::new(path, Digest::of(b"")).build().unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Invalid, "{error}");
        }
    }

    #[test]
    fn a_text_is_kept_once() {
        assert!(std::ptr::eq(interned("sigma"), interned("sigma")));
    }
}
