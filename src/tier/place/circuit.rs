//! Whether a place is asked at all: one that has failed is left alone for a while, by all processes of the user.
//!
//! Closed: it is asked. Open: it isn't, until a moment that lies 30 s to 10 min after the failure. After that one call is
//! let through, and what comes of it closes the circuit or opens it for twice as long.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::planted;
use crate::store::{Disk, Durability};
use crate::threads::fork::ForkMutex;
use crate::tier::Fault;

/// How long it is open at first, and at most; half of that more or less, so that many processes don't come at once.
const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(600);

/// So many calls are looked at to see whether half of them found it busy.
const RECENT: usize = 20;

/// So many damaged objects in a row are no accident.
const DAMAGED_MAX: u32 = 3;

/// So many other failures in a row are none either.
const FAILED_MAX: u32 = 2;

/// What its file holds at most.
const FILE_MAX: u64 = 64;

pub(in crate::tier) struct Circuit {
    state: ForkMutex<State>,
    /// Where all processes of the user see its state, unless that is nowhere.
    file: Option<(Arc<Disk>, String)>,
}

#[derive(Default)]
struct State {
    /// The file was read.
    read: bool,
    open_until: Option<SystemTime>,
    /// How long it was open last.
    lasted: Duration,
    /// Somebody asks to see whether it is back.
    probed: Option<SystemTime>,
    /// Whether the last calls found it busy.
    recent: VecDeque<bool>,
    damaged: u32,
    failed: u32,
    ended: bool,
}

impl Circuit {
    /// Its file lies in the folder of a queue, which is its user's alone.
    pub(super) fn new(folder: Option<(Arc<Disk>, String)>) -> Self {
        let file = folder.map(|(disk, folder)| (disk, format!("{folder}/circuit")));
        Self { state: ForkMutex::default(), file }
    }

    /// Whether the place is to be asked now.
    pub(in crate::tier) fn may_ask(&self) -> bool {
        let mut state = self.state.lock();
        self.read_once(&mut state);
        let now = SystemTime::now();
        match state.open_until {
            _ if state.ended => false,
            None => true,
            // A clock that was set back must not keep it open for ever.
            Some(until) if until > now && until < now + 2 * LONGEST => false,
            Some(_) => {
                let is_probed = state.probed.is_some_and(|since| since.elapsed().is_ok_and(|age| age < FIRST));
                if !is_probed {
                    state.probed = Some(now);
                }
                !is_probed
            }
        }
    }

    fn read_once(&self, state: &mut State) {
        if !state.read {
            state.read = true;
            if let Some((until, lasted)) = self.read() {
                (state.open_until, state.lasted) = (Some(until), lasted);
            }
        }
    }

    /// When it may be asked again, if that isn't now.
    pub(in crate::tier) fn waits(&self) -> Duration {
        let mut state = self.state.lock();
        self.read_once(&mut state);
        if state.ended {
            return LONGEST;
        }
        let left = state.open_until.and_then(|until| until.duration_since(SystemTime::now()).ok());
        left.unwrap_or(Duration::ZERO).min(LONGEST)
    }

    /// The place has answered, whatever it said.
    pub(super) fn answered(&self) {
        let mut state = self.state.lock();
        state.note(false);
        state.failed = 0;
        if state.open_until.take().is_some() {
            (state.probed, state.lasted) = (None, Duration::ZERO);
            drop(state);
            if let Some((disk, file)) = &self.file {
                let _ = disk.remove(file);
            }
        }
    }

    /// The place has failed so. Says whether it isn't asked from now on.
    pub(super) fn failed(&self, fault: &Fault) -> bool {
        let mut state = self.state.lock();
        state.note(matches!(fault, Fault::Busy(_)));
        state.failed += 1;
        let wait = match fault {
            Fault::Busy(Some(wait)) => Some(*wait),
            Fault::Busy(None) => None,
            // One silence has cost its caller all that it may cost.
            Fault::Late | Fault::NoPlace | Fault::Denied => Some(Duration::ZERO),
            fault if fault.is_unreachable() => Some(Duration::ZERO),
            _ => (state.failed >= FAILED_MAX).then_some(Duration::ZERO),
        };
        let busy = state.recent.len() == RECENT && state.recent.iter().filter(|busy| **busy).count() * 2 >= RECENT;
        let is_probed = state.open_until.is_some();
        match wait.or((busy || is_probed).then_some(Duration::ZERO)) {
            Some(wait) => self.open(&mut state, wait),
            None => return false,
        }
        true
    }

    /// What came wasn't what had been put.
    pub(in crate::tier) fn damaged(&self) {
        let mut state = self.state.lock();
        state.damaged += 1;
        if state.damaged >= DAMAGED_MAX {
            self.open(&mut state, Duration::ZERO);
        }
    }

    /// What came was right.
    pub(in crate::tier) fn intact(&self) {
        self.state.lock().damaged = 0;
    }

