//! Functions that are known at run time have the cache that those of Rust have, and share it with these.

mod binding;
mod dtypes;
mod entries;
mod explain;
mod flights;
mod forms;
mod objects;
mod options;
mod shared;
mod values;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndcache::dynamic::{Array, Form, FunctionBuilder, Order, RawValue, RunTimeArgument, RunTimeCall};
use ndcache::inspect::Function;
use ndcache::{Memory, digest};

/// A function of this name and code, in a package of its own.
pub(crate) fn function(name: &str, code: &str) -> &'static Function {
    FunctionBuilder::new(format!("dynamic.{name}"), digest(code))
        .package("dynamic", "1.4.2")
        .build()
        .expect("a function")
}

/// A call of it with one number.
pub(crate) fn call(name: &str, n: i64) -> RunTimeCall {
    RunTimeCall::new(function(name, "1"), [RunTimeArgument::of("n", &n).expect("a number")])
}

/// An array of doubles.
pub(crate) fn doubles(numbers: impl IntoIterator<Item = f64>) -> Array {
    let bytes: Vec<u8> = numbers.into_iter().flat_map(f64::to_le_bytes).collect();
    let len = bytes.len() as u64 / 8;
    Array::new("<f8", 8, &[len], Order::C, bytes).expect("an array")
}

/// Counts how often something is computed.
#[derive(Clone, Default)]
pub(crate) struct Computed(Arc<AtomicUsize>);

impl Computed {
    pub(crate) fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// The result of `call`, which `value` computes.
    pub(crate) fn eval(
        &self,
        call: &RunTimeCall,
        memory: &Memory,
        form: Form,
        value: impl FnOnce() -> RawValue,
    ) -> RawValue {
        let computed = call.eval(memory, form, || {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok::<_, ndcache::Error>(value())
        });
        computed.expect("nothing fails")
    }
}
