//! Drawings as SVG, element by element.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::text::safe;

/// A drawing. Colours are those of the page's classes.
pub(crate) struct Svg {
    body: String,
    size: (f64, f64),
}

/// Where a text ends, seen from the place that is given.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    End,
}

/// The left upper corner of a rectangle, its width and its height.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Area {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Svg {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), size: (width, height) }
    }

    /// A rectangle, with a text that is shown where somebody points at it.
    pub(crate) fn area(&mut self, class: &str, area: Area, tip: &str) {
        let [x, y, width, height] = [area.x, area.y, area.width, area.height].map(coordinate);
        let _ = write!(self.body, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"");
        match tip {
            "" => self.body.push_str("/>"),
            tip => drop(write!(self.body, "><title>{}</title></rect>", escaped(tip))),
        }
    }

    pub(crate) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::End => " text-anchor=\"end\"",
        };
        let (x, y) = (coordinate(x), coordinate(y));
        let _ = write!(self.body, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\"{anchor}>{}</text>", escaped(text));
    }

    /// Anything that the language of paths draws.
    pub(crate) fn path(&mut self, class: &str, path: &str) {
        if !path.is_empty() {
            let _ = write!(self.body, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }

    /// The element for a page; `label` says what it shows to those who don't see it.
    pub(crate) fn finish(self, label: &str) -> String {
        let (width, height) = (coordinate(self.size.0), coordinate(self.size.1));
        let (label, body) = (escaped(label), self.body);
        format!(
            "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{label}\">{body}</svg>"
        )
    }
}

/// A length with a tenth of a pixel at most.
pub(crate) fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A text for a page: nothing of it is taken for markup, nor turns the direction of what stands beside it.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    let text = safe(text);
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_taken_for_markup() {
        let hostile = "</script><script>alert(\"1\")</script>&\u{202e}'\n";
        let expected = "&lt;/script&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;\\u{202e}&#39;\\n";
        assert_eq!(escaped(hostile), expected);
        let mut svg = Svg::new(10.0, 10.0);
        svg.text("t", (0.0, 1.25), Anchor::End, hostile);
        svg.area("a", Area::default(), hostile);
        assert!(!svg.finish(hostile).contains("<script"));
    }

    #[test]
    fn lengths_are_short() {
        assert_eq!([0.0, 1.04, -2.55, 760.0].map(coordinate), ["0", "1", "-2.5", "760"]);
    }
}
