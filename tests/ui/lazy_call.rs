use ndcache::{Memory, cache};

#[cache]
fn double(x: f64) -> f64 {
    2.0 * x
}

#[cache]
fn generic<T: ndcache::Element + ndcache::Payload>(x: T) -> T {
    x
}

fn main() {
    let memory = Memory::disabled();
    let _: f64 = memory.eval(double(3.0));
    let _ = memory.eval(generic::call::<f64>(3.0));
    let _ = memory.mmap(double(3.0));
    let _ = memory.refresh(double);
}
