//! What the macros refuse reads the same in edition 2015, where `::core` is another path.

extern crate trybuild;

#[test]
fn a_mistake_is_told_in_words_in_edition_2015_too() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
