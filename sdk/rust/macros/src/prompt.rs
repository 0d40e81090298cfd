//! `prompts!`: functions from a seed and a config to a sequence of prompts.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ItemFn, LitStr, Result, ReturnType, Type};

use crate::block::{self, Block, Function, Kind};

const KIND: Kind = Kind { noun: "prompt generator", block: "prompts!" };
const KNOWN: &str = "`config: YourConfig` and `seed: u64`, any of them in any order";

/// The whole expansion.
pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let Block { functions, others } = syn::parse2(input)?;
    let generators = block::all(functions.into_iter().map(generator))?;
    let (functions, fallible): (Vec<_>, Vec<_>) = generators.into_iter().unzip();
    block::check(&functions, &KIND)?;

    let items = functions.iter().map(|function| &function.item);
    let infos = functions.iter().map(|function| {
        let (cfg, name, summary, schema) = (&function.cfg, &function.name, &function.summary, function.schema());
        quote! {
            #(#cfg)* {
                generators.push(::difftest_sdk::GeneratorInfo {
                    name: ::std::string::String::from(#name),
                    summary: ::std::string::String::from(#summary),
                    config_schema: #schema,
                });
            }
        }
    });
    let arms = functions.iter().zip(&fallible).map(|(function, fallible)| {
        let (cfg, name, ident, call) = (&function.cfg, &function.name, &function.item.sig.ident, &function.call);
        let parse = function.parse_config();
        let mut prompts = quote!(#ident(#(#call),*));
        if *fallible {
            prompts = quote!(#prompts.map_err(::difftest_sdk::__private::into_error)?);
        }
        let output = function.item.sig.output.span();
        let page = quote_spanned!(output=> ::difftest_sdk::__private::page(#prompts, offset, limit));
        quote!(#(#cfg)* #name => { #parse ::core::result::Result::Ok(#page) })
    });
    let names = functions.iter().map(|function| {
        let (cfg, name) = (&function.cfg, &function.name);
        quote!(#(#cfg)* #name)
    });

    let once = block::once(&KIND);
    Ok(quote! {
        #once
        #[allow(unused_imports)]
        use ::difftest_sdk::prelude::*;
        #(#others)*
        #(#items)*

        /// The prompt generators of this plugin.
        #[derive(Debug)]
        pub struct Prompts;

        impl ::difftest_sdk::PromptPlugin for Prompts {
            fn describe() -> ::std::vec::Vec<::difftest_sdk::GeneratorInfo> {
                let mut generators = ::std::vec::Vec::new();
                #(#infos)*
                generators
            }

            #[allow(unused_variables, clippy::needless_borrows_for_generic_args)]
            fn generate(
                generator: &str,
                seed: u64,
                offset: u32,
                limit: u32,
                config: &str,
            ) -> ::core::result::Result<::std::vec::Vec<::difftest_sdk::Prompt>, ::difftest_sdk::Error> {
                match generator {
                    #(#arms)*
                    other => ::core::result::Result::Err(
                        ::difftest_sdk::__private::unknown("prompt generator", other, &[#(#names),*])
                    ),
                }
            }
        }

        ::difftest_sdk::__export_prompts!(Prompts);
    })
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
