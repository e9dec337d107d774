//! Replacing a file in one step.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::Dir;

use super::attributes::FileAttributes;
use super::{folder_of, published};
use crate::error::{Error, Result};
use crate::memory::ambient;
use crate::store::{Durability, GARBAGE_AGE, LimitedFile, is_on_network, nonce};
use crate::threads::fork::Process;

/// How the temporary file of a target ends.
const SUFFIX: &str = ".tmp";

/// How many digits a [`nonce`] has.
const NONCE_LEN: usize = 16;

/// The longest name that every supported file system takes, in bytes.
const NAME_MAX: usize = 255;

/// The mode of a new file that may be written to; the umask takes bits away.
pub(super) const WRITABLE: u32 = 0o666;

/// The mode of a new file that may be mapped: without write permission.
pub(super) const READ_ONLY: u32 = 0o444;

/// Writes a file and puts it at `path` in one step, in place of the file that is there.
///
/// It is meant for the [`save`](crate::make::Persister::save) of your own [`Persister`](crate::make::Persister).
/// `write` gets a buffered file next to `path`, hidden and with a unique name; when it is written and closed it is
/// renamed. A reader of `path` sees the old file or the new one, whole; after an error, a panic or a crash the old
/// one stays. A crash may leave the temporary file, which a later call for the same path removes after a day. Each
/// call lists the folder of `path` to find such files.
///
/// The file is flushed as the [`Durability`](crate::policy::Durability) of this thread's memory says: inside
/// [`Memory::make`](crate::Memory::make) and [`Memory::with`](crate::Memory::with) that of this memory, otherwise
/// that of [`Memory::set_global`](crate::Memory::set_global); without a memory it isn't flushed. On a network file
/// system it is always flushed.
///
/// The new file has the permissions of the old one, and its owner, group and extended attributes as far as the system
/// allows. If the old file has several hard links, only the one at `path` leads to the new file; a symbolic link is
/// replaced by a file.
///
/// # Errors
///
/// Returns an error that names the file when it can't be written, and the error of `write`. Exceeding the process's
/// limit on file sizes (`ulimit -f`) is such an error, too; the process doesn't get the signal that would end it.
///
/// ```
/// use std::io::Write;
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("a.txt");
/// ndcache::make::replace_file(&path, |file| file.write_all(b"whole"))?;
/// assert_eq!(std::fs::read_to_string(&path)?, "whole");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn replace_file<E>(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<LimitedFile>) -> Result<(), E>,
) -> Result<()>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    replace(path.as_ref(), WRITABLE, |file| write(file).map_err(Error::other))
}

/// Does what [`replace_file`] does. A file that replaces no other gets `mode`. Where `mode` has no write permission the
/// new file gets none, even if the old one had it.
pub(super) fn replace(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut BufWriter<LimitedFile>) -> Result<()>,
) -> Result<()> {
    let durability = ambient().map_or(Durability::Buffered, |memory| memory.durability());
    let temp = NewFile::beside(path)?;
    let kept = FileAttributes::at(path);
    let new_mode = FileAttributes::mode_of_new(kept.as_ref(), mode);
    let file = OpenOptions::new().write(true).create_new(true).mode(new_mode).open(&temp.path);
    let file = LimitedFile::new(file.map_err(|error| Error::io("create a file for", path, error))?);
    let mut file = BufWriter::with_capacity(1 << 20, file);
    let failed = |error| Error::io("write", path, error);
    write(&mut file).map_err(|error| naming(path, error))?;
    file.flush().map_err(failed)?;
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?.into_file();
    if let Some(kept) = kept {
        kept.give(&file, mode);
    }
    if must_flush(&file, durability) {
        file.sync_all().map_err(|error| Error::io("flush", path, error))?;
    }
    // Held open, so that no other file gets its inode before the step has compared it. If it can't be had, the step
    // compares nothing.
    let held = published::is_watched(path).then(|| file.try_clone().ok()).flatten();
    drop(file);
    temp.publish(path)?;
    if let Some(held) = held {
        published::note(path, held);
    }
    let folder = folder_of(path);
    if durability.syncs_folders() {
        let flushed = File::open(folder).and_then(|folder| folder.sync_all());
        flushed.map_err(|error| Error::io("flush", folder, error))?;
    }
    remove_leftovers(path);
    Ok(())
}

/// Whether a file is flushed before it is closed. On a network file system it always is: `close` is the last to report a
/// lost write there, and std drops what it reports; flushing reports it, too.
fn must_flush(file: &File, durability: Durability) -> bool {
    durability.syncs_files() || is_on_network(file)
}

/// Adds the file's name to an error, unless its text has it.
fn naming(path: &Path, error: Error) -> Error {
    let name = path.display().to_string();
    if error.to_string().contains(&name) { error } else { error.at(format_args!("can't write `{name}`")) }
}

