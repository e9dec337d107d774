use ndcache::call;

fn f(x: f64) -> f64 {
    x
}

fn main() {
    let a = 1.0;
    let _ = call!(1.0 + a);
    let _ = call!(a.sqrt());
    let _ = call!("name", f(a));
    let _ = call!("name", |(a, b)| a + b);
    let _ = call!("name", async |a| f(a));
    let _ = call!("", |a| f(a));
    let _ = call!("name", |x = &a, k| f(*x));
    let _ = call!(f(a), versions = 2);
}
