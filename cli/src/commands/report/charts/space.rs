//! The bytes of functions as areas.

use crate::commands::report::charts::{WIDTH, color, label};
use crate::commands::report::model::{FunctionReport, Model};
use crate::commands::report::svg::{Anchor, Area, Svg};
use crate::text::{count, entries, safe, size};

const HEIGHT: f64 = 280.0;

/// How many functions have areas of their own; the others share one.
const MOST: usize = 60;

/// The drawing; `None` where nothing is stored.
pub(crate) fn space(model: &Model) -> Option<String> {
    let (own, others) = model.functions.split_at(model.functions.len().min(MOST));
    let rest: u64 = others.iter().map(|function| function.stored.bytes).sum();
    let mut parts: Vec<(String, u64, String)> = own.iter().map(part).collect();
    if rest > 0 {
        let name = format!("{} others", count(others.len() as u64));
        parts.push((name.clone(), rest, format!("{name}: {}", size(rest))));
    }
    parts.retain(|(_, bytes, _)| *bytes > 0);
    if parts.is_empty() {
        return None;
    }
    let sizes: Vec<f64> = parts.iter().map(|(_, bytes, _)| *bytes as f64).collect();
    let whole = Area { x: 0.0, y: 0.0, width: WIDTH, height: HEIGHT };
    let mut svg = Svg::new(WIDTH, HEIGHT);
    for (at, (area, (name, bytes, tip))) in squarified(&sizes, whole).into_iter().zip(&parts).enumerate() {
        let inner = Area { width: area.width - 2.0, height: area.height - 2.0, x: area.x + 1.0, y: area.y + 1.0 };
        if inner.width < 0.5 || inner.height < 0.5 {
            continue;
        }
        svg.area(&format!("cell {}", color(at)), inner, tip);
        let columns = (inner.width / 7.0) as usize;
        if columns >= 5 && inner.height >= 18.0 {
            svg.text("t", (inner.x + 5.0, inner.y + 14.0), Anchor::Start, &label(name, columns - 1));
        }
        if columns >= 9 && inner.height >= 34.0 {
            svg.text("t dim", (inner.x + 5.0, inner.y + 29.0), Anchor::Start, &size(*bytes));
        }
    }
    Some(svg.finish("Bytes by function, as areas"))
}

fn part(function: &FunctionReport) -> (String, u64, String) {
    let (bytes, stored) = (function.stored.bytes, entries(function.stored.entries));
    let tip = format!("{}: {}, {stored}", safe(&function.name), size(bytes));
    (function.name.clone(), bytes, tip)
}

/// Areas in proportion to `sizes`, the largest of which comes first, and as square as can be (Bruls, Huizing and
/// van Wijk, 2000).
fn squarified(sizes: &[f64], mut rest: Area) -> Vec<Area> {
    let total: f64 = sizes.iter().sum();
    let factor = rest.width * rest.height / total.max(f64::MIN_POSITIVE);
    let sizes: Vec<f64> = sizes.iter().map(|size| size * factor).collect();
    let (mut areas, mut begin) = (Vec::new(), 0);
    while begin < sizes.len() {
        let side = rest.width.min(rest.height);
        let mut end = begin + 1;
        while end < sizes.len() && worst(&sizes[begin..=end], side) <= worst(&sizes[begin..end], side) {
            end += 1;
        }
        rest = fill(&sizes[begin..end], rest, &mut areas);
        begin = end;
    }
    areas
}

/// The largest ratio of length to width among areas of these sizes that fill a strip along `side`.
fn worst(sizes: &[f64], side: f64) -> f64 {
    let sum: f64 = sizes.iter().sum();
    let (most, least) = sizes.iter().fold((0.0_f64, f64::INFINITY), |(most, least), &it| (most.max(it), least.min(it)));
    (side * side * most / (sum * sum)).max(sum * sum / (side * side * least))
}

/// Lays areas of these sizes along the shorter side of `rest`; returns what is still free.
fn fill(sizes: &[f64], rest: Area, areas: &mut Vec<Area>) -> Area {
    let sum: f64 = sizes.iter().sum();
    let mut done = 0.0;
    if rest.width >= rest.height {
        let width = sum / rest.height.max(f64::MIN_POSITIVE);
        for size in sizes {
            let height = size / width.max(f64::MIN_POSITIVE);
            areas.push(Area { x: rest.x, y: rest.y + done, width, height });
            done += height;
        }
        Area { x: rest.x + width, width: (rest.width - width).max(0.0), ..rest }
    } else {
        let height = sum / rest.width.max(f64::MIN_POSITIVE);
        for size in sizes {
            let width = size / height.max(f64::MIN_POSITIVE);
            areas.push(Area { x: rest.x + done, y: rest.y, width, height });
            done += width;
        }
        Area { y: rest.y + height, height: (rest.height - height).max(0.0), ..rest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_as_large_as_their_sizes_and_fill_the_whole() {
        let sizes = [6.0, 6.0, 4.0, 3.0, 2.0, 2.0, 1.0];
        let whole = Area { x: 0.0, y: 0.0, width: 6.0, height: 4.0 };
        let areas = squarified(&sizes, whole);
        assert_eq!(areas.len(), sizes.len());
        for (area, size) in areas.iter().zip(sizes) {
            assert!((area.width * area.height - size).abs() < 1e-9, "{area:?}");
            assert!(area.x >= 0.0 && area.x + area.width <= 6.0 + 1e-9 && area.y + area.height <= 4.0 + 1e-9);
        }
        // The example of the paper begins with two of 3 × 2.
        assert!((areas[0].width - 3.0).abs() < 1e-9 && (areas[0].height - 2.0).abs() < 1e-9);
    }
}
