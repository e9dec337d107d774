//! What the engine has to know of a call, whoever has made it: a macro, with types, or a program at run time, without.

use std::iter::{Chain, Repeat, repeat};
use std::slice;
use std::time::Duration;

use crate::call::describe::Description;
use crate::call::draft::{DescribeOptions, LEAF_BYTES, within};
use crate::call::lazy::{Call, Identity};
use crate::call::options::Options;
use crate::digest::Digest;
use crate::entry::rules::Sharing;
use crate::entry::site::Site;
use crate::entry::write::put::Draft;
use crate::entry::{Entry, Mode};
use crate::error::{Error, Result};
use crate::key::{Function, Types};
use crate::payload::{Codec, Compression};
use crate::record::Argument;

/// The arguments of a call in words, and empty descriptions without end behind them.
pub(crate) type Descriptions<'a> = Chain<slice::Iter<'a, Description>, Repeat<&'a Description>>;

/// A call without its types: whose it is, what its key is made of, and what a record says of it.
pub(crate) trait AnyCall {
    /// The function that is called.
    fn function(&self) -> &'static Function;

    /// What the key is made of; or why the call bypasses the cache.
    fn identity(&self) -> Result<&Identity, &Error>;

    /// Whether it is computed although it is stored.
    fn is_refreshed(&self) -> bool;

    /// The arguments in words, in the order of their digests; no array is read.
    fn argument_texts(&self) -> Vec<String>;

    /// The arguments with their leaves, in the order of their digests.
    fn outlines(&self) -> &[Description];

    /// Verifies, against their bytes, the digests of mapped arguments that only a record vouches for.
    fn verify_claims(&self) -> Result<()>;

    /// How long its arguments took to digest; zero before that.
    fn hashing(&self) -> Duration;

    /// Where the call's entry is in a memory with this salt; or why the call bypasses the cache.
    fn site(&self, salt: &str) -> Result<Site, &Error> {
        let (identity, function) = (self.identity()?, self.function());
        Ok(Site::new(function.folder(), identity.key(salt)).of(function, identity.other_types))
    }

    /// The types of the call, with the digest of the build in which they mean something; `None` where none are known.
    fn types(&self) -> Option<(Digest, Types)> {
        let (function, identity) = (self.function(), self.identity().ok()?);
        function.build().map(|build| (build, Types::new(function, identity.other_types)))
    }

    /// The texts of the arguments, in the order of their digests: empty ones where none are recorded.
    fn described_arguments(&self, options: DescribeOptions<'_>) -> Vec<String> {
        let no_texts = |identity: &Identity| vec![String::new(); identity.arguments.len()];
        match options.texts {
            true => self.argument_texts(),
            false => self.identity().map(no_texts).unwrap_or_default(),
        }
    }

    /// The descriptions of the arguments of a call that misses, in the order of their digests; none where none are recorded.
    fn descriptions<'a>(&'a self, options: DescribeOptions<'_>) -> Descriptions<'a> {
        const NOTHING: &Description = &Description { text: String::new(), leaves: Vec::new() };
        let outlines = if options.texts { self.outlines() } else { &[] };
        outlines.iter().chain(repeat(NOTHING))
    }

    /// What the record of the call's result says beside the result.
    ///
    /// # Errors
    ///
    /// Returns an error when the call can't be keyed.
    fn draft(&self, options: DescribeOptions<'_>) -> Result<Draft> {
        let identity = self.identity().map_err(Error::again)?;
        let mut room = LEAF_BYTES;
        let arguments = identity.arguments.iter().zip(self.descriptions(options)).map(|(argument, described)| {
            let leaves = within(&described.leaves, &mut room);
            Argument::of(argument, described.text.clone(), leaves, options.salt)
        });
        let arguments = arguments.collect::<Vec<_>>().into();
        let (function, types) = (self.function(), self.types());
        Ok(Draft {
            function: function.path(),
            code: identity.code,
            parts: function.code_parts(),
            arguments,
            build: types.map(|(build, _)| build),
            types: types.map(|(_, types)| types),
            readable: false,
            expires: None,
            files: identity.files.clone(),
            sharing: Sharing::No,
            local: false,
            edited: None,
        })
    }
}

/// A call whose result can be loaded.
pub(crate) trait Request: AnyCall {
    type Result;
    type Options: CallOptions;

    fn options(&self) -> &Self::Options;

    fn codec(&self) -> Codec<Self::Result>;
}

/// What one function says about its calls, beside what the memory says about all. `None`: nothing.
pub(crate) trait CallOptions {
    fn mode(&self) -> Option<Mode>;
    fn validate(&self) -> Option<&dyn Fn(&Entry) -> bool>;
    /// The function that says how long results are good for. Whether there is one is asked before it is called.
    fn expires(&self) -> Option<&dyn Fn() -> Duration>;
    fn min_duration(&self) -> Option<Duration>;
    fn compression(&self) -> Option<Compression>;
    fn readable(&self) -> Option<bool>;
}

impl<A, R> AnyCall for Call<A, R> {
    #[inline]
    fn is_refreshed(&self) -> bool {
        self.is_refreshed()
    }

    fn function(&self) -> &'static Function {
        self.function()
    }

    fn identity(&self) -> Result<&Identity, &Error> {
        self.identity()
    }

    fn hashing(&self) -> Duration {
        self.hashing()
    }

    fn argument_texts(&self) -> Vec<String> {
        self.argument_texts()
    }

    fn outlines(&self) -> &[Description] {
        self.outlines()
    }

    fn verify_claims(&self) -> Result<()> {
        self.verify_claims()
    }
}

impl<A, R> Request for Call<A, R> {
    type Result = R;
    type Options = Options;

    #[inline]
    fn options(&self) -> &Options {
        self.options()
    }

    #[inline]
    fn codec(&self) -> Codec<R> {
        self.codec()
    }
}

impl CallOptions for Options {
    #[inline]
    fn mode(&self) -> Option<Mode> {
        self.mode.map(|mode| mode())
    }

    #[inline]
    fn validate(&self) -> Option<&dyn Fn(&Entry) -> bool> {
        self.validate.as_ref().map(|validate| validate as _)
    }

    #[inline]
    fn expires(&self) -> Option<&dyn Fn() -> Duration> {
        self.expires.as_ref().map(|expires| expires as _)
    }

    fn min_duration(&self) -> Option<Duration> {
        self.min_duration.map(|least| least())
    }

    fn compression(&self) -> Option<Compression> {
        self.compress.map(|compress| compress())
    }

    fn readable(&self) -> Option<bool> {
        self.readable.map(|readable| readable())
    }
}
