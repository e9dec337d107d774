//! `#[cache]`: parse, check, expand.

mod argument;
mod attributes;
mod block;
mod check;
mod expand;
mod lazy;
mod parse;
mod surroundings;
mod words;

use proc_macro2::{TokenStream, TokenTree};
use syn::Result;

use crate::krate::compile_error;

pub(crate) use attributes::companion_attributes;
pub(crate) use check::depends_paths;
pub(crate) use parse::{CodeScope, Helpers, Options, check_name};
pub(crate) use surroundings::{is_unmarked, renamed};
pub(crate) use words::nearest;

/// A refused function stays as it is, so that the mistake is the only message.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match try_expand(arguments, item.clone()) {
        Ok(output) => output,
        Err(error) => {
            let mut output = compile_error(error);
            if !is_closure(&item) {
                output.extend(block::without_marks(item));
            }
            output
        }
    }
}

/// Whether an expression stands under the attribute, which nothing may precede.
fn is_closure(item: &TokenStream) -> bool {
    match item.clone().into_iter().next() {
        Some(TokenTree::Punct(mark)) => mark.as_char() == '|',
        Some(TokenTree::Ident(word)) => word == "move",
        _ => false,
    }
}

fn try_expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if block::is_block(&item) {
        return block::expand(arguments, item);
    }
    let options = Options::of_cache(arguments)?;
    let function: parse::UnparsedFunction = syn::parse2(item.clone())?;
    check::check(&options, &function, surroundings::place(&item))?;
    let private = crate::krate::private(options.krate.as_ref());
    let found = crate::helpers::of_function(&options, &function.signature.ident, &private);
    check::namesake(&options, &function.signature, &found)?;
    let code = crate::code::code(item, &found, &options, &private)?;
    Ok(expand::expand(&options, &function, &code, &private))
}

#[cfg(test)]
mod tests;
