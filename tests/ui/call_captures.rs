use ndcache::call;

fn main() {
    let a = 1.0;
    let k = 2.0;
    let _ = call!("name", |a| a * k);
}
