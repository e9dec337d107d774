//! How two stored calls differ.

use crate::entry::Entry;
use crate::key::changes;
use crate::record::Argument;
use crate::stats::reason::{Difference, Explanation, Reason};

/// What stands for an argument that one of two calls doesn't have.
const NONE: &str = "none";

impl Entry {
    /// Explains how another stored call differs from this one, in function, code or arguments, by the rules for a
    /// miss.
    ///
    /// Code comes before arguments; [`differing_arguments`](Self::differing_arguments) lists arguments in any case.
    /// The same key is a [`Hit`](Reason::Hit), another function a [`NewFunction`](Reason::NewFunction); an empty
    /// [`Argument`](Reason::Argument) means another salt or result type. Values aren't compared.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn scale(x: f64, by: f64) -> f64 {
    ///     x * by
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// memory.eval(scale::call(1.0, 1.5));
    /// memory.eval(scale::call(1.0, 2.0));
    /// let before = memory.entry(&scale::call(1.0, 1.5))?.unwrap();
    /// let now = memory.entry(&scale::call(1.0, 2.0))?.unwrap();
    /// assert_eq!(before.difference(&now).to_string(), "argument `by`: 1.5 → 2.0");
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn difference(&self, now: &Entry) -> Explanation {
        let reason = match () {
            () if self.function() != now.function() => Reason::NewFunction,
            () if self.key() == now.key() => Reason::Hit,
            () if self.code() != now.code() => Reason::Code(changes(&self.parts(), &now.parts())),
            () => Reason::Argument(self.differing_arguments(now)),
        };
        Explanation { edited: reason == Reason::Hit && now.edited(), reason, tiers: None }
    }

    /// Returns the arguments in which another stored call differs from this one, whatever else differs.
    #[must_use]
    pub fn differing_arguments(&self, now: &Entry) -> Vec<Difference> {
        let of = |entry: &'_ Entry, name: &str| entry.arguments().iter().find(|it| it.name() == name).cloned();
        let changed = now.arguments().iter().filter_map(|argument| {
            let old = of(self, argument.name());
            let differs = old.as_ref().is_none_or(|old| old.digest() != argument.digest());
            let before = old.as_ref().map_or(NONE, Argument::text);
            differs.then(|| Difference::new(argument.name(), before, argument.text()))
        });
        let gone = self.arguments().iter().filter(|old| of(now, old.name()).is_none());
        let gone = gone.map(|old| Difference::new(old.name(), old.text(), NONE));
        changed.chain(gone).collect()
    }
}
