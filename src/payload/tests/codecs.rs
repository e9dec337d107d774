//! What holds of every codec of array files.

use std::fs::File;
use std::io::Write as _;

use tempfile::NamedTempFile;

use crate::digest::{ArrayMeta, LEAF, Order, combine, tree};
use crate::error::{ErrorKind, Result};
use crate::map::grown_vec_of;
use crate::payload::codecs::{ArrayCodec, CODECS, EncodedArray, EncodedFile, Plain, codec_named};
use crate::payload::fuzzing::painted;
use crate::payload::npy_header;
use crate::record::{self, NPY};

/// Dtypes with bytes of one kind, of one number, and of two: a codec may look at elements.
const DTYPES: [(&str, usize); 3] = [("|u1", 1), ("<f8", 8), ("<c16", 16)];

/// An array of `len` bytes, or of a few less, which are no whole element of `size`.
fn meta((descr, size): (&'static str, usize), len: usize) -> ArrayMeta {
    ArrayMeta { descr: descr.into(), shape: vec![(len / size) as u64], order: Order::C, itemsize: None }
}

fn bytes_of(meta: &ArrayMeta, (_, size): (&str, usize)) -> Vec<u8> {
    painted(usize::try_from(meta.shape[0]).unwrap() * size)
}

fn encoded(codec: &dyn ArrayCodec, meta: &ArrayMeta, data: &[u8]) -> Vec<u8> {
    let header = npy_header(meta).unwrap();
    let mut bytes = Vec::new();
    let plain = Plain { header: &header, data, hashed: true };
    let written = codec.encode(&plain, &mut |part| {
        bytes.extend_from_slice(part);
        Ok(())
    });
    let written = written.unwrap();
    assert_eq!((written.length, combine(&written.leaves)), (bytes.len() as u64, tree(data)), "{}", codec.name());
    bytes
}

fn open(codec: &dyn ArrayCodec, meta: &ArrayMeta, bytes: &[u8]) -> Result<Box<dyn EncodedArray>> {
    let mut stored = NamedTempFile::new().unwrap();
    stored.write_all(bytes).unwrap();
    let file = File::open(stored.path()).unwrap();
    let offset = npy_header(meta).unwrap().len() as u64;
    let (path, length) = (stored.path().to_owned(), bytes.len() as u64);
    codec.decode(EncodedFile { file, path, length, offset, meta })
}

fn decoded(codec: &dyn ArrayCodec, meta: &ArrayMeta, bytes: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    let digest = meta.digest(tree(data));
    let verified = open(codec, meta, bytes).and_then(|encoded| encoded.verify(digest));
    let mut encoded = open(codec, meta, bytes)?;
    let elements = grown_vec_of::<u8>(data.len(), |out| encoded.fill(out));
    let found = elements.and_then(|elements| encoded.finish(digest).map(|()| elements));
    assert_eq!(found.is_ok(), verified.is_ok(), "what is loaded verifies, and the other way round");
    found
}

#[test]
fn every_codec_gives_back_what_it_was_given() {
    for (codec, dtype) in CODECS.into_iter().flat_map(|codec| DTYPES.map(|dtype| (codec, dtype))) {
        for len in [0, 1, 1000, LEAF - 1, LEAF, LEAF + 1, 3 * LEAF + 7] {
            let meta = meta(dtype, len);
            let data = bytes_of(&meta, dtype);
            let found = decoded(codec, &meta, &encoded(codec, &meta, &data), &data).unwrap();
            assert!(found == data, "{} of {} in {len}", codec.name(), dtype.0);
        }
    }
}

#[test]
fn no_codec_takes_a_damaged_file() {
    for (codec, dtype) in CODECS.into_iter().flat_map(|codec| DTYPES.map(|dtype| (codec, dtype))) {
        let meta = meta(dtype, LEAF + 1600);
        let data = bytes_of(&meta, dtype);
        let whole = encoded(codec, &meta, &data);
        let longer = [&whole[..], b"x"].concat();
        let mut damaged = vec![whole[..whole.len() - 1].to_vec(), whole[..1].to_vec(), Vec::new(), longer];
        damaged.extend((0..whole.len()).step_by(whole.len() / 50).map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            bytes
        }));
        for bytes in damaged {
            match decoded(codec, &meta, &bytes, &data) {
                // A bit that says nothing of the elements.
                Ok(found) => assert!(found == data),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Damaged, "{}: {error}", codec.name()),
            }
        }
        let other = painted(data.len() + dtype.1);
        assert!(decoded(codec, &meta, &whole, &other[dtype.1..]).is_err(), "{}: of other elements", codec.name());
        let longer = ArrayMeta { shape: vec![meta.shape[0] + 1], ..meta.clone() };
        assert!(decoded(codec, &longer, &whole, &other).is_err(), "{}: of another length", codec.name());
    }
}

#[test]
fn records_know_every_codec_by_its_name() {
    let names: Vec<_> = std::iter::once(NPY).chain(CODECS.into_iter().map(ArrayCodec::name)).collect();
    assert_eq!(names, record::CODEC_NAMES);
    assert!(codec_named(NPY).is_none());
    for codec in CODECS {
        assert_eq!(codec_named(codec.name()).map(ArrayCodec::name), Some(codec.name()));
    }
}
