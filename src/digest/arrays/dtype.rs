//! The texts of dtypes, as the headers of `.npy` files have them, and the bytes of an element of each.
//!
//! A simple dtype is NumPy's `dtype.str`, a byte order, a letter and a size: `<f8`, `|S7`, `<M8[25s]`. A structured one is
//! the list of its fields, a Python literal: `[('a', '<f4'), (('title', 'b'), [('c', '|u1')], (2, 3))]`. Nothing else is a
//! dtype here, whatever NumPy takes for one: it knows objects by a dozen names, and would take bytes for their addresses.

use std::collections::BTreeSet;

/// The longest element that NumPy has, in bytes.
const LONGEST: u64 = i32::MAX as u64;

/// The most axes that NumPy has.
const AXES: usize = 64;

/// How many brackets Python reads inside of one another.
const DEPTH: usize = 200;

const OBJECTS: &str = "has objects in it, which are never read";
const UNKNOWN: &str = "isn't one that NumPy writes into a `.npy` file";

/// Why a text is no dtype of plain bytes, as the rest of a sentence.
type Parsed<T> = Result<T, &'static str>;

/// The bytes of an element of an array that can be stored: of a dtype in printable ASCII, whose elements have bytes.
///
/// # Errors
/// Returns why `descr` is none, as the rest of a sentence.
pub(crate) fn stored_itemsize(descr: &str) -> Result<u64, &'static str> {
    if !descr.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return Err("isn't printable ASCII");
    }
    match parse(descr, false)? {
        0 => Err("has elements of no bytes"),
        itemsize => Ok(itemsize),
    }
}

/// The bytes of an element of a dtype in a `.npy` file, whoever wrote it: names may have letters of any script, integers
/// the `L` of Python 2.
///
/// # Errors
/// Returns why `descr` is none, as the rest of a sentence.
pub(crate) fn written_itemsize(descr: &str) -> Result<u64, &'static str> {
    parse(descr, true)
}

fn parse(descr: &str, may_be_long: bool) -> Parsed<u64> {
    if !descr.starts_with('[') {
        return simple(descr);
    }
    let mut parser = DtypeParser { rest: descr, depth: 0, may_be_long };
    let size = parser.fields()?;
    if parser.rest.is_empty() { Ok(size) } else { Err(UNKNOWN) }
}

/// The bytes of an element of a dtype that is one word.
fn simple(text: &str) -> Parsed<u64> {
    let name = text.trim_start_matches(['<', '>', '=', '|']);
    if matches!(name, "O" | "O4" | "O8" | "object" | "object_") {
        return Err(OBJECTS);
    }
    let [b'<' | b'>' | b'=' | b'|', kind, size @ ..] = text.as_bytes() else { return Err(UNKNOWN) };
    let size = match (kind, size) {
        (b'b', b"1") => Some(1),
        (b'M' | b'm', [b'8', unit @ ..]) => is_unit(unit).then_some(8),
        (b'i' | b'u', _) => decimal(size).filter(|size| matches!(size, 1 | 2 | 4 | 8)),
        // 12, and 24 for a complex number, are sizes on processors of 32 bits.
        (b'f', _) => decimal(size).filter(|size| matches!(size, 2 | 4 | 8 | 12 | 16)),
        (b'c', _) => decimal(size).filter(|size| matches!(size, 8 | 16 | 24 | 32)),
        (b'S' | b'V', _) => decimal(size),
        (b'U', _) => decimal(size).and_then(|letters| letters.checked_mul(4)),
        _ => None,
    };
    size.filter(|&size| size <= LONGEST).ok_or(UNKNOWN)
}

/// A number as it is printed.
fn decimal(digits: &[u8]) -> Option<u64> {
    let is_printed = digits == b"0" || (digits.iter().all(u8::is_ascii_digit) && digits.first() != Some(&b'0'));
    std::str::from_utf8(digits).ok().filter(|_| is_printed)?.parse().ok()
}

