//! `#[config]`: a struct or enum that reads itself from the suite's config table and describes itself as JSON Schema.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, Field, Fields, Item, ItemEnum, ItemStruct, Lit, Result, Type};

/// The whole expansion.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new(
            arguments.span(),
            "`#[config]` takes no arguments; defaults are `#[config(default = ...)]` on fields",
        ));
    }
    match syn::parse2(item)? {
        Item::Struct(item) => structure(item),
        Item::Enum(item) => enumeration(&item),
        other => Err(Error::new_spanned(other, "a config is a struct, or an enum inside one")),
    }
}

fn structure(mut item: ItemStruct) -> Result<TokenStream> {
    plain(&item.generics)?;
    let Fields::Named(fields) = &mut item.fields else {
        return Err(Error::new(item.ident.span(), "the fields of a config have names: they are the keys of its table"));
    };
    let ident = &item.ident;
    let (mut functions, mut values) = (Vec::new(), Vec::new());
    for field in &mut fields.named {
        let default = take_default(field)?;
        let Some(name) = field.ident.clone() else { continue };
        let (ty, cfg) = (&field.ty, attributes(&field.attrs, "cfg"));
        let value = match default {
            Some(Default::Value(value)) => {
                let function = format_ident!("__default_{}", name.to_string().trim_start_matches("r#"));
                let path = format!("{ident}::{function}");
                field.attrs.push(syn::parse_quote!(#[serde(default = #path)]));
                // A text literal may stand for a String; a conversion of numbers would lose what type they are of.
                let value = match *value {
                    Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => quote!(::core::convert::Into::into(#text)),
                    value => quote!(#value),
                };
                functions.push(quote!(#(#cfg)* #[doc(hidden)] fn #function() -> #ty { #value }));
                Some(quote!(#(#cfg)* #name: Self::#function()))
            }
            Some(Default::OfType) => {
                field.attrs.push(syn::parse_quote!(#[serde(default)]));
                Some(quote!(#(#cfg)* #name: ::core::default::Default::default()))
            }
            None if is_option(ty) => {
                field.attrs.push(
                    syn::parse_quote!(#[serde(default, skip_serializing_if = "::core::option::Option::is_none")]),
                );
                Some(quote!(#(#cfg)* #name: ::core::option::Option::None))
            }
            None => None,
        };
        values.push(value);
    }
    // When every field has a default, so has the whole: tests can write `Config::default()`.
    let whole = (!derives(&item.attrs, "Default")).then(|| values.into_iter().collect::<Option<Vec<_>>>()).flatten();
    let whole = whole.map(|values| {
        quote! {
            impl ::core::default::Default for #ident {
                fn default() -> Self { Self { #(#values),* } }
            }
        }
    });
    let derives = derive();
    Ok(quote! {
        #derives
        #[serde(deny_unknown_fields)]
        #item

        impl #ident { #(#functions)* }
        #whole
    })
}

fn enumeration(item: &ItemEnum) -> Result<TokenStream> {
    plain(&item.generics)?;
    let named = attributes(&item.attrs, "serde").iter().any(|attribute| {
        let mut found = false;
        // Only a look: serde itself reports what is wrong with its attributes.
        let _ = attribute.parse_nested_meta(|meta| {
            found |= meta.path.is_ident("rename_all");
            if let Ok(value) = meta.value() {
                value.parse::<Expr>()?;
            }
            Ok(())
        });
        found
    });
    let rename = (!named).then(|| quote!(#[serde(rename_all = "kebab-case")]));
    let derives = derive();
    Ok(quote!(#derives #rename #item))
}

/// The derives, routed through the SDK so that an author depends on nothing else.
fn derive() -> TokenStream {
    quote! {
        #[derive(
            ::difftest_sdk::__private::serde::Serialize,
            ::difftest_sdk::__private::serde::Deserialize,
            ::difftest_sdk::__private::schemars::JsonSchema,
        )]
        #[serde(crate = "::difftest_sdk::__private::serde")]
        #[schemars(crate = "::difftest_sdk::__private::schemars")]
    }
}

enum Default {
    /// `#[config(default = 4)]`
    Value(Box<Expr>),
    /// `#[config(default)]`
    OfType,
}

/// Removes `#[config(...)]` from a field.
fn take_default(field: &mut Field) -> Result<Option<Default>> {
    let (own, rest): (Vec<_>, Vec<_>) =
        field.attrs.drain(..).partition(|attribute| attribute.path().is_ident("config"));
    field.attrs = rest;
    let mut default = None;
    for attribute in own {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("default") {
                return Err(Error::new(
                    meta.path.span(),
                    "a field of a config knows `#[config(default)]` and `#[config(default = ...)]`",
                ));
            }
            default = Some(match meta.value() {
                Ok(value) => Default::Value(Box::new(value.parse()?)),
                Err(_) => Default::OfType,
            });
            Ok(())
        })?;
    }
    Ok(default)
}

fn plain(generics: &syn::Generics) -> Result<()> {
    if generics.params.is_empty() {
        return Ok(());
    }
    Err(Error::new(generics.span(), "a config has no generic parameters: it is read from a file"))
}

fn attributes(all: &[Attribute], name: &str) -> Vec<Attribute> {
    all.iter().filter(|attribute| attribute.path().is_ident(name)).cloned().collect()
}

fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}

fn derives(all: &[Attribute], name: &str) -> bool {
    attributes(all, "derive").iter().any(|attribute| {
        let mut found = false;
        let _ = attribute.parse_nested_meta(|meta| {
            found |= meta.path.segments.last().is_some_and(|last| last.ident == name);
            Ok(())
        });
        found
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn expanded(item: &str) -> String {
        let text = expand(TokenStream::new(), item.parse().unwrap()).unwrap().to_string();
        syn::parse_str::<syn::File>(&text).unwrap();
        text
    }

    #[test]
    fn a_struct_is_whole_by_default_only_when_every_field_has_a_default() {
        assert!(expanded("struct C { #[config(default = 4)] a: u32, b: Option<f64> }").contains("Default for C"));
        assert!(!expanded("struct C { #[config(default = 4)] a: u32, b: f64 }").contains("Default for C"));
        assert!(!expanded("#[derive(Clone, Default)] struct C { b: Option<f64> }").contains("Default for C"));
    }

    #[test]
    fn unknown_keys_are_refused_and_variants_are_kebab_case() {
        assert!(expanded("struct C { a: u32 }").contains("deny_unknown_fields"));
        assert!(expanded("enum E { OneTwo }").contains("kebab-case"));
        assert!(
            !expanded("#[serde(tag = \"kind\", rename_all = \"lowercase\")] enum E { OneTwo }").contains("kebab-case")
        );
    }

    #[test]
    fn every_refusal_says_what_to_write() {
        for (item, wanted) in [
            ("struct C(u32);", "the fields of a config have names"),
            ("struct C<T> { a: T }", "no generic parameters"),
            ("struct C { #[config(min = 3)] a: u32 }", "knows `#[config(default)]`"),
            ("fn f() {}", "a config is a struct"),
        ] {
            let message = expand(TokenStream::new(), item.parse().unwrap()).expect_err(item).to_string();
            assert!(message.contains(wanted), "{item}\nsays: {message}\nwanted: {wanted}");
        }
    }
}