/// A file that isn't at its place yet; removed unless it comes there.
struct NewFile {
    path: PathBuf,
    /// A child that was forked in between drops its copy, too, but the file is the parent's.
    creator: Process,
    published: bool,
}

impl NewFile {
    fn beside(path: &Path) -> Result<Self> {
        let Some(name) = path.file_name() else {
            return Err(Error::invalid(format!("`{}` names no file", path.display())));
        };
        let (prefix, tail) = (prefix_of(&name.to_string_lossy()), format!("{}{SUFFIX}", nonce()));
        let path = folder_of(path).join(format!("{prefix}{tail}"));
        Ok(Self { path, creator: Process::current(), published: false })
    }

    fn publish(mut self, path: &Path) -> Result<()> {
        fs::rename(&self.path, path).map_err(|error| Error::io("replace", path, error))?;
        self.published = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.published && self.creator.is_current() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// How the names of a file's temporary ones begin; hidden, and short enough for what follows.
fn prefix_of(name: &str) -> String {
    // Two dots, and the digits of a nonce.
    let room = NAME_MAX - 2 - NONCE_LEN - SUFFIX.len();
    let mut end = name.len().min(room);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!(".{}.", &name[..end])
}

/// Removes temporary files of this target that are a day old or older, and this user's. What can't be removed stays.
fn remove_leftovers(path: &Path) {
    let folder = folder_of(path);
    // The standard library's listing panics when a folder can't be closed.
    let listed = File::open(folder).map_err(drop).and_then(|folder| Dir::read_from(folder).map_err(drop));
    let (Some(name), Ok(items)) = (path.file_name(), listed) else { return };
    let prefix = prefix_of(&name.to_string_lossy());
    for item in items.flatten() {
        let Some(name) = item.file_name().to_str().ok().filter(|name| is_leftover(name, &prefix)) else { continue };
        let leftover = folder.join(name);
        if fs::symlink_metadata(&leftover).is_ok_and(|found| is_garbage(&found)) {
            let _ = fs::remove_file(leftover);
        }
    }
}

fn is_leftover(name: &str, prefix: &str) -> bool {
    let nonce = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(SUFFIX));
    nonce.is_some_and(|nonce| nonce.len() == NONCE_LEN && nonce.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_garbage(found: &fs::Metadata) -> bool {
    let ours = found.uid() == rustix::process::geteuid().as_raw();
    let age = found.modified().ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
    found.is_file() && ours && age.is_some_and(|age| age >= GARBAGE_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn an_error_or_a_panic_half_way_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "old").unwrap();
        let error = replace_file(&path, |file| {
            file.write_all(b"ne").unwrap();
            Err("out of ink")
        });
        assert_eq!(error.unwrap_err().to_string(), format!("can't write `{}`: out of ink", path.display()));
        let panicked = std::panic::catch_unwind(|| {
            replace_file(&path, |file| -> Result<()> {
                file.write_all(b"ne").unwrap();
                panic!("on purpose");
            })
        });
        assert!(panicked.is_err());
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names(folder.path())), ("old", vec!["a".to_owned()]));
    }

    /// `/proc` stands for every file system that isn't known to be local.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_on_a_network_is_flushed_whatever_the_durability() {
        assert!(must_flush(&File::open("/proc/version").unwrap(), Durability::Buffered));
        let local = File::open("/dev/shm").unwrap();
        assert_eq!([Durability::Buffered, Durability::Synced].map(|it| must_flush(&local, it)), [false, true]);
    }

    #[test]
    fn names_of_any_length_can_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["é".repeat(127), "x".repeat(255), "x".to_owned()] {
            let path = folder.path().join(name);
            replace_file(&path, |file| file.write_all(b"new")).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        }
        assert_eq!(names(folder.path()).len(), 3);
        let error = replace_file("/", |_| Ok::<(), Error>(())).unwrap_err();
        assert_eq!(error.to_string(), "`/` names no file");
    }

    #[test]
    fn leftovers_of_a_crash_go_after_a_day_and_no_other_file_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let old = SystemTime::now() - GARBAGE_AGE - Duration::from_secs(60);
        let kept = [".a.0123456789abcdeg.tmp", ".b.0123456789abcdef.tmp", ".a.0123456789abcdef", "a.tmp"];
        for name in kept.into_iter().chain([".a.0123456789abcdef.tmp"]) {
            File::create(folder.path().join(name)).unwrap().set_modified(old).unwrap();
        }
        File::create(folder.path().join(".a.fedcba9876543210.tmp")).unwrap();
        replace_file(&path, |file| file.write_all(b"new")).unwrap();
        let mut expected: Vec<_> = kept.iter().map(|name| name.to_string()).collect();
        expected.extend([".a.fedcba9876543210.tmp".to_owned(), "a".to_owned()]);
        expected.sort();
        assert_eq!(names(folder.path()), expected);
    }
}
