//! `#[metric(...)]`: what a metric says of its scores.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, LitStr, RangeLimits, Result};

/// `#[metric(range = 0.0..=1.0, direction = higher, unit = "dB", name = "...")]`
pub(crate) struct Options {
    pub(crate) name: Option<(String, Span)>,
    pub(crate) direction: TokenStream,
    pub(crate) range: TokenStream,
    pub(crate) unit: TokenStream,
}

impl Options {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut options = Self {
            name: None,
            direction: quote!(::difftest_sdk::Direction::Neither),
            range: quote!(::core::option::Option::None),
            unit: quote!(::core::option::Option::None),
        };
        for attribute in attributes {
            attribute.parse_nested_meta(|meta| {
                let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                match key.as_str() {
                    "name" => {
                        let text: LitStr = meta.value()?.parse()?;
                        options.name = Some((text.value(), text.span()));
                    }
                    "unit" => {
                        let text: LitStr = meta.value()?.parse()?;
                        options.unit = quote!(::core::option::Option::Some(::std::string::String::from(#text)));
                    }
                    "direction" => options.direction = direction(&meta.value()?.parse()?)?,
                    "range" => options.range = range(&meta.value()?.parse()?)?,
                    _ => {
                        let message = "`#[metric(...)]` knows `name`, `direction`, `range` and `unit`";
                        return Err(Error::new(meta.path.span(), message));
                    }
                }
                Ok(())
            })?;
        }
        Ok(options)
    }
}

fn direction(word: &syn::Ident) -> Result<TokenStream> {
    match word.to_string().as_str() {
        "higher" => Ok(quote!(::difftest_sdk::Direction::HigherIsBetter)),
        "lower" => Ok(quote!(::difftest_sdk::Direction::LowerIsBetter)),
        "neither" => Ok(quote!(::difftest_sdk::Direction::Neither)),
        _ => Err(Error::new(word.span(), "which way is better: `higher`, `lower` or `neither`")),
    }
}

/// A closed range of `f64`; an open end is infinite. That it is not empty is asserted at compile time.
fn range(range: &Expr) -> Result<TokenStream> {
    let wanted = "a range is written `0.0..=1.0`, `0.0..` or `..=1.0`";
    let Expr::Range(parts) = range else { return Err(Error::new(range.span(), wanted)) };
    if let (RangeLimits::HalfOpen(_), Some(_)) = (&parts.limits, &parts.end) {
        return Err(Error::new(range.span(), format!("a score may equal the end of its range: {wanted}")));
    }
    let start = parts
        .start
        .as_ref()
        .map_or_else(|| quote!(::core::primitive::f64::NEG_INFINITY), |start| quote!((#start) as f64));
    let end = parts.end.as_ref().map_or_else(|| quote!(::core::primitive::f64::INFINITY), |end| quote!((#end) as f64));
    Ok(quote_spanned! {range.span()=> {
        #[allow(clippy::unnecessary_cast, clippy::cast_precision_loss)]
        const RANGE: (f64, f64) = (#start, #end);
        const _: () = ::core::assert!(RANGE.0 < RANGE.1, "the range is empty");
        ::core::option::Option::Some(RANGE)
    }})
}
