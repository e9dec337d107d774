//! Small crates in temporary folders.

use std::fs;
use std::path::{Path, PathBuf};

use ndcache_source::{Index, Position, Reached, Resolver, Session};
use tempfile::TempDir;

/// A crate in a folder of its own; its root is the first file.
pub(crate) struct Crate {
    folder: TempDir,
    session: Session,
}

impl Crate {
    pub(crate) fn new(files: &[(&str, &str)]) -> Crate {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let session = Session { root: folder.path().join(files[0].0), edition: 2021, ..Session::default() };
        Crate { folder, session }
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Session)) -> Crate {
        change(&mut self.session);
        self
    }

    pub(crate) fn index(&self) -> Index {
        Index::read(self.session.clone()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// What the function reaches whose definition says `fn root`.
    pub(crate) fn reached(&self) -> Reached {
        self.reached_without(&[])
    }

    pub(crate) fn reached_without(&self, without: &[&str]) -> Reached {
        let index = self.index();
        let place = place(index.files(), "root").expect("`fn root` stands in no file");
        let without: Vec<String> = without.iter().map(|path| path.to_string()).collect();
        Resolver::new(&index).reach(&place, &without).unwrap_or_else(|error| panic!("{error}"))
    }
}

fn place<'a>(files: impl Iterator<Item = &'a Path>, name: &str) -> Option<Position> {
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let signature = format!("fn {name}");
        let is_it = |line: &str| line.split(&signature).skip(1).any(|rest| rest.starts_with(['(', '<']));
        if let Some(line) = text.lines().position(is_it) {
            return Some(Position {
                file: file.to_owned(),
                line: line + 1,
                name: name.to_owned(),
                ..Position::default()
            });
        }
    }
    None
}

/// The names of parts, sorted, without the function itself.
pub(crate) fn names(reached: &Reached) -> Vec<&str> {
    let mut names: Vec<&str> = reached.parts[1..].iter().map(|part| part.name.as_str()).collect();
    names.sort_unstable();
    names
}

#[track_caller]
pub(crate) fn assert_parts(text: &str, expected: &[&str]) {
    assert_parts_of(&[("src/lib.rs", text)], expected);
}

#[track_caller]
pub(crate) fn assert_parts_of(files: &[(&str, &str)], expected: &[&str]) {
    let reached = Crate::new(files).reached();
    let found = names(&reached);
    let whys = reached.parts.iter().map(|part| format!("{}: {}", part.name, part.why)).collect::<Vec<_>>();
    assert_eq!(found, expected, "{}\n{whys:#?}", files[0].1);
}

/// Asserts that these parts count, whatever else does.
#[track_caller]
pub(crate) fn assert_counts(text: &str, expected: &[&str]) {
    let reached = Crate::new(&[("src/lib.rs", text)]).reached();
    let found = names(&reached);
    for name in expected {
        assert!(found.contains(name), "`{name}` doesn't count, only {found:?}: {text}");
    }
}

/// Asserts that the digest of `fn root` differs between the text with `1` and the one with `2` in place of each `@`.
#[track_caller]
pub(crate) fn assert_edit_counts(text: &str) {
    let digest = |version: &str| Crate::new(&[("src/lib.rs", &text.replace('@', version))]).reached().digest;
    assert_ne!(digest("1"), digest("2"), "{text}");
}
