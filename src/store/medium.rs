//! What is known of a cache's file system and of who may write there: it decides what is trusted.

use crate::error::{Error, Result};
use crate::threads::found_once;
use rustix::fd::AsFd;
use rustix::fs::{self, Mode, RawMode};
use std::path::Path;
use std::sync::OnceLock;

/// Facts about the root that decide what may be trusted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Medium {
    /// Another machine can change it: no locks, no mapping, flush before close. Anything unknown is taken for it.
    pub(crate) network: bool,
    /// Anyone may put files here, sticky bit or not: nothing is mapped.
    pub(crate) world_writable: bool,
    /// Nobody but the owner may enter it.
    pub(crate) private: bool,
    /// Allocated blocks stay with their file, so that writing to them can't meet a full disk.
    pub(crate) reserves: bool,
}

impl Medium {
    /// The medium of the root at `path`, whose metadata is `stat`.
    pub(crate) fn of(root: impl AsFd, stat: &fs::Stat, path: &Path) -> Result<Self> {
        let kind = fs::fstatfs(&root).map_err(|errno| Error::io("ask for the file system of", path, errno))?;
        Ok(Self {
            network: !is_local(&kind),
            world_writable: stat.st_mode & 0o002 != 0,
            private: stat.st_mode & 0o077 == 0,
            reserves: reserves(&kind),
        })
    }

    /// The permissions of a file or folder that would have these: below a private root it is its owner's alone, too, so
    /// that it stays so when the root is opened to others.
    pub(crate) fn permissions(&self, bits: RawMode) -> Mode {
        Mode::from_raw_mode(if self.private { bits & 0o700 } else { bits })
    }

    /// The permissions of a folder: whatever the umask, nobody may put a file into it who may not into the root.
    pub(crate) fn of_folders(&self) -> Mode {
        self.permissions(if self.world_writable { 0o777 } else { 0o775 })
    }
}

/// Whether another machine can change an open file; taken for granted where that isn't known.
pub(crate) fn is_on_network(file: impl AsFd) -> bool {
    !fs::fstatfs(file).is_ok_and(|kind| is_local(&kind))
}

/// The boot of this machine and the mount of the file system that holds `root`. What was written in the session that
/// still lasts has lost nothing to a power cut.
pub(super) fn session(root: impl AsFd) -> String {
    format!("{}:{}", boot(), mount(root))
}

/// File systems whose files only this machine changes, by their magic number (`linux/magic.h`; ZFS and bcachefs by
/// their own sources).
#[cfg(target_os = "linux")]
const LOCAL: [u32; 9] = [
    0x0000_ef53, // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683e, // btrfs
    0x0102_1994, // tmpfs
    ZFS,
    0xf2f5_2010, // f2fs
    0x794c_7630, // overlayfs
    0xca45_1a4e, // bcachefs
    0x8584_58f6, // ramfs
];

#[cfg(target_os = "linux")]
const ZFS: u32 = 0x2fc1_2fc1;

#[cfg(target_os = "linux")]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // magic numbers have 32 bits; the field's sign differs
fn is_local(kind: &fs::StatFs) -> bool {
    LOCAL.contains(&(kind.f_type as u32))
}

/// ZFS writes each block to another place, and answers `fallocate` by looking at the free space only.
#[cfg(target_os = "linux")]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // as above
fn reserves(kind: &fs::StatFs) -> bool {
    is_local(kind) && kind.f_type as u32 != ZFS
}

#[cfg(not(target_os = "linux"))]
fn reserves(_: &fs::StatFs) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn is_local(kind: &fs::StatFs) -> bool {
    let name = kind.f_fstypename.iter().map_while(|&c| u8::try_from(c).ok().filter(|&c| c != 0));
    matches!(&*name.collect::<Vec<u8>>(), b"apfs" | b"hfs")
}

/// Names this boot, which no process outlives; without an answer a text that no other process has, so that nothing is
/// taken on trust.
fn boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    found_once::<String>(&BOOT, || boot_id().unwrap_or_else(|| format!("unknown-{}", super::nonce())))
}

#[cfg(target_os = "linux")]
fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    plain(&id)
}

/// The kernel's own identifier: `kern.boottime` moves with the clock. std has no `sysctl`, hence the program.
#[cfg(not(target_os = "linux"))]
fn boot_id() -> Option<String> {
    let asked = std::process::Command::new("/usr/sbin/sysctl").args(["-n", "kern.bootsessionuuid"]).output().ok()?;
    plain(std::str::from_utf8(&asked.stdout).ok()?)
}

fn plain(id: &str) -> Option<String> {
    let id = id.trim();
    let expected = !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    expected.then(|| id.to_owned())
}

/// Tells a file system that was taken away and mounted again, perhaps with less on it, from one that stayed.
#[cfg(target_os = "linux")]
fn mount(root: impl AsFd) -> String {
    use fs::{AtFlags, StatxFlags};
    /// `STATX_MNT_ID_UNIQUE` (Linux 6.8): a number that no later mount gets. rustix has no name for it.
    const UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);
    for (mask, tag) in [(UNIQUE, "u"), (StatxFlags::MNT_ID, "m")] {
        match fs::statx(&root, "", AtFlags::EMPTY_PATH, mask) {
            // Older numbers are reused by the next mount, so the device goes with them.
            Ok(found) if found.stx_mask & mask.bits() != 0 => {
                return format!("{tag}{}-{}", found.stx_mnt_id, device(&root));
            }
            _ => {}
        }
    }
    device(root)
}

#[cfg(not(target_os = "linux"))]
fn mount(root: impl AsFd) -> String {
    device(root)
}

fn device(root: impl AsFd) -> String {
    fs::fstat(root).map_or_else(|_| format!("unknown-{}", super::nonce()), |stat| format!("d{}", stat.st_dev))
}
