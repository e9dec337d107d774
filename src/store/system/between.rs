//! The points between one operation on files and the next, where operations of others may come in.

/// Nothing; in tests, what a model checker has set.
#[inline]
pub(crate) fn between() {
    #[cfg(test)]
    if let Some(come) = tests::BETWEEN.get() {
        come();
    }
}

#[cfg(test)]
pub(crate) use tests::set_between;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    thread_local! {
        pub(crate) static BETWEEN: Cell<Option<fn()>> = const { Cell::new(None) };
    }

    /// What comes between two operations of this thread.
    pub(crate) fn set_between(come: Option<fn()>) {
        BETWEEN.set(come);
    }
}
