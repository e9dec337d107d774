//! A call of a run-time function and one of a `#[cache]` function of the same path, package, code, arguments and result
//! type are one call.

use std::collections::BTreeMap;

use ndarray::prelude::*;
use ndcache::dynamic::{Form, Function, FunctionBuilder, RawValue, RunTimeArgument, RunTimeCall, result_name};
use ndcache::{Memory, Payload, cache};

use crate::support::fresh;

/// The same function, made of what is known of it at run time.
fn again(function: &'static Function) -> &'static Function {
    let code = function.code().expect("it can be cached");
    let made = FunctionBuilder::new(function.path(), code).mark(function.mark()).build().expect("a function");
    assert!(!std::ptr::eq(function, made));
    made
}

#[cache(secret(token), ignore(verbose))]
fn wave(n: usize, x: &ArrayRef1<f64>, name: &str, token: &str, verbose: bool) -> (f64, Array1<f64>, String) {
    let _ = (token, verbose);
    (x.sum(), Array1::from_elem(n, 0.5), name.to_owned())
}

fn run_time_wave(n: usize, x: &Array1<f64>, name: &str, token: &str) -> RunTimeCall {
    let arguments = [
        RunTimeArgument::of("n", &n).unwrap(),
        RunTimeArgument::of("x", x).unwrap(),
        RunTimeArgument::of("name", name).unwrap(),
        RunTimeArgument::of("token", token).unwrap().secret(),
        RunTimeArgument::of("verbose", &true).unwrap().ignored(),
    ];
    RunTimeCall::new(again(wave::function()), arguments).result(&result_name::<(f64, Array1<f64>, String)>())
}

#[test]
fn a_run_time_call_finds_what_a_rust_function_has_stored() {
    let (_folder, memory) = fresh();
    for n in [3, 40_000] {
        let x = Array1::linspace(0.0, 1.0, n);
        let computed = memory.eval(wave::call(n, &x, "a", "t", true));
        let call = run_time_wave(n, &x, "a", "t");
        assert_eq!(
            call.key(&memory).unwrap(),
            Some(memory.entry(&wave::call(n, &x, "a", "t", false)).unwrap().unwrap().key())
        );
        assert!(call.contains(&memory));
        assert_eq!(call.explain(&memory).to_string(), "hit");
        for form in [Form::Owned, Form::Mapped] {
            let found = call.look_up(&memory, form).unwrap();
            assert_eq!(found.take::<(f64, Array1<f64>, String)>().unwrap(), computed);
            assert_eq!(found.arrays().len(), 1);
            assert_eq!(found.arrays()[0].bytes().is_mapped(), form == Form::Mapped && n > 3);
        }
        assert!(!run_time_wave(n, &x, "a", "other").contains(&memory), "a secret argument counts");
    }
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (4, 2));
}

#[test]
fn a_rust_function_finds_what_a_run_time_call_has_stored() {
    let (folder, memory) = fresh();
    for n in [3, 40_000] {
        let x = Array1::linspace(0.0, 1.0, n);
        let value = (1.25, Array1::from_elem(n, -1.0), "given".to_owned());
        let call = run_time_wave(n, &x, "a", "t");
        let stored = call.eval(&memory, Form::Owned, || RawValue::of(&value)).unwrap();
        assert_eq!(stored.take::<(f64, Array1<f64>, String)>().unwrap(), value);
        // Both this memory and one that has seen nothing of the call hit.
        for memory in [memory.clone(), Memory::open(folder.path()).unwrap()] {
            assert_eq!(memory.eval(wave::call(n, &x, "a", "t", true)), value);
            let mapped = memory.mmap(wave::call(n, &x, "a", "t", true));
            assert_eq!(mapped.1.view(), value.1);
            assert_eq!(
                (memory.stats().misses(), memory.stats().faults()),
                (if n == 3 { 1 } else { 2 } * u64::from(memory.stats().misses() > 0), 0)
            );
        }
    }
    let entry = memory.entry(&wave::call(3, &Array1::linspace(0.0, 1.0, 3), "a", "t", true)).unwrap().unwrap();
    assert_eq!(
        entry.arguments().iter().map(ToString::to_string).collect::<Vec<_>>()[2..],
        ["name=\"a\"", "token=(secret)"]
    );
}

