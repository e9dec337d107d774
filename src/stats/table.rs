//! Counts as a table.

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
    /// A table with a row for each function and one for all; `no calls yet` if there is nothing to tell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut functions: Vec<_> = self.by_function().iter().collect();
        functions.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.spent.saturating_add(counts.saved)));
        let mut rows: Vec<_> = functions.into_iter().map(|(path, counts)| (shown(path), *counts)).collect();
        if rows.is_empty() {
            return f.write_str("no calls yet");
        }
        let sum = rows.iter().fold(Counts::default(), |sum, (_, counts)| added(sum, counts));
        rows.push((SUM.to_owned(), sum));
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max("function".len());
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
        spent: sum.spent.saturating_add(counts.spent),
        saved: sum.saved.saturating_add(counts.saved),
        bytes: sum.bytes.saturating_add(counts.bytes),
    }
}

/// A function's name; of a long one only its end, where functions differ most.
fn shown(path: &str) -> String {
    let name = key::shown(path);
    let path = escaped(&name);
    match path.chars().count().checked_sub(NAME) {
        None | Some(0) => path.into_owned(),
        Some(more) => std::iter::once('…').chain(path.chars().skip(more + 1)).collect(),
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
}
