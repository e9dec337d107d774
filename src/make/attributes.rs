//! What a file that takes another one's place keeps of it: permissions, owner and group, extended attributes.

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Gid, Mode, OFlags, Uid, XattrFlags, fchmod, fchown, fgetxattr, flistxattr, fsetxattr};

/// The longest list of names, and the longest value, that Linux has.
const XATTR_MAX: usize = 64 << 10;

/// Permissions that make a program another user's.
const SET_ID: u32 = 0o6000;

/// What a new file keeps of the file that it replaces.
pub(super) struct FileAttributes {
    mode: u32,
    owner: u32,
    group: u32,
    extended: Vec<(Vec<u8>, Vec<u8>)>,
}

impl FileAttributes {
    /// Those of the regular file at `path`, or behind a link there; `None` if there is none.
    pub(super) fn at(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        // A file that may not be read has nothing to keep that could be read.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
        let extended = file.map(|file| extended(&file)).unwrap_or_default();
        Some(Self { mode: found.mode() & 0o7777, owner: found.uid(), group: found.gid(), extended })
    }

    /// The permissions with which a file is created that is to have `mode`, or the kept mode, in the end: until then
    /// nobody may read it who may not read it afterwards.
    pub(super) fn mode_of_new(kept: Option<&Self>, mode: u32) -> u32 {
        kept.map_or(mode, |kept| kept.mode & 0o700 & mode)
    }

    /// Gives them to `file`, as far as the system allows, but for permissions beyond `mode`, which is that of a file that
    /// takes no other's place.
    pub(super) fn give(&self, file: &File, mode: u32) {
        let Ok(new) = file.metadata() else { return };
        let (owner, group) = (Uid::from_raw(self.owner), Gid::from_raw(self.group));
        if (new.uid(), new.gid()) != (self.owner, self.group) && fchown(file, Some(owner), Some(group)).is_err() {
            // The owner is for the superuser to change; the group is for its members, too.
            let _ = fchown(file, None, Some(group));
        }
        for (name, value) in &self.extended {
            let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
            let _ = fsetxattr(file, name, value, XattrFlags::empty());
        }
        let same = file.metadata().is_ok_and(|new| (new.uid(), new.gid()) == (self.owner, self.group));
        // A mode without write permission stays one: such a file may be mapped.
        let refused = if mode & 0o222 == 0 { 0o222 } else { 0 } | if same { 0 } else { SET_ID };
        let _ = fchmod(file, Mode::from_bits_truncate(self.mode & !refused));
    }
}

/// Names, each with its NUL, and values.
fn extended(file: &File) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut buffer = vec![0; XATTR_MAX];
    let Ok(len) = flistxattr(file, &mut *buffer) else { return Vec::new() };
    let names: Vec<_> = buffer[..len].split_inclusive(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
    let value = |name: Vec<u8>| {
        let len = fgetxattr(file, CStr::from_bytes_with_nul(&name).ok()?, &mut *buffer).ok()?;
        Some((name, buffer[..len].to_vec()))
    };
    names.into_iter().filter_map(value).collect()
}
