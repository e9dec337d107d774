use ndcache::cache;

#[cache]
struct Model;

#[cache]
pub enum Kind {
    One,
}

#[cache]
mod inner {}

#[cache]
pub(crate) trait Fit {
    fn fit(&self);
}

#[cache]
const TABLE: [f64; 2] = [1.0, 2.0];

#[cache]
static COUNT: u64 = 3;

#[cache]
use std::cmp::max;

#[cache]
macro_rules! twice {
    ($x:expr) => {
        2.0 * $x
    };
}

#[cache]
type Alias = f64;

fn main() {
    #[cache]
    let x = twice!(3.0);
    let closure = #[cache]
    |x: f64| x + 1.0;
    closure(x);
}
