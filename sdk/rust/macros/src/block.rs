//! What `metrics!` and `prompts!` share: a block of functions, each with a doc comment, a name and a few known arguments.

use std::collections::BTreeMap;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Attribute, Error, FnArg, Item, ItemFn, Pat, Result, Safety, Type};

use crate::name;

/// The words that differ between the two macros.
pub(crate) struct Kind {
    /// What a function of the block is, for messages: `metric`.
    pub(crate) noun: &'static str,
    /// The macro, for messages: `metrics!`.
    pub(crate) block: &'static str,
}

/// The items of a block, in order.
pub(crate) struct Block {
    pub(crate) functions: Vec<ItemFn>,
    /// Config types get `#[config]`; the rest stays as written.
    pub(crate) others: Vec<TokenStream>,
}

impl Parse for Block {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut block = Self { functions: Vec::new(), others: Vec::new() };
        while !input.is_empty() {
            match input.parse::<Item>()? {
                Item::Fn(function) => block.functions.push(function),
                Item::Struct(item) => block.others.push(config_type(&item.attrs, &item)),
                Item::Enum(item) => block.others.push(config_type(&item.attrs, &item)),
                item @ (Item::Use(_) | Item::Const(_) | Item::Type(_)) => block.others.push(quote!(#item)),
                item => {
                    let message = "only functions, config structs and enums, constants, type aliases and imports belong \
                                   in this block; move this out of it";
                    return Err(Error::new_spanned(item, message));
                }
            }
        }
        Ok(block)
    }
}

/// A type inside the block is a config type unless it says itself what it is.
fn config_type(attributes: &[Attribute], item: &impl quote::ToTokens) -> TokenStream {
    let own = attributes.iter().any(|attribute| {
        let path = attribute.path();
        path.is_ident("derive") || path.segments.last().is_some_and(|last| last.ident == "config")
    });
    if own { quote!(#item) } else { quote!(#[::difftest_sdk::config] #item) }
}

/// One function of the block, checked as far as both macros agree.
pub(crate) struct Function {
    /// As the author wrote it, without our own attribute.
    pub(crate) item: ItemFn,
    /// Kebab-case name.
    pub(crate) name: String,
    /// First line of the doc comment.
    pub(crate) summary: String,
    /// `#[cfg(...)]` attributes, which every mention of the function repeats.
    pub(crate) cfg: Vec<Attribute>,
    /// The type of the `config` argument behind its `&`, if there is one.
    pub(crate) config: Option<Type>,
    /// Arguments for the call, in the author's order.
    pub(crate) call: Vec<TokenStream>,
}

impl Function {
    /// `name` overrides the one from the function; `argument` maps a known argument to what the call passes for it.
    pub(crate) fn new(
        item: ItemFn,
        kind: &Kind,
        name: Option<(String, Span)>,
        argument: impl Fn(&str, &Type) -> Option<Result<TokenStream>>,
        known: &str,
    ) -> Result<Self> {
        plain(&item, kind)?;
        let Some(summary) = name::summary(&item.attrs) else {
            let message = format!(
                "a {0} needs a doc comment: its first line is the summary that `difftest plugin inspect` shows, such as \
                 `/// Mean brightness: 0 is black, 1 is white.`",
                kind.noun
            );
            return Err(Error::new(item.sig.ident.span(), message));
        };
        let (name, span) = name.unwrap_or_else(|| (name::kebab(&item.sig.ident), item.sig.ident.span()));
        if let Some(fault) = name::kebab_fault(&name) {
            return Err(Error::new(span, format!("`{name}` cannot be the name of a {}: {fault}", kind.noun)));
        }

        let (mut config, mut call) = (None, Vec::new());
        for input in &item.sig.inputs {
            let Some((argument_name, ty)) = parameter(input) else {
                let message = format!("a {} takes its arguments by name: {known}", kind.noun);
                return Err(Error::new(input.span(), message));
            };
            if argument_name == "config" {
                let (ty, passed) = match ty {
                    Type::Reference(reference) => ((*reference.elem).clone(), quote_spanned!(ty.span()=> &config)),
                    owned => (owned.clone(), quote_spanned!(ty.span()=> config)),
                };
                config = Some(ty);
                call.push(passed);
            } else if let Some(passed) = argument(&argument_name, ty) {
                call.push(passed?);
            } else {
                let message = format!("a {} has no argument `{argument_name}`: it may take {known}", kind.noun);
                return Err(Error::new(input.span(), message));
            }
        }
        let cfg = item.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect();
        Ok(Self { item, name, summary, cfg, config, call })
    }

    /// `Some(schema text)` or `None`, for `describe`.
    pub(crate) fn schema(&self) -> TokenStream {
        match &self.config {
            Some(ty) => {
                quote_spanned!(ty.span()=> ::core::option::Option::Some(::difftest_sdk::__private::schema::<#ty>()))
            }
            None => quote!(::core::option::Option::None),
        }
    }

    /// The statement that turns the config text into `config`, or refuses a config that nobody asked for.
    pub(crate) fn parse_config(&self) -> TokenStream {
        match &self.config {
            Some(ty) => {
                quote_spanned!(ty.span()=> let config = ::difftest_sdk::__private::parse_config::<#ty>(config)?;)
            }
            None => quote!(::difftest_sdk::__private::no_config(config)?;),
        }
    }
}

/// The name (without leading underscores) and type of an argument that has a name.
pub(crate) fn parameter(input: &FnArg) -> Option<(String, &Type)> {
    let FnArg::Typed(typed) = input else { return None };
    let Pat::Ident(pattern) = &*typed.pat else { return None };
    Some((pattern.ident.to_string().trim_start_matches('_').to_owned(), &typed.ty))
}

/// Refuses what makes a function more than a plain one.
fn plain(item: &ItemFn, kind: &Kind) -> Result<()> {
    let signature = &item.sig;
    let extra = if let Some(token) = &signature.asyncness {
        Some((token.span(), "async"))
    } else if let Safety::Unsafe(token) = &signature.safety {
        Some((token.span(), "unsafe"))
    } else if let Some(abi) = &signature.abi {
        Some((abi.span(), "extern"))
    } else if !signature.generics.params.is_empty() {
        Some((signature.generics.span(), "generic"))
    } else {
        None
    };
    match extra {
        Some((span, word)) => {
            Err(Error::new(span, format!("a {} is a plain function: it cannot be {word}", kind.noun)))
        }
        None => Ok(()),
    }
}

/// Refuses an empty block and two functions of one name. Functions under `#[cfg]` may share a name: one of them is left.
pub(crate) fn check(functions: &[Function], kind: &Kind) -> Result<()> {
    if functions.is_empty() {
        let message = format!("`{}` needs at least one function: each is a {}", kind.block, kind.noun);
        return Err(Error::new(Span::call_site(), message));
    }
    let mut seen = BTreeMap::new();
    for function in functions.iter().filter(|function| function.cfg.is_empty()) {
        if let Some(first) = seen.insert(&function.name, &function.item.sig.ident) {
            let message = format!("two {}s are called `{}`: `{first}` is the first", kind.noun, function.name);
            return Err(Error::new(function.item.sig.ident.span(), message));
        }
    }
    Ok(())
}

/// An item whose name tells a second block of one module what is wrong, before the compiler names items that no author wrote.
/// (Two blocks in two modules are found by the linker: both export the same functions.)
pub(crate) fn once(kind: &Kind) -> TokenStream {
    let name = format_ident!("only_one_{}_block_per_crate", kind.block.trim_end_matches('!'));
    quote! {
        #[allow(non_upper_case_globals, dead_code)]
        #[doc(hidden)]
        const #name: () = ();
    }
}

/// Every error of an iterator of results at once, or all values.
pub(crate) fn all<T>(results: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
    let mut errors: Option<Error> = None;
    let mut values = Vec::new();
    for result in results {
        match (result, &mut errors) {
            (Ok(value), _) => values.push(value),
            (Err(error), Some(errors)) => errors.combine(error),
            (Err(error), none) => *none = Some(error),
        }
    }
    errors.map_or(Ok(values), Err)
}
