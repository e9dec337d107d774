//! Names of blobs: relative, `/`-separated, without a way out of the root.

use crate::error::{Error, Result};
use crate::threads::fork::Process;
use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

/// The longest component that every supported file system takes, in bytes.
const COMPONENT_MAX: usize = 255;

/// A checked name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlobName<'a> {
    pub(crate) whole: &'a str,
}

impl<'a> BlobName<'a> {
    pub(crate) fn new(whole: &'a str) -> Result<Self> {
        if !is_plainly_right(whole) {
            if whole.contains('\0') {
                return Err(fault(whole, "contains a NUL"));
            }
            whole.split('/').try_for_each(|component| check(whole, component))?;
        }
        Ok(Self { whole })
    }

    /// The name of something that was listed, which is one already.
    pub(crate) fn listed(whole: &'a str) -> Self {
        Self { whole }
    }

    /// The folder that holds the blob; empty if it lies in the root itself.
    pub(crate) fn folder(&self) -> &'a str {
        split(self.whole).0
    }

    /// What follows the last `/`.
    pub(crate) fn leaf(&self) -> &'a str {
        split(self.whole).1
    }

    /// The components of the folder that holds the blob.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.folder().split('/').filter(|component| !component.is_empty())
    }
}

/// The folder of a name, empty for the root, and what remains.
///
/// Byte by byte: what follows the last slash is short, and a search for a `char` takes three times as long (2026-11).
pub(crate) fn split(whole: &str) -> (&str, &str) {
    let slash = whole.bytes().rposition(|byte| byte == b'/');
    slash.map_or(("", whole), |at| (&whole[..at], &whole[at + 1..]))
}

/// The name of a folder; empty for the root.
pub(crate) fn check_folder(folder: &str) -> Result<()> {
    if folder.is_empty() {
        return Ok(());
    }
    BlobName::new(folder).map(drop)
}

/// Whether a look at each byte and its neighbour says that all components are right; every look-up has a name.
fn is_plainly_right(whole: &str) -> bool {
    let bytes = whole.as_bytes();
    if matches!(bytes, [b'/' | b'.' | 0, ..] | [.., b'/'] | []) || bytes.len() > COMPONENT_MAX {
        return false;
    }
    // Without an early end, so that many are looked at at once.
    let pairs = bytes.iter().zip(&bytes[1..]);
    !pairs.fold(false, |odd, (&a, &b)| odd | (b == 0) | ((a == b'/') & ((b == b'/') | (b == b'.'))))
}

fn check(whole: &str, component: &str) -> Result<()> {
    Err(fault(
        whole,
        match component {
            "" => "has an empty component",
            "." | ".." => "has a component that is not a name",
            _ if component.len() > COMPONENT_MAX => "has a component of more than 255 bytes",
            _ => return Ok(()),
        },
    ))
}

fn fault(whole: &str, what: &str) -> Error {
    Error::invalid(format!("blob name `{}` {what}", whole.escape_debug()))
}

/// 16 hex digits that no other call, thread, process or host draws.
pub(crate) fn nonce() -> String {
    hex(random())
}

/// A number that no other call, thread, process or host draws.
///
/// The random part is the operating system's, by way of [`RandomState`], which std documents to be keyed anew for each
/// instance. The process id and the clock enter because a forked child inherits the state of its parent's generator.
/// Only speed depends on it: files are always created with `O_EXCL`.
pub(super) fn random() -> u64 {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    RandomState::new().hash_one((Process::id(), clock))
}

/// The number in 16 hex digits, without the detour by formatting.
fn hex(number: u64) -> String {
    let digits: [u8; 16] = std::array::from_fn(|n| b"0123456789abcdef"[(number >> (60 - 4 * n)) as usize & 15]);
    String::from_utf8_lossy(&digits).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::path::{Component, Path};

    #[test]
    fn a_name_is_split_at_its_last_slash() {
        let name = BlobName::new("f/stem-0123/ab/key.record").unwrap();
        assert_eq!((name.folder(), name.leaf()), ("f/stem-0123/ab", "key.record"));
        assert_eq!(name.folders().collect::<Vec<_>>(), ["f", "stem-0123", "ab"]);
        let name = BlobName::new("locks").unwrap();
        assert_eq!((name.folder(), name.leaf(), name.folders().count()), ("", "locks", 0));
    }

    #[test]
    fn names_that_lead_astray_are_refused() {
        let long = format!("f/{}", "x".repeat(256));
        for name in ["", "/", "/etc/passwd", "f/", "f//x", ".", "..", "f/../x", "f/./x", "a\0b", long.as_str()] {
            let error = BlobName::new(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{name:?}");
        }
        assert!(BlobName::new(&"x".repeat(255)).is_ok());
        assert!(BlobName::new("...").is_ok());
    }

    #[test]
    fn nonces_are_sixteen_hex_digits_and_differ() {
        let drawn: HashSet<String> = (0..10_000).map(|_| nonce()).collect();
        assert_eq!(drawn.len(), 10_000);
        assert!(drawn.iter().all(|n| n.len() == 16 && n.bytes().all(|b| b.is_ascii_hexdigit())));
        for number in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(hex(number), format!("{number:016x}"));
        }
    }

    proptest! {
        /// The oracle is std's own reading of a path: one or more plain components, written without decoration.
        #[test]
        fn accepted_are_plain_relative_paths_only(name in "[a./\0é]{0,8}") {
            let components: Vec<_> = Path::new(&name).components().collect();
            let plain = components.iter().all(|c| matches!(c, Component::Normal(_)));
            let spelled = components.iter().map(|c| c.as_os_str().to_str().unwrap()).collect::<Vec<_>>().join("/");
            let expected = !name.is_empty() && plain && spelled == name && !name.contains('\0');
            prop_assert_eq!(BlobName::new(&name).is_ok(), expected, "{:?}", name);
        }
    }
}
