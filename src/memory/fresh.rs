//! How long an entry is good for: validation and expiry.

use std::time::SystemTime;

use crate::call::request::CallOptions;
use crate::entry::read::find::{FoundEntry, Missing};
use crate::entry::site::Site;
use crate::memory::Engine;
use crate::record::{Record, nanoseconds, nanoseconds_since_1970};

impl Engine {
    /// Until when the entry is good (`None`: for ever), if it still is and `validate` lets it pass.
    pub(crate) fn fresh(
        &self,
        options: &impl CallOptions,
        site: &Site,
        found: &FoundEntry,
    ) -> Result<Option<u64>, Missing> {
        let record = &found.record;
        let validated = options.validate().is_some() || self.settings.validate.is_some();
        let limited = options.expires().is_some() || self.settings.expires.is_some() || record.expires.is_some();
        if !validated && !limited {
            return Ok(None);
        }
        let limit = Limit { own: self.expires(options), inner: inner_lifetime(record) };
        let now = now();
        if let Some(text) = limit.passed(record.created, now) {
            return Err(Missing::Expired(text));
        }
        if !self.is_valid(options, site, found) {
            return Err(Missing::Expired("refused by `validate`".to_owned()));
        }
        Ok(limit.lifetime().and_then(|lifetime| instant(record.created.min(now), lifetime)))
    }

    /// How long results are good for, in nanoseconds: by the function's own `expires`, else by the memory's.
    pub(crate) fn expires(&self, options: &impl CallOptions) -> Option<u64> {
        options.expires().map(|expires| expires()).or(self.settings.expires).map(nanoseconds)
    }

    fn is_valid(&self, options: &impl CallOptions, site: &Site, found: &FoundEntry) -> bool {
        let entry = || self.archive.entry(&site.record(), found.clone());
        match (options.validate(), &self.settings.validate) {
            (Some(validate), _) => validate(&entry()),
            (None, Some(validate)) => validate.accepts(&entry()),
            (None, None) => true,
        }
    }
}

/// Until when a result that has just been computed is good.
pub(crate) fn good_until(lifetime: u64) -> Option<u64> {
    instant(now(), lifetime)
}

/// How long an entry is good for, in nanoseconds from its creation.
struct Limit {
    /// What `expires` says now.
    own: Option<u64>,
    /// What the cached calls made inside it had left then.
    inner: Option<u64>,
}

impl Limit {
    fn lifetime(&self) -> Option<u64> {
        self.own.into_iter().chain(self.inner).min()
    }

    /// What is wrong with an entry of that age, in words.
    ///
    /// One that was created in the future, by a clock that was ahead, counts as new. But an entry whose creation is
    /// further off than its lifetime would be good for longer than anybody asked for, and isn't.
    fn passed(&self, created: u64, now: u64) -> Option<String> {
        let lifetime = self.lifetime()?;
        if now.abs_diff(created) < lifetime {
            return None;
        }
        if created > now {
            return Some(format!("expired: created {} in the future", in_words(created - now)));
        }
        let ago = in_words(now - created - lifetime);
        let inherited = self.own.is_none_or(|own| own > lifetime);
        let cause = if inherited { ", with a cached call inside it" } else { "" };
        Some(format!("expired {ago} ago{cause}"))
    }
}

/// What is left to the entry when the first of the calls inside it expires; nothing if that was while it was computed.
fn inner_lifetime(record: &Record) -> Option<u64> {
    record.expires.map(|expires| expires.saturating_sub(record.created))
}

/// `None` if that is beyond what 64 bits hold, the year 2554.
fn instant(from: u64, lifetime: u64) -> Option<u64> {
    from.checked_add(lifetime)
}

fn now() -> u64 {
    nanoseconds_since_1970(SystemTime::now())
}

/// The time in the largest unit of which there is at least one: `3 h`.
fn in_words(nanoseconds: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(86_400_000_000_000, "d"), (3_600_000_000_000, "h"), (60_000_000_000, "min"), (1_000_000_000, "s")];
    let (unit, name) = UNITS.into_iter().find(|&(unit, _)| nanoseconds >= unit).unwrap_or((1_000_000, "ms"));
    format!("{} {name}", nanoseconds / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000_000;
    const NOW: u64 = 1_700_000_000_000_000_000;

    fn passed(own: Option<u64>, inner: Option<u64>, created: u64) -> Option<String> {
        Limit { own, inner }.passed(created, NOW)
    }

    #[test]
    fn an_entry_expires_when_its_time_is_over() {
        assert_eq!(passed(None, None, 0), None);
        assert_eq!(passed(Some(HOUR), None, NOW - HOUR + 1), None);
        assert_eq!(passed(Some(HOUR), None, NOW - HOUR).unwrap(), "expired 0 ms ago");
        assert_eq!(passed(Some(HOUR), None, NOW - 4 * HOUR).unwrap(), "expired 3 h ago");
        assert_eq!(passed(Some(0), None, NOW).unwrap(), "expired 0 ms ago");
        assert_eq!(passed(Some(u64::MAX), None, 0), None);
    }

    #[test]
    fn an_entry_expires_with_the_calls_inside_it() {
        assert_eq!(passed(Some(9 * HOUR), Some(HOUR), NOW - HOUR + 1), None);
        let text = passed(Some(9 * HOUR), Some(HOUR), NOW - 50 * HOUR).unwrap();
        assert_eq!(text, "expired 2 d ago, with a cached call inside it");
        assert_eq!(passed(Some(HOUR), Some(9 * HOUR), NOW - 2 * HOUR).unwrap(), "expired 1 h ago");
    }

    #[test]
    fn an_entry_of_the_future_is_new_for_no_longer_than_it_may_live() {
        assert_eq!(passed(Some(HOUR), None, NOW + HOUR - 1), None);
        assert_eq!(passed(Some(HOUR), None, NOW + 2 * HOUR).unwrap(), "expired: created 2 h in the future");
        assert_eq!(passed(None, None, NOW + 2 * HOUR), None);
    }

    #[test]
    fn durations_are_said_in_their_largest_unit() {
        for (nanoseconds, expected) in
            [(0, "0 ms"), (2_500_000, "2 ms"), (59_999_999_999, "59 s"), (60_000_000_000, "1 min"), (25 * HOUR, "1 d")]
        {
            assert_eq!(in_words(nanoseconds), expected);
        }
    }
}
