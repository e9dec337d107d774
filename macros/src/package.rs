//! The package in which a macro expands: cargo lets two versions of one into a program, whose items have the same names.

use std::env;

/// Package, version and binary: what tells an item from those of its name. Empty where the compiler is run without Cargo.
///
/// Integration tests and benchmarks may have the name of the library.
pub(crate) fn mark() -> String {
    let binary = variable("CARGO_BIN_NAME").map(|name| format!("/{name}")).unwrap_or_default();
    let tests = if variable("CARGO_TARGET_TMPDIR").is_some() { "/tests" } else { "" };
    variable("CARGO_PKG_NAME").map(|name| format!("{name}@{}{binary}{tests}", version())).unwrap_or_default()
}

/// What of the package's version only incompatible ones differ in.
pub(crate) fn version() -> String {
    compatible(&variable("CARGO_PKG_VERSION").unwrap_or_default()).to_owned()
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The version up to its first number that isn't 0: Cargo takes no two versions into a program that agree there. A
/// pre-release is compatible with itself alone. Build metadata, behind a `+`, makes no other version.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart_where_they_are_incompatible() {
        for (version, expected) in [
            ("1.2.3", "1"),
            ("10.0.0", "10"),
            ("0.1.0", "0.1"),
            ("0.1.7", "0.1"),
            ("0.12.3", "0.12"),
            ("0.0.3", "0.0.3"),
            ("0.0.0", "0.0.0"),
            ("1.2.3+4.5", "1"),
            ("0.1.2+a-b", "0.1"),
            ("1.0.0-alpha.1", "1.0.0-alpha.1"),
            ("0.1.0-rc.2+4", "0.1.0-rc.2"),
            ("", ""),
        ] {
            assert_eq!(compatible(version), expected, "{version}");
        }
    }
}
