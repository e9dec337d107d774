//! Sizes, times and counts as people read them.

use std::time::Duration;

/// A size in powers of 1024, as in `Limits`: `898.4 KiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 6] =
        [(1 << 60, "EiB"), (1 << 50, "PiB"), (1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.into_iter().find(|&(unit, _)| bytes >= unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / unit as f64),
        None => format!("{bytes} B"),
    }
}

/// A time, in the largest unit of which there is one: `241.7 ms`; from a minute on in two: `3 h 07 min`.
pub(crate) fn time(time: Duration) -> String {
    const UNITS: [(f64, &str); 3] = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")];
    let (seconds, whole) = (time.as_secs_f64(), time.as_secs());
    match whole {
        0..60 => match UNITS.into_iter().find(|&(unit, _)| seconds >= unit) {
            Some((unit, name)) => format!("{:.1} {name}", seconds / unit),
            None => format!("{} ns", time.subsec_nanos()),
        },
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
        86_400..86_400_000 => format!("{} d {:02} h", whole / 86_400, whole % 86_400 / 3600),
        _ => format!("{} d", whole / 86_400),
    }
}

/// A number of at most eight characters: from ten million on in units of a thousand: `12.3 M`.
pub(crate) fn count(count: u64) -> String {
    const UNITS: [(u32, &str); 5] = [(18, "E"), (15, "P"), (12, "T"), (9, "G"), (6, "M")];
    let units = UNITS.map(|(power, name)| (10_u64.pow(power), name));
    match units.into_iter().find(|&(unit, _)| count >= 10_000_000 && count >= unit) {
        Some((unit, name)) => format!("{:.1} {name}", count as f64 / unit as f64),
        None => count.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_powers_of_1024() {
        for (bytes, expected) in
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 29, "1.5 GiB"), (1 << 40, "1.0 TiB")]
        {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn times_are_said_in_the_largest_units() {
        for (nanoseconds, expected) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.0 µs"),
            (241_700_000, "241.7 ms"),
            (1_440_000_000, "1.4 s"),
            (187_000_000_000, "3 min 07 s"),
            (11_220_000_000_000, "3 h 07 min"),
            (1_000_000_000_000_000, "11 d 13 h"),
        ] {
            assert_eq!(time(Duration::from_nanos(nanoseconds)), expected);
        }
    }

    #[test]
    fn counts_have_few_characters() {
        for (number, expected) in
            [(0, "0"), (9_999_999, "9999999"), (12_345_678, "12.3 M"), (u64::MAX, "18.4 E"), (999_999_999, "1000.0 M")]
        {
            assert_eq!(count(number), expected);
            assert!(count(number).len() <= 8);
        }
    }
}
