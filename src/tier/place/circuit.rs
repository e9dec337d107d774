//! Whether a place is asked at all: one that has failed is left alone for a while, by all processes of the user.
//!
//! Closed: it is asked. Open: it isn't, until a moment that lies 30 s to 10 min after the failure. After that one call of
//! all processes is let through, and what comes of it closes the circuit or opens it for twice as long. A place that is
//! busy and says for how long is left alone for that time, which is no failure. A process that is denied opens it for itself: others
//! may have other credentials.

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

/// How many latest calls are looked at: a tier is busy if half of them have found it so.
const RECENT: usize = 20;

/// How many damaged objects in a row open the circuit.
const DAMAGED_MAX: u32 = 3;

/// How many other failures in a row open it.
const FAILED_MAX: u32 = 2;

/// What its file holds at most.
const FILE_MAX: u64 = 64;

pub(in crate::tier) struct Circuit {
    state: ForkMutex<CircuitState>,
    /// Where all processes of the user see its state, unless that is nowhere.
    file: Option<(Arc<Disk>, String)>,
}

#[derive(Default)]
struct CircuitState {
    /// The file was read.
    read: bool,
    open_until: Option<SystemTime>,
    /// How long it was open last; zero, if the place has only asked to be left alone until then.
    lasted: Duration,
    /// Whether the file says the same.
    is_shared: bool,
    /// When this process last asked to see whether the place is back.
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
            Some(until) if is_ahead(until, now) => false,
            Some(_) => self.may_ask_again(&mut state, now),
        }
    }

    /// Whether the place is to be asked now that the time is over for which it was left alone.
    fn may_ask_again(&self, state: &mut CircuitState, now: SystemTime) -> bool {
        if state.probed.is_some_and(|since| since.elapsed().is_ok_and(|age| age < FIRST)) {
            return false;
        }
        if state.is_shared {
            match self.read() {
                // Another process asks, or has found it away once more.
                Some((until, lasted)) if is_ahead(until, now) => {
                    (state.open_until, state.lasted) = (Some(until), lasted);
                    return false;
                }
                Some(_) => {}
                // Another process has found it back.
                None => state.close(),
            }
        }
        if state.lasted.is_zero() {
            state.close();
            return true;
        }
        state.probed = Some(now);
        // For others it stays open as long as this call may take: each would wait for a place that is still away. Of two
        // that come within the time of a system call both ask.
        if state.is_shared {
            self.write(now + FIRST, state.lasted);
        }
        true
    }

    fn read_once(&self, state: &mut CircuitState) {
        if !state.read {
            state.read = true;
            if let Some((until, lasted)) = self.read() {
                (state.open_until, state.lasted, state.is_shared) = (Some(until), lasted, true);
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

    /// Notes that the place has answered, whatever it said.
    pub(super) fn answered(&self) {
        let mut state = self.state.lock();
        self.read_once(&mut state);
        state.note(false);
        state.failed = 0;
        // One that asks to be left alone answers others meanwhile.
        let rests = state.lasted.is_zero() && state.open_until.is_some_and(|until| is_ahead(until, SystemTime::now()));
        if state.open_until.is_some() && !rests {
            state.close();
            drop(state);
            if let Some((disk, file)) = &self.file {
                let _ = disk.remove(file);
            }
        }
    }

    /// Notes that the place has failed with this fault. Says whether it isn't asked from now on.
    pub(super) fn failed(&self, fault: &Fault) -> bool {
        let mut state = self.state.lock();
        self.read_once(&mut state);
        let is_busy = matches!(fault, Fault::Busy(_));
        state.note(is_busy);
        state.failed += u32::from(!is_busy);
        let is_often_busy = state.is_often_busy();
        let opens = match fault {
            Fault::Busy(_) => is_often_busy,
            // One silence has cost its caller all that it may cost.
            Fault::Late | Fault::NoPlace | Fault::Denied => true,
            fault => fault.is_unreachable() || state.failed >= FAILED_MAX,
        };
        let is_probed = state.open_until.is_some() && !state.lasted.is_zero();
        match fault {
            Fault::Busy(Some(wait)) if !is_often_busy => self.rest(&mut state, *wait),
            Fault::Busy(Some(wait)) => self.open(&mut state, *wait, true),
            fault if opens || is_probed => self.open(&mut state, Duration::ZERO, !matches!(fault, Fault::Denied)),
            _ => return false,
        }
        true
    }

    /// Notes that an object came that wasn't what had been put.
    pub(in crate::tier) fn damaged(&self) {
        let mut state = self.state.lock();
        state.damaged += 1;
        if state.damaged >= DAMAGED_MAX {
            self.open(&mut state, Duration::ZERO, true);
        }
    }

    /// Notes that an object came that was right.
    pub(in crate::tier) fn intact(&self) {
        self.state.lock().damaged = 0;
    }

    /// The place isn't asked any more by this process.
    pub(super) fn end(&self) {
        self.state.lock().ended = true;
    }

    /// Opens it, for other processes too if that `is_shared`.
    fn open(&self, state: &mut CircuitState, at_least: Duration, is_shared: bool) {
        if planted::is("circuit never opens") {
            return;
        }
        let (now, at_least) = (SystemTime::now(), at_least.min(LONGEST));
        let is_open = !state.lasted.is_zero() && state.open_until.is_some_and(|until| is_ahead(until, now));
        if is_open && state.probed.is_none() {
            // The call began before the circuit opened: calls that fail together are one failure.
            return self.rest(state, at_least);
        }
        let lasts = (state.lasted * 2).clamp(FIRST, LONGEST);
        let drawn = RandomState::new().hash_one(0) % 1000;
        let until = now + at_least.max(lasts / 2 + lasts * u32::try_from(drawn).unwrap_or(0) / 1000);
        (state.open_until, state.lasted, state.probed) = (Some(until), lasts, None);
        state.recent.clear();
        (state.damaged, state.failed) = (0, 0);
        state.is_shared = is_shared && self.write(until, lasts);
    }

    /// Leaves the place alone for as long as it has asked.
    fn rest(&self, state: &mut CircuitState, wait: Duration) {
        let now = SystemTime::now();
        let until = now + wait.min(LONGEST);
        if state.open_until.is_none_or(|open| open < until || !is_ahead(open, now)) {
            (state.open_until, state.probed) = (Some(until), None);
            state.is_shared = self.write(until, state.lasted);
        }
    }

    /// Tells other processes; in whole seconds, rounded up.
    fn write(&self, until: SystemTime, lasts: Duration) -> bool {
        let Some((disk, file)) = &self.file else { return false };
        let until = until.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let seconds = until.as_secs() + u64::from(until.subsec_nanos() > 0);
        disk.replace(file, format!("{seconds} {}\n", lasts.as_secs()).as_bytes(), Durability::Buffered).is_ok()
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

impl CircuitState {
    fn note(&mut self, busy: bool) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(busy);
    }

    fn is_often_busy(&self) -> bool {
        self.recent.len() == RECENT && self.recent.iter().filter(|busy| **busy).count() * 2 >= RECENT
    }

    fn close(&mut self) {
        (self.open_until, self.lasted, self.is_shared, self.probed) = (None, Duration::ZERO, false, None);
        self.failed = 0;
    }
}

/// Whether a moment is still to come. A clock that was set back must not keep a circuit open for ever.
fn is_ahead(until: SystemTime, now: SystemTime) -> bool {
    until > now && until < now + 2 * LONGEST
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

    fn folder() -> (tempfile::TempDir, impl Fn() -> Circuit) {
        let root = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::open(root.path()).unwrap());
        assert!(disk.make_private(FOLDER).unwrap());
        (root, move || Circuit::new(Some((Arc::clone(&disk), FOLDER.to_owned()))))
    }

    const FOLDER: &str = "t/0123456789abcdef/q-1";

    #[test]
    fn another_process_sees_it() {
        let (root, new) = folder();
        let first = new();
        first.failed(&Fault::Late);
        assert!(!new().may_ask());
        first.answered();
        assert!(new().may_ask());
        for text in ["", "x", "99999999999999999999 1", "18446744073709551615 30\n", "\u{1}"] {
            std::fs::write(root.path().join(FOLDER).join("circuit"), text).unwrap();
            assert!(new().may_ask(), "{text:?}");
        }
    }

    /// One `Retry-After: 1` closed a place for 15 s to 45 s, the next one for twice as long.
    #[test]
    fn a_busy_place_is_left_alone_for_as_long_as_it_asks_by_all_processes_and_no_longer() {
        let (root, new) = folder();
        let circuit = new();
        for (seconds, longest) in [(10, 10), (100, 100), (10, 100)] {
            assert!(circuit.failed(&Fault::Busy(Some(Duration::from_secs(seconds)))));
            assert!(circuit.waits() <= Duration::from_secs(longest) && !circuit.may_ask() && !new().may_ask());
        }
        // Of several the longest one counts, and an answer to a request from before takes nothing of it.
        circuit.answered();
        assert!(circuit.waits() > Duration::from_secs(90) && circuit.waits() <= Duration::from_secs(100));
        assert_eq!(circuit.state.lock().lasted, Duration::ZERO);
        // When it is over everybody asks, and the next failure is a first one.
        circuit.state.lock().open_until = Some(SystemTime::now() - Duration::from_secs(1));
        std::fs::write(root.path().join(FOLDER).join("circuit"), "1 0\n").unwrap();
        for circuit in [&circuit, &new()] {
            assert_eq!([circuit.may_ask(), circuit.may_ask()], [true, true]);
        }
        circuit.failed(&Fault::Late);
        assert_eq!(circuit.state.lock().lasted, FIRST);
    }

    /// Each of the calls that had been begun together doubled the time.
    #[test]
    fn calls_that_fail_together_are_one_failure() {
        let circuit = Circuit::new(None);
        for _ in 0..10 {
            assert!(circuit.failed(&Fault::Late));
        }
        assert_eq!(circuit.state.lock().lasted, FIRST);
    }

    #[test]
    fn who_is_denied_says_nothing_to_other_processes() {
        let (_root, new) = folder();
        let (denied, other) = (new(), new());
        denied.failed(&Fault::Denied);
        assert!(!denied.may_ask() && other.may_ask() && new().may_ask());
        // It is asked again: credentials may have been renewed.
        denied.state.lock().open_until = Some(SystemTime::now() - Duration::from_secs(1));
        assert_eq!([denied.may_ask(), denied.may_ask()], [true, false]);
        denied.failed(&Fault::Denied);
        assert!(denied.state.lock().lasted == 2 * FIRST && new().may_ask());
    }

    /// Every process that began when the time was over waited for the place once more.
    #[test]
    fn one_of_all_processes_sees_whether_it_is_back() {
        let (root, new) = folder();
        let file = root.path().join(FOLDER).join("circuit");
        let (first, second) = (new(), new());
        first.failed(&Fault::Late);
        assert!(!second.may_ask());
        let over = || {
            let past = SystemTime::now() - Duration::from_secs(5);
            for circuit in [&first, &second] {
                circuit.state.lock().open_until = Some(past);
            }
            let seconds = past.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
            std::fs::write(&file, format!("{seconds} 30\n")).unwrap();
        };
        over();
        let third = new();
        assert_eq!([third.may_ask(), first.may_ask(), second.may_ask(), new().may_ask()], [true, false, false, false]);
        third.failed(&Fault::Late);
        assert_eq!(third.state.lock().lasted, 2 * FIRST);
        over();
        assert_eq!([second.may_ask(), first.may_ask(), new().may_ask()], [true, false, false]);
        second.answered();
        // Who has known it as closed, and waits still, sees the answer when the time is over.
        first.state.lock().open_until = Some(SystemTime::now() - Duration::from_secs(1));
        assert_eq!([first.may_ask(), first.may_ask(), new().may_ask()], [true, true, true]);
    }
}
