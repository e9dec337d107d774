//! How much a cache may hold, and what is given up first.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::error::{Error, Result};
use crate::record::nanoseconds;

/// Limits on the contents of a cache folder; each limit that is given must hold.
///
/// [`Memory::reduce_size`](crate::Memory::reduce_size) enforces them once,
/// [`MemoryBuilder::limits`](crate::MemoryBuilder::limits) all the time. The size of an entry is the length of all
/// its files. Serde writes `bytes`, `items` and `age_ns`, in nanoseconds.
///
/// ```
/// use std::time::Duration;
/// use ndcache::Limits;
///
/// let month = Duration::from_secs(30 * 24 * 3600);
/// let limits = Limits::bytes("1.5G")?.items(100_000).age(month);
/// assert_eq!(limits, Limits { bytes: Some(3 << 29), items: Some(100_000), age: Some(month) });
/// assert_eq!(Limits::default(), Limits { bytes: None, items: None, age: None });
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Limits {
    /// The maximum number of bytes, in all files of all entries together.
    pub bytes: Option<u64>,
    /// The maximum number of entries.
    pub items: Option<u64>,
    /// The longest time since an entry was last used, which is known to the hour, or to a tenth of this limit if the
    /// memory that used the entry was opened with it.
    #[serde(rename = "age_ns", serialize_with = "in_nanoseconds")]
    pub age: Option<Duration>,
}

fn in_nanoseconds<S: Serializer>(age: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    age.map(nanoseconds).serialize(serializer)
}

impl Limits {
    /// Makes a limit in bytes: a whole number, or a number with the unit `K`, `M`, `G` or `T`, in powers of 1024 as
    /// in joblib.
    ///
    /// Units may be in either case; decimals need a unit, and a fraction of a byte is dropped. For a size that isn't
    /// a text, set the field: `Limits { bytes: Some(n), ..Limits::default() }`.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Invalid`](crate::ErrorKind::Invalid) when the text is anything else, or means 2^64
    /// bytes or more.
    ///
    /// ```
    /// use ndcache::Limits;
    ///
    /// assert_eq!(Limits::bytes("10G")?.bytes, Some(10 << 30));
    /// assert_eq!(Limits::bytes("0.5k")?.bytes, Some(512));
    /// let error = Limits::bytes("10 apples").unwrap_err();
    /// assert!(error.to_string().starts_with("size is `10 apples`, expected "));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn bytes(size: impl AsRef<str>) -> Result<Self> {
        let size = size.as_ref();
        let bytes = parse(size).ok_or_else(|| {
            let expected = "a number below 2^64 of bytes, or one with `K`, `M`, `G` or `T`, such as `1.5G`";
            Error::invalid(format!("size is `{}`, expected {expected}", size.escape_debug()))
        })?;
        Ok(Self { bytes: Some(bytes), ..Self::default() })
    }

    /// Adds a limit on the number of entries.
    #[must_use]
    pub fn items(self, items: u64) -> Self {
        Self { items: Some(items), ..self }
    }

    /// Adds a limit on the time since an entry was last used.
    #[must_use]
    pub fn age(self, age: Duration) -> Self {
        Self { age: Some(age), ..self }
    }

    pub(crate) fn is_any(&self) -> bool {
        *self != Self::default()
    }
}

/// Which entries are evicted first when a limit is reached.
///
/// ```
/// use ndcache::policy::EvictPolicy;
/// use ndcache::{Limits, Memory};
/// # let folder = tempfile::tempdir().unwrap();
///
/// let memory = Memory::builder(folder.path()).evict(EvictPolicy::LeastValuable).limits(Limits::bytes("10G")?).open()?;
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EvictPolicy {
    /// Entries that were not used for the longest time.
    #[default]
    LeastRecentlyUsed,
    /// Entries that save the least computing time per byte: `duration / bytes * 2^(-idle / 7 days)`.
    ///
    /// The quotient is that of GreedyDual-Size (Cao and Irani, 1997): the cost of the next miss divided by the size
    /// of the entry. That algorithm ages entries by an offset that all of them would have to share. Here each entry
    /// ages by itself, to a half in a week, as in LRFU (Lee et al., 2001), so that only the entry's own record is
    /// needed. With a week, results that are used in each working week outlast the weekend; computing times differ by
    /// factors that take months to age away.
    LeastValuable,
}

