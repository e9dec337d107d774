use ndcache::cache;

mod dsp {
    pub struct Filter;

    impl Filter {
        #[ndcache::cache(method)]
        pub fn marked() -> f64 {
            1.0
        }
    }
}

use std::mem as memory;

#[cache(depends(std::time::Duration))]
fn on_a_type_of_another_crate() -> f64 {
    1.0
}

#[cache(depends(std::mem::take))]
fn on_a_function_of_another_crate() -> f64 {
    1.0
}

#[cache(depends(num_complex::c64))]
fn on_a_function_of_a_dependency() -> f64 {
    1.0
}

#[cache(depends(memory::take))]
fn on_a_function_by_an_import() -> f64 {
    1.0
}

#[cache(depends(std::time::Duration::as_secs))]
fn on_a_method_of_another_crate() -> f64 {
    1.0
}

#[cache(depends(std::mem::tkae))]
fn on_a_misspelled_function_of_another_crate() -> f64 {
    1.0
}

#[cache(depends(dsp::Filter::marked))]
fn on_a_marked_method() -> f64 {
    1.0
}

mod ndarray {
    pub fn concatenate() {}
}

#[cache(depends(::ndarray::concatenate))]
fn on_a_function_of_a_dependency_that_a_module_hides() -> f64 {
    1.0
}

#[cache(depends(ndarray::concatenate))]
fn on_a_function_of_that_module() -> f64 {
    1.0
}

fn main() {}
