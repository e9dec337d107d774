//! The drawings of a report. Each has at most some hundred elements, whatever is in the cache.

mod age;
mod days;
mod lineage;
mod picture;
mod reasons;
mod space;

pub(crate) use age::age;
pub(crate) use days::days;
pub(crate) use lineage::lineage;
pub(crate) use picture::picture;
pub(crate) use reasons::reasons;
pub(crate) use space::space;

use crate::commands::report::svg::escaped;
use crate::table::cut;
use crate::text::{safe, short};

/// The width of a page.
const WIDTH: f64 = 760.0;

/// How many things have colours of their own; the others share one.
const COLORS: usize = 6;

/// A drawing, and the list of what its colours stand for.
pub(crate) struct Chart {
    pub(crate) svg: String,
    pub(crate) legend: String,
}

/// The CSS class of the colour that belongs to a rank.
fn color(rank: usize) -> String {
    format!("s{}", rank.min(COLORS))
}

/// The list of what colours stand for.
fn legend<'a>(names: impl IntoIterator<Item = (String, &'a str)>) -> String {
    let item = |(class, name): (String, &str)| {
        format!(
            "<li><svg class=\"swatch\" viewBox=\"0 0 10 10\" aria-hidden=\"true\"><path class=\"{class}\" d=\"M0 0h10v10H0z\"/></svg><bdi>{}</bdi></li>",
            escaped(name)
        )
    };
    let items: String = names.into_iter().map(item).collect();
    if items.is_empty() { items } else { format!("<ul class=\"legend\">{items}</ul>") }
}

/// The name of a function, cut to `columns` columns.
fn label(function: &str, columns: usize) -> String {
    cut(&safe(short(function)), columns).into_owned()
}
