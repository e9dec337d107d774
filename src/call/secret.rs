//! Arguments that count and are told nowhere.

use crate::call::lazy::{Arguments, Keyed, Pass};
use crate::error::Error;
use crate::record::SECRET;

impl Arguments {
    /// A secret argument, keyed as `how` says: its value isn't put in words.
    pub fn add_secret<T: ?Sized, K: Keyed<T>>(&mut self, name: &'static str, value: &T, how: K) {
        if let Pass::Text(texts) = &mut self.0 {
            return texts.push(SECRET.to_owned());
        }
        let before = matches!(self.0, Pass::Digest(_, _, Some(_)));
        self.add(name, value, how);
        match &mut self.0 {
            // An error of the value's own code may hold any of it.
            Pass::Digest(_, _, Some(error)) if !before => {
                *error = Error::unsupported(format!("argument `{name}`: a secret value can't be hashed"));
            }
            Pass::Digest(_, digests, _) => digests.mark_secret(name),
            Pass::Quick(_) | Pass::Text(_) => {}
        }
    }
}
