//! Work that may last, reported piece by piece to what shows it. Without the feature `progress` nothing does.

#[cfg(feature = "progress")]
pub(crate) use shown::{Show, Work, show_by};

#[cfg(not(feature = "progress"))]
pub(crate) use silent::Work;

#[cfg(not(feature = "progress"))]
mod silent {
    /// Nothing.
    pub(crate) struct Work;

    impl Work {
        pub(crate) fn new(_: &'static str, _: u64) -> Self {
            Self
        }

        pub(crate) fn add(&self, _: u64) {}
    }
}

#[cfg(feature = "progress")]
mod shown {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    /// Work that is done by then isn't shown.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// Shows one piece of work, until it is dropped.
    pub(crate) trait Show: Send + Sync {
        /// Shows that `done` bytes are done.
        fn advance(&self, done: u64);
    }

    /// Begins to show work: its name, its bytes, and how long it has lasted.
    pub(crate) type Begin = fn(&'static str, u64, Duration) -> Box<dyn Show>;

    static BEGIN: OnceLock<Begin> = OnceLock::new();

    /// Sets how work that lasts is shown, unless that was set before.
    pub(crate) fn show_by(begin: Begin) {
        // The first one stays.
        let _ = BEGIN.set(begin);
    }

    /// A pass over many bytes, by one thread or several.
    pub(crate) struct Work(Option<Shown>);

    struct Shown {
        name: &'static str,
        total: u64,
        done: AtomicU64,
        begun: Instant,
        patience: Duration,
        begin: Begin,
        shown: OnceLock<Box<dyn Show>>,
    }

    impl Work {
        pub(crate) fn new(name: &'static str, total: u64) -> Self {
            Self::shown(name, total, BEGIN.get().copied(), PATIENCE)
        }

        fn shown(name: &'static str, total: u64, begin: Option<Begin>, patience: Duration) -> Self {
            Self(begin.map(|begin| Shown {
                name,
                total,
                done: AtomicU64::new(0),
                begun: Instant::now(),
                patience,
                begin,
                shown: OnceLock::new(),
            }))
        }

        /// Notes that `bytes` more are done.
        pub(crate) fn add(&self, bytes: u64) {
            let Some(pass) = &self.0 else { return };
            let done = pass.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
            let lasts = pass.begun.elapsed();
            if lasts >= pass.patience {
                pass.shown.get_or_init(|| (pass.begin)(pass.name, pass.total, lasts)).advance(done);
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// What one test alone has seen: what was begun, the most that was done, and what has ended.
        macro_rules! show {
            ($begun:ident, $done:ident, $ended:ident, $begin:ident) => {
                static $begun: AtomicU64 = AtomicU64::new(0);
                static $done: AtomicU64 = AtomicU64::new(0);
                static $ended: AtomicU64 = AtomicU64::new(0);
                struct Shown;
                impl Show for Shown {
                    fn advance(&self, done: u64) {
                        $done.fetch_max(done, Ordering::SeqCst);
                    }
                }
                impl Drop for Shown {
                    fn drop(&mut self) {
                        $ended.fetch_add(1, Ordering::SeqCst);
                    }
                }
                fn $begin(_: &'static str, _: u64, _: Duration) -> Box<dyn Show> {
                    $begun.fetch_add(1, Ordering::SeqCst);
                    Box::new(Shown)
                }
            };
        }

        #[test]
        fn work_that_is_soon_done_is_not_shown() {
            show!(BEGUN, DONE, ENDED, begin);
            let work = Work::shown("hashing", 10, Some(begin), Duration::from_secs(3600));
            (0..10).for_each(|_| work.add(1));
            drop(work);
            assert_eq!(
                (BEGUN.load(Ordering::SeqCst), DONE.load(Ordering::SeqCst), ENDED.load(Ordering::SeqCst)),
                (0, 0, 0)
            );
        }

        #[test]
        fn work_that_lasts_is_shown_once_until_it_ends_by_however_many_threads() {
            show!(BEGUN, DONE, ENDED, begin);
            let work = Work::shown("hashing", 400, Some(begin), Duration::ZERO);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| (0..100).for_each(|_| work.add(1)));
                }
            });
            assert_eq!(
                (BEGUN.load(Ordering::SeqCst), DONE.load(Ordering::SeqCst), ENDED.load(Ordering::SeqCst)),
                (1, 400, 0)
            );
            drop(work);
            assert_eq!(ENDED.load(Ordering::SeqCst), 1);
        }

        #[test]
        fn work_that_nobody_shows_is_done_all_the_same() {
            Work::shown("hashing", 1, None, Duration::ZERO).add(1);
        }
    }
}
