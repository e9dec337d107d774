//! Records that nobody wrote, sealed as if somebody had.

use super::*;
use crate::fuzz::fuzz;
use crate::record::fuzzing;

/// The bodies of records as they are written: with arrays, with every field, with an overflow, and frozen.
fn bodies() -> Vec<Vec<u8>> {
    let large = Record { value: vec![0x5a; RECORD_MAX], ..sample() };
    let sealed = [
        sample().encode().unwrap(),
        full().encode().unwrap(),
        large.split(|| "0123.msgpack".to_owned()).unwrap().record,
        include_bytes!("../../../data/format1.record").to_vec(),
    ];
    sealed.iter().map(|bytes| verify(bytes).unwrap().to_vec()).chain(forged()).collect()
}

/// With dtypes of arrays that somebody has changed: to objects, however they are spelled, and to elements of other lengths.
fn forged() -> impl Iterator<Item = Vec<u8>> {
    let dtypes = [
        ("<M8[D]", "object"),
        ("|V8", "|O8"),
        ("|V8", "|V9"),
        ("<U2", "|S2"),
        ("[('a', '|V8')]", "[('a', '|O8')]"),
        ("[('abc', '|V8')]", "[(\"abcd\", \"|O\")]"),
        ("[('a', '<M8[D]')]", "[('a', 'object')]"),
        ("[('abcd', '|V8')]", "[('a', [('b','O')])]"),
        ("[('a', '<f8')]", "[('a', '<f4')]"),
    ];
    dtypes.into_iter().map(|(right, forged)| {
        let mut record = full();
        record.arrays[0].meta.descr = right.into();
        record.arrays[0].meta.itemsize = Some(8);
        let body = verify(&record.encode().unwrap()).unwrap().to_vec();
        let text = |descr: &str| [&[0xa0 | descr.len() as u8], descr.as_bytes()].concat();
        let (right, forged) = (text(right), text(forged));
        let at = body.windows(right.len()).position(|window| window == right).expect("its dtype");
        [&body[..at], &forged, &body[at + right.len()..]].concat()
    })
}

#[test]
fn a_forged_dtype_is_refused() {
    for body in forged() {
        let refused = Record::decode(&sealed(&body), PathBuf::new).unwrap_err().to_string();
        assert!(refused.contains("dtype") || refused.contains("bytes"), "{refused}");
    }
}

/// With every field that a record may have.
fn full() -> Record {
    let leaf = Leaf { path: "steps[3]".to_owned(), digest: digest(5), text: "10".to_owned() };
    let argument = Argument { leaves: vec![leaf; 3], secret: true, ..Argument::new("größe", digest(1), "") };
    let mut foreign = array("0123.4567.npy", &[3, 4]);
    foreign.meta = ArrayMeta { descr: "<U2".into(), itemsize: Some(8), ..foreign.meta };
    Record {
        requires: vec!["pickle".to_owned(), "dtype".to_owned()],
        arguments: vec![argument, Argument::new("x", digest(2), "1")].into(),
        arrays: vec![foreign],
        expires: Some(1 << 60),
        edited: true,
        origin: Some("tier".to_owned()),
        python: vec![0x91, 0xc0],
        local: true,
        ..sample()
    }
}

#[test]
fn any_sealed_bytes_are_the_parts_of_a_code_or_none() {
    let parts = vec![part(); 2];
    let code = CodeRecord::new("package/function", Digest::from_bytes([7; 16]), &parts).encode().unwrap();
    let name = "record::tests::fuzz::any_sealed_bytes_are_the_parts_of_a_code_or_none";
    fuzz(name, Some("code"), 20_000, &[verify(&code).unwrap().to_vec()], fuzzing::code);
}

#[test]
fn any_sealed_bytes_are_a_record_or_refused() {
    let name = "record::tests::fuzz::any_sealed_bytes_are_a_record_or_refused";
    fuzz(name, Some("record"), 15_000, &bodies(), fuzzing::record);
}

#[test]
fn any_overflow_is_joined_or_refused() {
    let arrays = vec![array("0123.4567.npy", &[3, 4]); 3];
    let mut body = Vec::new();
    pack(&mut body, &Overflowed { value: vec![0x91, 7], arrays }).unwrap();
    let name = "record::tests::fuzz::any_overflow_is_joined_or_refused";
    fuzz(name, Some("overflow"), 50_000, &[body], fuzzing::overflow);
}

