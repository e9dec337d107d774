//! What the macros refuse, and the words they say it in. The texts are those of one compiler version, so they are compared
//! only by it; `TRYBUILD=overwrite` writes them anew.

#[test]
fn every_mistake_is_refused_in_its_place() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
