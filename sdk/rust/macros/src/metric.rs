//! `metrics!`: functions from an image to a score.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ItemFn, LitStr, RangeLimits, Result, ReturnType, Type};

use crate::block::{self, Block, Function, Kind};

const KIND: Kind = Kind { noun: "metric", block: "metrics!" };
const KNOWN: &str = "`image: &Image`, `sample: &Sample` and `config: YourConfig`, any of them in any order";

/// The whole expansion.
pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let Block { functions, others } = syn::parse2(input)?;
    let metrics = block::all(functions.into_iter().map(Metric::new))?;
    let (functions, options): (Vec<_>, Vec<_>) =
        metrics.into_iter().map(|metric| (metric.function, metric.options)).unzip();
    block::check(&functions, &KIND)?;

    let items = functions.iter().map(|function| &function.item);
    let infos = functions.iter().zip(&options).map(|(function, options)| {
        let (cfg, name, summary, schema) = (&function.cfg, &function.name, &function.summary, function.schema());
        let Options { direction, range, unit, .. } = options;
        quote! {
            #(#cfg)* {
                metrics.push(::difftest_sdk::MetricInfo {
                    name: ::std::string::String::from(#name),
                    summary: ::std::string::String::from(#summary),
                    direction: #direction,
                    range: #range,
                    unit: #unit,
                    config_schema: #schema,
                });
            }
        }
    });
    let arms = functions.iter().map(|function| {
        let (cfg, name, ident, call) = (&function.cfg, &function.name, &function.item.sig.ident, &function.call);
        let parse = function.parse_config();
        let output = function.item.sig.output.span();
        let score = quote_spanned!(output=> ::difftest_sdk::__private::IntoScore::into_score(#ident(#(#call),*)));
        quote!(#(#cfg)* #name => { #parse #score })
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

        /// The metrics of this plugin.
        #[derive(Debug)]
        pub struct Metrics;

        impl ::difftest_sdk::MetricPlugin for Metrics {
            fn describe() -> ::std::vec::Vec<::difftest_sdk::MetricInfo> {
                let mut metrics = ::std::vec::Vec::new();
                #(#infos)*
                metrics
            }

            #[allow(unused_variables, clippy::needless_borrows_for_generic_args)]
            fn measure(
                metric: &str,
                image: &::difftest_sdk::Image,
                sample: &::difftest_sdk::Sample,
                config: &str,
            ) -> ::core::result::Result<::difftest_sdk::Score, ::difftest_sdk::Error> {
                match metric {
                    #(#arms)*
                    other => ::core::result::Result::Err(::difftest_sdk::__private::unknown("metric", other, &[#(#names),*])),
                }
            }
        }

        ::difftest_sdk::__export_metrics!(Metrics);
    })
}

struct Metric {
    function: Function,
    options: Options,
}

impl Metric {
    fn new(mut item: ItemFn) -> Result<Self> {
        let (own, rest): (Vec<_>, Vec<_>) =
            item.attrs.drain(..).partition(|attribute| attribute.path().is_ident("metric"));
        item.attrs = rest;
        let options = Options::parse(&own)?;
        if matches!(item.sig.output, ReturnType::Default) {
            let message = "a metric returns `f64`, `Score`, or a `Result` of one of them";
            return Err(Error::new(item.sig.ident.span(), message));
        }
        let function = Function::new(item, &KIND, options.name.clone(), argument, KNOWN)?;
        Ok(Self { function, options })
    }
}

/// What the call passes for a known argument.
fn argument(name: &str, ty: &Type) -> Option<Result<TokenStream>> {
    let (passed, wanted) = match name {
        "image" => (quote_spanned!(ty.span()=> image), "image: &Image"),
        "sample" => (quote_spanned!(ty.span()=> sample), "sample: &Sample"),
        _ => return None,
    };
    Some(match ty {
        Type::Reference(reference) if reference.mutability.is_none() => Ok(passed),
        _ => Err(Error::new(ty.span(), format!("a metric only looks at it: write `{wanted}`"))),
    })
}

/// `#[metric(range = 0.0..=1.0, direction = higher, unit = "dB", name = "...")]`
struct Options {
    name: Option<(String, Span)>,
    direction: TokenStream,
    range: TokenStream,
    unit: TokenStream,
}

impl Options {
    fn parse(attributes: &[Attribute]) -> Result<Self> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// The message that the author of this block would read.
    fn refusal(block: &str) -> String {
        expand(block.parse().unwrap()).expect_err("this block should be refused").to_string()
    }

    #[test]
    fn a_function_and_a_doc_comment_are_a_metric() {
        let expanded =
            expand("/// Mean.\nfn mean_luma(image: &Image) -> f64 { 0.5 }".parse().unwrap()).unwrap().to_string();
        assert!(expanded.contains("\"mean-luma\"") && expanded.contains("\"Mean.\""), "{expanded}");
        syn::parse_str::<syn::File>(&expanded).unwrap();
    }

    #[test]
    fn arguments_may_come_in_any_order_and_number() {
        for arguments in
            ["", "image: &Image", "config: Config, image: &Image", "sample: &Sample, config: &Config, _image: &Image"]
        {
            expand(format!("/// A.\nfn a({arguments}) -> f64 {{ 0.5 }}").parse().unwrap()).unwrap();
        }
    }

    #[test]
    fn every_refusal_says_what_to_write() {
        for (block, wanted) in [
            ("", "`metrics!` needs at least one function"),
            ("fn a(image: &Image) -> f64 { 0.0 }", "needs a doc comment"),
            ("/// A.\nfn a(image: Image) -> f64 { 0.0 }", "write `image: &Image`"),
            ("/// A.\nfn a(image: &mut Image) -> f64 { 0.0 }", "write `image: &Image`"),
            ("/// A.\nfn a(picture: &Image) -> f64 { 0.0 }", "no argument `picture`: it may take `image: &Image`"),
            ("/// A.\nfn a((x, y): (u8, u8)) -> f64 { 0.0 }", "takes its arguments by name"),
            ("/// A.\nfn a(&self) -> f64 { 0.0 }", "takes its arguments by name"),
            ("/// A.\nfn a(image: &Image) {}", "returns `f64`, `Score`, or a `Result`"),
            ("/// A.\nasync fn a(image: &Image) -> f64 { 0.0 }", "cannot be async"),
            ("/// A.\nunsafe fn a(image: &Image) -> f64 { 0.0 }", "cannot be unsafe"),
            ("/// A.\nextern \"C\" fn a(image: &Image) -> f64 { 0.0 }", "cannot be extern"),
            ("/// A.\nfn a<T>(image: &Image) -> f64 { 0.0 }", "cannot be generic"),
            ("/// A.\n#[metric(colour = 1)]\nfn a(image: &Image) -> f64 { 0.0 }", "knows `name`, `direction`"),
            ("/// A.\n#[metric(direction = up)]\nfn a(image: &Image) -> f64 { 0.0 }", "`higher`, `lower` or `neither`"),
            ("/// A.\n#[metric(range = 0.0..1.0)]\nfn a(image: &Image) -> f64 { 0.0 }", "may equal the end"),
            ("/// A.\n#[metric(range = 1.0)]\nfn a(image: &Image) -> f64 { 0.0 }", "is written `0.0..=1.0`"),
            ("/// A.\n#[metric(name = \"Big\")]\nfn a(image: &Image) -> f64 { 0.0 }", "cannot be the name of a metric"),
            (
                "/// A.\nfn a() -> f64 { 0.0 }\n/// B.\n#[metric(name = \"a\")]\nfn b() -> f64 { 0.0 }",
                "two metrics are called `a`",
            ),
            ("mod inner {}", "move this out of it"),
        ] {
            let message = refusal(block);
            assert!(message.contains(wanted), "{block}\nsays: {message}\nwanted: {wanted}");
        }
    }

    #[test]
    fn all_faults_of_a_block_are_reported_at_once() {
        let error = expand("fn a() -> f64 { 0.0 } fn b() -> f64 { 0.0 }".parse().unwrap()).unwrap_err();
        assert_eq!(error.into_iter().count(), 2);
    }

    #[test]
    fn types_in_the_block_become_config_types_unless_they_derive() {
        let expanded =
            expand("struct A { x: u32 } #[derive(Debug)] struct B; /// M.\nfn m() -> f64 { 0.0 }".parse().unwrap())
                .unwrap()
                .to_string();
        assert_eq!(expanded.matches(":: difftest_sdk :: config").count(), 1, "{expanded}");
    }
}
