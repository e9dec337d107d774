//! One array as a picture.

use crate::commands::report::pictures::{Drawn, Image, Picture, share};
use crate::commands::report::png::{base64, png};
use crate::commands::report::svg::{Svg, escaped};
use crate::numbers::number;

const LINE: (f64, f64) = (200.0, 110.0);
const HISTOGRAM: (f64, f64) = (200.0, 28.0);

/// The picture and its histogram, as elements of a page.
pub(crate) fn picture(picture: &Picture) -> String {
    let drawn = match &picture.drawn {
        Drawn::Number(value) => format!("<p class=\"number\">{}</p>", escaped(&number(*value))),
        Drawn::Line(line) => self::line(line, &picture.alt()),
        Drawn::Images(images) => self::images(images, picture),
    };
    format!("{drawn}{}", histogram(&picture.histogram))
}

/// From the least to the greatest value at each place.
fn line(line: &[Option<(f64, f64)>], alt: &str) -> String {
    let (low, high) = line
        .iter()
        .flatten()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), range| (low.min(range.0), high.max(range.1)));
    let step = (LINE.0 - 4.0) / line.len().saturating_sub(1).max(1) as f64;
    let y = |value: f64| 3.0 + (1.0 - share(value, low, high)) * (LINE.1 - 6.0);
    let (mut path, mut broken) = (String::new(), true);
    for (at, range) in line.iter().enumerate() {
        let Some((low, high)) = range else {
            broken = true;
            continue;
        };
        let (x, command) = (2.0 + at as f64 * step, if broken { 'M' } else { 'L' });
        path.push_str(&format!("{command}{x:.1} {:.1}V{:.1}", y(*low), y(*high)));
        broken = false;
    }
    let mut svg = Svg::new(LINE.0, LINE.1);
    svg.path("line", &path);
    svg.finish(alt)
}

fn images(images: &[Image], picture: &Picture) -> String {
    let alt = picture.alt();
    let image = |(at, image): (usize, &Image)| {
        let (width, height) = (image.width, image.values.len() / image.width.max(1));
        // As large as its place allows, and in its own proportions unless these are extreme.
        let room = if images.len() == 1 { 200.0 } else { 64.0 };
        let scale = room / width.max(height).max(1) as f64;
        let [width, height] = [width, height].map(|axis| ((axis as f64 * scale).round() as usize).max(12));
        let alt = if at == 0 { escaped(&alt) } else { "".into() };
        let data = base64(&png(image, picture.range));
        format!("<img width=\"{width}\" height=\"{height}\" alt=\"{alt}\" src=\"data:image/png;base64,{data}\">")
    };
    format!("<div class=\"images\">{}</div>", images.iter().enumerate().map(image).collect::<String>())
}

fn histogram(bars: &[u64]) -> String {
    let Some(most) = bars.iter().copied().max().filter(|most| *most > 0) else { return String::new() };
    let width = HISTOGRAM.0 / bars.len() as f64;
    let mut path = String::new();
    for (at, bar) in bars.iter().enumerate().filter(|(_, bar)| **bar > 0) {
        let height = (*bar as f64 / most as f64 * HISTOGRAM.1).max(1.0);
        let (x, across) = (at as f64 * width, width - 1.0);
        path.push_str(&format!("M{x:.1} {}v-{height:.1}h{across:.1}v{height:.1}z", HISTOGRAM.1));
    }
    let mut svg = Svg::new(HISTOGRAM.0, HISTOGRAM.1);
    svg.path("s0", &path);
    svg.finish("its histogram over that range")
}
