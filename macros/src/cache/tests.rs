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
fn a_type_parameter_counts_whatever_is_ignored() {
    for (arguments, function) in [
        ("", "fn f<F>(x: F) {}"),
        ("ignore(x)", "fn f<F>(x: &[F]) {}"),
        ("ignore(x)", "fn f<F>(x: F, y: F) {}"),
        ("ignore(x)", "fn f<F, T: From<F>>(x: F, y: T) {}"),
        ("ignore(x)", "fn f<F, T>(x: F, y: T) where T: From<F> {}"),
    ] {
        let output = expanded(arguments, function);
        assert!(output.contains("type_argument::<F>(arguments,\"F\")"), "{function}: {output}");
    }
    let output = expanded("ignore(x)", "fn f(x: &impl Copy, y: u8) {}");
    assert!(output.contains("arguments.type_of(\"implx\",*x)"), "{output}");
    assert!(!output.contains("arguments.add(\"x\""), "{output}");
}

#[test]
fn a_function_is_refused_where_it_is_ignored() {
    let refused = |function: &str| {
        let result = try_expand("ignore(f)".parse().unwrap(), function.parse().unwrap());
        result.err().is_some_and(|error| error.to_string().contains("a function can't be ignored"))
    };
    for function in [
        "fn g<F: Fn(f64) -> f64>(f: F) {}",
        "fn g<F>(f: Option<&F>) where F: Copy + FnMut() {}",
        "fn g(f: impl Send + FnOnce(f64)) {}",
        "fn g(f: &(dyn Fn(f64) + Sync)) {}",
        "fn g(f: fn(f64) -> f64) {}",
        "fn g(f: [(u8, extern \"C\" fn()); 2]) {}",
        "fn g(f: std::sync::Arc<Box<dyn core::ops::Fn()>>) {}",
    ] {
        assert!(refused(function), "{function}");
    }
    for function in [
        "fn g(f: PhantomData<fn(u8)>) {}",
        "fn g<F: Fn() + Copy, T>(f: T) {}",
        "fn g(f: Fn) {}",
        "fn g<T: Into<fn()>>(f: T) {}",
    ] {
        assert!(!refused(function), "{function}");
    }
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
        ["Naming::Named(\"path\")", "enumHandle{}", "skip_none:true", "format_with_err()", "CodeScope::Body", "Some(3)"]
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
    for argument in ["fn(&mut u8)", "impl Fn(&mut u8)", "&dyn Fn(&mut [u8])", "Option<(u8, Box<fn()>)>"] {
        refusal("", &format!("fn f(x: {argument}) {{}}"));
    }
    for argument in ["PhantomData<fn(&mut u8)>", "Named<fn(&mut u8)>"] {
        expanded("", &format!("fn f(x: {argument}) {{}}"));
    }
}

#[test]
fn several_mistakes_are_told_at_once() {
    let error = try_expand("ignore(y)".parse().unwrap(), "async unsafe fn f(x: &mut u8) -> &u8 {}".parse().unwrap());
    assert_eq!(error.unwrap_err().into_iter().count(), 5);
}

#[test]
fn names_of_the_trait_are_those_of_the_trait_outside_of_its_impl() {
    let output = expanded(
        "",
        "impl<T: A> m::Model<T> for S<T> {
            type Output = f64;
            const K: f64 = 1.0;
            #[cache(version = 2)]
            fn fit(&self, x: T) -> Self::Output { mac!(Self::K) + Self::own(x) + Self::fit(self, x) }
            fn plain(&self) -> Self::Output { Self::K }
        }",
    );
    let (block, inherent) = output.split_once("impl<T:A>S<T>{").expect("an inherent `impl`");
    assert!(block.contains("fnfit(&self,x:T)->Self::Output{") && block.contains("Self::fit_call(self,x)"), "{block}");
    assert!(block.contains("fnplain(&self)->Self::Output{Self::K}") && !block.contains("fnfit_call"), "{block}");
    assert!(inherent.contains("fnfit_compute(&self,x:T)-><Selfasm::Model<T>>::Output{"), "{inherent}");
    let body = "mac!(<Selfasm::Model<T>>::K)+Self::own(x)+<Selfasm::Model<T>>::fit(self,x)";
    assert!(inherent.contains(body), "{inherent}");
}

#[test]
fn a_refused_impl_stays_without_marks() {
    let block = "impl M for Vec<S> { #[cache] fn f(&self) {} #[ndcache::cache(version = 1)] fn g() {} }";
    let output = expand(TokenStream::new(), block.parse().unwrap()).to_string().replace(' ', "");
    assert!(output.ends_with("implMforVec<S>{fnf(&self){}fng(){}}"), "{output}");
    assert_eq!(output.matches("compile_error").count(), 1, "{output}");
}
