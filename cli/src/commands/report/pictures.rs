//! Arrays as pictures: what is drawn of them, at most some thousand values of each.

use std::collections::BTreeMap;

use ndcache::Key;
use ndcache::inspect::{Order, StoredArray};
use rayon::prelude::*;

use crate::commands::report::Age;
use crate::entry;
use crate::numbers::{Decode, decoder, number};

/// The most arrays that are drawn.
const MOST: usize = 60;

/// Larger arrays aren't read.
const LARGEST: u64 = 256 << 20;

/// The most pixels along an axis of a single image, and of each of three slices.
const SIDE: usize = 96;
const SLICE_SIDE: usize = 56;

/// The most places along a line.
const PLACES: usize = 180;

/// The most elements that a range and a histogram are taken from.
const SAMPLE: usize = 1 << 16;

/// How many bars a histogram has.
const BARS: usize = 32;

/// The pictures of arrays, and how many arrays were passed over.
#[derive(Default)]
pub(crate) struct Pictures {
    pub(crate) drawn: Vec<Picture>,
    pub(crate) left_out: u64,
    pub(crate) unreadable: u64,
}

/// An array of a result as it is drawn.
pub(crate) struct Picture {
    pub(crate) key: Key,
    /// The function's place in the model.
    pub(crate) function: usize,
    /// `f64[512, 512]`
    pub(crate) array: String,
    pub(crate) shape: Vec<u64>,
    pub(crate) drawn: Drawn,
    /// From the 2nd to the 98th percentile of the finite elements.
    pub(crate) range: Option<(f64, f64)>,
    pub(crate) nan: u64,
    pub(crate) sampled: u64,
    pub(crate) histogram: Vec<u64>,
}

pub(crate) enum Drawn {
    Number(f64),
    /// The least and the greatest value at each place; `None` where there is none.
    Line(Vec<Option<(f64, f64)>>),
    /// An image, or one slice for each of the last three axes.
    Images(Vec<Image>),
}

/// The values of the pixels row by row; NaN if any of the elements that the pixel stands for is.
pub(crate) struct Image {
    pub(crate) width: usize,
    pub(crate) values: Vec<f64>,
}

impl Picture {
    /// What it shows, in words.
    pub(crate) fn alt(&self) -> String {
        let mut text = match &self.drawn {
            Drawn::Number(value) => format!("{}: {}", self.array, number(*value)),
            Drawn::Line(_) => format!("{} as a line", self.array),
            Drawn::Images(images) if images.len() == 1 => format!("{} as an image", self.array),
            Drawn::Images(_) => format!("{} by its middle slices", self.array),
        };
        match self.range {
            _ if matches!(self.drawn, Drawn::Number(_)) => {}
            Some((low, high)) => text.push_str(&format!(", 2–98 % from {} to {}", number(low), number(high))),
            None => text.push_str(", without a finite element"),
        }
        if self.nan > 0 {
            let sampled = if self.sampled > 0 { " of a sample" } else { "" };
            text.push_str(&format!(", {} NaN{sampled}", self.nan));
        }
        text
    }
}

/// The arrays that may be drawn: of each function those of its newest entries.
#[derive(Default)]
pub(crate) struct Gallery {
    /// The pictures, by the place of their function.
    functions: BTreeMap<usize, Vec<PictureCandidate>>,
    /// How many arrays were given, whether or not they may be drawn.
    count: u64,
}

struct PictureCandidate {
    age: Age,
    /// Its place among the arrays of its entry.
    index: usize,
    array: StoredArray,
}

impl PictureCandidate {
    fn order(&self) -> (Age, usize) {
        (self.age, self.index)
    }
}

impl Gallery {
    /// Takes the arrays of an entry.
    pub(crate) fn add(&mut self, age: Age, function: usize, arrays: Vec<StoredArray>) {
        self.count += arrays.len() as u64;
        let drawn = arrays.into_iter().enumerate().filter(|(_, array)| is_drawn(array));
        let mut drawn = drawn.map(|(index, array)| PictureCandidate { age, index, array }).peekable();
        if drawn.peek().is_some() {
            let candidates = self.functions.entry(function).or_default();
            candidates.extend(drawn);
            if candidates.len() >= 4 * MOST {
                shorten(candidates);
            }
        }
    }

    /// Gives each function its new place: `now` has it at the old one.
    pub(crate) fn renumber(&mut self, now: &[usize]) {
        self.functions = std::mem::take(&mut self.functions).into_iter().map(|(at, of)| (now[at], of)).collect();
    }

