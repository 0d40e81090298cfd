//! What `metrics!` and `prompts!` expand to around their functions: for each interface that the block uses, a type which
//! answers `describe` and the interface's one call, exported from the component.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{Attribute, Result};

use crate::block::{self, Function, Kind};

/// One exported interface.
pub(crate) struct Export<'a> {
    /// What one of its functions is, for messages: `pair metric`.
    pub(crate) noun: &'static str,
    /// The type that the block defines, the SDK's trait that it implements, and the module of the glue that exports it.
    pub(crate) names: [&'static str; 3],
    /// What `describe` lists: `MetricInfo`.
    pub(crate) info: Ident,
    /// The signature of the trait's call, from its name on. Its first parameter is called `name`.
    pub(crate) call: TokenStream,
    /// At least one.
    pub(crate) members: Vec<Member<'a>>,
}

/// One function of an interface.
pub(crate) struct Member<'a> {
    pub(crate) function: &'a Function,
    /// Fields of its info besides those that every function has.
    pub(crate) info: TokenStream,
    /// The answer to the call, an expression of the type that the call returns. `config` has been read.
    pub(crate) answer: TokenStream,
}

/// The whole expansion.
pub(crate) fn expand(
    kind: &Kind,
    others: &[TokenStream],
    functions: &[Function],
    exports: &[Export<'_>],
) -> TokenStream {
    let once = block::once(kind);
    let items = functions.iter().map(|function| &function.item);
    let exports = exports.iter().map(Export::expand);
    quote! {
        #once
        #[allow(unused_imports)]
        use ::difftest_sdk::prelude::*;
        #(#others)*
        #(#items)*
        #(#exports)*
        ::difftest_sdk::__package!();
    }
}

impl Export<'_> {
    fn expand(&self) -> TokenStream {
        let Self { noun, names, info, call, members } = self;
        let [ty, plugin, module] = names.map(|name| format_ident!("{name}"));
        let doc = format!("The {noun}s of this plugin.");
        let used = self.used();
        let infos = members.iter().map(|Member { function, info: fields, .. }| {
            let Function { cfg, name, summary, .. } = function;
            let schema = function.schema();
            quote! {
                #(#cfg)* {
                    infos.push(::difftest_sdk::#info {
                        name: ::std::string::String::from(#name),
                        summary: ::std::string::String::from(#summary),
                        config_schema: #schema,
                        #fields
                    });
                }
            }
        });
        let arms = members.iter().map(|Member { function, answer, .. }| {
            let Function { cfg, name, .. } = function;
            let parse = function.parse_config();
            quote!(#(#cfg)* #name => { #parse #answer })
        });
        let known = members.iter().map(|Member { function: Function { cfg, name, .. }, .. }| quote!(#(#cfg)* #name));
        quote! {
            #[doc = #doc]
            #used
            #[derive(Debug)]
            pub struct #ty;

            #used
            impl ::difftest_sdk::#plugin for #ty {
                fn describe() -> ::std::vec::Vec<::difftest_sdk::#info> {
                    let mut infos = ::std::vec::Vec::new();
                    #(#infos)*
                    infos
                }

                #[allow(unused_variables, clippy::needless_borrows_for_generic_args)]
                fn #call {
                    match name {
                        #(#arms)*
                        other => ::core::result::Result::Err(
                            ::difftest_sdk::__private::unknown(#noun, other, &[#(#known),*])
                        ),
                    }
                }
            }

            #used
            ::difftest_sdk::__export!(#module #ty);
        }
    }

    /// `#[cfg(...)]` under which at least one function is left, so that an interface without functions is not exported.
    fn used(&self) -> Option<TokenStream> {
        let conditions = self.members.iter().map(|member| {
            let conditions: Result<Vec<_>> =
                member.function.cfg.iter().map(Attribute::parse_args::<TokenStream>).collect();
            // What is no condition the compiler refuses where the author wrote it.
            conditions.ok().filter(|conditions| !conditions.is_empty())
        });
        let conditions = conditions.collect::<Option<Vec<_>>>()?;
        let all = conditions.iter().map(|conditions| quote!(all(#(#conditions),*)));
        Some(quote!(#[cfg(any(#(#all),*))]))
    }
}
