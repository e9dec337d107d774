//! Statistics of an array's elements: range, mean, deviation, histogram; read block by block in constant memory.

use std::cell::RefCell;

use ndcache::inspect::StoredArray;
use serde_json::{Value as Json, json};

/// How many bars a histogram has.
const BARS: usize = 24;

/// The characters of bars, the lowest first.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Statistics of the elements of an array; of complex ones, of their magnitudes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statistics {
    /// How many elements there are, whatever they hold.
    pub(crate) count: u64,
    pub(crate) nan: u64,
    pub(crate) infinite: u64,
    pub(crate) zeros: u64,
    /// The least of the finite elements; infinite if there is none.
    pub(crate) min: f64,
    /// The largest of the finite elements; infinite if there is none.
    pub(crate) max: f64,
    /// The mean of the finite elements; not a number if there is none.
    pub(crate) mean: f64,
    /// The standard deviation of the finite elements, as that of the population; not a number if there is none.
    pub(crate) deviation: f64,
    /// How many of the finite elements lie in each part of the range from `min` to `max`; empty if there is none.
    pub(crate) histogram: Vec<u64>,
    /// The first elements as they lie in memory, as texts: whole numbers with all their digits.
    pub(crate) first: Vec<String>,
}

/// How many of the first elements are shown.
const FIRST: usize = 8;

/// Reads one element, as its bytes lie in the file.
pub(crate) type Decode = fn(&[u8]) -> f64;

macro_rules! read {
    ($type:ty) => {
        |bytes| <$type>::from_le_bytes(bytes.try_into().unwrap_or_default()) as f64
    };
}

/// The length of an element of a dtype, and how its number is read; `None` for what is no number.
pub(crate) fn decoder(descr: &str) -> Option<(usize, Decode)> {
    Some(match descr {
        "|b1" | "|u1" => (1, read!(u8)),
        "|i1" => (1, read!(i8)),
        "<u2" => (2, read!(u16)),
        "<i2" => (2, read!(i16)),
        "<u4" => (4, read!(u32)),
        "<i4" => (4, read!(i32)),
        "<u8" => (8, read!(u64)),
        "<i8" => (8, read!(i64)),
        "<f2" => (2, |bytes| half(u16::from_le_bytes(bytes.try_into().unwrap_or_default()))),
        "<f4" => (4, |bytes| f32::from_le_bytes(bytes.try_into().unwrap_or_default()).into()),
        "<f8" => (8, |bytes| f64::from_le_bytes(bytes.try_into().unwrap_or_default())),
        "<c8" => (8, |bytes| {
            let part = |at: usize| f64::from(f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap_or_default()));
            part(0).hypot(part(4))
        }),
        "<c16" => (16, |bytes| {
            let part = |at: usize| f64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default());
            part(0).hypot(part(8))
        }),
        _ => return None,
    })
}

/// The value of a float of 16 bits.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}

/// The sums behind mean and deviation. They are of differences from the first finite element: a large mean would hide a
/// small deviation. Differences are halved and divided by a power of two near the largest: neither
/// they nor their squares overflow, and what is lost in squares that underflow is too small to count.
struct Moments {
    first: f64,
    scale: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn new(first: f64) -> Self {
        Self { first, scale: f64::MIN_POSITIVE, sum: 0.0, squares: 0.0 }
    }

    fn add(&mut self, value: f64) {
        let half = value / 2.0 - self.first / 2.0;
        if half.abs() / self.scale >= 2.0 {
            self.grow(power_of_two(half.abs()));
        }
        let scaled = half / self.scale;
        self.sum += scaled;
        self.squares += scaled * scaled;
    }

    fn grow(&mut self, scale: f64) {
        let ratio = self.scale / scale;
        self.sum *= ratio;
        self.squares *= ratio * ratio;
        self.scale = scale;
    }

    fn mean(&self, count: f64) -> f64 {
        let half = self.sum / count * self.scale;
        self.first + half + half
    }

    fn deviation(&self, count: f64) -> f64 {
        let mean = self.sum / count;
        (self.squares / count - mean * mean).max(0.0).sqrt() * self.scale * 2.0
    }
}

