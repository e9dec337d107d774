//! Compressed files: what any reader of gzip gets from them, and what a hostile one may not do.

use std::fs::File;
use std::io::{Read as _, Write as _};

use flate2::read::MultiGzDecoder;
use flate2::write::DeflateEncoder;
use proptest::prelude::*;

use crate::digest::tree;
use crate::digest::{ArrayMeta, Digest, LEAF, Order, combine, leaf};
use crate::error::{Error, ErrorKind, Result};
use crate::fuzz::fuzz;
use crate::payload::Compression;
use crate::payload::codecs::gzip::{Members, write as write_gzip};
use crate::payload::fuzzing::{self, PAINTED, painted};
use crate::payload::npy_header;

/// The bytes before a member's length, by docs/format.md.
const START: [u8; 16] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 8, 0, b'N', b'D', 4, 0];

fn meta(len: usize) -> ArrayMeta {
    ArrayMeta { descr: "|u1".into(), shape: vec![len as u64], order: Order::C, itemsize: None }
}

fn packed(data: &[u8], level: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = npy_header(&meta(data.len())).unwrap();
    let mut out = |member: &[u8]| {
        bytes.extend_from_slice(member);
        Ok(())
    };
    let written = write_gzip(&header, data, level, true, &mut out).unwrap();
    assert_eq!(written.length, bytes.len() as u64);
    assert_eq!(combine(&written.leaves), tree(data));
    bytes
}

/// Loads `bytes` as an array of this description.
fn load_as(bytes: &[u8], meta: &ArrayMeta, digest: Digest) -> Result<Vec<u8>> {
    let mut stored = tempfile::Builder::new().suffix(".npy.gz").tempfile().unwrap();
    stored.write_all(bytes).unwrap();
    fuzzing::inflate(stored.path(), bytes.len() as u64, meta, digest)
}

/// Loads `bytes` as what `data` was compressed to.
fn load(bytes: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    load_as(bytes, &meta(data.len()), meta(data.len()).digest(tree(data)))
}

fn is_damaged<T: std::fmt::Debug>(loaded: Result<T>, expected: &str) {
    let error = loaded.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(error.to_string().contains(".npy.gz` "), "{error}");
    assert!(error.to_string().contains(expected), "`{expected}` isn't in: {error}");
}

/// A member whose trailer claims `length` plain bytes.
fn member(plain: &[u8], length: u32) -> Vec<u8> {
    let mut deflate = DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    deflate.write_all(plain).unwrap();
    let deflated = deflate.finish().unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(plain);
    let whole = (START.len() + 4 + deflated.len() + 8) as u32;
    let tail = [crc.sum().to_le_bytes(), length.to_le_bytes()].concat();
    [&START[..], &whole.to_le_bytes(), &deflated, &tail].concat()
}

/// The header's member of an array of `len` bytes, and after it `members`.
fn with_header(len: usize, members: &[u8]) -> Vec<u8> {
    let header = npy_header(&meta(len)).unwrap();
    [&member(&header, header.len() as u32), members].concat()
}

#[test]
fn any_reader_of_gzip_gets_the_npy_and_we_get_the_elements() {
    for len in [0, 1, LEAF - 1, LEAF, LEAF + 1, 3 * LEAF + 17] {
        for level in [0, 1, 6, 9] {
            let data = painted(len);
            let bytes = packed(&data, level);
            let mut plain = Vec::new();
            MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
            assert!(plain == [npy_header(&meta(len)).unwrap(), data.clone()].concat(), "{len} bytes at level {level}");
            assert!(load(&bytes, &data).unwrap() == data, "{len} bytes at level {level}");
        }
    }
}

#[test]
fn a_worker_of_a_pool_writes_and_reads_the_same() {
    let data = painted(5 * LEAF + 1);
    let bytes = packed(&data, 2);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    assert!(pool.install(|| packed(&data, 2)) == bytes);
    assert!(pool.install(|| load(&bytes, &data)).unwrap() == data);
}

#[test]
fn a_file_that_another_program_made_is_read() {
    let frozen = include_bytes!("../../../data/format1.npy.gz");
    assert!(load(frozen, &painted(LEAF + 5)).unwrap() == painted(LEAF + 5));
}

#[test]
fn every_length_but_its_own_is_damage() {
    let data = painted(2000);
    let mut bytes = packed(&data, 6);
    for len in 0..bytes.len() {
        is_damaged(load(&bytes[..len], &data), "");
    }
    bytes.push(0);
    is_damaged(load(&bytes, &data), "has 1 bytes after its last member");
    let twice = [&bytes[..bytes.len() - 1], &bytes[..bytes.len() - 1]].concat();
    is_damaged(load(&twice, &data), "after its last member");
}

