//! Who may use the files that the processes of a cache folder share.

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{self, Mode};

/// Gives access to a lock file to those who may put files into the root as owner or group, and to nobody else, who could
/// make others wait by a lock. Done whatever the umask, and for files that were made with other modes, too.
pub(super) fn share(root: BorrowedFd<'_>, file: &OwnedFd, stat: &fs::Stat) {
    let Ok(root) = fs::fstat(root) else { return };
    let shared = root.st_mode & 0o020 != 0 && root.st_gid == stat.st_gid;
    let bits = if shared { 0o660 } else { 0o600 };
    // A file with content or a second name was put there by somebody, and its mode means something elsewhere.
    let is_ours = || stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_nlink == 1 && stat.st_size == 0;
    if stat.st_mode & 0o7777 != bits
        && is_ours()
        && let Err(errno) = fs::fchmod(file, Mode::from_raw_mode(bits))
    {
        tracing::debug!(%errno, "a lock file keeps its mode");
    }
}
