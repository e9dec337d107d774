//! Why calls missed, by function.

use std::collections::BTreeMap;

use crate::commands::report::charts::{COLORS, Chart, WIDTH, color, label, legend};
use crate::commands::report::gather::EXPLAINED;
use crate::commands::report::model::{FunctionReport, Model};
use crate::commands::report::svg::{Anchor, Area, Svg};
use crate::text::{count, safe};

const LEFT: f64 = 190.0;
const RIGHT: f64 = 70.0;
const BAR: f64 = 24.0;

/// The drawing; `None` where no miss was counted.
pub(crate) fn reasons(model: &Model) -> Option<Chart> {
    let sum = |function: &FunctionReport| -> u64 {
        function.activity.as_ref().map_or(0, |activity| saturating_sum(activity.reasons.values().copied()))
    };
    let mut functions: Vec<&FunctionReport> = model.functions.iter().filter(|function| sum(function) > 0).collect();
    functions.sort_by(|a, b| (sum(b), &a.name).cmp(&(sum(a), &b.name)));
    let left_out = functions.len().saturating_sub(EXPLAINED);
    functions.truncate(EXPLAINED);
    let most = sum(functions.first()?);
    let ranks = ranks(&functions);
    let mut svg = Svg::new(WIDTH, functions.len() as f64 * BAR + 4.0);
    for (at, function) in functions.iter().enumerate() {
        let (mut x, y) = (LEFT, at as f64 * BAR + 2.0);
        svg.text("t", (LEFT - 8.0, y + 15.0), Anchor::End, &label(&function.name, 26));
        for (class, reason, misses) in parts(function, &ranks) {
            let width = (WIDTH - LEFT - RIGHT) * misses as f64 / most as f64;
            let tip = format!("{}: {reason} {}", safe(&function.name), count(misses));
            svg.area(&class, Area { x, y, width, height: BAR - 6.0 }, &tip);
            x += width;
        }
        svg.text("t", (x + 6.0, y + 15.0), Anchor::Start, &count(sum(function)));
    }
    let mut names: Vec<_> = ranks.iter().take(COLORS).enumerate().map(|(rank, it)| (color(rank), *it)).collect();
    names.extend((ranks.len() > COLORS).then(|| (color(COLORS), "all others")));
    let mut legend = legend(names);
    if left_out > 0 {
        legend
            .push_str(&format!("<p>The {EXPLAINED} functions with most misses are drawn; {left_out} more aren't.</p>"));
    }
    Some(Chart { svg: svg.finish("Misses by function and reason"), legend })
}

/// A log that somebody else wrote may have any numbers.
fn saturating_sum(misses: impl IntoIterator<Item = u64>) -> u64 {
    misses.into_iter().fold(0, u64::saturating_add)
}

/// The reasons, beginning with the most frequent one.
fn ranks<'a>(functions: &[&'a FunctionReport]) -> Vec<&'a str> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    let reasons = functions.iter().filter_map(|function| function.activity.as_ref()).flat_map(|it| &it.reasons);
    reasons.for_each(|(reason, misses)| {
        let sum = sums.entry(reason).or_default();
        *sum = saturating_sum([*sum, *misses]);
    });
    let mut ranks: Vec<_> = sums.into_iter().collect();
    ranks.sort_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
    ranks.into_iter().map(|(reason, _)| reason).collect()
}

fn parts(function: &FunctionReport, ranks: &[&str]) -> Vec<(String, String, u64)> {
    let reasons = function.activity.as_ref().map(|activity| &activity.reasons);
    let misses = |reason: &&str| reasons.and_then(|reasons| reasons.get(*reason)).copied().unwrap_or(0);
    let own = ranks.iter().take(COLORS).enumerate();
    let mut parts: Vec<_> = own.map(|(rank, it)| (color(rank), safe(it).into_owned(), misses(it))).collect();
    parts.push((color(COLORS), "others".to_owned(), saturating_sum(ranks.iter().skip(COLORS).map(misses))));
    parts.retain(|(_, _, misses)| *misses > 0);
    parts
}
