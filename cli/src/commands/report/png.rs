//! Images of at most 64 colours as PNG files, and bytes as base64.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use crate::commands::report::pictures::{Image, share};

/// How many colours there are: they tell values apart well enough, and compress well.
const LEVELS: usize = 64;

/// What is no number.
const MAGENTA: [u8; 3] = [255, 0, 255];

/// Viridis as a polynomial of degree six, for red, green and blue (Matt Zucker's fit, CC0).
const VIRIDIS: [[f64; 3]; 7] = [
    [0.277_727, 0.005_407, 0.334_100],
    [0.105_093, 1.404_614, 1.384_590],
    [-0.330_862, 0.214_848, 0.095_095],
    [-4.634_230, -5.799_101, -19.332_441],
    [6.228_270, 14.179_933, 56.690_553],
    [4.776_385, -13.745_145, -65.353_033],
    [-5.435_456, 4.645_853, 26.312_435],
];

/// An image with the colours of its values in a range.
pub(crate) fn png(image: &Image, range: Option<(f64, f64)>) -> Vec<u8> {
    let (low, high) = range.unwrap_or_default();
    let level = |value: &f64| match value.is_nan() {
        true => LEVELS as u8,
        false => (share(*value, low, high) * (LEVELS - 1) as f64).round() as u8,
    };
    let mut lines = Vec::with_capacity(image.values.len() + image.values.len() / image.width.max(1));
    for line in image.values.chunks(image.width.max(1)) {
        // Each line says by which filter it is written: by none.
        lines.push(0);
        lines.extend(line.iter().map(level));
    }
    let mut head = [image.width, image.values.len() / image.width.max(1)].map(word).concat();
    // Eight bits that are places in a palette.
    head.extend([8, 3, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut file, b"IHDR", &head);
    chunk(&mut file, b"PLTE", &palette());
    chunk(&mut file, b"IDAT", &deflated(&lines));
    chunk(&mut file, b"IEND", &[]);
    file
}

fn palette() -> Vec<u8> {
    (0..LEVELS).flat_map(|level| viridis(level as f64 / (LEVELS - 1) as f64)).chain(MAGENTA).collect()
}

fn viridis(at: f64) -> [u8; 3] {
    let color = |part: usize| VIRIDIS.iter().rev().fold(0.0, |sum, factors| sum * at + factors[part]);
    [0, 1, 2].map(|part| (color(part) * 255.0).round().clamp(0.0, 255.0) as u8)
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], bytes: &[u8]) {
    let mut sum = Crc::new();
    sum.update(kind);
    sum.update(bytes);
    file.extend(word(bytes.len()));
    file.extend(kind);
    file.extend(bytes);
    file.extend(word(sum.sum() as usize));
}

/// A number of 32 bits, its highest byte first.
fn word(number: usize) -> [u8; 4] {
    [24, 16, 8, 0].map(|shift| (number >> shift) as u8)
}

/// Bytes as zlib has them, which browsers call `deflate`.
pub(crate) fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    // Memory takes all that is written.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// Bytes as base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let bits = part.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - part.len()));
        for digit in 0..4 {
            let is_there = digit <= part.len();
            text.push(if is_there { char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_base64_is_defined() {
        let pairs = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in pairs {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn an_image_has_the_colours_of_its_range() {
        assert_eq!((viridis(0.0)[0] / 16, viridis(1.0)[1] / 16), (4, 14), "from dark violet to yellow");
        let image = Image { width: 2, values: vec![0.0, 1.0, f64::NAN, 0.5] };
        let file = png(&image, Some((0.0, 1.0)));
        assert_eq!(&file[12..24], b"IHDR\0\0\0\x02\0\0\0\x02");
        // `IEND` and its sum, as every such file ends.
        assert!(file.ends_with(b"IEND\xae\x42\x60\x82"));
    }
}
