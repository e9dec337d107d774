use super::*;

fn expanded(arguments: &str, function: &str) -> String {
    let output = expand(arguments.parse().unwrap(), function.parse().unwrap());
    syn::parse2::<syn::File>(output.clone()).unwrap_or_else(|error| panic!("{error}: {output}"));
    let text = output.to_string().replace(' ', "");
    assert!(!text.contains("compile_error"), "{text}");
    text
}

fn refusal(arguments: &str, function: &str) -> String {
    try_expand(arguments.parse().unwrap(), function.parse().unwrap()).unwrap_err().to_string()
}

#[test]
fn a_refused_function_stays() {
    let output = expand("unknown".parse().unwrap(), "fn f() {}".parse().unwrap()).to_string();
    assert!(output.contains("compile_error") && output.ends_with("fn f () { }"), "{output}");
}

#[test]
fn the_signature_keeps_all_but_patterns() {
    let output =
        expanded("", "pub fn f<'a, T: A, const N: usize>((x, y): &'a (T, T), mut z: [T; N], _: u8) -> T where T: B {}");
    let wrapper = "pubfnf<'a,T:A,constN:usize>(argument_0:&'a(T,T),z:[T;N],argument_2:u8)->TwhereT:B{";
    assert!(output.contains(wrapper), "{output}");
    assert!(output.contains("f::compute::<T,N>(argument_0,z,argument_2)"), "{output}");
    assert!(output.contains("pubfncompute<'a,T:A,constN:usize>((x,y):&'a(T,T),mutz:[T;N],_:u8)"), "{output}");
    assert!(output.contains("|(argument_0,z,argument_2,),again|"), "{output}");
}

#[test]
fn arguments_are_added_by_name_unless_ignored() {
    let output = expanded("ignore(b, self)", "fn f(&self, a: u8, b: u8, r#type: &u8) {}");
    assert!(
        output.contains("arguments.add(\"a\",a,") && output.contains("arguments.add(\"type\",*r#type,"),
        "{output}"
    );
    assert!(!output.contains("\"b\"") && !output.contains("\"self\""), "{output}");
    assert!(output.contains("again.add(\"type\",r#type,"), "{output}");
    assert!(output.contains("|(_,a,_,r#type,),arguments|"), "{output}");
}

#[test]
fn a_type_parameter_of_ignored_arguments_is_ignored() {
    let counts = |arguments: &str, function: &str| expanded(arguments, function).contains("type_argument(\"F\"");
    assert!(counts("", "fn f<F>(x: F) {}"));
    assert!(counts("ignore(y)", "fn f<F>(x: u8, y: u8) {}"));
    assert!(!counts("ignore(x)", "fn f<F>(x: &[F]) {}"));
    assert!(counts("ignore(x)", "fn f<F>(x: F, y: F) {}"));
    assert!(counts("ignore(x)", "fn f<F>(x: F) -> Vec<F> {}"));
    assert!(counts("ignore(x)", "fn f<F>(x: F) { F::scale() }"));
}

#[test]
fn attributes_go_where_they_belong() {
    let output = expanded(
        "",
        "#[doc = \"Docs.\"] #[cfg(unix)] #[allow(a)] #[expect(b)] #[inline] #[must_use] #[other] #[cfg_attr(p, cold, deny(c))] \
         fn f() {}",
    );
    let all = "#[cfg(unix)]#[allow(a)]";
    assert!(
        output.starts_with(&format!("#[doc=\"Docs.\"]{all}#[allow(b)]#[inline]#[must_use]#[cfg_attr(p,cold,deny(c))]")),
        "{output}"
    );
    assert!(
        output.contains(&format!(
            "{all}#[expect(b)]#[inline]#[must_use]#[other]#[cfg_attr(p,cold,deny(c))]#[doc(hidden)]fncompute"
        )),
        "{output}"
    );
    assert!(
        output.contains(&format!("{all}#[allow(b)]#[cfg_attr(p,deny(c))]#[doc(hidden)]#[allow(non_camel_case_types")),
        "{output}"
    );
}

#[test]
fn a_name_a_handle_and_switches_are_passed_on() {
    let output =
        expanded("name = \"path\", handle = Handle, skip_none, cache_err, code = \"body\", version = 3", "fn f() {}");
    for part in
        ["Place::Named(\"path\")", "enumHandle{}", "skip_none:true", "format_with_err()", "Counts::Body", "Some(3)"]
    {
        assert!(output.contains(part), "{part}: {output}");
    }
}

#[test]
fn types_without_a_named_owner_are_refused() {
    for result in
        ["&u8", "Cow<str>", "Cow<'a, str>", "Vec<ArrayView2<f64>>", "CowArray<'_, u8, Ix1>", "impl Copy", "!", "S<'_>"]
    {
        refusal("", &format!("fn f<'a>() -> {result} {{}}"));
    }
    for result in ["Cow<'static, str>", "Result<Array1<f64>, Box<dyn Error>>", "Mapped1<f64>", "()"] {
        expanded("", &format!("fn f() -> {result} {{}}"));
    }
    for argument in ["&mut u8", "(u8, &mut u8)", "ArrayViewMut2<f64>", "ndarray::ArrayViewMutD<'_, u8>"] {
        refusal("", &format!("fn f(x: {argument}) {{}}"));
    }
    for argument in ["fn(&mut u8)", "impl Fn(&mut u8)", "&dyn Fn(&mut [u8])"] {
        expanded("ignore(x)", &format!("fn f(x: {argument}) {{}}"));
    }
}

#[test]
fn several_mistakes_are_told_at_once() {
    let error = try_expand("ignore(y)".parse().unwrap(), "async unsafe fn f(x: &mut u8) -> &u8 {}".parse().unwrap());
    assert_eq!(error.unwrap_err().into_iter().count(), 5);
}
