//! The header of a `.npy` file, as NumPy writes it and in every form that NumPy reads.

use std::borrow::Cow;

use crate::digest::{ArrayMeta, Order, written_itemsize};
use crate::error::{Error, Result};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Elements begin at a multiple of this, as in NumPy.
const ALIGN: usize = 64;

/// The length of the longest decimal of an axis; NumPy leaves room for it, so that a file can grow.
const AXIS_DIGITS: usize = 21;

/// The longest header that is read: one of a thousand axes. NumPy itself stops at 10,000 bytes.
pub(crate) const MAX_HEADER: usize = 64 << 10;

/// Everything before the elements, in format 1.0: byte for byte what `np.save` of NumPy 2 writes.
pub(crate) fn header(meta: &ArrayMeta) -> Result<Vec<u8>> {
    let fortran = meta.order == Order::F;
    let shape = shape_text(&meta.shape);
    let flag = if fortran { "True" } else { "False" };
    // A structured dtype is a list, and no string.
    let quote = if meta.descr.starts_with('[') { "" } else { "'" };
    let mut dict = format!("{{'descr': {quote}{}{quote}, 'fortran_order': {flag}, 'shape': {shape}, }}", meta.descr);
    let growing = if fortran { meta.shape.last() } else { meta.shape.first() };
    let spare = growing.map_or(0, |axis| AXIS_DIGITS.saturating_sub(axis.to_string().len()));
    // NumPy adds 64 spaces, not none, to what is aligned already.
    let start = MAGIC.len() + 4;
    let unpadded = start + dict.len() + spare + 1;
    let padding = spare + ALIGN - unpadded % ALIGN;
    dict.extend(std::iter::repeat_n(' ', padding));
    dict.push('\n');
    let Ok(length) = u16::try_from(dict.len()) else {
        return Err(Error::unsupported(format!("array has {} axes, too many for a `.npy` header", meta.shape.len())));
    };
    let [low, high] = [length as u8, (length >> 8) as u8];
    Ok([MAGIC, [1, 0, low, high].as_slice(), dict.as_bytes()].concat())
}

/// A Python tuple: `()`, `(3,)`, `(3, 4)`.
fn shape_text(shape: &[u64]) -> String {
    let axes: Vec<_> = shape.iter().map(u64::to_string).collect();
    match axes.as_slice() {
        [axis] => format!("({axis},)"),
        axes => format!("({})", axes.join(", ")),
    }
}

/// The start of a file: its first 8 bytes, and the length field after them (2 bytes in version 1, else 4).
///
/// Returns where the header begins and how long it is.
pub(crate) fn preamble(start: &[u8], length: &[u8]) -> Result<(u64, usize)> {
    if !start.starts_with(MAGIC) {
        return Err(Error::damaged("isn't a `.npy` file: its magic is missing"));
    }
    let version = (start[6], start[7]);
    if !matches!(version, (1..=3, 0)) {
        let (major, minor) = version;
        return Err(Error::unsupported(format!("`.npy` format is {major}.{minor}, expected 1.0, 2.0 or 3.0")));
    }
    let header_len = length.iter().rev().fold(0, |len, &byte| len << 8 | usize::from(byte));
    Ok(((start.len() + length.len()) as u64, header_len))
}

/// Parses the dict. Latin-1 (formats 1 and 2) and UTF-8 (format 3) agree in what a plain dtype needs.
pub(crate) fn parse(header: &[u8]) -> Result<ArrayMeta> {
    let text = String::from_utf8_lossy(header);
    HeaderParser { rest: text.trim_end(), any: false }.dict()
}

/// Parses the dict of an array of any dtype, which is kept as it is written: a big-endian one with its `>`, a
/// structured one as its list.
pub(crate) fn parse_any(header: &[u8]) -> Result<ArrayMeta> {
    let text = String::from_utf8_lossy(header);
    HeaderParser { rest: text.trim_end(), any: true }.dict()
}

/// A parser for the one kind of Python literal that occurs.
struct HeaderParser<'a> {
    rest: &'a str,
    /// Whether dtypes may be others than those of our elements.
    any: bool,
}

