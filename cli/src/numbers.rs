//! What stands in an array, in a few numbers; in constant memory, block by block.

use ndcache::inspect::StoredArray;
use serde_json::{Value as Json, json};

/// How many bars a histogram has.
const BARS: usize = 24;

/// The characters of bars, the lowest first.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What is known of the elements of an array; of complex ones, of their magnitudes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) count: u64,
    pub(crate) nan: u64,
    pub(crate) infinite: u64,
    pub(crate) zeros: u64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
    /// How many elements lie in each part of the range from `min` to `max`.
    pub(crate) histogram: Vec<u64>,
}

/// Reads the elements of a dtype one by one.
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

impl Numbers {
    /// Reads an array twice: for its range, and for its histogram. `None` if its elements are no numbers; they are
    /// verified all the same.
    ///
    /// # Errors
    /// Returns an error when the array can't be read or isn't what was written.
    pub(crate) fn of(array: &StoredArray) -> ndcache::Result<Option<Self>> {
        let Some((len, decode)) = decoder(array.descr()) else { return array.read(|_| {}).map(|()| None) };
        let mut numbers = Self { min: f64::INFINITY, max: f64::NEG_INFINITY, ..Self::default() };
        let (mut sum, mut squares, mut shift) = (0.0, 0.0, None);
        array.read(|block| {
            for value in block.chunks_exact(len).map(decode) {
                numbers.count += 1;
                numbers.nan += u64::from(value.is_nan());
                numbers.infinite += u64::from(value.is_infinite());
                numbers.zeros += u64::from(value == 0.0);
                if value.is_finite() {
                    numbers.min = numbers.min.min(value);
                    numbers.max = numbers.max.max(value);
                    // Around the first one, so that a large mean doesn't hide a small deviation.
                    let value = value - *shift.get_or_insert(value);
                    sum += value;
                    squares += value * value;
                }
            }
        })?;
        let finite = (numbers.count - numbers.nan - numbers.infinite) as f64;
        if finite > 0.0 {
            let mean = sum / finite;
            numbers.mean = mean + shift.unwrap_or_default();
            numbers.deviation = (squares / finite - mean * mean).max(0.0).sqrt();
            numbers.count_bars(array, len, decode)?;
        }
        Ok(Some(numbers))
    }

    fn count_bars(&mut self, array: &StoredArray, len: usize, decode: Decode) -> ndcache::Result<()> {
        let (min, range) = (self.min, self.max - self.min);
        let mut bars = vec![0; BARS];
        array.read(|block| {
            for value in block.chunks_exact(len).map(decode).filter(|value| value.is_finite()) {
                let place = if range > 0.0 { (value - min) / range * BARS as f64 } else { 0.0 };
                // What isn't in the range, since that overflows, is in the last bar.
                bars[(place as usize).min(BARS - 1)] += 1;
            }
        })?;
        self.histogram = bars;
        Ok(())
    }

    /// `▁▃█▂`
    pub(crate) fn bars(&self) -> String {
        let most = self.histogram.iter().copied().max().unwrap_or(0).max(1);
        let bar = |&count: &u64| match count {
            0 => ' ',
            count => BLOCKS[((count - 1) as u128 * BLOCKS.len() as u128 / u128::from(most)) as usize % BLOCKS.len()],
        };
        self.histogram.iter().map(bar).collect()
    }

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
        })
    }
}

/// A number as text, with six digits at most.
pub(crate) fn number(value: f64) -> String {
    let magnitude = value.abs();
    match value {
        0.0 => "0".to_owned(),
        _ if (1e-4..1e7).contains(&magnitude) => {
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
    fn numbers_have_six_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (1.0 / 3.0, "0.333333"),
            (123_456.789, "123457"),
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
        let numbers = Numbers { histogram: vec![0, 1, 500, 1000], ..Numbers::default() };
        assert_eq!(numbers.bars(), " ▁▄█");
    }
}
