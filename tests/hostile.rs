//! Attacks on the promises: each test says what a plain function would do, and looks for a cache that does otherwise.

/// Cached functions without arguments.
macro_rules! returning {
    ($($name:ident -> $type:ty { $value:expr })*) => {$(
        #[cache]
        fn $name() -> $type {
            $value
        }
    )*};
}

mod bits;
mod captures;
mod changed_files;
mod closures;
mod code;
mod concurrency;
mod depth;
mod descriptors;
mod dynamic_types;
mod file_sizes;
mod finding;
mod forks;
mod fuzz;
mod home;
mod hot;
mod identity;
mod keys;
#[cfg(target_os = "linux")]
mod locks;
mod made;
mod memory_order;
mod names;
mod owners;
mod planted;
mod process;
mod removed;
mod roundtrip;
mod secrets;
mod sparse;
mod staged;
mod targets;
