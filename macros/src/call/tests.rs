use super::*;

fn expanded(source: &str) -> String {
    let output = expand(source.parse().unwrap()).unwrap_or_else(|error| panic!("{error}"));
    syn::parse2::<syn::Block>(output.clone()).unwrap_or_else(|error| panic!("{error}: {output}"));
    output.to_string().replace(' ', "")
}

fn refusal(source: &str) -> String {
    expand(source.parse().unwrap()).unwrap_err().to_string()
}

#[test]
fn the_build_is_the_code_of_a_path_unless_a_version_is() {
    assert!(expanded("a::f::<u8>(x, &y)").contains("CodeScope::Build("));
    let versioned = expanded("a::f::<u8>(x, &y), version = 3");
    assert!(versioned.contains("CodeScope::Version") && versioned.contains("Some(3)"), "{versioned}");
    assert!(versioned.contains("called(&FUNCTION,&a::f::<u8>)"));
}

#[test]
fn arguments_of_a_path_are_named_by_position() {
    let output = expanded("f(x, x)");
    assert!(output.contains(".add(\"0\",") && output.contains(".add(\"1\","), "{output}");
    let output = expanded("\"name\", |x, r#type| x + r#type");
    assert!(output.contains(".add(\"x\",") && output.contains(".add(\"type\","), "{output}");
}

#[test]
fn the_tokens_of_a_closure_are_its_code() {
    let tokens = |source: &str| {
        let output = expanded(source);
        output.split_once("tokens:[").unwrap().1.split_once(']').unwrap().0.to_owned()
    };
    assert_eq!(tokens("\"name\", |x| x + 1"), tokens("\"other\", |x|x+1,"));
    assert_ne!(tokens("\"name\", |x| x + 1"), tokens("\"name\", |x| x + 2"));
    assert_ne!(tokens("\"name\", |x| x"), tokens("\"name\", |x, y| x"));
}

#[test]
fn trailing_commas_are_fine() {
    expanded("f(x,),");
    expanded("f(x), version = 1,");
    expanded("\"name\", |x| x, version = 1,");
    expanded("\"name\", || { 1 },");
}

#[test]
fn what_is_no_call_is_refused() {
    assert!(refusal("x.f()").contains("Type::method(receiver, …)"));
    assert!(refusal("f").contains("takes a call"));
    assert!(refusal("\"name\"").contains("expected `,`"));
    assert!(refusal("\"name\", f(x)").contains("takes a closure"));
    assert!(refusal("\"name\", |&x| x").contains("by name"));
    assert!(refusal("f(x), version = 1, version = 2").contains("given twice"));
}
