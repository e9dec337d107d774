//! Time saved by day, or entries made by day where nothing was counted.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;

use crate::commands::report::charts::{COLORS, Chart, WIDTH, color, legend};
use crate::commands::report::model::Model;
use crate::commands::report::svg::{Anchor, Area, Svg};
use crate::text::{count, duration, safe};

/// The most columns. If there are more days, a column stands for several.
const COLUMNS: i64 = 36;

/// The greatest width of a column.
const WIDEST: f64 = 64.0;

const LEFT: f64 = 76.0;
const TOP: f64 = 12.0;
const HEIGHT: f64 = 220.0;
const BOTTOM: f64 = 24.0;

/// Some days, with what is above the axis by function, and what is below.
#[derive(Default)]
struct Column {
    above: BTreeMap<String, f64>,
    below: f64,
}

/// The drawing; `None` where there is nothing to draw.
pub(crate) fn days(model: &Model) -> Option<Chart> {
    let is_counted = model.activity.is_some();
    let (first, columns, width) = columns(model, is_counted)?;
    let ranks = ranks(&columns);
    let height = |column: &Column| column.above.values().sum::<f64>();
    let above = columns.iter().map(height).fold(0.0, f64::max);
    let below = columns.iter().map(|column| column.below).fold(0.0, f64::max);
    let scale = HEIGHT / (above + below).max(f64::MIN_POSITIVE);
    let axis = TOP + above * scale;
    let amount = |value: f64| if is_counted { time(value) } else { count(value as u64) };
    let mut svg = Svg::new(WIDTH, TOP + HEIGHT + BOTTOM);
    grid(&mut svg, above, below, scale, is_counted);
    let step = ((WIDTH - LEFT) / columns.len() as f64).min(WIDEST);
    for (at, column) in columns.iter().enumerate() {
        let area = |y, height| Area { x: LEFT + at as f64 * step + step * 0.1, y, width: step * 0.8, height };
        let day = name(first, at as i64 * width, width);
        let mut y = axis;
        for (class, function, value) in stack(column, &ranks) {
            y -= value * scale;
            svg.area(&class, area(y, value * scale), &format!("{day}: {function} {}", amount(value)));
        }
        if column.below > 0.0 {
            svg.area("spent", area(axis, column.below * scale), &format!("{day}: spent {}", amount(column.below)));
        }
    }
    svg.path("axis", &format!("M{LEFT} {axis:.1}H{WIDTH}"));
    let days = columns.len() as i64 * width;
    ends(&mut svg, first, days, LEFT + step * columns.len() as f64);
    let mut names: Vec<(String, &str)> = Vec::new();
    names.extend(ranks.iter().take(COLORS).enumerate().map(|(rank, name)| (color(rank), name.as_str())));
    names.extend((ranks.len() > COLORS).then(|| (color(COLORS), "all others")));
    names.extend(is_counted.then(|| ("spent".to_owned(), "spent (below the axis)")));
    let what = if is_counted { "Time saved by day, and time spent below the axis" } else { "Entries made by day" };
    Some(Chart { svg: svg.finish(what), legend: legend(names) })
}

/// The first day, the columns from there on, and the days of each.
fn columns(model: &Model, is_counted: bool) -> Option<(Date, Vec<Column>, i64)> {
    let is_shown = |day: &super::super::model::Day| match is_counted {
        true => !day.spent.is_zero() || day.saved.values().any(|saved| !saved.is_zero()),
        false => !day.made.is_empty(),
    };
    let shown: Vec<_> = model.days.iter().filter(|(_, day)| is_shown(day)).collect();
    let (first, last) = (*shown.first()?.0, *shown.last()?.0);
    let days = between(first, last) + 1;
    let width = (days + COLUMNS - 1) / COLUMNS;
    let mut columns: Vec<Column> = Vec::new();
    columns.resize_with(((days + width - 1) / width) as usize, Column::default);
    for (date, day) in shown {
        let column = &mut columns[(between(first, *date) / width) as usize];
        if is_counted {
            column.below += day.spent.as_secs_f64();
            let saved = day.saved.iter().filter(|(_, saved)| !saved.is_zero());
            saved.for_each(|(name, it)| *column.above.entry(name.clone()).or_default() += it.as_secs_f64());
        } else {
            day.made.iter().for_each(|(name, it)| *column.above.entry(name.clone()).or_default() += *it as f64);
        }
    }
    Some((first, columns, width))
}

