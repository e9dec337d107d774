//! The list of sources that the compiler writes beside a crate: a rule as `make` reads it, and the variables of the
//! environment that the crate has looked up.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The contents of a `.d` file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct DepInfo {
    /// The files, the crate's root first.
    files: Vec<PathBuf>,
    /// The variables, `None` for one that wasn't set.
    pub(super) variables: BTreeMap<String, Option<String>>,
}

impl DepInfo {
    pub(super) fn read(path: &Path) -> Option<DepInfo> {
        Some(DepInfo::parse(&fs::read_to_string(path).ok()?))
    }

    fn parse(text: &str) -> DepInfo {
        let mut list = DepInfo::default();
        for line in text.lines() {
            if let Some(variable) = line.strip_prefix("# env-dep:") {
                let (name, value) = match variable.split_once('=') {
                    Some((name, value)) => (name, Some(unescaped(value))),
                    None => (variable, None),
                };
                list.variables.insert(unescaped(name), value);
            } else if let (true, Some((_, files))) = (list.files.is_empty(), line.split_once(": ")) {
                list.files = paths(files);
            }
        }
        list
    }

    pub(super) fn root(&self) -> Option<&Path> {
        self.files.iter().map(PathBuf::as_path).find(|path| path.extension().is_some_and(|end| end == "rs"))
    }

    /// The folder that relative paths of the list are seen from, the workspace's: `own`, the folder that the compiler
    /// runs in, or one above the list.
    pub(super) fn folder(&self, listed: &Path, own: Option<&Path>) -> Option<PathBuf> {
        let root = self.root()?;
        if root.is_absolute() {
            return Some(PathBuf::new());
        }
        let folders = own.into_iter().chain(listed.ancestors().skip(1));
        folders.into_iter().find(|folder| folder.join(root).is_file()).map(Path::to_owned)
    }

    /// Whether no file of the list is younger than the list.
    pub(super) fn is_current(&self, listed: &Path, folder: &Path) -> bool {
        let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        let Some(written) = modified(listed) else { return false };
        self.files.iter().all(|file| modified(&folder.join(file)).is_some_and(|modified| modified <= written))
    }
}

/// The paths of a rule, in which a space has a backslash before it.
fn paths(text: &str) -> Vec<PathBuf> {
    let mut paths = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some(' ')) => paths.last_mut().expect("it starts with one").extend(characters.next()),
            (' ', _) => paths.push(String::new()),
            _ => paths.last_mut().expect("it starts with one").push(character),
        }
    }
    paths.into_iter().filter(|path| !path.is_empty()).map(PathBuf::from).collect()
}

/// A text with `\n`, `\r` and `\\` as the compiler writes them into one line.
fn unescaped(text: &str) -> String {
    let mut found = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        found.push(match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                other => other.unwrap_or('\\'),
            },
            (character, false) => character,
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_the_compiler_is_read() {
        let list = DepInfo::parse(
            "/t/deps/app-1.d: src/lib.rs src/a\\ b.rs data.bin\n\n/t/deps/libapp-1.rlib: src/lib.rs\n\nsrc/lib.rs:\n\n# env-dep:TEXT=a=b\\nc\\\\d\n# env-dep:UNSET\n",
        );
        assert_eq!(list.files, ["src/lib.rs", "src/a b.rs", "data.bin"].map(PathBuf::from));
        assert_eq!(list.root(), Some(Path::new("src/lib.rs")));
        let variables = [("TEXT", Some("a=b\nc\\d")), ("UNSET", None)];
        let expected = variables.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        assert_eq!(list.variables, BTreeMap::from(expected));
        assert_eq!(DepInfo::parse("").root(), None);
    }
}