/// The largest power of two that a normal number isn't below.
fn power_of_two(value: f64) -> f64 {
    f64::from_bits(value.to_bits() & f64::INFINITY.to_bits())
}

impl Statistics {
    /// Reads an array twice: for its range, and for its histogram; the second time only if it has a finite element.
    /// `None` if its elements are no numbers; they are verified all the same.
    ///
    /// # Errors
    /// Returns an error when the array can't be read or isn't what was written.
    pub(crate) fn of(array: &StoredArray) -> ndcache::Result<Option<Self>> {
        let Some((len, decode)) = decoder(array.descr()) else { return array.read(|_| {}).map(|()| None) };
        let first = RefCell::new(Vec::new());
        let read = |see: &mut dyn FnMut(&[u8])| {
            first.borrow_mut().clear();
            array.read(|block| {
                let mut first = first.borrow_mut();
                let left = FIRST - first.len();
                first.extend(block.chunks_exact(len).take(left).map(|bytes| word(array.descr(), bytes)));
                see(block);
            })
        };
        let numbers = Self::of_blocks(len, decode, read)?;
        Ok(Some(Self { first: first.into_inner(), ..numbers }))
    }

    /// Those of the elements of `len` bytes each in the blocks that `read` shows.
    fn of_blocks(
        len: usize,
        decode: Decode,
        read: impl Fn(&mut dyn FnMut(&[u8])) -> ndcache::Result<()>,
    ) -> ndcache::Result<Self> {
        let (mut numbers, mut moments) = (Self::none(), None);
        read(&mut |block| {
            for value in block.chunks_exact(len).map(decode) {
                numbers.take(value);
                if value.is_finite() {
                    moments.get_or_insert_with(|| Moments::new(value)).add(value);
                }
            }
        })?;
        if let Some(moments) = moments {
            let finite = (numbers.count - numbers.nan - numbers.infinite) as f64;
            numbers.mean = moments.mean(finite);
            // No deviation is larger than half of the range.
            numbers.deviation = moments.deviation(finite).min(numbers.max / 2.0 - numbers.min / 2.0);
            let mut bars = vec![0; BARS];
            read(&mut |block| {
                let values = block.chunks_exact(len).map(decode).filter(|value| value.is_finite());
                values.for_each(|value| bars[numbers.bar_of(value)] += 1);
            })?;
            numbers.histogram = bars;
        }
        Ok(numbers)
    }

    /// Those of no element.
    fn none() -> Self {
        Self { min: f64::INFINITY, max: f64::NEG_INFINITY, mean: f64::NAN, deviation: f64::NAN, ..Self::default() }
    }

    fn take(&mut self, value: f64) {
        self.count += 1;
        self.nan += u64::from(value.is_nan());
        self.infinite += u64::from(value.is_infinite());
        self.zeros += u64::from(value == 0.0);
        if value.is_finite() {
            self.min = self.min.min(value);
            self.max = self.max.max(value);
        }
    }

    /// In which part of the range a finite element lies.
    fn bar_of(&self, value: f64) -> usize {
        // Halved only where the range overflows: the least numbers have no halves.
        let unit = if (self.max - self.min).is_finite() { 1.0 } else { 0.5 };
        let range = self.max * unit - self.min * unit;
        let place = if range > 0.0 { (value * unit - self.min * unit) / range * BARS as f64 } else { 0.0 };
        // The maximum itself ends the last bar.
        (place as usize).min(BARS - 1)
    }

    /// `▁▃█▂`
    pub(crate) fn bars(&self) -> String {
        let most = self.histogram.iter().copied().max().unwrap_or(0).max(1);
        let bar = |&count: &u64| match count {
            0 => ' ',
            count => BLOCKS[((count - 1) as u128 * BLOCKS.len() as u128 / u128::from(most)) as usize],
        };
        self.histogram.iter().map(bar).collect()
    }