    /// The place isn't asked any more by this process.
    pub(super) fn end(&self) {
        self.state.lock().ended = true;
    }

    fn open(&self, state: &mut State, at_least: Duration) {
        if planted::is("circuit never opens") {
            return;
        }
        let lasts = (state.lasted * 2).clamp(FIRST, LONGEST);
        state.lasted = lasts;
        let drawn = RandomState::new().hash_one(0) % 1000;
        let until =
            SystemTime::now() + at_least.min(LONGEST).max(lasts / 2 + lasts * u32::try_from(drawn).unwrap_or(0) / 1000);
        state.open_until = Some(until);
        state.probed = None;
        state.recent.clear();
        (state.damaged, state.failed) = (0, 0);
        if let Some((disk, file)) = &self.file {
            let seconds = until.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            let text = format!("{seconds} {}\n", lasts.as_secs());
            let _ = disk.replace(file, text.as_bytes(), Durability::Buffered);
        }
    }

    /// Until when it is open, and how long that is, as another process has left it.
    fn read(&self) -> Option<(SystemTime, Duration)> {
        let (disk, file) = self.file.as_ref()?;
        let blob = disk.read(file, FILE_MAX).ok()??;
        if blob.stat.uid != rustix::process::geteuid().as_raw() {
            return None;
        }
        let text = String::from_utf8(blob.bytes).ok()?;
        let (until, lasts) = text.trim_end().split_once(' ')?;
        let until = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(until.parse().ok()?))?;
        Some((until, Duration::from_secs(lasts.parse().ok()?).min(LONGEST)))
    }
}

impl State {
    fn note(&mut self, busy: bool) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(busy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Fault {
        Fault::other(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))
    }

    #[test]
    fn a_place_that_nobody_answers_at_is_left_alone() {
        for fault in [refused(), Fault::Late, Fault::NoPlace, Fault::Denied] {
            let circuit = Circuit::new(None);
            assert!(circuit.may_ask());
            assert!(circuit.failed(&fault), "{fault}");
            assert!(!circuit.may_ask() && circuit.waits() >= FIRST / 2 - Duration::from_secs(1), "{fault}");
        }
    }

    #[test]
    fn one_call_sees_whether_it_is_back() {
        let circuit = Circuit::new(None);
        circuit.failed(&Fault::Late);
        let past = || circuit.state.lock().open_until = Some(SystemTime::now() - Duration::from_secs(1));
        past();
        assert_eq!([circuit.may_ask(), circuit.may_ask()], [true, false]);
        circuit.failed(&Fault::Busy(None));
        assert!(!circuit.may_ask());
        assert!(circuit.state.lock().lasted == 2 * FIRST);
        past();
        assert!(circuit.may_ask());
        circuit.answered();
        assert_eq!([circuit.may_ask(), circuit.may_ask()], [true, true]);
    }

    #[test]
    fn a_busy_place_is_asked_on_unless_half_of_the_calls_find_it_so() {
        let circuit = Circuit::new(None);
        for n in 0..100 {
            if n % 3 == 0 {
                circuit.failed(&Fault::Busy(None));
            } else {
                circuit.answered();
            }
            assert!(circuit.may_ask(), "call {n}");
        }
        for _ in 0..RECENT {
            circuit.failed(&Fault::Busy(None));
        }
        assert!(!circuit.may_ask());
        let circuit = Circuit::new(None);
        circuit.failed(&Fault::Busy(Some(Duration::from_secs(100))));
        assert!(circuit.waits() > Duration::from_secs(90));
    }

    #[test]
    fn other_failures_and_damage_open_it_when_they_are_repeated() {
        let circuit = Circuit::new(None);
        assert!(!circuit.failed(&Fault::other("500")));
        circuit.answered();
        assert!(!circuit.failed(&Fault::other("500")) && circuit.failed(&Fault::other("500")));
        let circuit = Circuit::new(None);
        for _ in 0..2 {
            circuit.damaged();
            circuit.damaged();
            circuit.intact();
        }
        assert!(circuit.may_ask());
        (0..3).for_each(|_| circuit.damaged());
        assert!(!circuit.may_ask());
    }

    #[test]
    fn another_process_sees_it() {
        let root = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::open(root.path()).unwrap());
        assert!(disk.make_private("t/0123456789abcdef/q-1").unwrap());
        let new = || Circuit::new(Some((Arc::clone(&disk), "t/0123456789abcdef/q-1".to_owned())));
        let first = new();
        first.failed(&Fault::Late);
        assert!(!new().may_ask());
        first.answered();
        assert!(new().may_ask());
        for text in ["", "x", "99999999999999999999 1", "18446744073709551615 30\n", "\u{1}"] {
            std::fs::write(root.path().join("t/0123456789abcdef/q-1/circuit"), text).unwrap();
            assert!(new().may_ask(), "{text:?}");
        }
    }
}
