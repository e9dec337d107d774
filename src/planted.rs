//! Bugs that are there on purpose, so that `.ci/planted` sees each harness catch the ones it is meant for.
//!
//! A build has them only if the environment variable `NDCACHE_PLANTED` was set for it; `build.rs` says so to the
//! compiler. Which of them is there is then for the running program to say, by `NDCACHE_BUG`: one, or several with
//! commas between them.

use std::path::{Path, PathBuf};

/// Whether this bug is there.
#[cfg(ndcache_planted)]
pub(crate) fn is(bug: &str) -> bool {
    use std::sync::LazyLock;
    static CHOSEN: LazyLock<String> = LazyLock::new(|| std::env::var("NDCACHE_BUG").unwrap_or_default());
    CHOSEN.split(',').any(|chosen| chosen == bug)
}

/// Always false: this build has no planted bug.
#[cfg(not(ndcache_planted))]
pub(crate) const fn is(_bug: &str) -> bool {
    false
}

/// Files that others don't see yet.
pub(crate) struct Late(Vec<PathBuf>);

/// Hides the files until they are to appear, if this bug is there.
pub(crate) fn late(bug: &str, files: impl IntoIterator<Item = PathBuf>) -> Late {
    let files: Vec<_> = if is(bug) { files.into_iter().collect() } else { Vec::new() };
    files.iter().for_each(|file| rename(file, &file.with_extension("late")));
    Late(files)
}

impl Late {
    pub(crate) fn appear(self) {
        self.0.iter().for_each(|file| rename(&file.with_extension("late"), file));
    }
}

/// Renames by the system call that publishes a record, which is what a harness looks for.
fn rename(from: &Path, to: &Path) {
    let _ = rustix::fs::renameat(rustix::fs::CWD, from, rustix::fs::CWD, to);
}