    /// The statistics in one line, for people.
    pub(crate) fn line(&self) -> String {
        let mut line = match self.histogram.is_empty() {
            true => "no finite element".to_owned(),
            false => {
                let [min, max, mean, deviation] = [self.min, self.max, self.mean, self.deviation].map(number);
                format!("min {min}  max {max}  mean {mean}  std {deviation}")
            }
        };
        for (count, name) in [(self.nan, "NaN"), (self.infinite, "inf"), (self.zeros, "zeros")] {
            if count > 0 {
                line.push_str(&format!("  {name} {}", crate::text::count(count)));
            }
        }
        line
    }

    /// The first elements, and how many more there are.
    pub(crate) fn values(&self) -> String {
        let more = self.count - self.first.len() as u64;
        let more = if more > 0 { format!(" … and {} more", crate::text::count(more)) } else { String::new() };
        format!("values {}{more}", self.first.join(" "))
    }

    /// The statistics as a document; what isn't finite is `null`.
    pub(crate) fn json(&self) -> Json {
        let finite = |value: f64| if value.is_finite() { json!(value) } else { Json::Null };
        json!({
            "count": self.count,
            "nan": self.nan,
            "inf": self.infinite,
            "zeros": self.zeros,
            "min": finite(self.min),
            "max": finite(self.max),
            "mean": finite(self.mean),
            "std": finite(self.deviation),
            "histogram": self.histogram,
            "first": self.first,
        })
    }
}

/// An element as text, as its bytes lie in the file.
fn word(descr: &str, bytes: &[u8]) -> String {
    macro_rules! exact {
        ($type:ty) => {
            <$type>::from_le_bytes(bytes.try_into().unwrap_or_default()).to_string()
        };
    }
    match (descr, decoder(descr)) {
        ("|b1", _) => (bytes != [0]).to_string(),
        ("|i1", _) => exact!(i8),
        ("<i2", _) => exact!(i16),
        ("<i4", _) => exact!(i32),
        ("<i8", _) => exact!(i64),
        ("|u1", _) => exact!(u8),
        ("<u2", _) => exact!(u16),
        ("<u4", _) => exact!(u32),
        ("<u8", _) => exact!(u64),
        ("<c8" | "<c16", _) => {
            let (real, imaginary) = bytes.split_at(bytes.len() / 2);
            let part = if descr == "<c8" { "<f4" } else { "<f8" };
            let (real, imaginary) = (word(part, real), word(part, imaginary));
            let plus = if imaginary.starts_with('-') { "" } else { "+" };
            format!("{real}{plus}{imaginary}i")
        }
        (_, Some((_, decode))) => number(decode(bytes)),
        (_, None) => String::new(),
    }
}

/// What is as large is rounded to seven digits.
const SEVEN_DIGITS: f64 = 999_999.5;

