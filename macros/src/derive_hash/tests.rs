use super::*;

fn expanded(source: &str) -> String {
    let output = expand(&syn::parse_str(source).unwrap()).unwrap_or_else(|error| panic!("{error}"));
    syn::parse2::<syn::File>(output.clone()).unwrap_or_else(|error| panic!("{error}: {output}"));
    output.to_string().replace(' ', "")
}

#[test]
fn fields_count_by_name_and_tuple_fields_by_position() {
    let output = expanded("struct S { a: u8, r#type: u8 }");
    assert!(output.contains("begin_struct_in(self,\"ndcache-macros@0.1\")"));
    assert!(output.contains("field(\"a\")") && output.contains("field(\"type\")"), "{output}");
    let output = expanded("enum E { A, B(u8, u8), C { x: u8 } }");
    for part in [
        "begin_variant_in(self,\"ndcache-macros@0.1\",\"A\")",
        "begin_variant_in(self,\"ndcache-macros@0.1\",\"B\")",
        "field(\"0\")",
        "field(\"1\")",
        "field(\"x\")",
    ] {
        assert!(output.contains(part), "{part}: {output}");
    }
}

#[test]
fn in_words_a_value_has_its_name_and_those_of_its_fields() {
    let output = expanded("struct S { a: u8, r#type: u8 }");
    for part in ["text.display(\"S\")", "describe_field(text,\"{a:\",\"a\"", "describe_field(text,\",type:\",\"type\""]
    {
        assert!(output.contains(part), "{part}: {output}");
    }
    let output = expanded("enum E { A, B(u8), C(u8, u8), D { x: u8 } }");
    for part in [
        "text.display(\"A\")",
        "describe_inside(text,\"B\"",
        "text.variant(\"C\");::ndcache::__private::describe_field(text,\"(\",\"0\"",
        "text.variant(\"D\")",
    ] {
        assert!(output.contains(part), "{part}: {output}");
    }
}

#[test]
fn parameters_are_bound_if_a_field_holds_them() {
    let output =
        expanded("struct S<'a, T: Copy, U = u8, V, const N: usize>(&'a [T; N], Vec<(U, u8)>, PhantomData<V>);");
    let bound = "::ndcache::__private::ContentHash";
    assert!(output.contains(&format!("impl<'a,T:Copy+{bound},U:{bound},V,constN:usize>")), "{output}");
    assert!(output.contains("forS<'a,T,U,V,N>"), "{output}");
}
