//! The size of entries against when they were last used.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::commands::report::charts::WIDTH;
use crate::commands::report::model::Model;
use crate::commands::report::svg::{Anchor, Svg};
use crate::text::{date, size};

const LEFT: f64 = 76.0;
const HEIGHT: f64 = 200.0;
const COLUMNS: u32 = 56;
const ROWS: u32 = 16;

/// The classes of cells, by how many entries they have: each class is one path.
const CLASSES: [(u64, &str); 4] = [(1, "d0"), (2, "d1"), (8, "d2"), (64, "d3")];

/// The drawing; `None` where nothing is stored.
pub(crate) fn age(model: &Model) -> Option<String> {
    let first = model.entries.iter().map(|row| row.used).min()?;
    let last = model.entries.iter().map(|row| row.used).max()?;
    let span = last.duration_since(first).unwrap_or_default().max(Duration::from_secs(1));
    let [low, high] = range(model)?;
    let mut cells: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for row in &model.entries {
        let age = row.used.duration_since(first).unwrap_or_default();
        let x = place(age.as_secs_f64() / span.as_secs_f64(), COLUMNS);
        let y = place((magnitude(row.bytes) - low) / (high - low), ROWS);
        *cells.entry((x, y)).or_default() += 1;
    }
    let (width, height) = ((WIDTH - LEFT) / f64::from(COLUMNS), HEIGHT / f64::from(ROWS));
    let mut paths: BTreeMap<&str, String> = BTreeMap::new();
    for ((x, y), entries) in cells {
        let class = CLASSES.iter().rev().find(|(least, _)| entries >= *least).map_or("d0", |(_, class)| *class);
        let (x, y) = (LEFT + f64::from(x) * width, HEIGHT - f64::from(y + 1) * height);
        let (across, down) = (width - 1.0, height - 1.0);
        paths.entry(class).or_default().push_str(&format!("M{x:.1} {y:.1}h{across:.1}v{down:.1}h-{across:.1}z"));
    }
    let mut svg = Svg::new(WIDTH, HEIGHT + 24.0);
    sizes(&mut svg, low, high);
    paths.into_iter().for_each(|(class, path)| svg.path(class, &path));
    ends(&mut svg, first, last);
    Some(svg.finish("Size of entries against when they were last used"))
}

/// The powers of two, as exponents, between which the sizes of entries lie.
fn range(model: &Model) -> Option<[f64; 2]> {
    let low = model.entries.iter().map(|row| magnitude(row.bytes)).reduce(f64::min)?.floor();
    let high = model.entries.iter().map(|row| magnitude(row.bytes)).reduce(f64::max)?.ceil();
    Some([low, high.max(low + 1.0)])
}

fn magnitude(bytes: u64) -> f64 {
    (bytes.max(1) as f64).log2()
}

fn place(share: f64, places: u32) -> u32 {
    ((share * f64::from(places)) as u32).min(places - 1)
}

fn sizes(svg: &mut Svg, low: f64, high: f64) {
    // At most five lines, at powers of two.
    let step = ((high - low) / 4.0).ceil().max(1.0);
    let mut at = low;
    while at <= high {
        let y = HEIGHT - (at - low) / (high - low) * HEIGHT;
        svg.path("grid", &format!("M{LEFT} {y:.1}H{WIDTH}"));
        svg.text("t", (LEFT - 6.0, (y + 4.0).max(10.0)), Anchor::End, &size(2_f64.powf(at) as u64));
        at += step;
    }
}

fn ends(svg: &mut Svg, first: SystemTime, last: SystemTime) {
    let y = HEIGHT + 17.0;
    let name = |time| date(time).map_or_else(String::new, |date| date.to_string());
    svg.text("t", (LEFT, y), Anchor::Start, &name(first));
    if name(first) != name(last) {
        svg.text("t", (WIDTH, y), Anchor::End, &name(last));
    }
}
