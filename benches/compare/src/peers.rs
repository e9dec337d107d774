//! The rounds of other crates: `cached` in memory and on disk, `cacache` for bytes on disk; and of a plain file, which is
//! the limit.

use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read as _;
use std::path::Path;

use cached::macros::cached;
use cached::{ConcurrentCached as _, RedbCache};
use ndarray::Array1;

use crate::times::{once, steady};
use crate::unknown;

#[cached]
fn polynomial(n: i64) -> f64 {
    (n as f64 * 2.5 + 1.0) * n as f64 - 3.0
}

pub(crate) fn cached(what: &str) -> Result<f64, Box<dyn Error>> {
    match what {
        "number" => Ok(steady(|| polynomial(black_box(2)))),
        other => unknown(other),
    }
}

/// Its store on disk, the database redb: a value goes there by serde, whole, and comes back so. As the others, it leaves it
/// to the system when what is stored gets to the disk.
pub(crate) fn redb(folder: &Path, what: &str, x: &Array1<f64>) -> Result<f64, Box<dyn Error>> {
    match what {
        "number" => {
            let cache = RedbCache::<i64, f64>::builder("number").disk_dir(folder).build()?;
            cache.cache_set(2, polynomial(2))?;
            Ok(steady(|| cache.cache_get(black_box(&2))))
        }
        "load" => {
            let cache = RedbCache::<usize, Vec<f64>>::builder("load").disk_dir(folder).build()?;
            if cache.cache_get(&x.len())?.is_none() {
                cache.cache_set(x.len(), x.to_vec())?;
            }
            if cache.cache_get(&x.len())? != Some(x.to_vec()) {
                return Err("another array came back".into());
            }
            Ok(steady(|| cache.cache_get(&x.len())))
        }
        "store" => {
            let scratch = folder.with_extension("scratch");
            let cache = RedbCache::<usize, Vec<f64>>::builder("store").disk_dir(&scratch).durable(false).build()?;
            let value = x.to_vec();
            let (seconds, stored) = once(|| cache.cache_set(x.len(), value));
            stored?;
            drop(cache);
            fs::remove_dir_all(&scratch)?;
            Ok(seconds)
        }
        other => unknown(other),
    }
}

/// It stores bytes and knows no arrays: the key is a name, and what it reads is a `Vec<u8>`, checked by SHA-256.
pub(crate) fn cacache(folder: &Path, what: &str, x: &Array1<f64>) -> Result<f64, Box<dyn Error>> {
    let bytes: &[u8] = bytemuck::cast_slice(x.as_slice().expect("a contiguous array"));
    let name = format!("painted {}", bytes.len());
    match what {
        "load" => {
            if cacache::metadata_sync(folder, &name)?.is_none() {
                cacache::write_sync(folder, &name, bytes)?;
            }
            if cacache::read_sync(folder, &name)? != bytes {
                return Err("other bytes came back".into());
            }
            Ok(steady(|| cacache::read_sync(folder, &name)))
        }
        "store" => {
            let scratch = folder.with_extension("scratch");
            let (seconds, stored) = once(|| cacache::write_sync(&scratch, &name, bytes));
            stored?;
            cacache::clear_sync(&scratch)?;
            Ok(seconds)
        }
        other => unknown(other),
    }
}

/// Opening a file of those bytes and reading it into memory that was used before: what no load can do without.
pub(crate) fn plain(file: &Path, what: &str, x: &Array1<f64>) -> Result<f64, Box<dyn Error>> {
    if what != "load" {
        return unknown(what);
    }
    let bytes: &[u8] = bytemuck::cast_slice(x.as_slice().expect("a contiguous array"));
    fs::write(file, bytes)?;
    let mut read = bytes.to_vec();
    let seconds = steady(|| File::open(file).and_then(|mut file| file.read_exact(black_box(&mut read))));
    if read != bytes {
        return Err("other bytes came back".into());
    }
    fs::remove_file(file)?;
    Ok(seconds)
}
