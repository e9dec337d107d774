//! Times as records have them: nanoseconds, in 64 bits.

use std::time::{Duration, SystemTime};

/// The nanoseconds from 1970 to `time`; 0 before that.
pub(crate) fn nanoseconds_since_1970(time: SystemTime) -> u64 {
    nanoseconds(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// The nanoseconds of `duration`; at most what 64 bits hold, 584 years.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
