//! What is told of a call: in its record, and in words.

use crate::call::lazy::Call;
use crate::entry::write::put::Draft;
use crate::error::{Error, Result};
use crate::key::Types;
use crate::record::Argument;

/// How a memory tells of arguments.
#[derive(Clone, Copy)]
pub(crate) struct Telling<'a> {
    /// Whether their values are told in short.
    pub(crate) texts: bool,
    /// The memory's salt, by which the digest of a secret argument is hidden.
    pub(crate) salt: &'a str,
}

impl<A, R> Call<A, R> {
    /// What is told of the arguments, in the order of their digests: empty texts where nothing is told.
    pub(crate) fn told_texts(&self, telling: Telling<'_>) -> Vec<String> {
        let mut texts = self.argument_texts();
        if !telling.texts {
            texts.iter_mut().for_each(String::clear);
        }
        texts
    }

    /// What the record of the call's result says beside the result.
    ///
    /// # Errors
    ///
    /// Returns an error when the call can't be keyed.
    pub(crate) fn draft(&self, telling: Telling<'_>) -> Result<Draft> {
        let identity = self.identity().map_err(Error::again)?;
        let arguments = identity.arguments.iter().zip(self.told_texts(telling));
        let arguments = arguments.map(|(argument, text)| Argument::of(argument, text, telling.salt)).collect();
        let function = self.function();
        let build = function.build();
        Ok(Draft {
            function: function.path(),
            code: identity.code,
            parts: function.code_parts(),
            arguments,
            build,
            types: build.map(|_| Types::new(function, identity.other_types)),
            readable: false,
            expires: None,
            files: identity.files.clone(),
        })
    }
}
