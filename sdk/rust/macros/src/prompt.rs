//! `prompts!`: functions from a seed and a config to a sequence of prompts.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ItemFn, LitStr, Result, ReturnType, Type};

use crate::block::{self, Block, Function, Kind};
use crate::frame::{self, Export, Member};

const KIND: Kind = Kind { noun: "prompt generator", block: "prompts!" };
const KNOWN: &str = "`config: YourConfig` and `seed: u64`, any of them in any order";

/// The whole expansion.
pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let Block { functions, others } = syn::parse2(input)?;
    let generators = block::all(functions.into_iter().map(generator))?;
    let (functions, fallible): (Vec<_>, Vec<_>) = generators.into_iter().unzip();
    block::check(&functions, &KIND)?;

    let members = functions.iter().zip(&fallible).map(|(function, fallible)| member(function, *fallible));
    let export = Export {
        noun: KIND.noun,
        names: ["Prompts", "PromptPlugin", "prompts"],
        info: format_ident!("GeneratorInfo"),
        call: quote! {
            generate(name: &str, seed: u64, offset: u32, limit: u32, config: &str)
                -> ::core::result::Result<::std::vec::Vec<::difftest_sdk::Prompt>, ::difftest_sdk::Error>
        },
        members: members.collect(),
    };
    Ok(frame::expand(&KIND, &others, &functions, &[export]))
}

fn member(function: &Function, fallible: bool) -> Member<'_> {
    let (ident, call, output) = (&function.item.sig.ident, &function.call, &function.item.sig.output);
    let mut prompts = quote!(#ident(#(#call),*));
    if fallible {
        prompts = quote!(#prompts.map_err(::difftest_sdk::__private::into_error)?);
    }
    let page = quote_spanned!(output.span()=> ::difftest_sdk::__private::page(#prompts, offset, limit));
    Member { function, info: TokenStream::new(), answer: quote!(::core::result::Result::Ok(#page)) }
}

/// A checked function and whether it returns a `Result`.
fn generator(mut item: ItemFn) -> Result<(Function, bool)> {
    let (own, rest): (Vec<_>, Vec<_>) =
        item.attrs.drain(..).partition(|attribute| attribute.path().is_ident("prompts"));
    item.attrs = rest;
    let mut name: Option<(String, Span)> = None;
    for attribute in own {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("name") {
                return Err(Error::new(meta.path.span(), "`#[prompts(...)]` knows `name`"));
            }
            let text: LitStr = meta.value()?.parse()?;
            name = Some((text.value(), text.span()));
            Ok(())
        })?;
    }
    let fallible = match &item.sig.output {
        ReturnType::Type(_, ty) => is_result(ty),
        ReturnType::Default => {
            let message =
                "a prompt generator returns `Vec<Prompt>`, `impl IntoIterator<Item = Prompt>`, or a `Result` of one";
            return Err(Error::new(item.sig.ident.span(), message));
        }
    };
    Ok((Function::new(item, &KIND, name, argument, KNOWN)?, fallible))
}

/// By name, because a `Result` is an iterator too: no trait can tell the two apart.
fn is_result(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Result"))
}

/// What the call passes for a known argument.
fn argument(name: &str, ty: &Type) -> Option<Result<TokenStream>> {
    if name != "seed" {
        return None;
    }
    Some(match ty {
        Type::Reference(_) => Err(Error::new(ty.span(), "the seed is a number: write `seed: u64`")),
        _ => Ok(quote_spanned!(ty.span()=> seed)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn generators_may_fail_or_not() {
        for output in [
            "Vec<Prompt>",
            "impl IntoIterator<Item = Prompt>",
            "Result<Vec<Prompt>, Error>",
            "std::io::Result<Vec<Prompt>>",
        ] {
            let block = format!("/// G.\nfn all_pairs(config: Config, seed: u64) -> {output} {{ todo() }}");
            let expanded = expand(block.parse().unwrap()).unwrap().to_string();
            assert_eq!(expanded.contains("map_err"), output.contains("Result"), "{expanded}");
            assert!(expanded.contains("\"all-pairs\""), "{expanded}");
            syn::parse_str::<syn::File>(&expanded).unwrap();
        }
    }

    #[test]
    fn every_refusal_says_what_to_write() {
        for (block, wanted) in [
            ("", "`prompts!` needs at least one function"),
            ("fn a(seed: u64) -> Vec<Prompt> { vec![] }", "a prompt generator needs a doc comment"),
            ("/// A.\nfn a(image: &Image) -> Vec<Prompt> { vec![] }", "no argument `image`"),
            ("/// A.\nfn a(seed: &u64) -> Vec<Prompt> { vec![] }", "write `seed: u64`"),
            ("/// A.\nfn a(seed: u64) {}", "returns `Vec<Prompt>`"),
            ("/// A.\n#[prompts(range = 1)]\nfn a() -> Vec<Prompt> { vec![] }", "knows `name`"),
        ] {
            let message = expand(block.parse().unwrap()).expect_err(block).to_string();
            assert!(message.contains(wanted), "{block}\nsays: {message}\nwanted: {wanted}");
        }
    }
}
