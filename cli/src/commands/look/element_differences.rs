//! How many elements of two arrays of one dtype and shape differ, and by how much.

use crate::numbers::{decoder, number};
use crate::text::count;

/// The difference of two elements.
#[derive(Clone, Copy)]
enum Delta {
    /// A whole number, with all its digits.
    Whole(u128),
    Real(f64),
}

/// Reads an element of whole numbers, as its bytes lie in the file.
type DecodeWhole = fn(&[u8]) -> i128;

/// In what two arrays differ, in words; `before` and `now` are their elements as they lie in the files.
pub(super) fn difference(descr: &str, before: &[u8], now: &[u8]) -> String {
    let Some((len, _)) = decoder(descr) else { return "other elements".to_owned() };
    let (mut total, mut differ, mut nan, mut most) = (0_u64, 0_u64, 0_u64, None::<Delta>);
    for (before, now) in before.chunks_exact(len).zip(now.chunks_exact(len)) {
        total += 1;
        if before != now {
            differ += 1;
            match delta(descr, before, now) {
                None => nan += 1,
                Some(delta) => most = Some(most.map_or(delta, |most| most.max(delta))),
            }
        }
    }
    let mut text = format!("{} differ", share(differ, total));
    if let Some(most) = most {
        text.push_str(&format!(", max |Δ| {}", most.text()));
    }
    if nan > 0 {
        text.push_str(&format!(", NaN in {} of them", count(nan)));
    }
    text
}

/// `99.8 % of elements`; the count where that would be none or all of them and isn't.
fn share(differ: u64, total: u64) -> String {
    let share = (differ as f64 / total.max(1) as f64 * 1000.0).round() / 10.0;
    let is_exact = share != 0.0 && share != 100.0 || differ == 0 || differ == total;
    match is_exact {
        true => format!("{} % of elements", number(share)),
        false => format!("{} of {} elements", count(differ), count(total)),
    }
}

/// The magnitude of the difference of two elements of a dtype that has numbers; `None` if either is NaN.
fn delta(descr: &str, before: &[u8], now: &[u8]) -> Option<Delta> {
    if let Some(decode) = whole(descr) {
        return Some(Delta::Whole(decode(before).abs_diff(decode(now))));
    }
    let part = match descr {
        "<c8" => "<f4",
        "<c16" => "<f8",
        descr => descr,
    };
    let (len, decode) = decoder(part)?;
    let parts = before.chunks_exact(len).zip(now.chunks_exact(len));
    let delta = parts.fold(0.0, |sum: f64, (before, now)| {
        let (before, now) = (decode(before), decode(now));
        // Infinities that are the same differ by nothing.
        let part = if before == now { 0.0 } else { (before - now).abs() };
        // An infinite part would hide that the other one is NaN.
        if sum.is_nan() || part.is_nan() { f64::NAN } else { sum.hypot(part) }
    });
    (!delta.is_nan()).then_some(Delta::Real(delta))
}

macro_rules! read {
    ($type:ty) => {
        |bytes| <$type>::from_le_bytes(bytes.try_into().unwrap_or_default()).into()
    };
}

fn whole(descr: &str) -> Option<DecodeWhole> {
    Some(match descr {
        "|b1" | "|u1" => read!(u8),
        "|i1" => read!(i8),
        "<u2" => read!(u16),
        "<i2" => read!(i16),
        "<u4" => read!(u32),
        "<i4" => read!(i32),
        "<u8" => read!(u64),
        "<i8" => read!(i64),
        _ => return None,
    })
}

