//! Build steps: `memory.make(call, target)`.

mod attributes;
mod crash;
mod flights;
mod modes;
mod oracle;
mod targets;
#[cfg(feature = "nifti")]
mod volumes;

use std::cell::Cell;
use std::path::PathBuf;

use ndarray::prelude::*;
use ndcache::{Memory, cache};
use tempfile::TempDir;

thread_local! {
    /// How often the functions below ran on this thread.
    static RUNS: Cell<usize> = const { Cell::new(0) };
}

fn runs() -> usize {
    RUNS.get()
}

#[cache]
fn ramp(n: usize, step: f64) -> Array1<f64> {
    RUNS.set(RUNS.get() + 1);
    Array1::from_shape_fn(n, |i| i as f64 * step)
}

/// A folder with a cache in it, and a place for targets.
struct Workshop {
    folder: TempDir,
    memory: Memory,
}

impl Workshop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path().join("cache")).unwrap();
        std::fs::create_dir(folder.path().join("out")).unwrap();
        Self { folder, memory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("out").join(name)
    }

    /// The names in the targets' folder.
    fn names(&self) -> Vec<String> {
        let items = std::fs::read_dir(self.folder.path().join("out")).unwrap();
        let mut names: Vec<_> = items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The slots' records.
    fn slots(&self) -> Vec<PathBuf> {
        crate::support::files(&self.folder.path().join("cache"), ".record")
            .into_iter()
            .filter(|path| path.parent().is_some_and(|folder| folder.ends_with("m")))
            .collect()
    }
}
