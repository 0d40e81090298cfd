//! `metrics!`: functions from an image, an image and its reference, or a set of images to a score.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ItemFn, Result, ReturnType};

use crate::block::{self, Block, Function, Kind};
use crate::frame::{self, Export, Member};
use crate::options::Options;
use crate::subject::Subject;

const KIND: Kind = Kind { noun: "metric", block: "metrics!" };

/// The whole expansion.
pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let Block { functions, others } = syn::parse2(input)?;
    let metrics = block::all(functions.into_iter().map(metric))?;
    let (functions, rest): (Vec<_>, Vec<_>) =
        metrics.into_iter().map(|(function, subject, options)| (function, (subject, options))).unzip();
    block::check(&functions, &KIND)?;

    let exports = Subject::ALL.map(|subject| {
        let own = functions.iter().zip(&rest).filter(|(_, (of, _))| *of == subject);
        let parameters = subject.parameters();
        Export {
            noun: subject.noun(),
            names: subject.names(),
            info: format_ident!("MetricInfo"),
            call: quote! {
                measure(name: &str, #parameters, config: &str)
                    -> ::core::result::Result<::difftest_sdk::Score, ::difftest_sdk::Error>
            },
            members: own.map(|(function, (_, options))| member(function, options)).collect(),
        }
    });
    let exports: Vec<_> = exports.into_iter().filter(|export| !export.members.is_empty()).collect();
    Ok(frame::expand(&KIND, &others, &functions, &exports))
}

/// A checked function, what it looks at, and what it says of its scores.
fn metric(mut item: ItemFn) -> Result<(Function, Subject, Options)> {
    let (own, rest): (Vec<_>, Vec<_>) = item.attrs.drain(..).partition(|attribute| attribute.path().is_ident("metric"));
    item.attrs = rest;
    let options = Options::parse(&own)?;
    if matches!(item.sig.output, ReturnType::Default) {
        let message = "a metric returns `f64`, `Score`, or a `Result` of one of them";
        return Err(Error::new(item.sig.ident.span(), message));
    }
    let subject = Subject::of(&item.sig)?;
    let kind = Kind { noun: subject.noun(), ..KIND };
    let argument = |name: &str, ty: &_| subject.argument(name, ty);
    let function = Function::new(item, &kind, options.name.clone(), argument, subject.known())?;
    Ok((function, subject, options))
}

fn member<'a>(function: &'a Function, options: &Options) -> Member<'a> {
    let Options { direction, range, unit, .. } = options;
    let (ident, call, output) = (&function.item.sig.ident, &function.call, &function.item.sig.output);
    Member {
        function,
        info: quote!(direction: #direction, range: #range, unit: #unit),
        answer: quote_spanned!(output.span()=> ::difftest_sdk::__private::IntoScore::into_score(#ident(#(#call),*))),
    }
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

    /// The modules of the glue that a block exports through, in order.
    fn exported(block: &str) -> Vec<String> {
        let expanded = expand(block.parse().unwrap()).unwrap().to_string();
        syn::parse_str::<syn::File>(&expanded).unwrap();
        let calls = expanded.split("__export ! (").skip(1);
        calls.map(|rest| rest.split_whitespace().next().unwrap().to_owned()).collect()
    }

    #[test]
    fn parameters_decide_what_is_exported() {
        let image = "/// A.\nfn a(image: &Image, sample: &Sample) -> f64 { 0.5 }\n";
        let pair = "/// B.\nfn b(reference: &Image, config: &Config, _image: &Image) -> f64 { 0.5 }\n";
        let set = "/// C.\nfn c(images: &ImageSet) -> f64 { 0.5 }\n";
        let sets = "/// D.\nfn d(_reference: Option<&ImageSet>, images: &ImageSet) -> f64 { 0.5 }\n";
        assert_eq!(exported(image), ["metric"]);
        assert_eq!(exported(pair), ["pair"]);
        assert_eq!(exported(set), ["set"]);
        assert_eq!(exported(&[sets, pair, image, set].concat()), ["metric", "pair", "set"]);
    }

    #[test]
    fn an_interface_whose_functions_are_configured_away_is_too() {
        let only = |attributes: &str| {
            let block = format!("{attributes} /// A.\nfn a(image: &Image) -> f64 {{ 0.5 }}");
            expand(block.parse().unwrap()).unwrap().to_string()
        };
        assert!(only("#[cfg(unix)] #[cfg(test)]").contains("# [cfg (any (all (unix , test)))] :: difftest_sdk"));
        assert!(!only("").contains("cfg"));
    }

    #[test]
    fn every_refusal_says_what_to_write() {
        for (block, wanted) in [
            ("", "`metrics!` needs at least one function"),
            ("fn a(image: &Image) -> f64 { 0.0 }", "needs a doc comment"),
            ("/// A.\nfn a(image: Image) -> f64 { 0.0 }", "write `image: &Image`"),
            ("/// A.\nfn a(image: &mut Image) -> f64 { 0.0 }", "write `image: &Image`"),
            ("/// A.\nfn a(picture: &Image) -> f64 { 0.0 }", "no argument `picture`: it may take `image: &Image`"),
            ("/// A.\nfn a(image: &ImageSet) -> f64 { 0.0 }", "write `images: &ImageSet`"),
            ("/// A.\nfn a(image: &Image, images: &ImageSet) -> f64 { 0.0 }", "exclude each other"),
            ("/// A.\nfn a(reference: &Image) -> f64 { 0.0 }", "needs something to compare: take `image: &Image`"),
            ("/// A.\nfn a(image: &Image, reference: Image) -> f64 { 0.0 }", "write `reference: &Image`"),
            ("/// A.\nfn a(image: &Image, reference: Option<&Image>) -> f64 { 0.0 }", "write `reference: &Image`"),
            ("/// A.\nfn a(image: &Image, reference: &ImageSet) -> f64 { 0.0 }", "write `reference: &Image`"),
            ("/// A.\nfn a(image: &Image, refrence: &Image) -> f64 { 0.0 }", "no argument `refrence`"),
            ("/// A.\nfn a(images: &[Image]) -> f64 { 0.0 }", "write `images: &ImageSet`"),
            ("/// A.\nfn a(images: ImageSet) -> f64 { 0.0 }", "write `images: &ImageSet`"),
            ("/// A.\nfn a(images: &ImageSet, reference: &ImageSet) -> f64 { 0.0 }", "`reference: Option<&ImageSet>`"),
            ("/// A.\nfn a(images: &ImageSet, reference: &Image) -> f64 { 0.0 }", "`reference: Option<&ImageSet>`"),
            ("/// A.\nfn a(images: &ImageSet, sample: &Sample) -> f64 { 0.0 }", "a set has no sample"),
            ("/// A.\nfn a(images: &ImageSet, seed: u64) -> f64 { 0.0 }", "a set metric has no argument `seed`"),
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
            (
                "/// A.\nfn a(image: &Image) -> f64 { 0.0 }\n\
                 /// B.\n#[metric(name = \"a\")]\nfn b(image: &Image, reference: &Image) -> f64 { 0.0 }",
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