impl Delta {
    fn max(self, other: Self) -> Self {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Self::Whole(a.max(b)),
            (Self::Real(a), Self::Real(b)) => Self::Real(a.max(b)),
            // All elements of an array have one dtype.
            (one, _) => one,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Whole(delta) => delta.to_string(),
            Self::Real(delta) => number(delta),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<const N: usize, T>(descr: &str, bytes: fn(&T) -> [u8; N], before: &[T], now: &[T]) -> String {
        let [before, now] = [before, now].map(|elements| elements.iter().flat_map(bytes).collect::<Vec<u8>>());
        difference(descr, &before, &now)
    }

    fn reals(before: &[f64], now: &[f64]) -> String {
        of("<f8", |element| element.to_le_bytes(), before, now)
    }

    /// Pairs of real and imaginary parts.
    fn complex(before: &[f64], now: &[f64]) -> String {
        let [before, now] =
            [before, now].map(|parts| parts.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<u8>>());
        difference("<c16", &before, &now)
    }

    #[test]
    fn complex_elements_differ_by_their_parts() {
        assert_eq!(complex(&[1.0, 0.0], &[-1.0, 0.0]), "100 % of elements differ, max |Δ| 2");
        assert_eq!(complex(&[3.0, 0.0, 0.0, 0.0], &[0.0, 4.0, 0.0, 0.0]), "50 % of elements differ, max |Δ| 5");
        let infinite = complex(&[f64::INFINITY, 1.0], &[f64::INFINITY, 3.0]);
        assert_eq!(infinite, "100 % of elements differ, max |Δ| 2");
        assert_eq!(complex(&[f64::INFINITY, f64::NAN], &[0.0, 0.0]), "100 % of elements differ, NaN in 1 of them");
        let bytes = |parts: [f32; 2]| parts.map(f32::to_le_bytes).concat();
        assert_eq!(difference("<c8", &bytes([0.0, 1.0]), &bytes([0.0, -1.0])), "100 % of elements differ, max |Δ| 2");
    }

    #[test]
    fn not_a_number_is_told_beside_the_largest_difference() {
        assert_eq!(reals(&[1.0, 2.0], &[f64::NAN, 2.0]), "50 % of elements differ, NaN in 1 of them");
        let both = reals(&[1.0, 2.0, 3.0, 4.0], &[f64::NAN, 2.5, 3.0, 4.0]);
        assert_eq!(both, "50 % of elements differ, max |Δ| 0.5, NaN in 1 of them");
        assert_eq!(reals(&[f64::NEG_INFINITY], &[f64::INFINITY]), "100 % of elements differ, max |Δ| inf");
        assert_eq!(reals(&[0.0], &[-0.0]), "100 % of elements differ, max |Δ| 0");
    }

    #[test]
    fn whole_numbers_differ_by_all_their_digits() {
        let wide = of("<i8", |it: &i64| it.to_le_bytes(), &[i64::MAX, 0], &[i64::MAX - 1, 0]);
        assert_eq!(wide, "50 % of elements differ, max |Δ| 1");
        let far = of("<i8", |it: &i64| it.to_le_bytes(), &[i64::MIN], &[i64::MAX]);
        assert_eq!(far, "100 % of elements differ, max |Δ| 18446744073709551615");
        let unsigned = of("<u8", |it: &u64| it.to_le_bytes(), &[0], &[u64::MAX]);
        assert_eq!(unsigned, "100 % of elements differ, max |Δ| 18446744073709551615");
        assert_eq!(of("|i1", |it: &i8| it.to_le_bytes(), &[-128], &[127]), "100 % of elements differ, max |Δ| 255");
        assert_eq!(of("|b1", |it: &u8| [*it], &[0, 1], &[1, 1]), "50 % of elements differ, max |Δ| 1");
    }

    #[test]
    fn a_share_that_rounds_to_none_or_all_is_told_as_a_count() {
        let (mut now, before) = (vec![0.0; 10_000], vec![0.0; 10_000]);
        now[17] = 0.25;
        assert_eq!(reals(&before, &now), "1 of 10,000 elements differ, max |Δ| 0.25");
        now.fill(1.0);
        now[17] = 0.0;
        assert_eq!(reals(&before, &now), "9,999 of 10,000 elements differ, max |Δ| 1");
        now[17] = 1.0;
        assert_eq!(reals(&before, &now), "100 % of elements differ, max |Δ| 1");
    }

    #[test]
    fn what_is_no_number_has_other_elements() {
        assert_eq!(difference("<U1", &[0; 4], &[1; 4]), "other elements");
    }
}
