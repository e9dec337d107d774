use super::*;

fn expanded(source: &str) -> String {
    let output = expand(&syn::parse_str(source).unwrap()).unwrap_or_else(|error| panic!("{error}"));
    syn::parse2::<syn::File>(output.clone()).unwrap_or_else(|error| panic!("{error}: {output}"));
    output.to_string().replace(' ', "")
}

fn definition_of(source: &str) -> [u8; 16] {
    definition(&syn::parse_str(source).unwrap())
}

#[test]
fn what_decides_how_values_are_stored_is_the_definition() {
    let original = definition_of("struct S { a: u8, b: f64 }");
    for same in [
        "/// Docs.\n#[derive(Debug)] pub struct S { /// Docs.\n pub a: u8, #[serde(skip)] pub(crate) b: f64, }",
        "#[repr(C)] struct S{a:u8,b:f64}",
    ] {
        assert_eq!(definition_of(same), original, "{same}");
    }
    for other in [
        "struct S { a: u8 }",
        "struct S { a: u8, b: f32 }",
        "struct S { b: f64, a: u8 }",
        "struct S { a: u8, c: f64 }",
        "struct T { a: u8, b: f64 }",
        "struct S(u8, f64);",
        "enum S { A { a: u8, b: f64 } }",
    ] {
        assert_ne!(definition_of(other), original, "{other}");
    }
}

#[test]
fn every_shape_is_written_as_it_is_read() {
    let output = expanded("enum E<T> { A, B(T, u8), C { r#type: T } }");
    for part in [
        "out.unit_variant(\"A\")?;",
        "out.begin_variant(\"B\")?;out.begin_tuple(2usize)?;",
        "input.begin_tuple(\"B\",2usize)?;",
        "out.begin_struct(1usize)?;out.field(\"type\",field_0,",
        "input.begin_struct(\"C\",1usize)?;",
        "(1usize,true)=>",
        "(0usize,false)=>",
        "impl<T:::ndcache::__private::Payload>::ndcache::__private::PayloadforE<T>",
    ] {
        assert!(output.contains(part), "{part}: {output}");
    }
    assert!(expanded("struct S;").contains("out.unit();"));
    assert!(expanded("struct S(u8);").contains("out.begin_tuple(1usize)?;"));
    assert!(expanded("enum Never {}").contains("match*self{}"));
}
