//! A folder as a place: of a file server, say.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::store::{Disk, Durability, FileKind, expanded};
use crate::tier::{Advice, Backend, Body, Deadline, Each, Fault, Get, Got, List, Listed, Put, Stored, Token, When};

/// A folder, on a file server or another disk.
///
/// A cache folder that many machines share can be used as it is, with [`Share::Any`](crate::tier::Share::Any).
/// Objects are files below the folder, put there by renaming a complete one; symbolic links below it aren't followed.
/// If the folder is missing, the first put creates it, but not the folder above it: where a file server isn't
/// mounted, nothing is created.
#[derive(Clone)]
pub struct Folder {
    path: PathBuf,
}

/// How much is copied at a time.
const BLOCK: usize = 1 << 20;

/// Deeper folders are somebody's mischief.
const DEPTH: usize = 8;

impl Folder {
    /// Makes a backend for the folder at `path`, in the user's home folder if it is `~` or begins with `~/`. The
    /// folder isn't accessed before it is used, because a file server may take time to wake up.
    ///
    /// # Errors
    ///
    /// Returns an error when the path is empty, begins with another user's home (`~bob`), or is relative and the
    /// current folder isn't known.
    pub fn new(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if path.as_os_str().is_empty() {
            return Err(Error::invalid("the path of a tier's folder is empty"));
        }
        let path = expanded(path, "a tier's folder")?;
        let path = std::path::absolute(&path).map_err(|error| Error::io("find the absolute path of", &path, error))?;
        Ok(Self { path })
    }

    /// Returns the absolute path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read(&self) -> Result<Disk, Fault> {
        Disk::open_read_only(&self.path).map_err(no_place)
    }

    fn written(&self) -> Result<Disk, Fault> {
        Disk::open_existing(&self.path).map_err(no_place)
    }

    /// Opened to be written to; made if it is missing.
    fn made(&self) -> Result<Disk, Fault> {
        match self.written() {
            Err(Fault::NoPlace) if std::fs::create_dir(&self.path).is_ok() => self.written(),
            opened => opened,
        }
    }
}

impl std::fmt::Debug for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Folder({})", self.path.display())
    }
}

impl Backend for Folder {
    /// Paths that no text can hold are escaped, and with them those that look so: each path has a text of its own.
    fn place(&self) -> String {
        match self.path.to_str() {
            Some(path) if !path.contains(|c: char| c == '\\' || c.is_control()) => path.to_owned(),
            _ => self.path.as_os_str().as_encoded_bytes().escape_ascii().to_string(),
        }
    }

    fn get(&self, get: &Get<'_>, out: &mut dyn Write) -> Result<Got, Fault> {
        let (mut file, stat) = self.read()?.open_file(get.name).map_err(fault)?.ok_or(Fault::Absent)?;
        let (from, to) = match &get.range {
            Some(range) => (range.start.min(stat.len), range.end.min(stat.len)),
            None => (0, stat.len),
        };
        if from > 0 {
            file.seek(SeekFrom::Start(from)).map_err(Fault::other)?;
        }
        copy(&mut file.take(to.saturating_sub(from)), out, get.until)?;
        Ok(Got::of(stat.len).modified(stat.modified))
    }

    fn put(&self, put: &Put<'_>, body: &dyn Body) -> Result<Stored, Fault> {
        let is_record = put.name.ends_with(".record") || !put.name.contains('.');
        let (bits, replaces) = (if is_record { 0o666 } else { 0o444 }, put.when != When::IfAbsent);
        let fill = |file: &mut dyn Write| send(body, file, put.until);
        match self.made()?.put(put.name, bits, replaces, Durability::Buffered, &fill).map_err(fault)? {
            true => Ok(Stored::default()),
            false => Err(Fault::Exists),
        }
    }

    fn delete(&self, name: &str, _: Deadline) -> Result<(), Fault> {
        match self.written() {
            Err(Fault::NoPlace) => Ok(()),
            disk => {
                let disk = disk?;
                disk.remove(name).map_err(fault)?;
                remove_emptied(&disk, name);
                Ok(())
            }
        }
    }

    fn list(&self, list: &List<'_>, each: Each<'_>) -> Result<Option<Token>, Fault> {
        let mut walk = FolderWalk { disk: self.read()?, until: list.until, each, failed: None };
        walk.below(list.folder, DEPTH)?;
        walk.failed.map_or(Ok(None), Err)
    }

