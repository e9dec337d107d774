use ndcache::cache;

struct S;

impl S {
    #[cache]
    fn make() -> Self {
        S
    }

    #[cache]
    fn plain(x: f64) -> f64 {
        x
    }

    #[cache(method)]
    fn receiver(&self) -> f64 {
        1.0
    }

    #[cache(depends(Self::plain))]
    fn depends(&self) -> f64 {
        1.0
    }
}

trait Model {
    #[cache]
    fn required(&self) -> f64;

    #[cache]
    fn provided(&self) -> f64 {
        2.0
    }

    fn implemented(&self) -> f64;
}

impl Model for S {
    fn required(&self) -> f64 {
        1.0
    }

    #[cache]
    fn implemented(&self) -> f64 {
        3.0
    }
}

fn main() {}
