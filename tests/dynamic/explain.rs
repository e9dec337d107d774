//! Why a run-time call misses, and what is known of its entry.

use ndcache::dynamic::{Form, FunctionBuilder, RawValue, RunTimeArgument, RunTimeCall};
use ndcache::explain::Reason;
use ndcache::{Memory, digest};

use super::{Computed, call};
use crate::support::fresh;

fn smooth(body: &str, kernel: &str, sigma: f64, order: i64) -> RunTimeCall {
    let function = FunctionBuilder::new("filters.smooth", digest(&(body, kernel)))
        .package("filters", "1.0.0")
        .part("filters.kernel", digest(kernel))
        .part("filters.pad", digest("pad"))
        .build()
        .unwrap();
    RunTimeCall::new(
        function,
        [RunTimeArgument::of("sigma", &sigma).unwrap(), RunTimeArgument::of("order", &order).unwrap()],
    )
}

fn store(call: &RunTimeCall, memory: &Memory) {
    call.eval(memory, Form::Owned, || RawValue::of(&1_u8)).unwrap();
}

#[test]
fn a_miss_says_which_argument_or_part_of_the_code_has_changed() {
    let (folder, memory) = fresh();
    assert_eq!(smooth("1", "a", 1.5, 2).explain(&memory).reason(), Reason::NewFunction);
    store(&smooth("1", "a", 1.5, 2), &memory);
    for memory in [memory.clone(), Memory::open(folder.path()).unwrap()] {
        let why = |call: RunTimeCall| call.explain(&memory).to_string();
        assert_eq!(why(smooth("1", "a", 1.5, 2)), "hit");
        assert_eq!(why(smooth("1", "a", 2.5, 2)), "argument `sigma`: 1.5 → 2.5");
        assert_eq!(why(smooth("1", "a", 2.5, 3)), "argument `sigma`: 1.5 → 2.5, argument `order`: 2 → 3");
        assert_eq!(why(smooth("1", "b", 1.5, 2)), "code changed, code of `filters.kernel` changed");
        assert_eq!(why(smooth("2", "a", 1.5, 2)), "code changed");
        assert_eq!(why(smooth("1", "a", 1.5, 2).result("other")), "other salt or result type");
    }
}

#[test]
fn a_miss_says_which_part_of_an_argument_has_changed() {
    let (_folder, memory) = fresh();
    let made = |width: f64, secret: bool| {
        let config = RunTimeArgument::new("config", digest(&(width, 3)), "Config(…)");
        let config = config.part("width", digest(&width), &width.to_string()).part("count", digest(&3), "3");
        let function = super::function("parts", "1");
        RunTimeCall::new(function, [if secret { config.secret() } else { config }])
    };
    store(&made(1.5, false), &memory);
    assert_eq!(made(2.5, false).explain(&memory).to_string(), "config.width: 1.5 → 2.5");
    memory.clear().unwrap();
    store(&made(1.5, true), &memory);
    assert_eq!(made(2.5, true).explain(&memory).to_string(), "argument `config`: another (secret)");
}

#[test]
fn code_by_which_an_argument_counts_is_told_from_its_value() {
    let (_folder, memory) = fresh();
    let made = |code: &[(&str, u8)], state: u8| {
        let model = RunTimeArgument::new("model", digest(&(code, state)), "Ridge").part("", digest(&state), "Ridge");
        let add = |model: RunTimeArgument, (class, code): &(&str, u8)| {
            model.part(&format!("code of `{class}`"), digest(code), "")
        };
        RunTimeCall::new(super::function("code_of_arguments", "1"), [code.iter().fold(model, add)])
    };
    let why = |call: RunTimeCall| call.explain(&memory).to_string();
    store(&made(&[("Ridge", 1), ("Base", 1)], 1), &memory);
    assert_eq!(why(made(&[("Ridge", 2), ("Base", 1)], 1)), "argument `model`: code of `Ridge` changed");
    assert_eq!(
        why(made(&[("Ridge", 2), ("Base", 2)], 1)),
        "argument `model`: code of `Ridge` changed, argument `model`: code of `Base` changed"
    );
    for other in [made(&[("Ridge", 1), ("Base", 1)], 2), made(&[("Ridge", 2)], 2), made(&[("Lasso", 1)], 1)] {
        assert_eq!(why(other), "argument `model`: another Ridge");
    }
    // The one of the same value is told, though another one of the same code is newer.
    store(&made(&[("Ridge", 2), ("Base", 1)], 2), &memory);
    assert_eq!(why(made(&[("Ridge", 2), ("Base", 1)], 1)), "argument `model`: code of `Ridge` changed");
}

#[test]
fn the_parts_of_a_function_are_told() {
    let parts = smooth("1", "a", 1.5, 2).function().parts();
    let names: Vec<_> = parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["filters.smooth", "filters.kernel", "filters.pad"]);
    assert_eq!(smooth("1", "a", 1.5, 2).function().unseen().count(), 0);
}

#[test]
fn an_entry_is_known_removed_and_computed_anew() {
    let (_folder, memory) = fresh();
    let (call, computed) = (call("known", 4), Computed::default());
    assert!(call.entry(&memory).unwrap().is_none() && !call.contains(&memory));
    let eval =
        |call: &RunTimeCall| computed.eval(call, &memory, Form::Owned, || RawValue::of(&computed.times()).unwrap());
    assert_eq!(eval(&call).take::<usize>().unwrap(), 1);
    let entry = call.entry(&memory).unwrap().unwrap();
    assert_eq!((entry.function(), Some(entry.key())), ("dynamic.known", call.key(&memory).unwrap()));
    assert_eq!(entry.arguments()[0].to_string(), "n=4");
    assert_eq!(eval(&call).take::<usize>().unwrap(), 1);
    assert!(call.remove(&memory).unwrap() && !call.remove(&memory).unwrap());
    assert_eq!(eval(&call).take::<usize>().unwrap(), 2);
    let call = call.refresh();
    assert!(!call.contains(&memory) && call.look_up(&memory, Form::Owned).is_none());
    assert_eq!(eval(&call).take::<usize>().unwrap(), 3);
    assert_eq!(super::call("known", 4).look_up(&memory, Form::Owned).unwrap().take::<usize>().unwrap(), 3);
    memory.clear_function(call.function()).unwrap();
    assert_eq!(memory.entries().count(), 0);
}

#[test]
fn of_a_secret_argument_nothing_is_told_and_of_an_ignored_one_nothing_is_known() {
    let (folder, memory) = fresh();
    let made = |token: &str, verbose: bool| {
        let function = super::function("secret", "1");
        let token = RunTimeArgument::of("token", token).unwrap().secret();
        let call = RunTimeCall::new(function, [token, RunTimeArgument::of("verbose", &verbose).unwrap().ignored()]);
        assert!(!format!("{call:?}").contains("hunter"));
        call
    };
    store(&made("hunter2", true), &memory);
    assert!(made("hunter2", false).contains(&memory) && !made("hunter3", true).contains(&memory));
    assert_eq!(made("hunter3", true).explain(&memory).to_string(), "argument `token`: another (secret)");
    let is_file = |path: &&String| std::path::Path::new(path).is_file();
    for file in crate::support::snapshot(folder.path()).keys().filter(is_file) {
        let bytes = std::fs::read(file).unwrap();
        let hidden = [b"hunter2".to_vec(), b"verbose".to_vec(), digest("hunter2").to_bytes().to_vec()];
        assert!(hidden.iter().all(|secret| !bytes.windows(secret.len()).any(|part| part == secret)), "{file}");
    }
}
