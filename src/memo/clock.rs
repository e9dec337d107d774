//! The clock of remembered entries: monotonic, good to some milliseconds, and read without a system call.

use std::time::Duration;

use coarsetime::Instant;

/// Ticks since some moment. It is the last tick of the kernel's clock that is asked for: the exact time would cost a
/// good part of a repeated hit.
#[inline]
pub(crate) fn now() -> u64 {
    // The other way to ask writes to memory that all threads share.
    Instant::now_without_cache_update().as_ticks()
}

/// The duration in ticks, of which a second has 2³².
pub(crate) fn ticks(duration: Duration) -> u64 {
    let fraction = (u64::from(duration.subsec_nanos()) << 32) / 1_000_000_000;
    duration.as_secs().saturating_mul(1 << 32).saturating_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_as_fast_as_another_one() {
        // Between two clocks a thread may lose its core; not each time.
        let agrees = (0..20).any(|_| {
            let (begin, instant) = (now(), std::time::Instant::now());
            std::thread::sleep(Duration::from_millis(100));
            let (took, elapsed) = (now() - begin, instant.elapsed());
            took.abs_diff(ticks(elapsed)) < ticks(Duration::from_millis(50))
        });
        assert!(agrees);
    }

    #[test]
    fn a_second_has_many_ticks() {
        assert_eq!(ticks(Duration::from_millis(1500)), 3 << 31);
        assert_eq!(ticks(Duration::MAX), u64::MAX);
    }
}
