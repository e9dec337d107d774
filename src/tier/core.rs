//! What the threads share that work for the tiers of one memory.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::digest::escaped;
use crate::entry::archive::Archive;
use crate::key::Key;
use crate::threads::fork::ForkMutex;
use crate::tier::deny::Deny;
use crate::tier::outbox::Outbox;

/// What threads share that work for the tiers of a memory.
pub(crate) struct Core {
    pub(crate) archive: Arc<Archive>,
    pub(crate) outbox: Arc<Outbox>,
    /// The most bytes of a result that is fetched.
    pub(super) room: Option<u64>,
    pub(super) answers: ForkMutex<LastAnswers>,
    /// Functions whose pickled results were warned of.
    pub(super) pickled: ForkMutex<HashSet<String>>,
    /// The lists that could not be applied to the folder yet, by the ids of their tiers. The folder's copies don't have
    /// their lines, so that these are applied later; meanwhile nothing that they deny is fetched.
    pub(super) unapplied: ForkMutex<HashMap<String, Deny>>,
    /// The tiers whose lists are too long to be read: nothing is fetched while it can't be known what was purged.
    pub(super) unknown: ForkMutex<HashSet<String>>,
    /// One renewal of the deny list at a time.
    pub(super) renewing: ForkMutex<()>,
}

/// How many keys are known with what tiers answered.
const ANSWERS_MAX: usize = 1024;

/// What the tiers answered for each of the last keys, for an explanation of why a call was computed.
#[derive(Default)]
pub(super) struct LastAnswers(VecDeque<(Key, String)>);

impl Core {
    /// The tiers of a memory whose results are put into `outbox`, and of a folder that may hold `limit` bytes.
    pub(super) fn new(archive: &Arc<Archive>, outbox: Arc<Outbox>, limit: Option<u64>) -> Self {
        Self {
            archive: Arc::clone(archive),
            outbox,
            room: limit.map(|limit| limit / 4),
            answers: ForkMutex::default(),
            pickled: ForkMutex::default(),
            unapplied: ForkMutex::default(),
            unknown: ForkMutex::default(),
            renewing: ForkMutex::default(),
        }
    }

    /// What the tiers answered when they were last asked for this key.
    pub(crate) fn last_answers(&self, key: Key) -> Option<String> {
        self.answers.lock().0.iter().rev().find(|(known, _)| *known == key).map(|(_, answers)| answers.clone())
    }

    /// Remembers what the tiers answered for this key.
    pub(super) fn remember_answers(&self, key: Key, answers: &str) {
        let mut last = self.answers.lock();
        if last.0.len() == ANSWERS_MAX {
            last.0.pop_front();
        }
        last.0.push_back((key, escaped(answers).into_owned()));
    }
}