    /// Draws arrays of the newest entries: first one of each function, then a second one, and so on.
    pub(crate) fn draw(mut self) -> Pictures {
        self.functions.values_mut().for_each(shorten);
        let mut chosen: Vec<(usize, usize)> = Vec::new();
        for (&function, candidates) in &self.functions {
            chosen.extend((0..candidates.len()).map(|turn| (turn, function)));
        }
        let candidate = |&(turn, function): &(usize, usize)| &self.functions[&function][turn];
        chosen.sort_by_key(|it| (it.0, candidate(it).order()));
        chosen.truncate(MOST);
        chosen.sort_by_key(|&(turn, function)| (function, turn));
        let mut pictures = Pictures { left_out: self.count - chosen.len() as u64, ..Pictures::default() };
        let drawn: Vec<_> =
            chosen.par_iter().map(|it| picture(candidate(it).age.1, it.1, &candidate(it).array)).collect();
        for picture in drawn {
            match picture {
                Some(picture) => pictures.drawn.push(picture),
                None => pictures.unreadable += 1,
            }
        }
        pictures
    }
}

/// Drops what is never drawn.
fn shorten(candidates: &mut Vec<PictureCandidate>) {
    candidates.sort_by_key(PictureCandidate::order);
    candidates.truncate(MOST);
}

/// Whether an array has numbers, and not too many of them.
fn is_drawn(array: &StoredArray) -> bool {
    decoder(array.descr()).is_some() && (1..=LARGEST).contains(&array.bytes())
}

/// Reads and verifies an array, and draws it; `None` if it isn't what was written.
fn picture(key: Key, function: usize, array: &StoredArray) -> Option<Picture> {
    let (len, decode) = decoder(array.descr())?;
    let mut bytes = Vec::with_capacity(usize::try_from(array.bytes()).ok()?);
    array.read(|block| bytes.extend_from_slice(block)).ok()?;
    let shape: Vec<usize> = array.shape().iter().map(|&axis| usize::try_from(axis).ok()).collect::<Option<_>>()?;
    // A shape may claim more elements than there are bytes for.
    let count = shape.iter().try_fold(1_usize, |count, &axis| count.checked_mul(axis))?;
    let elements = Elements { bytes: &bytes, len, decode, shape: &shape, order: array.order() };
    if count == 0 || count.checked_mul(len)? != bytes.len() {
        return None;
    }
    let step = count.div_ceil(SAMPLE);
    let sample: Vec<f64> = (0..count).step_by(step).map(|at| elements.nth(at)).collect();
    let range = range(&sample);
    Some(Picture {
        key,
        function,
        array: entry::array(array),
        shape: array.shape().to_vec(),
        drawn: elements.draw(),
        range,
        nan: sample.iter().filter(|value| value.is_nan()).count() as u64,
        sampled: if step > 1 { sample.len() as u64 } else { 0 },
        histogram: histogram(&sample, range),
    })
}

/// The 2nd and the 98th percentile of the finite elements.
fn range(sample: &[f64]) -> Option<(f64, f64)> {
    let mut finite: Vec<f64> = sample.iter().copied().filter(|value| value.is_finite()).collect();
    finite.sort_by(f64::total_cmp);
    let last = finite.len().checked_sub(1)?;
    let at = |share: f64| finite[(last as f64 * share).round() as usize];
    Some((at(0.02), at(0.98)))
}

/// How many values lie in each part of the range; those beyond it are in its first or last part.
fn histogram(sample: &[f64], range: Option<(f64, f64)>) -> Vec<u64> {
    let Some((low, high)) = range.filter(|(low, high)| low < high) else { return Vec::new() };
    let mut bars = vec![0; BARS];
    for value in sample.iter().filter(|value| value.is_finite()) {
        bars[((share(*value, low, high) * BARS as f64) as usize).min(BARS - 1)] += 1;
    }
    bars
}

/// Where a value lies in a range: 0 at its low end and below, 1 at its high end and above.
pub(crate) fn share(value: f64, low: f64, high: f64) -> f64 {
    // Half the width: the width of a range may be larger than any `f64`.
    let width = high / 2.0 - low / 2.0;
    if width > 0.0 { ((value / 2.0 - low / 2.0) / width).clamp(0.0, 1.0) } else { 0.5 }
}

/// The elements of an array, by their places.
struct Elements<'a> {
    bytes: &'a [u8],
    len: usize,
    decode: Decode,
    shape: &'a [usize],
    order: Order,
}