impl<'a> HeaderParser<'a> {
    fn dict(mut self) -> Result<ArrayMeta> {
        let (mut descr, mut order, mut shape) = (None, None, None);
        self.expect("{")?;
        while !self.eat("}") {
            let key = self.string()?;
            self.expect(":")?;
            let is_new = match key {
                "descr" => descr.replace(self.descr()?).is_none(),
                "fortran_order" => order.replace(self.order()?).is_none(),
                "shape" => shape.replace(self.shape()?).is_none(),
                _ => return Err(Error::damaged(format!("`.npy` header has an unknown key `{}`", key.escape_debug()))),
            };
            if !is_new {
                return Err(Error::damaged(format!("`.npy` header has the key `{key}` twice")));
            }
            if !self.eat(",") {
                self.expect("}")?;
                break;
            }
        }
        match (self.rest.trim_start(), descr, order, shape) {
            ("", Some(descr), Some(order), Some(shape)) => {
                let meta = ArrayMeta { descr, order, shape, itemsize: None };
                Ok(if self.any { meta.sized() } else { meta })
            }
            ("", ..) => Err(Error::damaged("`.npy` header lacks `descr`, `fortran_order` or `shape`")),
            (rest, ..) => Err(Error::damaged(format!("`.npy` header goes on after its end: {}", excerpt(rest)))),
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        match self.eat(token) {
            true => Ok(()),
            false => Err(self.unexpected(&format!("`{token}`"))),
        }
    }

    fn unexpected(&self, expected: &str) -> Error {
        let found = excerpt(self.rest.trim_start());
        Error::damaged(format!("`.npy` header has {found}, expected {expected}"))
    }

    fn string(&mut self) -> Result<&'a str> {
        // Python 2 wrote `u'<f8'`; a raw string is one as well.
        let rest = self.rest.trim_start();
        if let Some(text) = rest.strip_prefix(['u', 'U', 'r', 'R']).filter(|text| text.starts_with(['\'', '"'])) {
            self.rest = text;
        }
        let quote = match () {
            () if self.eat("'") => '\'',
            () if self.eat("\"") => '"',
            () => return Err(self.unexpected("a string")),
        };
        match self.rest.split_once(quote) {
            Some((text, rest)) => {
                self.rest = rest;
                Ok(text)
            }
            None => Err(self.unexpected("the end of a string")),
        }
    }

    /// A dtype that is one string; a list of fields is named in the error.
    fn descr(&mut self) -> Result<Cow<'static, str>> {
        let rest = self.rest.trim_start();
        if self.any && rest.starts_with('[') {
            return self.fields();
        }
        if rest.starts_with(['[', '(']) {
            let fields = rest.find(']').map_or(rest, |end| &rest[..=end]);
            return Err(Error::unsupported(format!("dtype {} is structured", excerpt(fields))));
        }
        let text = self.string()?;
        match plain_descr(text) {
            Err(_) if self.any && text.strip_prefix('>').is_some_and(|code| by_code(code).is_some()) => {
                Ok(text.to_owned().into())
            }
            descr => descr,
        }
    }

    /// The list of a structured dtype, as it stands there.
    fn fields(&mut self) -> Result<Cow<'static, str>> {
        let rest = self.rest.trim_start();
        let (mut depth, mut quote, mut end) = (0_usize, None, None);
        for (at, char) in rest.char_indices() {
            match (quote, char) {
                (Some(open), char) if char == open => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(char),
                (None, '[' | '(') => depth += 1,
                (None, ']' | ')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                end = Some(at + char.len_utf8());
                break;
            }
        }
        let Some(end) = end else { return Err(self.unexpected("the end of a list")) };
        let list = &rest[..end];
        if let Err(why) = written_itemsize(list) {
            return Err(Error::unsupported(format!("dtype {} {why}", excerpt(list))));
        }
        self.rest = &rest[end..];
        Ok(list.to_owned().into())
    }

    fn order(&mut self) -> Result<Order> {
        match () {
            () if self.eat("True") => Ok(Order::F),
            () if self.eat("False") => Ok(Order::C),
            () => Err(self.unexpected("`True` or `False`")),
        }
    }

    fn shape(&mut self) -> Result<Vec<u64>> {
        let mut shape = Vec::new();
        self.expect("(")?;
        while !self.eat(")") {
            shape.push(self.axis()?);
            if !self.eat(",") {
                // One number in parentheses is a number, not a tuple.
                match shape.len() {
                    1 => return Err(self.unexpected("`,`")),
                    _ => self.expect(")")?,
                }
                break;
            }
        }
        Ok(shape)
    }

    fn axis(&mut self) -> Result<u64> {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let axis = rest[..end].parse().map_err(|_| self.unexpected("the length of an axis"))?;
        self.rest = &rest[end..];
        // Python 2 wrote long integers so.
        self.eat("L");
        Ok(axis)
    }
}

