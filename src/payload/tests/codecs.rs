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

fn meta(len: usize) -> ArrayMeta {
    ArrayMeta { descr: "|u1".into(), shape: vec![len as u64], order: Order::C, itemsize: None }
}

fn encoded(codec: &dyn ArrayCodec, data: &[u8]) -> Vec<u8> {
    let header = npy_header(&meta(data.len())).unwrap();
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

fn open(codec: &dyn ArrayCodec, bytes: &[u8], len: usize) -> Result<Box<dyn EncodedArray>> {
    let mut stored = NamedTempFile::new().unwrap();
    stored.write_all(bytes).unwrap();
    let (file, meta) = (File::open(stored.path()).unwrap(), meta(len));
    let offset = npy_header(&meta).unwrap().len() as u64;
    let (path, length) = (stored.path().to_owned(), bytes.len() as u64);
    codec.decode(EncodedFile { file, path, length, offset, meta: &meta })
}

fn decoded(codec: &dyn ArrayCodec, bytes: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    let digest = meta(data.len()).digest(tree(data));
    let verified = open(codec, bytes, data.len()).and_then(|encoded| encoded.verify(digest));
    let mut encoded = open(codec, bytes, data.len())?;
    let elements = grown_vec_of::<u8>(data.len(), |out| encoded.fill(out));
    let found = elements.and_then(|elements| encoded.finish(digest).map(|()| elements));
    assert_eq!(found.is_ok(), verified.is_ok(), "what is loaded verifies, and the other way round");
    found
}

#[test]
fn every_codec_gives_back_what_it_was_given() {
    for codec in CODECS {
        for len in [0, 1, 1000, LEAF - 1, LEAF, LEAF + 1, 3 * LEAF + 7] {
            let data = painted(len);
            assert!(decoded(codec, &encoded(codec, &data), &data).unwrap() == data, "{} of {len}", codec.name());
        }
    }
}

#[test]
fn no_codec_takes_a_damaged_file() {
    for codec in CODECS {
        let data = painted(LEAF + 1000);
        let whole = encoded(codec, &data);
        let longer = [&whole[..], b"x"].concat();
        let mut damaged = vec![whole[..whole.len() - 1].to_vec(), whole[..1].to_vec(), Vec::new(), longer];
        damaged.extend((0..whole.len()).step_by(whole.len() / 50).map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            bytes
        }));
        for bytes in damaged {
            match decoded(codec, &bytes, &data) {
                // A bit that says nothing of the elements.
                Ok(found) => assert!(found == data),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Damaged, "{}: {error}", codec.name()),
            }
        }
        let other = painted(LEAF + 1001);
        assert!(decoded(codec, &whole, &other[1..]).is_err(), "{}: of other elements", codec.name());
        assert!(decoded(codec, &whole, &other).is_err(), "{}: of another length", codec.name());
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