    fn advice(&self, fault: &Fault) -> Option<Advice> {
        let path = self.path.display();
        match fault {
            Fault::NoPlace => Some(Advice::new(
                format!("folder `{path}` isn't there"),
                format!("mount the file server, `mkdir {path}`, or correct the path"),
            )),
            Fault::Denied => Some(Advice::new(
                format!("this user may not do that in folder `{path}`"),
                "let its owner allow it (`chmod 2775` and a group for several users)",
            )),
            _ => None,
        }
    }

    fn ranges(&self) -> bool {
        true
    }
}

fn copy(from: &mut dyn Read, to: &mut dyn Write, until: Deadline) -> Result<(), Fault> {
    let mut block = vec![0; BLOCK];
    loop {
        let read = match from.read(&mut block) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(Fault::other)?,
        };
        to.write_all(&block[..read])?;
        expect_time(until)?;
    }
}

fn send(body: &dyn Body, to: &mut dyn Write, until: Deadline) -> io::Result<()> {
    let (mut block, mut at) = (vec![0; BLOCK], 0);
    while at < body.len() {
        let len = usize::try_from(body.len() - at).map_or(BLOCK, |left| left.min(BLOCK));
        body.read_at(at, &mut block[..len])?;
        to.write_all(&block[..len])?;
        at += len as u64;
        if until.has_passed() {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    Ok(())
}

/// A listing under way.
struct FolderWalk<'a> {
    disk: Disk,
    until: Deadline,
    each: Each<'a>,
    /// Why a folder couldn't be listed: the others are, and then that is said.
    failed: Option<Fault>,
}

impl FolderWalk<'_> {
    fn below(&mut self, folder: &str, depth: usize) -> Result<(), Fault> {
        expect_time(self.until)?;
        let items = match self.disk.list(folder) {
            Ok(items) => items,
            Err(error) => {
                self.failed = Some(fault(error));
                return Ok(());
            }
        };
        for item in items {
            let name = if folder.is_empty() { item.name } else { format!("{folder}/{}", item.name) };
            match item.kind {
                FileKind::Folder if depth > 0 => self.below(&name, depth - 1)?,
                // One that isn't whole yet is no object.
                FileKind::File if !name.ends_with(".tmp") => self.file(&name)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, name: &str) -> Result<(), Fault> {
        match self.disk.stat(name) {
            Ok(Some(stat)) => (self.each)(Listed::new(name, stat.len).modified(stat.modified)),
            Ok(None) => Ok(()),
            Err(error) => {
                self.failed = Some(fault(error));
                Ok(())
            }
        }
    }
}

/// Removes the folders that hold nothing any more.
fn remove_emptied(disk: &Disk, name: &str) {
    let mut folder = name;
    while let Some((above, _)) = folder.rsplit_once('/') {
        if disk.remove_empty(above).is_err() {
            return;
        }
        folder = above;
    }
}

fn expect_time(until: Deadline) -> Result<(), Fault> {
    if until.has_passed() { Err(Fault::Late) } else { Ok(()) }
}

/// What an error of opening the folder says.
fn no_place(error: Error) -> Fault {
    match fault(error) {
        Fault::Absent => Fault::NoPlace,
        fault => fault,
    }
}

fn fault(error: Error) -> Fault {
    match error.io_error().map(io::Error::kind) {
        Some(io::ErrorKind::NotFound) => Fault::Absent,
        Some(io::ErrorKind::NotADirectory) => Fault::NoPlace,
        Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => Fault::Denied,
        Some(io::ErrorKind::TimedOut) => Fault::Late,
        _ if error.kind() == ErrorKind::Unsupported => Fault::Unsupported,
        _ => Fault::other(error),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn each_folder_has_a_text_of_its_own() {
        let paths: [&[u8]; 7] = [b"/t\xff", b"/t\xfe", b"/t\xef\xbf\xbd", b"/t\\xff", b"/t\\\\xff", b"/t\n", b"/t\\n"];
        let of = |path: &[u8]| Folder::new(OsStr::from_bytes(path)).unwrap().place();
        let mut texts: Vec<String> = paths.iter().map(|path| of(path)).collect();
        assert!(texts.iter().all(|text| !text.contains(char::is_control)), "{texts:?}");
        assert_eq!(of("/data/é".as_bytes()), "/data/é");
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), paths.len(), "{texts:?}");
    }
}
