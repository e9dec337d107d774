use ndcache::{cache, code};

#[cache]
fn by_a_variable() -> usize {
    macro_rules! length {
        ($file:literal) => {
            include_str!($file).len()
        };
    }
    length!("fragments.rs")
}

#[code]
macro_rules! text {
    () => {
        include_str!("fragments.rs")
    };
}

#[code(handle = Text)]
macro_rules! other_text {
    () => {
        include_bytes!("fragments.rs")
    };
}

fn main() {}
