//! Arguments that are part of the key and are recorded and shown nowhere.

use crate::call::arguments::{Arguments, Pass};
use crate::call::describe::Description;
use crate::call::keyed::Keyed;
use crate::error::Error;
use crate::record::SECRET;

impl Arguments {
    /// A secret argument, keyed as `how` says: its value isn't put in words.
    pub fn add_secret<T: ?Sized, K: Keyed<T>>(&mut self, name: &'static str, value: &T, how: K) {
        if let Pass::Text { described, .. } = &mut self.0 {
            return described.push(Description::in_words(&SECRET));
        }
        let before = self.has_failed();
        self.add(name, value, how);
        match &mut self.0 {
            // An error of the value's own code may hold any of it.
            Pass::Digest(digesting) if !before && digesting.failure.is_some() => {
                let error = Error::unsupported(format!("argument `{name}`: a secret value can't be hashed"));
                digesting.failure = Some(error);
            }
            Pass::Digest(digesting) => digesting.digests.mark_secret(name),
            Pass::Shallow(_) | Pass::Text { .. } => {}
        }
    }
}