#[test]
fn a_flipped_bit_is_damage_or_means_nothing() {
    let data = painted(2000);
    let bytes = packed(&data, 6);
    let mut harmless = 0;
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match load(&flipped, &data) {
            Ok(loaded) => {
                assert!(loaded == data, "bit {bit}");
                harmless += 1;
            }
            loaded => is_damaged(loaded, ""),
        }
    }
    // What is left of the last byte of each of the two deflate streams; nobody reads it.
    assert!(harmless <= 2 * 7, "{harmless} bits of {} don't matter", 8 * bytes.len());
}

#[test]
fn a_member_becomes_its_bytes_and_no_more() {
    let zeros = vec![0; 4 * LEAF];
    let bomb = with_header(LEAF, &member(&zeros, LEAF as u32));
    is_damaged(load(&bomb, &zeros[..LEAF]), "a member that doesn't become its 1048576 bytes");
    let short = with_header(LEAF, &member(&zeros[..LEAF - 1], LEAF as u32));
    is_damaged(load(&short, &zeros[..LEAF]), "a member that doesn't become its 1048576 bytes");
    let other = with_header(1, &member(&[1], 1));
    is_damaged(load(&other, &[0]), "has digest");
}

#[test]
fn what_no_file_of_that_length_can_become_is_refused_before_it_is_inflated() {
    let digest = meta(0).digest(leaf(&[]));
    let bytes = packed(&painted(LEAF), 6);
    is_damaged(load_as(&bytes, &meta(1 << 50), digest), "too few to become 1125899906842624");
    let garbage = [&START[..], &60_u32.to_le_bytes(), &[0; 36], &(LEAF as u32).to_le_bytes()].concat();
    let claims = with_header(2 * LEAF, &garbage.repeat(60));
    is_damaged(load(&claims, &vec![0; 2 * LEAF]), "a member of 60 bytes, which can't become 1048576");
}

#[test]
fn a_member_says_how_long_it_is_and_what_it_becomes() {
    let data = painted(3000);
    let bytes = packed(&data, 6);
    let start = bytes.len() - bytes.windows(16).rev().position(|window| window == START).unwrap() - 16;
    let altered = |at: usize, number: u32| {
        let mut bytes = bytes.clone();
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        load(&bytes, &data)
    };
    for length in [0, 27, 28, u32::MAX, (bytes.len() - start) as u32 + 1] {
        is_damaged(altered(start + 16, length), &format!("a member of {length} bytes, which can't become 3000"));
    }
    is_damaged(altered(bytes.len() - 4, 3001), "claims to become 3001 bytes, expected 3000");
    is_damaged(altered(bytes.len() - 8, 0), "doesn't become its 3000 bytes");
    is_damaged(altered(0, 0), "has at byte 0 no member");
}

#[test]
fn the_header_is_that_of_the_record() {
    let data = painted(64);
    let bytes = packed(&data, 6);
    let square = ArrayMeta { descr: "|u1".into(), shape: vec![8, 8], order: Order::C, itemsize: None };
    let fortran = ArrayMeta { order: Order::F, ..square.clone() };
    for meta in [square, fortran] {
        is_damaged(load_as(&bytes, &meta, meta.digest(tree(&data))), "has another `.npy` header");
    }
    let file = tempfile::Builder::new().suffix(".npy.gz").tempfile().unwrap();
    let opened = File::open(file.path()).unwrap();
    let found = Members::find(opened, file.path().to_owned(), 0, 64, &meta(64));
    is_damaged(found.map(drop), "has its elements at 64, expected 128");
}

#[test]
fn a_level_that_gzip_has_not_is_an_error() {
    for level in 0..=9 {
        Compression::Gzip(level).check().unwrap();
    }
    let error = Compression::Gzip(10).check().unwrap_err();
    assert_eq!(error.to_string(), "compression level is 10, expected at most 9");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn an_error_of_the_file_ends_the_writing() {
    let mut calls = 0;
    let written = write_gzip(&[0; 128], &painted(30 * LEAF), 1, true, &mut |_| {
        calls += 1;
        if calls < 3 { Ok(()) } else { Err(Error::invalid("full")) }
    });
    assert_eq!((written.map(|written| written.length).unwrap_err().to_string().as_str(), calls), ("full", 3));
}

#[test]
fn any_members_are_the_array_or_damage() {
    let data = painted(PAINTED);
    let mut corpus: Vec<Vec<u8>> = [0, 1, 9].iter().map(|&level| packed(&data, level)).collect();
    corpus.push(with_header(data.len(), &member(&data[..1000], PAINTED as u32)));
    corpus.push(packed(&painted(0), 6));
    let name = "payload::tests::gzip::any_members_are_the_array_or_damage";
    fuzz(name, Some("members"), 10_000, &corpus, fuzzing::members);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), len in 0..3 * LEAF, at in 0..3) {
        let bytes = match at {
            0 => bytes,
            1 => with_header(len, &bytes),
            _ => {
                let whole = (START.len() + 4 + bytes.len()) as u32;
                with_header(len, &[&START[..], &whole.to_le_bytes(), &bytes].concat())
            }
        };
        let digest = meta(len).digest(leaf(b"other"));
        is_damaged(load_as(&bytes, &meta(len), digest), "");
    }
}
