//! Counts as tables.

use std::fmt;

use crate::digest::escaped;
use crate::key;
use crate::stats::counts::{Counts, Stats};
use crate::stats::units::{count, size, time};

/// The longest name of a function, in columns.
const NAME: usize = 36;

/// The row of the sums.
const SUM: &str = "in all";

impl fmt::Display for Stats {
    /// A table with a row for each function and one for all, and one of the tiers that were asked, if any were;
    /// `no calls yet` if there is nothing to tell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut functions: Vec<_> = self.by_function().iter().collect();
        functions.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.spent.saturating_add(counts.saved)));
        let mut rows: Vec<_> = functions.into_iter().map(|(path, counts)| (shown_path(path), *counts)).collect();
        if rows.is_empty() {
            return f.write_str("no calls yet");
        }
        let sum = rows.iter().fold(Counts::default(), |sum, (_, counts)| added(sum, counts));
        rows.push((SUM.to_owned(), sum));
        let tiers: Vec<_> = self.by_tier().iter().map(|(place, counts)| (cut(place), counts)).collect();
        let names = rows.iter().map(|(name, _)| name).chain(tiers.iter().map(|(place, _)| place));
        let width = names.map(|name| name.chars().count()).max().unwrap_or(0).max("function".len());
        write!(
            f,
            "{:width$} {:>9} {:>9} {:>8} {:>10} {:>10} {:>11}",
            "function", "hits", "misses", "faults", "spent", "saved", "bytes"
        )?;
        for (name, Counts { hits, misses, faults, spent, saved, bytes, .. }) in rows {
            let [hits, misses, faults] = [hits, misses, faults].map(count);
            let (spent, saved, bytes) = (time(spent), time(saved), size(bytes));
            write!(f, "\n{name:width$} {hits:>9} {misses:>9} {faults:>8} {spent:>10} {saved:>10} {bytes:>11}")?;
        }
        if !tiers.is_empty() {
            write!(
                f,
                "\n{:width$} {:>9} {:>9} {:>8} {:>10} {:>10} {:>11}",
                "tier", "hits", "asked", "errors", "sent", "saved", "fetched"
            )?;
        }
        for (place, counts) in tiers {
            let [hits, asked, errors] = [counts.hits, counts.asked, counts.errors.values().sum()].map(count);
            let (sent, saved, fetched) = (count(counts.uploads), time(counts.saved), size(counts.fetched_bytes));
            write!(f, "\n{place:width$} {hits:>9} {asked:>9} {errors:>8} {sent:>10} {saved:>10} {fetched:>11}")?;
        }
        Ok(())
    }
}

fn added(sum: Counts, counts: &Counts) -> Counts {
    Counts {
        hits: sum.hits.saturating_add(counts.hits),
        misses: sum.misses.saturating_add(counts.misses),
        fetched: sum.fetched.saturating_add(counts.fetched),
        faults: sum.faults.saturating_add(counts.faults),
        rechecks: sum.rechecks.saturating_add(counts.rechecks),
        mismatches: sum.mismatches.saturating_add(counts.mismatches),
        foreign_mismatches: sum.foreign_mismatches.saturating_add(counts.foreign_mismatches),
        spent: sum.spent.saturating_add(counts.spent),
        saved: sum.saved.saturating_add(counts.saved),
        bytes: sum.bytes.saturating_add(counts.bytes),
        stored: sum.stored.saturating_add(counts.stored),
        loaded: sum.loaded.saturating_add(counts.loaded),
    }
}

/// A function's name.
fn shown_path(path: &str) -> String {
    cut(&key::shown_path(path))
}

/// A name, of a long one only its end, where functions and places differ most.
fn cut(name: &str) -> String {
    let name = escaped(name);
    match name.chars().count().checked_sub(NAME) {
        None | Some(0) => name.into_owned(),
        Some(more) => std::iter::once('…').chain(name.chars().skip(more + 1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::stats::counts::Counters;

    #[test]
    fn the_table_is_aligned_and_has_at_most_100_columns() {
        let counters = Counters::default();
        let long = format!("app/app::{}fit", "deep::".repeat(20));
        for (path, spent) in [(&*long, u64::MAX), ("app/app/app::load", 4_700_000), ("größe::f\n", 0)] {
            counters.miss(path, "code");
            counters.computed(path, Duration::from_nanos(spent), spent);
        }
        (0..2).for_each(|_| counters.hit("app/app/app::load"));
        counters.tally("app/app/app::load", 0).hit();
        counters.tally("app/app/app::load", 0).load(241_000_000, 0);
        let table = counters.snapshot().to_string();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 5, "{table}");
        let widths: Vec<_> = lines.iter().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|&width| width == widths[0] && width <= 100), "{table}");
        assert!(lines[1].starts_with('…') && lines[1].contains("::deep::fit "), "{table}");
        assert!(lines[2].starts_with("app::load ") && lines[2].contains("4.7 ms   241.0 ms     4.5 MiB"), "{table}");
        assert!(lines[3].starts_with("größe::f\\n "), "{table}");
        assert!(lines[4].starts_with("in all "), "{table}");
        assert_eq!(Counters::default().snapshot().to_string(), "no calls yet");
    }

    #[test]
    fn tiers_that_were_asked_have_a_table_of_their_own() {
        let counters = Counters::default();
        counters.miss("f", "new");
        counters.tier("/nfs/team/cache", |counts| {
            (counts.asked, counts.hits, counts.uploads) = (12, 4, 3);
            (counts.saved, counts.fetched_bytes) = (Duration::from_millis(241), 4_700_000);
            counts.errors.insert("busy", 1);
            counts.errors.insert("late", 1);
        });
        let table = counters.snapshot().to_string();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 5, "{table}");
        assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()), "{table}");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(lines[3]), ["tier", "hits", "asked", "errors", "sent", "saved", "fetched"], "{table}");
        let expected = ["/nfs/team/cache", "4", "12", "2", "3", "241.0", "ms", "4.5", "MiB"];
        assert_eq!(words(lines[4]), expected, "{table}");
    }
}
