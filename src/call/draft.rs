//! What a record says of a call, gathered before the arguments are gone.

use crate::call::lazy::Call;
use crate::entry::put::Draft;
use crate::error::{Error, Result};
use crate::record::Argument;

impl<A, R> Call<A, R> {
    /// What the record of the call's result says beside the result.
    ///
    /// # Errors
    ///
    /// Returns an error when the call can't be keyed.
    pub(crate) fn draft(&self) -> Result<Draft> {
        let identity = self.identity().map_err(Error::again)?;
        let arguments = identity.arguments.iter().zip(self.argument_texts()).map(|(argument, text)| Argument {
            name: argument.name.to_owned(),
            digest: argument.digest,
            text,
        });
        let (function, parts) = (self.function().path(), self.function().parts().to_vec());
        Ok(Draft {
            function,
            code: identity.code,
            parts,
            arguments: arguments.collect(),
            readable: false,
            expires: None,
        })
    }
}