/// NumPy's `dtype.str` of a plain dtype, as our elements spell it.
fn plain_descr(text: &str) -> Result<Cow<'static, str>> {
    let shown = text.escape_debug();
    let order = text.chars().next().filter(|order| "<>=|".contains(*order));
    let name = &text[order.map_or(0, char::len_utf8)..];
    if matches!(name, "O" | "O4" | "O8" | "object" | "object_") {
        return Err(Error::unsupported(format!("dtype `{shown}` is of objects, which are never read")));
    }
    match (order, by_code(name).or_else(|| if order.is_none() { by_name(name) } else { None })) {
        // The order of a single byte says nothing.
        (_, Some(kind @ ("b1" | "i1" | "u1"))) => Ok(format!("|{kind}").into()),
        (Some('>'), Some(_)) => Err(Error::unsupported(format!("dtype `{shown}` is big-endian"))),
        (_, Some(kind)) => Ok(format!("<{kind}").into()),
        // No element type has this dtype, but NumPy writes it in this form.
        (Some(_), None) if written_itemsize(text).is_ok() => Ok(text.to_owned().into()),
        (_, None) => Err(Error::unsupported(format!("dtype `{shown}` is unknown"))),
    }
}

/// What a type of C is: `long` has the size of an address on every platform that this crate knows.
const LONG: (&str, &str) = if size_of::<std::ffi::c_long>() == 8 { ("i8", "u8") } else { ("i4", "u4") };
const ADDRESS: (&str, &str) = if size_of::<usize>() == 8 { ("i8", "u8") } else { ("i4", "u4") };

/// The types that NumPy has a letter or a letter and a size for, which an order may come before.
fn by_code(code: &str) -> Option<&'static str> {
    const SIZED: [&str; 16] =
        ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "f16", "c8", "c16", "c32"];
    let kind = match code {
        "?" => "b1",
        "b" => "i1",
        "B" => "u1",
        "h" => "i2",
        "H" => "u2",
        "i" => "i4",
        "I" => "u4",
        "l" => LONG.0,
        "L" => LONG.1,
        "q" => "i8",
        "Q" => "u8",
        "n" | "p" => ADDRESS.0,
        "N" | "P" => ADDRESS.1,
        "e" => "f2",
        "f" => "f4",
        "d" => "f8",
        "F" => "c8",
        "D" => "c16",
        _ => {
            let size = code.get(1..)?.trim_start_matches('0');
            return SIZED.into_iter().find(|kind| code.starts_with(&kind[..1]) && *size == kind[1..]);
        }
    };
    Some(kind)
}

/// The types that NumPy has a name for.
fn by_name(name: &str) -> Option<&'static str> {
    let kind = match name {
        "bool" | "bool_" => "b1",
        "byte" | "int8" => "i1",
        "ubyte" | "uint8" => "u1",
        "short" | "int16" => "i2",
        "ushort" | "uint16" => "u2",
        "intc" | "int32" => "i4",
        "uintc" | "uint32" => "u4",
        "long" => LONG.0,
        "ulong" => LONG.1,
        "longlong" | "int64" => "i8",
        "ulonglong" | "uint64" => "u8",
        "int" | "int_" | "intp" => ADDRESS.0,
        "uint" | "uintp" => ADDRESS.1,
        "half" | "float16" => "f2",
        "single" | "float32" => "f4",
        "double" | "float" | "float64" => "f8",
        "csingle" | "complex64" => "c8",
        "cdouble" | "complex" | "complex128" => "c16",
        _ => return None,
    };
    Some(kind)
}

/// The beginning of a text, for messages.
fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(40).is_some() {
        short.push('…');
    }
    format!("`{short}`")
}