/// A value is stored by one of the two functions, and loaded by the other.
fn both_ways<T: Payload + PartialEq + std::fmt::Debug + Clone + Send + Sync + 'static>(value: &T) {
    #[cache(ignore(value))]
    fn of<T: Payload + Clone>(value: &T) -> T {
        value.clone()
    }
    let name = std::any::type_name::<T>();
    // A type argument counts by the text of its name.
    let call = |memory: &Memory| {
        let entry = memory.entry(&of::call(value)).unwrap();
        let entry = entry.unwrap_or_else(|| {
            memory.eval(of::call(value));
            memory.entry(&of::call(value)).unwrap().expect("it is stored")
        });
        let digest = entry.arguments()[0].digest();
        RunTimeCall::new(again(of::function()), [RunTimeArgument::new("T", digest, name)]).result(&result_name::<T>())
    };
    let (_folder, memory) = fresh();
    let call = call(&memory);
    assert_eq!(&call.look_up(&memory, Form::Owned).expect(name).take::<T>().expect(name), value);
    memory.clear().unwrap();
    let stored = call.eval(&memory, Form::Mapped, || RawValue::of(value)).unwrap();
    assert_eq!(&stored.take::<T>().expect(name), value);
    let before = memory.stats().hits();
    assert_eq!(&memory.eval(of::call(value)), value, "{name}");
    assert_eq!(memory.stats().hits(), before + 1, "{name}");
}

#[test]
fn plain_values_and_arrays_of_each_are_the_others() {
    both_ways(&());
    both_ways(&(true, -7_i64, u64::MAX, i64::MIN, -0.0_f64, 1.5_f32));
    both_ways(&("a\u{1F600}".to_owned(), 'ß', None::<u8>, Some(3_u8)));
    both_ways(&(i128::MIN, u128::MAX));
    both_ways(&vec!["a".to_owned(), String::new()]);
    both_ways(&BTreeMap::from([("a".to_owned(), vec![1.0_f64, 2.0]), ("b".to_owned(), vec![])]));
    both_ways(&array![[1_i32, 2], [3, 4]].reversed_axes());
    both_ways(&Array3::<f32>::from_elem((40, 50, 60).f(), 0.25));
    both_ways(&vec![Array1::<u16>::from_elem(5000, 9), Array1::from_elem(3, 1), Array1::from_vec(vec![])]);
    both_ways(&(arr0(7_u8), Array2::<bool>::default((0, 3)), num_complex::Complex::new(1.0_f64, -1.0)));
    both_ways(&Ok::<Array1<f64>, String>(Array1::zeros(10_000)));
}

struct Model(f64);

impl Model {
    #[cache(ignore(self))]
    fn fit(&self, n: u64) -> f64 {
        self.0 + n as f64
    }
}

#[test]
fn a_method_is_a_member_of_its_type() {
    let (_folder, memory) = fresh();
    let fitted = Model(1.0);
    memory.eval(fitted.fit_call(2));
    let function = Model::fit_function();
    let made = |member: &str| {
        let builder = FunctionBuilder::new(function.path(), function.code().unwrap()).mark(function.mark());
        let function = builder.member(member).build().unwrap();
        RunTimeCall::new(function, [RunTimeArgument::of("n", &2_u64).unwrap()]).result(&result_name::<f64>())
    };
    assert!(made(std::any::type_name::<Model>()).contains(&memory));
    assert!(!made("").contains(&memory));
}

#[test]
fn a_macro_s_function_itself_can_be_called() {
    let (folder, memory) = fresh();
    let x = Array1::zeros(3);
    memory.eval(wave::call(3, &x, "a", "t", true));
    let arguments = [
        RunTimeArgument::of("n", &3_usize).unwrap(),
        RunTimeArgument::of("x", &x).unwrap(),
        RunTimeArgument::of("name", "a").unwrap(),
        RunTimeArgument::of("token", "t").unwrap().secret(),
    ];
    let call = RunTimeCall::new(wave::function(), arguments).result(&result_name::<(f64, Array1<f64>, String)>());
    assert!(call.contains(&memory));
    let value = (9.0, array![9.0], "nine".to_owned());
    let stored = call.refresh().eval(&memory, Form::Owned, || RawValue::of(&value)).unwrap();
    assert_eq!(stored.take::<(f64, Array1<f64>, String)>().unwrap(), value);
    let other = Memory::open(folder.path()).unwrap();
    for memory in [memory, other] {
        assert_eq!(memory.eval(wave::call(3, &x, "a", "t", true)), value, "of the same types");
        assert_eq!(memory.stats().by_reason().get("bypassed"), None);
    }
}

#[cache(code = "build")]
fn built(n: u64) -> u64 {
    n
}

#[test]
fn a_function_that_counts_its_build_is_bypassed() {
    let (_folder, memory) = fresh();
    let call = RunTimeCall::new(built::function(), [RunTimeArgument::of("n", &1_u64).unwrap()]).result("u64");
    assert!(call.key(&memory).is_err() && call.look_up(&memory, Form::Owned).is_none());
    assert!(call.explain(&memory).to_string().starts_with("bypassed: function"));
    assert_eq!(call.eval(&memory, Form::Owned, || RawValue::of(&1_u64)).unwrap().take::<u64>().unwrap(), 1);
    assert_eq!(memory.stats().by_reason()["bypassed"], 1);
    assert_eq!(memory.eval(built::call(1)), 1);
    assert!(memory.contains(&built::call(1)) && !call.contains(&memory));
}
