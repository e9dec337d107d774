//! What an archive tells the other parts of a memory.

use std::sync::Arc;

use crate::entry::archive::Observer;
use crate::entry::rules::Sharing;
use crate::entry::site::Site;
use crate::folder::auto_evict::AutoEvict;
use crate::key::Key;
use crate::memo::table::Table;
use crate::record::Record;
use crate::stats::counts::Counters;
use crate::stats::printer::Printer;
use crate::tier::Outbox;

/// Those who hear of what a memory's archive does.
pub(super) struct Listeners {
    pub(super) table: Arc<Table>,
    pub(super) counters: Arc<Counters>,
    pub(super) printer: Printer,
    /// Where there are limits to keep.
    pub(super) auto_evict: Option<AutoEvict>,
    /// Where there are tiers.
    pub(super) outbox: Option<Arc<Outbox>>,
}

impl Observer for Listeners {
    fn changed(&self, key: Key) {
        self.table.forget(key);
    }

    fn replaced(&self) {
        self.table.clear();
    }

    fn committing(&self, site: &Site, record: &Record, sharing: Sharing) {
        if let Some(outbox) = &self.outbox {
            outbox.add(site, record, sharing);
        }
    }

    fn committed(&self, site: &Site, record: &Record, sharing: Sharing) {
        if let Some(outbox) = &self.outbox {
            outbox.add_if_late(site, record, sharing);
        }
    }

    fn stored(&self, bytes: u64) {
        if let Some(auto_evict) = &self.auto_evict {
            auto_evict.wrote(bytes);
        }
    }

    fn copied(&self, reason: &'static str) {
        self.counters.copied(reason);
    }

    fn warn(&self, what: &str) {
        self.printer.warn(what);
    }

    fn make_room(&self) -> bool {
        self.auto_evict.as_ref().is_some_and(AutoEvict::make_room)
    }
}
