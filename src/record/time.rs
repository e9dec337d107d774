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

const DAY: i128 = 86_400_000_000_000;

/// A time as RFC 3339 writes it, in UTC and to the nanosecond; one beyond its years, 0 to 9999, is the last or first of
/// them.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let since = |later: SystemTime, earlier| later.duration_since(earlier).map_or(0, |since| since.as_nanos() as i128);
    let instant = since(time, SystemTime::UNIX_EPOCH) - since(SystemTime::UNIX_EPOCH, time);
    let instant = instant.clamp(-719_528 * DAY, 2_932_897 * DAY - 1);
    let (year, month, day) = civil(instant.div_euclid(DAY));
    let (seconds, nanoseconds) = (instant.rem_euclid(DAY) / 1_000_000_000, instant.rem_euclid(1_000_000_000));
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z")
}

/// Year, month and day of a day counted from 1970-01-01, by Howard Hinnant's `civil_from_days`: years begin in March, so
/// that the leap day is the last, and 400 of them have 146,097 days.
fn civil(days: i128) -> (i128, i128, i128) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: i64, nanoseconds: u32) -> String {
        let since = Duration::from_secs(seconds.unsigned_abs());
        let whole = SystemTime::UNIX_EPOCH;
        let whole = if seconds < 0 { whole.checked_sub(since) } else { whole.checked_add(since) };
        rfc3339(whole.unwrap() + Duration::from_nanos(nanoseconds.into()))
    }

    #[test]
    fn a_time_is_written_as_rfc_3339_says() {
        // By `date -u -d @… +%FT%T`.
        assert_eq!(at(0, 1), "1970-01-01T00:00:00.000000001Z");
        assert_eq!(at(951_827_696, 0), "2000-02-29T12:34:56.000000000Z");
        assert_eq!(at(4_107_542_399, 999_999_999), "2100-02-28T23:59:59.999999999Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000000000Z");
        assert_eq!(at(-1, 500_000_000), "1969-12-31T23:59:59.500000000Z");
        assert_eq!(at(-2_203_891_200, 0), "1900-03-01T00:00:00.000000000Z");
        assert_eq!(at(253_402_300_799, 0), "9999-12-31T23:59:59.000000000Z");
        assert_eq!(at(253_402_300_800, 0), "9999-12-31T23:59:59.999999999Z");
        assert_eq!(at(i64::MIN / 2, 0), "0000-01-01T00:00:00.000000000Z");
    }

    #[test]
    fn each_day_of_four_centuries_follows_the_one_before() {
        let is_leap = |year: i128| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..146_097 {
            assert_eq!(civil(days), (year, month, day));
            let length = [31, 28 + i128::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            day += 1;
            if day > length[month as usize - 1] {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