/// What follows the size of a date: nothing, or how many of which unit.
fn is_unit(text: &[u8]) -> bool {
    const UNITS: [&[u8]; 13] = [b"Y", b"M", b"W", b"D", b"h", b"m", b"s", b"ms", b"us", b"ns", b"ps", b"fs", b"as"];
    let [b'[', inside @ .., b']'] = text else { return text.is_empty() };
    let digits = inside.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (many, unit) = inside.split_at(digits);
    UNITS.contains(&unit) && (many.is_empty() || decimal(many).is_some_and(|many| many <= LONGEST))
}

/// Whether a word is a number as Python prints it.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word).as_bytes();
    let is_padded = matches!(digits, [b'0', b'0'..=b'9', ..]);
    digits.first().is_some_and(u8::is_ascii_digit) && !is_padded && word.parse::<f64>().is_ok()
}

/// The format of a field.
struct DtypeFormat {
    size: u64,
    /// Whether it may be padding: a field between others that has no name.
    may_be_padding: bool,
    /// Whether it can have a shape: NumPy takes the shape of a dtype without a size for that size.
    may_repeat: bool,
}

/// A parser of Python's literals, as far as they occur in dtypes.
struct DtypeParser<'a> {
    rest: &'a str,
    depth: usize,
    may_be_long: bool,
}

impl<'a> DtypeParser<'a> {
    /// A list of fields: their bytes.
    fn fields(&mut self) -> Parsed<u64> {
        let (mut size, mut names) = (0, BTreeSet::new());
        self.several('[', ']', |parser| {
            size += parser.field(&mut names)?;
            if size > LONGEST { Err(UNKNOWN) } else { Ok(()) }
        })?;
        Ok(size)
    }

    /// A name and a format, and maybe a shape: the bytes.
    fn field(&mut self, names: &mut BTreeSet<Vec<u32>>) -> Parsed<u64> {
        self.open('(')?;
        let name = self.name(names)?;
        self.expect(',')?;
        let format = self.format()?;
        let format = if self.eat(',') && !self.is_next(')') { self.repeated(&format)? } else { format };
        self.close(')')?;
        let is_padding = name.is_empty() && format.may_be_padding;
        if is_padding || names.insert(name) { Ok(format.size) } else { Err("has two fields of one name") }
    }

    /// The name of a field, in front of which its title may stand.
    fn name(&mut self, names: &mut BTreeSet<Vec<u32>>) -> Parsed<Vec<u32>> {
        if !self.is_next('(') {
            return self.text();
        }
        self.open('(')?;
        if let Some(title) = self.literal()?
            && (title.is_empty() || !names.insert(title))
        {
            return Err(UNKNOWN);
        }
        self.expect(',')?;
        let name = self.text()?;
        self.close(')')?;
        Ok(name)
    }

    fn format(&mut self) -> Parsed<DtypeFormat> {
        if self.is_next('[') {
            return Ok(DtypeFormat { size: self.fields()?, may_be_padding: false, may_repeat: true });
        }
        if self.is_next('(') {
            self.open('(')?;
            let format = self.format()?;
            self.expect(',')?;
            let format = self.repeated(&format)?;
            self.close(')')?;
            return Ok(format);
        }
        let text = self.text()?;
        let text: Option<String> = text.into_iter().map(char::from_u32).collect();
        let text = text.ok_or(UNKNOWN)?;
        let size = simple(&text)?;
        Ok(DtypeFormat { size, may_be_padding: text.as_bytes().get(1) == Some(&b'V'), may_repeat: size > 0 })
    }

    /// A shape, of which each element is of this format.
    fn repeated(&mut self, format: &DtypeFormat) -> Parsed<DtypeFormat> {
        let (mut axes, mut count) = (0, Some(1_u64));
        let last_comma = self.several('(', ')', |parser| {
            let axis = parser.axis()?;
            count = count.and_then(|count| count.checked_mul(axis));
            axes += 1;
            Ok(())
        })?;
        let size = count.and_then(|count| count.checked_mul(format.size)).filter(|&size| size <= LONGEST);
        // One number in parentheses is a number, not a tuple.
        let is_tuple = axes != 1 || last_comma;
        match size {
            Some(size) if is_tuple && axes <= AXES && format.may_repeat => {
                Ok(DtypeFormat { size, may_be_padding: true, may_repeat: size > 0 })
            }
            _ => Err(UNKNOWN),
        }
    }

