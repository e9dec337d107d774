use ndcache::cache;

#[derive(ndcache::ContentHash)]
struct S;

trait Model<T = f64> {
    fn fit(&self) -> f64;
}

#[cache]
impl S {
    #[cache]
    fn own(&self) -> f64 {
        1.0
    }
}

#[cache(version = 1)]
impl Model<u8> for S {
    #[cache]
    fn fit(&self) -> f64 {
        1.0
    }
}

#[cache]
impl Model<u16> for S {
    fn fit(&self) -> f64 {
        1.0
    }
}

#[cache]
impl Model for Vec<S> {
    #[cache]
    fn fit(&self) -> f64 {
        1.0
    }
}

#[cache]
impl<T> Model<(T,)> for S {
    #[cache(unknown)]
    fn fit(&self) -> f64 {
        1.0
    }
}

#[cache]
impl Model<u32> for S {
    #[cache(unknown)]
    fn fit(&self) -> f64 {
        1.0
    }
}

fn main() {}