impl Elements<'_> {
    fn nth(&self, at: usize) -> f64 {
        (self.decode)(&self.bytes[at * self.len..(at + 1) * self.len])
    }

    /// The elements from one along an axis to the next.
    fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1; self.shape.len()];
        match self.order {
            Order::F => (1..strides.len()).for_each(|at| strides[at] = strides[at - 1] * self.shape[at - 1]),
            _ => (1..strides.len()).rev().for_each(|at| strides[at - 1] = strides[at] * self.shape[at]),
        }
        strides
    }

    fn draw(&self) -> Drawn {
        match self.shape {
            [] | [1] => Drawn::Number(self.nth(0)),
            [places] => Drawn::Line(self.line(*places)),
            [_, _] => Drawn::Images(vec![self.image(0, [0, 1], SIDE)]),
            _ => Drawn::Images(self.slices()),
        }
    }

    fn line(&self, count: usize) -> Vec<Option<(f64, f64)>> {
        let places = count.min(PLACES);
        let part = |at: usize| {
            let values = (at * count / places..(at + 1) * count / places).map(|at| self.nth(at));
            values.filter(|value| value.is_finite()).fold(None, |range: Option<(f64, f64)>, value| {
                let (low, high) = range.unwrap_or((value, value));
                Some((low.min(value), high.max(value)))
            })
        };
        (0..places).map(part).collect()
    }

    /// The middle slices along the last three axes, at the middle of all others.
    fn slices(&self) -> Vec<Image> {
        let (strides, last) = (self.strides(), self.shape.len() - 3);
        let middle = |axis: usize| strides[axis] * (self.shape[axis] / 2);
        let slice = |axes: [usize; 2]| {
            let axes = axes.map(|axis| last + axis);
            let others = (0..self.shape.len()).filter(|axis| !axes.contains(axis));
            self.image(others.map(middle).sum(), axes, SLICE_SIDE)
        };
        [[1, 2], [0, 2], [0, 1]].map(slice).into()
    }

    /// The image along two axes from the element `first`: a pixel is the mean of elements of the block that it covers.
    fn image(&self, first: usize, axes: [usize; 2], side: usize) -> Image {
        let (strides, lengths) = (self.strides(), axes.map(|axis| self.shape[axis]));
        let [height, width] = lengths.map(|length| length.min(side));
        let part = |at: usize, pixels: usize, axis: usize| {
            let (begin, end) = (at * lengths[axis] / pixels, (at + 1) * lengths[axis] / pixels);
            // At most eight places along each axis of a block, so that drawing takes no longer than reading.
            (begin..end).step_by((end - begin).div_ceil(8).max(1))
        };
        let mut values = Vec::with_capacity(height * width);
        for row in 0..height {
            for column in 0..width {
                let (mut sum, mut count) = (0.0, 0.0);
                for row in part(row, height, 0) {
                    for column in part(column, width, 1) {
                        sum += self.nth(first + row * strides[axes[0]] + column * strides[axes[1]]);
                        count += 1.0;
                    }
                }
                values.push(sum / count);
            }
        }
        Image { width, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements<'a>(bytes: &'a [u8], shape: &'a [usize], order: Order) -> Elements<'a> {
        Elements { bytes, len: 1, decode: |bytes| bytes[0].into(), shape, order }
    }

    #[test]
    fn a_pixel_is_its_element_in_either_order() {
        let bytes = [1, 2, 3, 4, 5, 6];
        let Drawn::Images(images) = elements(&bytes, &[2, 3], Order::C).draw() else { panic!("an image") };
        assert_eq!((images[0].width, &*images[0].values), (3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0][..]));
        let Drawn::Images(images) = elements(&bytes, &[2, 3], Order::F).draw() else { panic!("an image") };
        assert_eq!(images[0].values, [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    }

    #[test]
    fn a_volume_is_drawn_by_its_middle_slices() {
        let bytes: Vec<u8> = (0..2 * 3 * 4).collect();
        let Drawn::Images(images) = elements(&bytes, &[2, 3, 4], Order::C).draw() else { panic!("images") };
        let shapes: Vec<_> = images.iter().map(|image| (image.width, image.values.len())).collect();
        assert_eq!(shapes, [(4, 12), (4, 8), (3, 6)]);
        assert_eq!(images[0].values[0], 12.0, "the second of two");
    }

    #[test]
    fn a_long_line_keeps_its_peaks() {
        let mut bytes = vec![7; 100_000];
        bytes[54_321] = 250;
        let Drawn::Line(line) = elements(&bytes, &[100_000], Order::C).draw() else { panic!("a line") };
        assert_eq!(line.len(), PLACES);
        assert_eq!(line.iter().flatten().map(|(_, high)| *high).fold(0.0, f64::max), 250.0);
    }

    #[test]
    fn ranges_leave_out_what_is_far_off_and_what_is_no_number() {
        let mut sample: Vec<f64> = (0..=100).map(f64::from).collect();
        sample.extend([f64::NAN, f64::INFINITY]);
        assert_eq!(range(&sample), Some((2.0, 98.0)));
        assert_eq!(histogram(&sample, Some((2.0, 98.0))).iter().sum::<u64>(), 101);
        assert_eq!((range(&[f64::NAN]), histogram(&[1.0, 1.0], Some((1.0, 1.0)))), (None, vec![]));
        assert_eq!(share(0.0, -f64::MAX, f64::MAX), 0.5);
    }
}
