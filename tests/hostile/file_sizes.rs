//! A limit on file sizes (`ulimit -f`), past which the system ends a process with a signal: an error here.

use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use ndarray::prelude::*;
use ndcache::make::replace_file;
use ndcache::make::{MsgpackFile, NpyFile, Persister};
use ndcache::policy::Durability;
use ndcache::{Compression, ErrorKind, Mapped1, Memory, Result};
use ndcache::{cache, zeros};

use crate::support::{child, in_child};

/// The length of an array that takes more bytes than the child's limit.
const LARGE: usize = 100_000;

#[cache]
fn noise(n: usize) -> Array1<f64> {
    (0..n as u64).map(|i| f64::from_bits(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 2)).collect()
}

#[cache]
fn text(n: usize) -> String {
    "x".repeat(n)
}

#[cache]
fn staged(n: usize) -> Mapped1<f64> {
    zeros::<f64, _>(n).into()
}

/// Runs the test `name` of this program where no file may have more than 64 KiB; in the child, its folder.
fn limited(name: &str) -> Option<String> {
    if let Some(folder) = in_child(name, "FOLDER") {
        return Some(folder);
    }
    let folder = tempfile::tempdir().unwrap();
    let child = child(name, &[]);
    let mut limited = Command::new("bash");
    limited.args(["-c", "ulimit -f 64; exec \"$0\" \"$@\""]).arg(child.get_program()).args(child.get_args());
    limited.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let done = limited.env("FOLDER", folder.path()).output().unwrap();
    let (out, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && out.contains("1 passed"), "{}: {out}{error}", done.status);
    None
}

#[test]
fn build_steps_give_an_error_that_names_the_target() {
    let Some(folder) = limited("hostile::file_sizes::build_steps_give_an_error_that_names_the_target") else { return };
    let folder = Path::new(&folder);
    let memory = Memory::builder(folder.join("cache")).durability(Durability::Full).open().unwrap();
    fn check<T>(made: Result<T>, path: &Path, had: &str) {
        let error = made.map(drop).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert!(error.to_string().contains("File too large"), "{error}");
        assert_eq!(fs::read_to_string(path).unwrap(), had, "the old one stands");
    }
    let old = |name: &str| {
        let path = folder.join(name);
        fs::write(&path, "old").unwrap();
        path
    };
    for _ in 0..2 {
        let path = old("a.npy");
        check(memory.make(noise::call(LARGE), NpyFile::new(&path)), &path, "old");
        let path = old("m.npy");
        check(memory.make(noise::call(LARGE), NpyFile::mapped(&path)), &path, "old");
        let path = old("a.msgpack");
        check(memory.make(text::call(LARGE), MsgpackFile::new(&path)), &path, "old");
        #[cfg(feature = "nifti")]
        for name in ["a.nii", "a.nii.gz"] {
            let path = old(name);
            check(memory.make(noise::call(30_000), ndcache::make::NiftiFile::new(&path)), &path, "old");
            check(memory.make(noise::call(30_000), ndcache::make::MappedNiftiFile::new(&path)), &path, "old");
        }
        let path = old("a.txt");
        check(replace_file(&path, |file| file.write_all(&[7; LARGE])), &path, "old");
        check(replace_file(&path, |file| write!(file, "{}", "1".repeat(LARGE))), &path, "old");
        // The limit is exceeded by one byte, which is only written when the buffer is flushed at the end.
        check(replace_file(&path, |file| file.write_all(&[7; (64 << 10) + 1])), &path, "old");
        let far = |file: &mut io::BufWriter<_>| file.seek(SeekFrom::Start(1 << 40)).and_then(|_| file.write_all(b"x"));
        check(replace_file(&path, far), &path, "old");
        replace_file(&path, |file| file.write_all(&[7; 64 << 10])).unwrap();
    }
    // No temporary file is left behind, and a small target can be made.
    let names = fs::read_dir(folder).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| !name.ends_with(".tmp")));
    assert_eq!(memory.make(text::call(9), MsgpackFile::new(folder.join("small"))).unwrap(), "xxxxxxxxx");
    let target = NpyFile::new(folder.join("direct.npy"));
    let error = Persister::<Array1<f64>>::save(&target, &noise(LARGE)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}

#[test]
fn results_are_returned_and_counted_as_faults() {
    let Some(folder) = limited("hostile::file_sizes::results_are_returned_and_counted_as_faults") else { return };
    let folder = Path::new(&folder);
    for (n, compression) in [Compression::None, Compression::Gzip(1)].into_iter().enumerate() {
        let memory = Memory::builder(folder.join(format!("cache{n}"))).compression(compression).open().unwrap();
        assert_eq!(memory.eval(noise::call(LARGE)), noise(LARGE));
        assert_eq!(memory.try_eval(noise::call(LARGE)).unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(memory.mmap(noise::call(LARGE)).len(), LARGE);
        assert_eq!(memory.refresh(noise::call(LARGE)).len(), LARGE);
        assert_eq!(memory.eval(staged::call(LARGE)).len(), LARGE);
        // A record's value lies in a file of its own.
        assert_eq!(memory.eval(text::call(LARGE)).len(), LARGE);
        drop(memory.shelve(noise::call(LARGE)));
        assert!(memory.mmap_mut(noise::call(LARGE)).is_err());
        assert!(memory.stats().faults() >= 6, "{:?}", memory.stats());
        // Zeros are small once they are compressed.
        assert_eq!(memory.entries().count(), n);
        assert_eq!(memory.eval(text::call(10)), memory.eval(text::call(10)));
        assert_eq!(memory.stats().hits(), 1);
        memory.verify(ndcache::verify::Repair::Remove).unwrap();
        memory.clear().unwrap();
    }
}

// Lines of `verbose` that would end the program are left out, as are all that can't be printed.
#[test]
fn nothing_is_printed_past_the_limit() {
    let Some(folder) = limited("hostile::file_sizes::nothing_is_printed_past_the_limit") else { return };
    const AGAIN: &str = "FILE_SIZES_STDERR";
    if std::env::var_os(AGAIN).is_none() {
        let log = Path::new(&folder).join("log");
        let mut again =
            child("hostile::file_sizes::nothing_is_printed_past_the_limit", &[("FOLDER", &folder), (AGAIN, "")]);
        fs::write(&log, [b' '; 60 << 10]).unwrap();
        let done = again.stderr(fs::File::options().append(true).open(&log).unwrap()).output().unwrap();
        assert!(done.status.success(), "{}", done.status);
        let len = fs::metadata(&log).unwrap().len();
        assert!((62 << 10..=64 << 10).contains(&len), "{len}");
        return;
    }
    let memory = Memory::builder(Path::new(&folder).join("cache")).verbose(3).open().unwrap();
    (0..60).for_each(|n| drop(memory.eval(text::call(n))));
}