fn between(first: Date, last: Date) -> i64 {
    first.until(last).map_or(0, |span| i64::from(span.get_days()))
}

/// The functions, beginning with the one that has most.
fn ranks(columns: &[Column]) -> Vec<String> {
    let mut sums: BTreeMap<&String, f64> = BTreeMap::new();
    for (name, value) in columns.iter().flat_map(|column| &column.above) {
        *sums.entry(name).or_default() += value;
    }
    let mut ranks: Vec<_> = sums.into_iter().collect();
    ranks.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    ranks.into_iter().map(|(name, _)| name.clone()).collect()
}

/// What stands on the axis, from below: class, name, value. What shares a colour is one.
fn stack(column: &Column, ranks: &[String]) -> Vec<(String, String, f64)> {
    let value = |name: &String| column.above.get(name).copied().unwrap_or_default();
    let mut stack: Vec<_> = ranks
        .iter()
        .take(COLORS)
        .enumerate()
        .map(|(rank, name)| (color(rank), safe(name).into_owned(), value(name)))
        .collect();
    let others = ranks.iter().skip(COLORS).map(value).sum();
    stack.push((color(COLORS), "all others".to_owned(), others));
    stack.retain(|(_, _, value)| *value > 0.0);
    stack
}

fn name(first: Date, from: i64, days: i64) -> String {
    let date = |days: i64| first.saturating_add(jiff::Span::new().days(days)).to_string();
    if days == 1 { date(from) } else { format!("{} to {}", date(from), date(from + days - 1)) }
}

/// The first and the last day, below.
fn ends(svg: &mut Svg, first: Date, days: i64, end: f64) {
    let y = TOP + HEIGHT + 17.0;
    svg.text("t", (LEFT, y), Anchor::Start, &first.to_string());
    // Where there is room for both.
    if end - LEFT > 160.0 {
        svg.text("t", (end, y), Anchor::End, &name(first, days - 1, 1));
    }
}

/// Lines at round values.
fn grid(svg: &mut Svg, above: f64, below: f64, scale: f64, is_counted: bool) {
    let step = round_step((above + below) / 4.0, is_counted);
    let axis = TOP + above * scale;
    let last = (above / step).floor() as i64;
    for at in -((below / step).floor() as i64)..=last {
        let y = axis - at as f64 * step * scale;
        let value = (at.unsigned_abs() as f64) * step;
        let label = if is_counted { time(value) } else { count(value as u64) };
        svg.path("grid", &format!("M{LEFT} {y:.1}H{WIDTH}"));
        svg.text("t", (LEFT - 6.0, y + 4.0), Anchor::End, if at == 0 { "0" } else { &label });
    }
}

/// The least round number that isn't below: of seconds one that is round as a time, too.
fn round_step(least: f64, is_time: bool) -> f64 {
    const TIMES: [f64; 9] = [60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0, 43_200.0];
    if is_time && least > 30.0 {
        let longest = 3600.0 * round_step(least / 3600.0, false);
        return TIMES.into_iter().find(|time| *time >= least).unwrap_or(longest);
    }
    let least = if is_time { least.max(1e-9) } else { least.max(1.0) };
    let decade = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|digit| digit * decade).find(|step| *step >= least).unwrap_or(10.0 * decade)
}

/// `30 min`, and not `30 min 0 s`.
fn time(seconds: f64) -> String {
    let text = duration(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    let text = text.strip_suffix(" 0 s").or(text.strip_suffix(" 0 min")).unwrap_or(&text);
    text.replace(".0 ", " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_numbers_and_round_times() {
        for (least, is_time, step) in
            [(0.3, false, 1.0), (13.0, false, 20.0), (0.003, true, 0.005), (70.0, true, 120.0), (4000.0, true, 7200.0)]
        {
            assert!((round_step(least, is_time) - step).abs() < 1e-9, "{least}");
        }
        assert_eq!([time(1800.0), time(7200.0), time(2.0)], ["30 min", "2 h", "2 s"]);
    }
}
