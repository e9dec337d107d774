//! Which functions took results of which, from left to right.

use std::collections::{BTreeMap, HashMap};

use crate::commands::report::charts::label;
use crate::commands::report::model::{Edge, Model};
use crate::commands::report::svg::{Anchor, Area, Svg};
use crate::text::{duration, entries, safe, size};

const NODE: (f64, f64) = (164.0, 40.0);
const GAP: (f64, f64) = (72.0, 14.0);

/// With more nodes than this, times are shown only where somebody points at them.
const TIMED: usize = 60;

/// Edges are as wide as one of these classes says, by their bytes.
const WIDTHS: [&str; 5] = ["e0", "e1", "e2", "e3", "e4"];

/// The drawing; `None` where no function took a result of another.
pub(crate) fn lineage(model: &Model) -> Option<String> {
    let lineage = &model.lineage;
    let places = places(&lineage.nodes, &lineage.edges);
    let columns = places.values().map(|(column, _)| column + 1).max()?;
    let rows = places.values().map(|(_, row)| row + 1).max()?;
    let [width, height] =
        [(columns, NODE.0, GAP.0), (rows, NODE.1, GAP.1)].map(|(count, node, gap)| count as f64 * (node + gap) - gap);
    let mut svg = Svg::new(width + 4.0, height + 4.0);
    draw_edges(&mut svg, &lineage.edges, &places);
    let spent = |at: &usize| model.functions.get(*at).map_or(0.0, |function| function.spent().as_secs_f64());
    let mut bars = String::new();
    let most = lineage.nodes.iter().map(spent).fold(f64::MIN_POSITIVE, f64::max);
    for node in &lineage.nodes {
        let (Some(place), Some(function)) = (places.get(node), model.functions.get(*node)) else { continue };
        let (x, y) = corner(*place);
        let (time, stored) = (duration(function.spent()), function.stored);
        let area = Area { x, y, width: NODE.0, height: NODE.1 };
        let what = format!("{}, {}", entries(stored.entries), size(stored.bytes));
        let tip = format!("{}: {what}, computed {time}", safe(&function.name));
        svg.area("node", area, &tip);
        let share = (NODE.0 * spent(node) / most).max(1.0);
        bars.push_str(&format!("M{x:.1} {:.1}h{share:.1}v4h-{share:.1}z", y + NODE.1 - 4.0));
        svg.text("t", (x + 7.0, y + 15.0), Anchor::Start, &label(&function.name, 22));
        if lineage.nodes.len() <= TIMED {
            svg.text("t dim", (x + 7.0, y + 30.0), Anchor::Start, &time);
        }
    }
    svg.path("s0", &bars);
    Some(svg.finish("Which functions took results of which"))
}

/// The column and the row of each node: right of all that it takes from, as far as there are no circles.
fn places(nodes: &[usize], edges: &[Edge]) -> BTreeMap<usize, (usize, usize)> {
    let mut columns: BTreeMap<usize, usize> = nodes.iter().map(|&node| (node, 0)).collect();
    // A path without a circle has no more edges than there are nodes.
    for _ in 0..nodes.len() {
        let mut changed = false;
        for edge in edges.iter().filter(|edge| edge.from != edge.to) {
            let least = columns.get(&edge.from).copied().unwrap_or_default() + 1;
            if let Some(column) = columns.get_mut(&edge.to).filter(|column| **column < least && least < nodes.len()) {
                *column = least;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    // Circles leave columns empty.
    let mut used: Vec<usize> = columns.values().copied().collect();
    used.sort_unstable();
    used.dedup();
    rows(&columns, &used, edges)
}

/// Each node beside what it takes from, one below the other.
fn rows(columns: &BTreeMap<usize, usize>, used: &[usize], edges: &[Edge]) -> BTreeMap<usize, (usize, usize)> {
    let mut places: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (at, column) in used.iter().enumerate() {
        let mut members: Vec<(f64, usize)> = columns
            .iter()
            .filter(|(_, it)| *it == column)
            .map(|(&node, _)| {
                let from = edges.iter().filter(|edge| edge.to == node).filter_map(|edge| places.get(&edge.from));
                let (sum, count) = from.fold((0.0, 0.0), |(sum, count), (_, row)| (sum + *row as f64, count + 1.0));
                (if count > 0.0 { sum / count } else { f64::MAX }, node)
            })
            .collect();
        members.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        places.extend(members.into_iter().enumerate().map(|(row, (_, node))| (node, (at, row))));
    }
    places
}

fn corner((column, row): (usize, usize)) -> (f64, f64) {
    (2.0 + column as f64 * (NODE.0 + GAP.0), 2.0 + row as f64 * (NODE.1 + GAP.1))
}

fn draw_edges(svg: &mut Svg, edges: &[Edge], places: &BTreeMap<usize, (usize, usize)>) {
    let most = edges.iter().map(|edge| edge.bytes).max().unwrap_or(0).max(1) as f64;
    let mut paths: HashMap<&str, String> = HashMap::new();
    for edge in edges {
        let (Some(from), Some(to)) = (places.get(&edge.from), places.get(&edge.to)) else { continue };
        let ((x0, y0), (x1, y1)) = (corner(*from), corner(*to));
        let (x0, y0, y1) = (x0 + NODE.0, y0 + NODE.1 / 2.0, y1 + NODE.1 / 2.0);
        let bend = GAP.0 * 0.6;
        let class = WIDTHS[((edge.bytes as f64 / most).sqrt() * (WIDTHS.len() - 1) as f64).round() as usize];
        let path = paths.entry(class).or_default();
        path.push_str(&format!("M{x0:.1} {y0:.1}C{:.1} {y0:.1} {:.1} {y1:.1} {x1:.1} {y1:.1}", x0 + bend, x1 - bend));
    }
    WIDTHS.iter().for_each(|class| svg.path(&format!("edge {class}"), paths.get(class).map_or("", String::as_str)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(pairs: &[(usize, usize)]) -> Vec<Edge> {
        pairs.iter().map(|&(from, to)| Edge { from, to, links: 1, bytes: 1 }).collect()
    }

    #[test]
    fn what_takes_a_result_stands_right_of_what_gave_it() {
        let places = places(&[0, 1, 2, 3], &edges(&[(2, 0), (0, 1), (2, 1), (3, 1)]));
        let columns: Vec<_> = places.values().map(|(column, _)| *column).collect();
        assert_eq!(columns, [1, 2, 0, 0]);
    }

    #[test]
    fn circles_end() {
        let places = places(&[0, 1, 2], &edges(&[(0, 1), (1, 2), (2, 0), (1, 1)]));
        assert_eq!(places.len(), 3);
        assert!(places.values().all(|(column, _)| *column < 3), "{places:?}");
    }
}
