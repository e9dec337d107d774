//! What a macro of another crate, of which no sources are known, puts into several blocks.

use super::crates::Crate;

const BRANCHES: &str = r#"
#[macro_export]
macro_rules! branches {
    ($first:expr, |$k:ident| $($body:tt)*) => {
        if $first {
            const $k: u64 = 2;
            $($body)*
        } else {
            const $k: u64 = 3;
            $($body)*
        }
    };
}
"#;

const MAIN: &str = r#"
fn closure(memory: &ndcache::Memory, first: bool) -> u64 {
    let x = 1_u64;
    other::branches!(first, |K| memory.eval(ndcache::call!("copied", |x| x * K)))
}

fn function(memory: &ndcache::Memory, first: bool) -> u64 {
    other::branches!(first, |K| {
        #[ndcache::cache]
        fn copied(x: u64) -> u64 {
            x * K
        }
        memory.eval(copied::call(1))
    })
}

fn main() {
    let memory = ndcache::Memory::open(std::env::args().nth(1).unwrap()).unwrap();
    for first in [true, false, true, false] {
        println!("{} {}", closure(&memory, first), function(&memory, first));
    }
}
"#;

#[test]
fn what_another_crates_macro_puts_into_blocks_is_told_apart_within_a_build() {
    let krate = Crate::of(&[("main.rs", MAIN), ("other.rs", BRANCHES)]);
    let other = krate.library("other");
    assert_eq!(krate.run(&[&other]), ["2 2", "3 3", "2 2", "3 3"]);
    assert_eq!(krate.execute(), ["2 2", "3 3", "2 2", "3 3"]);
}
