//! Compressing: members by many threads, in order.

use flate2::{Compress, Crc, FlushCompress, Status};

use crate::digest::{LEAF, Work, leaf};
use crate::error::{Error, Result};
use crate::payload::codecs::Written;
use crate::payload::codecs::gzip::{HEAD, START};
use crate::threads::ordered::ordered;

/// Members in flight for each thread: enough that a slow one doesn't keep the others waiting.
const MEMBERS_PER_THREAD: usize = 4;

/// Compresses a `.npy` of this header and these elements, and hands its members to `out`, one by one and in order.
///
/// As many threads as there are cores compress, and hash if `hashed`. At most a few members for each thread wait to be
/// handed over, and at most one on a worker of a rayon pool, which does all by itself. The bytes don't depend on the
/// number of threads.
///
/// # Errors
/// Returns the first error of `out`.
pub(crate) fn write(
    header: &[u8],
    data: &[u8],
    level: u32,
    hashed: bool,
    out: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Written> {
    let begin = || Deflater(Compress::new(flate2::Compression::new(level), false));
    let first = begin().member(header)?;
    out(&first)?;
    let mut length = first.len() as u64;
    let mut leaves = Vec::new();
    let make = |deflater: &mut Deflater, part: &[u8]| -> Result<_> {
        Ok((deflater.member(part)?, hashed.then(|| leaf(part)), part.len()))
    };
    let work = Work::new("compressing", data.len() as u64);
    let parts = data.chunks(LEAF);
    ordered(parts.len(), MEMBERS_PER_THREAD, parts, begin, make, |(member, leaf, plain)| {
        out(&member)?;
        length += member.len() as u64;
        leaves.extend(leaf);
        work.add(plain as u64);
        Ok(())
    })?;
    Ok(Written { length, leaves })
}

/// The state of deflate, a quarter of a megabyte that serves many members.
struct Deflater(Compress);

impl Deflater {
    fn member(&mut self, plain: &[u8]) -> Result<Vec<u8>> {
        let mut member = Vec::with_capacity(plain.len() / 2 + 256);
        member.extend_from_slice(&START);
        member.extend_from_slice(&[0; 4]);
        self.deflate(plain, &mut member)?;
        let mut crc = Crc::new();
        crc.update(plain);
        member.extend_from_slice(&crc.sum().to_le_bytes());
        // `plain` is at most a leaf, or a header, so that its length fits.
        member.extend_from_slice(&(plain.len() as u32).to_le_bytes());
        let length = member.len() as u32;
        member[START.len()..HEAD].copy_from_slice(&length.to_le_bytes());
        Ok(member)
    }

    fn deflate(&mut self, plain: &[u8], member: &mut Vec<u8>) -> Result<()> {
        self.0.reset();
        loop {
            let rest = &plain[self.0.total_in() as usize..];
            let status = self.0.compress_vec(rest, member, FlushCompress::Finish);
            match status.map_err(|error| Error::unsupported("can't compress an array").because(error))? {
                Status::StreamEnd => return Ok(()),
                Status::Ok | Status::BufError => member.reserve(plain.len() / 4 + 256),
            }
        }
    }
}
