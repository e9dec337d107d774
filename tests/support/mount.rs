//! File systems of a test's own.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::skip;

/// A small file system of its own, unmounted at the end.
pub(crate) struct Mount(TempDir);

impl Mount {
    /// `None` where that may not be mounted, which is said.
    pub(crate) fn tmpfs(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder.path());
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        skip("permission to mount a tmpfs");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    #[allow(dead_code)] // The command's tests, which have this module too, don't need it.
    pub(crate) fn remount(&self, option: &str) {
        let status = Command::new("mount").args(["-o", &format!("remount,{option}")]).arg(self.path()).status();
        assert!(status.expect("`mount` runs").success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}
