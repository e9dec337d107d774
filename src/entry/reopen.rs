//! A cache folder that is removed while it is in use: what stands at its path by then is opened in its place.
//!
//! A hit never asks whether the folder is still there: what was removed is not found any more, and the look-up after
//! that asks. So does every operation on the folder as a whole.

use std::sync::atomic::Ordering;

use crate::entry::archive::Archive;

impl Archive {
    /// Opens the folder anew if it was removed; makes it, where there is none, only if `create`. Returns whether another
    /// folder is open now, so that it is worth while to look again.
    pub(crate) fn reopen(&self, create: bool) -> bool {
        let reopened = self.disk.reopen(create && self.rules.writes).unwrap_or_else(|error| {
            // Storing says so, too, and that is counted.
            tracing::debug!(%error, "the cache folder was removed, and can't be opened anew");
            false
        });
        self.forget_removed();
        reopened
    }

    /// Forgets what is remembered of files of a folder that was removed. Another one may have files of the same names:
    /// a backup that was restored.
    pub(super) fn forget_removed(&self) {
        let reopened = self.disk.reopened();
        if self.reopened.swap(reopened, Ordering::Relaxed) != reopened {
            self.warn(&self.disk.replacement());
            self.observer.replaced();
            self.verified.lock().clear();
            self.forget_codes();
        }
    }
}