/// What [`Memory::reduce_size`](crate::Memory::reduce_size), [`clear`](crate::Memory::clear) or
/// [`clear_function`](crate::Memory::clear_function) removed.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// use ndcache::policy::Evicted;
/// use ndcache::{Limits, Memory};
///
/// let memory = Memory::open(folder.path())?;
/// assert_eq!(memory.reduce_size(Limits::bytes("1G")?)?, Evicted { items: 0, bytes: 0 });
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// The number of entries.
    pub items: u64,
    /// The bytes of all files: those of entries, and those that no entry named.
    pub bytes: u64,
}

/// The bytes that a size stands for, exactly: no float could tell all of them apart.
fn parse(size: &str) -> Option<u64> {
    let size = size.trim();
    let (number, shift) = match size.char_indices().next_back()? {
        (end, 'K' | 'k') => (&size[..end], 10),
        (end, 'M' | 'm') => (&size[..end], 20),
        (end, 'G' | 'g') => (&size[..end], 30),
        (end, 'T' | 't') => (&size[..end], 40),
        _ => (size, 0),
    };
    let (whole, fraction) = number.trim_end().split_once('.').unwrap_or((number.trim_end(), "0"));
    let unitless = shift == 0 && number.contains('.');
    if unitless || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    // A digit after the 18th decides on less than a millionth of a byte, even with the unit `T`.
    let fraction = &fraction[..fraction.len().min(18)];
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction = (u128::from(fraction.parse::<u64>().ok()?) << shift) / scale;
    u64::try_from((u128::from(whole.parse::<u64>().ok()?) << shift) + fraction).ok()
}

fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ErrorKind;

    #[test]
    fn sizes_are_numbers_with_or_without_a_unit() {
        let sizes = [
            ("0", 0),
            ("1024", 1024),
            ("18446744073709551615", u64::MAX),
            ("10K", 10 << 10),
            ("10m", 10 << 20),
            ("10G", 10 << 30),
            ("2t", 2 << 40),
            ("1.5G", 3 << 29),
            ("0.1K", 102),
            (" 3 M ", 3 << 20),
            ("0.00000000000000000001T", 0),
        ];
        for (text, bytes) in sizes {
            assert_eq!(Limits::bytes(text).unwrap().bytes, Some(bytes), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_by_name() {
        for text in [
            "",
            " ",
            "G",
            "-1",
            "+1",
            "1.5",
            "1.",
            ".5G",
            "1.G",
            "1e3",
            "0x10",
            "10GB",
            "10 apples",
            "1,5G",
            "1.2.3K",
            "18446744073709551616",
            "16777216T",
            "٣K",
            "1G\0",
            "NaN",
            "inf",
        ] {
            let error = Limits::bytes(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(&format!("`{}`", text.escape_debug())), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9.KMGTkmgt +-]{0,30}|.{0,10}") {
            if let Ok(limits) = Limits::bytes(&text) {
                prop_assert!(limits.bytes.is_some() && limits.items.is_none() && limits.age.is_none());
            }
        }

        #[test]
        fn decimals_are_rounded_down(whole in 0_u64..1 << 20, fraction in 0_u64..1_000_000) {
            let text = format!("{whole}.{fraction:06}G");
            let exact = (u128::from(whole * 1_000_000 + fraction) << 30) / 1_000_000;
            prop_assert_eq!(Limits::bytes(&text).unwrap().bytes.map(u128::from), Some(exact));
        }
    }
}
