//! What the functions give, and that they hit.

use std::sync::Arc;

use super::*;
use ndcache::Memory;

/// Evaluates twice, and says whether the second time hit.
macro_rules! assert_hits {
    ($call:expr) => {{
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        assert!(!memory.contains(&$call));
        let first = memory.eval($call);
        assert!(memory.contains(&$call), "{:?}", $call);
        assert_eq!(memory.eval($call), first);
        first
    }};
}

#[test]
fn every_kind_of_function_hits() {
    let x = array![1.0, 2.0];
    let table = Table::new(4);
    assert_eq!(assert_hits!(scaled::call(2.0, x.view())), scaled::compute(2.0, x.view()));
    assert_eq!(assert_hits!(parsed::call("3", true)), Ok(7));
    assert_hits!(generic::call(&[1.0, 2.0], 3, (4, 5), Watcher(true), Watcher(false), &Watcher(true)));
    assert_hits!(hidden::call(Window { x: &[1.0] }, 2.0, "s"));
    assert_hits!(explicit::call(&x, &x)).sum();
    assert_hits!(opaque::call(1.0_f32, &2_u8));
    assert_hits!(Shape::Tuple(1.0, 2).count_call(3));
    assert_hits!(Shape::<f64>::make_call(3));
    assert_hits!(table.total_call());
    assert_hits!(table.clone().by_value_call(1, 2, 3, 4, 5));
    assert_hits!(Arc::new(table.clone()).shared_call());
    assert_hits!(table.move_call());
    assert_hits!(Spectrum::call(4)).unwrap_err();
    assert_hits!(doubled::call(2.0));
    assert_hits!(unit::call());
    assert_hits!(only_in_tests::call());
    assert_hits!(r#type::call(3));
    assert_hits!(built::call());
}

#[test]
fn derived_values_come_back() {
    #[cache]
    fn value(n: u32) -> (Table, Vec<Shape<u8>>, Pair<f64, String>, Tree<u8>) {
        let shapes = vec![Shape::Unit, Shape::Tuple(1, 2), Shape::Named { values: vec![1], r#type: 3 }];
        let leaf = Tree { children: Vec::new(), tag: std::marker::PhantomData };
        let tree = Tree { children: vec![leaf], tag: std::marker::PhantomData };
        (Table::new(n), shapes, Pair(1.0, "b".to_owned(), Marker), tree)
    }
    assert_eq!(assert_hits!(value::call(3)), value(3));
}

#[test]
fn a_variant_and_a_field_count_by_name_and_content() {
    let digests = [
        ndcache::digest(&Shape::Tuple(1_u32, 2)),
        ndcache::digest(&Shape::Tuple(2_u32, 1)),
        ndcache::digest(&Shape::<u32>::Unit),
        ndcache::digest(&Shape::Named { values: vec![1_u32], r#type: 2 }),
        ndcache::digest(&Pair(1_u32, 2_u32, Marker)),
        ndcache::digest(&Marker),
    ];
    for (at, digest) in digests.iter().enumerate() {
        assert!(!digests[..at].contains(digest), "{at}");
    }
    assert_eq!(ndcache::digest(&Shape::Tuple(1_u32, 2)), digests[0]);
}

#[test]
fn a_path_names_package_item_and_self() {
    #[cache]
    fn inner(x: f64) -> f64 {
        x
    }
    let package = env!("CARGO_PKG_NAME");
    let module = module_path!().strip_suffix("::tests").unwrap();
    let here = "a_path_names_package_item_and_self";
    assert_eq!(inner::function().path(), format!("{package}/{module}::tests::{here}::inner"));
    assert_eq!(scaled::function().path(), format!("{package}/{module}::scaled"));
    assert_eq!(r#type::function().path(), format!("{package}/{module}::type"));
    assert_eq!(Table::total_function().path(), format!("{package}/{module}::Table::total"));
    assert_eq!(Shape::<u8>::make_function().path(), format!("{package}/{module}::Shape<u8>::make"));
    assert_eq!(Table::by_value_function().path(), "by value");
    assert_eq!(call!(helper()).function().path(), format!("{package}/{module}::helper"));
    assert!(std::ptr::eq(inner::function(), inner::call(1.0).function()));
}

#[test]
fn a_closure_in_a_generic_function_counts_by_its_types() {
    fn zero<T: Default + Into<f64>>() -> ndcache::Call<impl Sized, f64> {
        call!("zero", || T::default().into())
    }
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    memory.eval(zero::<f32>());
    assert!(memory.contains(&zero::<f32>()));
    assert!(!memory.contains(&zero::<u8>()));
}

/// The compiler hands out the tokens that the golden vectors' parser makes of the same text.
#[test]
#[allow(clippy::all, clippy::pedantic, unused)]
fn the_compilers_tokens_have_the_golden_digest() {
    /// Docs don't count.
    #[ndcache::code]
    // Nor do comments.
    pub(super) fn in_rustc<'a, T: Clone>(x: &'a [T], n: i64) -> Vec<Vec<T>>
    where
        T: Send,
    {
        'outer: for i in -1..=n << 1 {
            #[allow(unused)]
            match (i, n) {
                (0, _) => {}
                (1, m) if m >= 2 && !(m < -3) => break 'outer,
                _ => continue,
            }
        }
        let r#type = (r#"\d"#, b'x', 1.0e-3_f64, "a\n");
        let _ = vec![r#type, r#type];
        struct Local {
            pub _a: u8,
        }
        vec![x.to_vec()]
    }
    let tokens = in_rustc::__NDCACHE_CODE.unwrap()().tokens;
    let hex: String = tokens.iter().map(|byte| format!("{byte:02x}")).collect();
    let golden = include_str!("../../data/code_digests.json");
    let vector = golden.lines().find(|line| line.contains("fn in_rustc")).unwrap();
    assert!(vector.contains(&hex), "{hex}");
}

#[test]
fn a_call_is_lazy_and_goes_to_threads() {
    fn sent<T: Send + Sync>(call: T) -> T {
        call
    }
    let call = sent(hidden::call(Window { x: &[1.0] }, 2.0, "s"));
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    let value = std::thread::scope(|scope| scope.spawn(|| memory.eval(call)).join().unwrap());
    assert!((value - 4.0).abs() < 1e-12);
    assert!(uses(&memory) > 0.0);
}

#[test]
fn an_ignored_argument_leaves_the_key_alone_and_its_type_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    let (loud, quiet) = (Watcher(true), Watcher(false));
    let _ = memory.eval(generic::call(&[1.0], 3, (4, 5), loud, quiet, &loud));
    assert!(memory.contains(&generic::call(&[1.0], 3, (4, 5), quiet, loud, &quiet)));
    assert!(!memory.contains(&generic::call(&[1.0], 3, (4, 6), loud, quiet, &loud)));
    assert!(!memory.contains(&generic::call(&[1.0_f32], 3, (4, 5), loud, quiet, &loud)));
    assert!(!memory.contains(&generic::call(&[1.0], 3, (4, 5), loud, Other, &loud)));
    assert!(!memory.contains(&generic::call(&[1.0], 3, (4, 5), Other, quiet, &loud)));
    assert!(memory.contains(&generic::call(&[1.0], 3, (4, 5), loud, quiet, &Other)));
}

/// Another watcher, which ignores what it is told.
struct Other;

impl Watch for Other {
    fn watch(&self, _: u32) {}
}
