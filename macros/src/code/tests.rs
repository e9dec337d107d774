use super::*;

fn code_of(arguments: &str, item: &str) -> String {
    let output = expand(arguments.parse().unwrap(), item.parse().unwrap());
    syn::parse2::<syn::File>(output.clone()).unwrap_or_else(|error| panic!("{error}: {output}"));
    output.to_string().replace(' ', "")
}

#[test]
fn an_item_is_kept_and_its_code_stands_beside_it() {
    for item in ["fn f() {}", "const f: u8 = 1;", "static f: u8 = 1;"] {
        let output = code_of("", &format!("pub(crate) {item}"));
        assert!(output.starts_with(&format!("pub(crate) {item}").replace(' ', "")), "{output}");
        assert!(output.contains("pub(crate)enumf{}"), "{output}");
        assert!(output.contains("implf{"), "{output}");
    }
    let output = code_of("", "struct S<T: Copy = u8>(T) where T: Send;");
    assert!(output.contains("impl<T:Copy>S<T>whereT:Send{"), "{output}");
    let output = code_of("", "impl<'a, T> S<'a, T, u8> where T: Send { fn f() {} }");
    assert!(output.contains("impl<'a,T>S<'a,T,u8>whereT:Send{"), "{output}");
    assert!(output.contains("__NDCACHE_IMPL_CODE"), "{output}");
}

#[test]
fn conditions_and_lint_levels_go_to_the_companion() {
    let output = code_of("", "#[cfg(unix)] #[inline] #[allow(unused)] #[doc = \"a\"] fn f() {}");
    assert!(output.contains("#[cfg(unix)]#[allow(unused)]#[doc(hidden)]"), "{output}");
}

#[test]
fn a_method_is_sent_to_its_impl() {
    for receiver in ["self", "&self", "&mut self", "self: Box<Self>"] {
        let item = format!("fn f({receiver}, x: u8) {{}}");
        let error = try_expand(TokenStream::new(), item.parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), METHOD, "{item}");
    }
    assert!(try_expand(TokenStream::new(), "fn f(x: u8) {}".parse().unwrap()).is_ok());
}

#[test]
fn a_method_is_told_from_a_function_of_a_module() {
    let method = |path: &str| {
        let found = method_of(&syn::parse_str(path).unwrap());
        found.map(|(owner, constant)| format!("{} {constant}", owner.to_token_stream()).replace(' ', "/"))
    };
    assert_eq!(method("Type::make"), Some("Type/__NDCACHE_CODE_make".to_owned()));
    assert_eq!(method("module::Type::r#move"), Some("module/::/Type/__NDCACHE_CODE_move".to_owned()));
    assert_eq!(method("Type::<u8>::make"), Some("Type/::/</u8/>/__NDCACHE_CODE_make".to_owned()));
    assert_eq!(method("list<u8>::make"), Some("list/</u8/>/__NDCACHE_CODE_make".to_owned()));
    assert_eq!(method("<[u8]>::make"), Some("[u8]/__NDCACHE_CODE_make".to_owned()));
    for other in ["make", "Type", "module::make", "Type::CONSTANT", "module::Type", "crate::make", "super::make"] {
        assert_eq!(method(other), None, "{other}");
    }
}