/// A number as text, with six digits at most.
pub(crate) fn number(value: f64) -> String {
    let magnitude = value.abs();
    match value {
        0.0 => "0".to_owned(),
        _ if (1e-4..SEVEN_DIGITS).contains(&magnitude) => {
            let digits = (5 - magnitude.log10().floor() as i32).clamp(0, 9) as usize;
            let text = format!("{value:.digits$}");
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
        }
        _ => format!("{value:.4e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_told_with_their_digits() {
        for (descr, bytes, text) in [
            ("<u8", &u64::MAX.to_le_bytes()[..], "18446744073709551615"),
            ("<i8", &i64::MIN.to_le_bytes(), "-9223372036854775808"),
            ("|i1", &[255], "-1"),
            ("|b1", &[1], "true"),
            ("<f4", &0.1_f32.to_le_bytes(), "0.1"),
            ("<f8", &f64::NAN.to_le_bytes(), "NaN"),
            ("<f2", &[0, 0x3c], "1"),
            ("<c8", &[1.5_f32.to_le_bytes(), (-2_f32).to_le_bytes()].concat(), "1.5-2i"),
            ("<c16", &[0_f64.to_le_bytes(), 2_f64.to_le_bytes()].concat(), "0+2i"),
        ] {
            assert_eq!(word(descr, bytes), text, "{descr}");
        }
        let numbers = |count, first: &[&str]| Statistics {
            count,
            first: first.iter().map(ToString::to_string).collect(),
            ..Statistics::default()
        };
        assert_eq!(numbers(2, &["1", "-2"]).values(), "values 1 -2");
        assert_eq!(numbers(1003, &["1", "2", "3"]).values(), "values 1 2 3 … and 1,000 more");
    }

    #[test]
    fn numbers_have_six_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (1.0 / 3.0, "0.333333"),
            (123_456.789, "123457"),
            (999_999.4, "999999"),
            (-999_999.5, "-1.0000e6"),
            (1_234_567.0, "1.2346e6"),
            (1e-9, "1.0000e-9"),
            (1e20, "1.0000e20"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn halves_are_read_without_their_crate() {
        for (bits, value) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (1, 2_f64.powi(-24)), (0x7c00, f64::INFINITY)]
        {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn the_tallest_bar_is_full_and_one_element_is_seen() {
        let numbers = Statistics { histogram: vec![0, 1, 500, 1000], ..Statistics::default() };
        assert_eq!(numbers.bars(), " ▁▄█");
    }

    fn of(elements: &[f64]) -> Statistics {
        let bytes: Vec<u8> = elements.iter().flat_map(|element| element.to_le_bytes()).collect();
        let (len, decode) = decoder("<f8").unwrap();
        // In two blocks, as those of a file.
        let (first, second) = bytes.split_at(elements.len() / 2 * len);
        let read = |see: &mut dyn FnMut(&[u8])| {
            see(first);
            see(second);
            Ok(())
        };
        Statistics::of_blocks(len, decode, read).unwrap()
    }

    #[test]
    fn deviations_are_right_at_any_magnitude() {
        const MAX: f64 = f64::MAX;
        for (elements, mean, deviation) in [
            (&[1.0, 2.0, 3.0, 4.0][..], 2.5, 1.25_f64.sqrt()),
            (&[0.0, MAX], MAX / 2.0, MAX / 2.0),
            (&[-MAX, MAX], 0.0, MAX),
            (&[MAX, -MAX, MAX, -MAX], 0.0, MAX),
            (&[-1e200, 1e200], 0.0, 1e200),
            (&[1e-200, 3e-200], 2e-200, 1e-200),
            (&[0.0, 1e-320], 5e-321, 5e-321),
            (&[0.0, 1e-300, 2e300, 0.0], 5e299, 0.75_f64.sqrt() * 1e300),
            (&[1e12, 1e12 + 2.0], 1e12 + 1.0, 1.0),
            (&[7.0, f64::NAN, f64::INFINITY], 7.0, 0.0),
        ] {
            let numbers = of(elements);
            let is_near = |found: f64, expected: f64| (found - expected).abs() <= expected.abs() * 1e-14;
            assert!(is_near(numbers.mean, mean), "mean {} of {elements:?}", numbers.mean);
            assert!(is_near(numbers.deviation, deviation), "deviation {} of {elements:?}", numbers.deviation);
        }
    }

    #[test]
    fn without_a_finite_element_mean_and_deviation_are_unknown_too() {
        for elements in [&[][..], &[f64::NAN, f64::INFINITY]] {
            let json = of(elements).json();
            assert!(["min", "max", "mean", "std"].iter().all(|name| json[name].is_null()), "{json}");
            assert_eq!((&json["count"], &json["histogram"]), (&json!(elements.len()), &json!([])));
        }
    }

    #[test]
    fn each_element_is_in_the_bar_of_its_part_of_the_range() {
        const MAX: f64 = f64::MAX;
        let ends = |first, last| {
            let mut bars = vec![0; BARS];
            (bars[0], bars[BARS - 1]) = (first, last);
            bars
        };
        assert_eq!(of(&[-MAX, -MAX, MAX]).histogram, ends(2, 1));
        assert_eq!(of(&[0.0, 5e-324]).histogram, ends(1, 1));
        assert_eq!(of(&[3.0, 3.0]).histogram, ends(2, 0));
        let middle = of(&[-MAX, 0.0, MAX]).histogram;
        assert_eq!((middle[0], middle[BARS / 2], middle[BARS - 1]), (1, 1, 1));
    }
}
