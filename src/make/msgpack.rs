//! Targets that hold any value that serde knows.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::replace::{WRITABLE, replace};
use super::{Persister, mapping};
use crate::digest::{absolute, digest_serde};
use crate::error::{Error, ErrorKind, Result};

/// Deeper nesting is refused, before it exhausts the stack.
const DEPTH_MAX: usize = 128;

/// A file of [MessagePack](https://msgpack.org), which every language reads, as the target of a step whose result is
/// `Serialize` and `Deserialize`.
///
/// Structs are maps by the names of their fields. The value is returned as serde deserializes it, also by the first
/// call, without what serde skips or can't distinguish.
///
/// ```
/// use ndcache::make::MsgpackFile;
/// use ndcache::{Memory, cache};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, PartialEq)]
/// struct Summary {
///     mean: f64,
///     labels: Vec<String>,
/// }
///
/// #[cache]
/// fn summarize(x: &[f64]) -> Summary {
///     Summary { mean: x.iter().sum::<f64>() / x.len() as f64, labels: vec!["a".to_owned()] }
/// }
///
/// # let folder = tempfile::tempdir()?;
/// let memory = Memory::open(folder.path().join("cache"))?;
/// let target = MsgpackFile::new(folder.path().join("summary.msgpack"));
/// let summary: Summary = memory.make(summarize::call(&[1.0, 2.0]), target)?;
/// assert_eq!(summary.mean, 1.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MsgpackFile {
    path: PathBuf,
}

impl MsgpackFile {
    /// Makes a target at `path`, relative to the current folder at this moment; its folder must exist when it is
    /// made.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: absolute(path.into()) }
    }
}

impl<T: Serialize + DeserializeOwned> Persister<T> for MsgpackFile {
    type Loaded = T;

    fn save(&self, value: &T) -> Result<()> {
        // However deep a value is nested, rmp-serde goes down to its end, and the stack may have no room for that.
        if let Err(error) = digest_serde(value)
            && error.kind() == ErrorKind::Unsupported
        {
            return Err(error.at(format_args!("`{}`", self.path.display())));
        }
        replace(&self.path, WRITABLE, |file| {
            let mut packer = rmp_serde::Serializer::new(file.by_ref()).with_struct_map();
            value.serialize(&mut packer).map_err(Error::other)
        })
    }

    fn load(&self) -> Result<T> {
        let (mut file, len) = mapping::open(&self.path)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(usize::try_from(len).unwrap_or(usize::MAX)).map_err(Error::other)?;
        file.read_to_end(&mut bytes).map_err(|error| Error::io("read", &self.path, error))?;
        unpack(&bytes).map_err(|what| Error::damaged(format!("`{}` can't be decoded: {what}", self.path.display())))
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    /// Whatever loads another format says so, and the step is made again.
    fn format(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }
}

/// One value, after which nothing follows.
fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut unpacker = rmp_serde::Deserializer::new(bytes);
    unpacker.set_max_depth(DEPTH_MAX);
    let value = T::deserialize(&mut unpacker).map_err(|error| error.to_string())?;
    match unpacker.get_ref().len() {
        0 => Ok(value),
        rest => Err(format!("{rest} bytes follow the value, which ends at byte {}", bytes.len() - rest)),
    }
}
