//! Arrays that are made in the folder in which they will be stored.

use std::sync::Arc;

use ndarray::{Dimension, Shape};

use crate::digest::Element;
use crate::entry::archive::Archive;
use crate::entry::read::arrays::READ_RATHER;
use crate::entry::site::Site;
use crate::entry::write::put::is_full;
use crate::error::Result;
use crate::key::Function;
use crate::map::{self, Staged};
use crate::payload::npy_header;
use crate::record::NPY;
use crate::store::nonce;

/// Where the result of a call that is being computed will be stored.
#[derive(Clone)]
pub(crate) struct StagingSite {
    pub(crate) function: &'static Function,
    pub(crate) site: Site,
}

impl Archive {
    /// An array of zeros in a file at `to`; `None` where mapping isn't offered or the array is small.
    pub(crate) fn stage<A: Element, D: Dimension>(
        &self,
        to: &StagingSite,
        shape: &Shape<D>,
    ) -> Result<Option<Staged<A, D>>> {
        let meta = map::meta_of::<A, D>(shape);
        let header = npy_header(&meta)?;
        let length = (header.len() as u64).saturating_add(meta.byte_len()?);
        // A small array is read rather than mapped, later on.
        if length <= READ_RATHER || self.unmappable().is_some() {
            return Ok(None);
        }
        let name = to.site.file(&format!("{}.{}.{NPY}", to.site.key(), nonce()));
        let create = || self.disk.create_staged(&name, &header, length);
        let (blob, file) = match create() {
            Err(error) if is_full(&error) && self.observer.make_room() => create()?,
            created => created?,
        };
        let path = self.disk.path_of(&name);
        Staged::in_file(&file, &path, length, header.len(), meta, Arc::new(blob)).map(Some)
    }
}