    fn axis(&mut self) -> Parsed<u64> {
        let digits = self.taken_while(|char| char.is_ascii_digit());
        let axis = decimal(digits.as_bytes()).filter(|&axis| axis <= LONGEST).ok_or(UNKNOWN)?;
        if self.may_be_long && self.rest.starts_with('L') {
            self.rest = &self.rest[1..];
        }
        Ok(axis)
    }

    /// A literal that can only be a title; of a text, its letters.
    fn literal(&mut self) -> Parsed<Option<Vec<u32>>> {
        if self.is_next('(') {
            self.several('(', ')', |parser| parser.literal().map(drop))?;
            return Ok(None);
        }
        if self.is_next('\'') || self.is_next('"') {
            return self.text().map(Some);
        }
        let word = self.taken_while(|char| char.is_ascii_alphanumeric() || "+-.".contains(char));
        match word {
            "b" => self.text().map(|_| None),
            "True" | "False" | "None" => Ok(None),
            number if is_number(number) => Ok(None),
            _ => Err(UNKNOWN),
        }
    }

    /// A string, with what `repr` escapes.
    fn text(&mut self) -> Parsed<Vec<u32>> {
        let quote = match () {
            () if self.eat('\'') => '\'',
            () if self.eat('"') => '"',
            () => return Err(UNKNOWN),
        };
        let mut letters = Vec::new();
        loop {
            match self.letter()? {
                '\\' => letters.push(self.escaped()?),
                end if end == quote => return Ok(letters),
                control if control.is_control() => return Err(UNKNOWN),
                plain => letters.push(u32::from(plain)),
            }
        }
    }

    fn escaped(&mut self) -> Parsed<u32> {
        let digits = match self.letter()? {
            plain @ ('\\' | '\'' | '"') => return Ok(u32::from(plain)),
            'n' => return Ok(u32::from('\n')),
            'r' => return Ok(u32::from('\r')),
            't' => return Ok(u32::from('\t')),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => return Err(UNKNOWN),
        };
        let mut code = 0;
        for _ in 0..digits {
            code = code << 4 | self.letter()?.to_digit(16).ok_or(UNKNOWN)?;
        }
        // Halves of surrogate pairs are kept, too, though they are no letters.
        if code <= u32::from(char::MAX) { Ok(code) } else { Err(UNKNOWN) }
    }

    fn letter(&mut self) -> Parsed<char> {
        let mut letters = self.rest.chars();
        let letter = letters.next().ok_or(UNKNOWN)?;
        self.rest = letters.as_str();
        Ok(letter)
    }

    /// Items between brackets, each of which but the last has a comma behind it; whether the last has one, too.
    fn several(&mut self, open: char, close: char, mut item: impl FnMut(&mut Self) -> Parsed<()>) -> Parsed<bool> {
        self.open(open)?;
        let mut last_comma = false;
        while !self.is_next(close) {
            item(self)?;
            last_comma = self.eat(',');
            if !last_comma {
                break;
            }
        }
        self.close(close)?;
        Ok(last_comma)
    }

    fn open(&mut self, bracket: char) -> Parsed<()> {
        self.depth += 1;
        if self.depth > DEPTH { Err("is nested deeper than Python reads") } else { self.expect(bracket) }
    }

    fn close(&mut self, bracket: char) -> Parsed<()> {
        self.depth -= 1;
        self.expect(bracket)
    }

    fn expect(&mut self, token: char) -> Parsed<()> {
        if self.eat(token) { Ok(()) } else { Err(UNKNOWN) }
    }

    fn eat(&mut self, token: char) -> bool {
        let is_next = self.is_next(token);
        if is_next {
            self.rest = self.trimmed().strip_prefix(token).unwrap_or_default();
        }
        is_next
    }

    fn is_next(&self, token: char) -> bool {
        self.trimmed().starts_with(token)
    }

    fn taken_while(&mut self, may: impl Fn(char) -> bool) -> &'a str {
        let rest = self.trimmed();
        let (taken, after) = rest.split_at(rest.find(|char| !may(char)).unwrap_or(rest.len()));
        self.rest = after;
        taken
    }

    fn trimmed(&self) -> &'a str {
        self.rest.trim_start_matches([' ', '\t', '\n', '\r'])
    }
}

#[cfg(test)]
pub(crate) mod tests;