/// Writes each value of a body in another way, or as something else; one in `rate` of them.
struct Rewriter<'a> {
    rest: &'a [u8],
    out: Vec<u8>,
    state: u64,
    rate: u64,
}

/// The first bytes of the ways in which a value or its length is written, and how many bytes follow each.
type Ways = &'static [(u8, usize)];

const NUMBERS: Ways = &[(0xcc, 1), (0xcd, 2), (0xce, 4), (0xcf, 8)];
const TEXTS: Ways = &[(0xd9, 1), (0xda, 2), (0xdb, 4)];
const BYTES: Ways = &[(0xc4, 1), (0xc5, 2), (0xc6, 4)];
const LISTS: Ways = &[(0xdc, 2), (0xdd, 4)];
const MAPS: Ways = &[(0xde, 2), (0xdf, 4)];

impl Rewriter<'_> {
    fn draw(&mut self, below: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % below as u64) as usize
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken.to_vec()
    }

    fn one(&mut self) {
        let first = self.take(1)[0];
        let (fix, ways) = match first {
            0x00..0x80 | 0xcc..0xd0 => (0x00..0x80, NUMBERS),
            0xa0..0xc0 | 0xd9..0xdc => (0xa0..0xc0, TEXTS),
            0xc4..0xc7 => (0..0, BYTES),
            0x90..0xa0 | 0xdc..0xde => (0x90..0xa0, LISTS),
            0x80..0x90 | 0xde..0xe0 => (0x80..0x90, MAPS),
            _ => return self.out.push(first),
        };
        let wide = ways.iter().find(|(head, _)| *head == first).map_or(0, |(_, wide)| *wide);
        let follows = self.take(wide);
        let value = match wide {
            0 => u64::from(first - fix.start),
            _ => follows.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)),
        };
        let has_bytes = ways == TEXTS || ways == BYTES;
        let mut bytes = self.take(if has_bytes { value as usize } else { 0 });
        let rate = self.rate as usize;
        if self.draw(rate) > 0 {
            self.out.push(first);
            self.out.extend(follows);
        } else {
            self.odd(ways, value, &mut bytes);
        }
        self.out.extend(bytes);
    }

    fn odd(&mut self, ways: Ways, value: u64, bytes: &mut [u8]) {
        let (head, wide) = ways[self.draw(ways.len())];
        let value = match self.draw(12) {
            0 => value + 1,
            1 => u64::MAX,
            2 => {
                let other = [0xc0, 0xc2, 0xff, 0x00, 0x80, 0x90, 0xa0][self.draw(7)];
                return self.out.push(other);
            }
            3 if !bytes.is_empty() => {
                let at = self.draw(bytes.len());
                bytes[at] = [0xff, 0, b'C', b'/'][self.draw(4)];
                value
            }
            _ => value,
        };
        self.out.push(head);
        self.out.extend((0..wide).rev().map(|at| (value >> (8 * at)) as u8));
    }
}

#[test]
fn however_its_values_are_written_a_record_is_the_same_or_refused() {
    let long = Record {
        arguments: vec![Argument::new("größe", digest(1), &"x".repeat(300)); 20].into(),
        arrays: vec![array("0123.4567.npy", &[3, 4, 1 << 20, 0]); 20],
        value: vec![0x91; 300],
        ..full()
    };
    let mut bodies = bodies();
    bodies.push(verify(&long.encode().unwrap()).unwrap().to_vec());
    let mut decoded = 0;
    for n in 0..20_000 {
        let body = &bodies[n % bodies.len()];
        let state = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut rewriter = Rewriter { rest: body, out: Vec::new(), state, rate: [20, 60, 200][n % 3] };
        while !rewriter.rest.is_empty() {
            rewriter.one();
        }
        let out = rewriter.out;
        decoded += usize::from(out != *body && crate::record::decode::record(&out).is_ok());
        fuzzing::record(&out);
    }
    assert!(decoded > 1000, "{decoded} were changed and decoded");
}
