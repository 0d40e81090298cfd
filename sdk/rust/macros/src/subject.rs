//! What a metric looks at. Its parameters decide, and with them the interface of the contract that exports it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Result, Signature, Type};

use crate::block;

/// The three kinds of metrics.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// One image.
    Image,
    /// One image against its reference.
    Pair,
    /// A whole set of images, against a reference set where there is one.
    Set,
}

impl Subject {
    pub(crate) const ALL: [Self; 3] = [Self::Image, Self::Pair, Self::Set];

    /// The kind that these parameters belong to; none at all belong to a metric of one image.
    pub(crate) fn of(signature: &Signature) -> Result<Self> {
        let parameter = |wanted| {
            signature.inputs.iter().find(|input| block::parameter(input).is_some_and(|(name, _)| name == wanted))
        };
        match (parameter("image"), parameter("images"), parameter("reference")) {
            (Some(_), Some(images), _) => {
                let message = "a metric looks at one image or at a set of them: `image: &Image` and \
                               `images: &ImageSet` exclude each other";
                Err(Error::new(images.span(), message))
            }
            (None, None, Some(reference)) => {
                let message = "a reference needs something to compare: take `image: &Image` beside it, \
                               or `images: &ImageSet`";
                Err(Error::new(reference.span(), message))
            }
            (None, Some(_), _) => Ok(Self::Set),
            (Some(_), None, Some(_)) => Ok(Self::Pair),
            (_, None, None) => Ok(Self::Image),
        }
    }

    /// What it is called in messages.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Image => "metric",
            Self::Pair => "pair metric",
            Self::Set => "set metric",
        }
    }

    /// The parameters that it may have, for messages.
    pub(crate) fn known(self) -> &'static str {
        match self {
            Self::Image => {
                "`image: &Image`, `sample: &Sample` and `config: YourConfig`, any of them in any order; \
                 `reference: &Image` makes it a pair metric, `images: &ImageSet` in place of `image` a set metric"
            }
            Self::Pair => {
                "`image: &Image`, `reference: &Image`, `sample: &Sample` and `config: YourConfig`, in any order"
            }
            Self::Set => "`images: &ImageSet`, `reference: Option<&ImageSet>` and `config: YourConfig`, in any order",
        }
    }

    /// The type that the block defines, the trait that it implements, and the world that it is exported through.
    pub(crate) fn names(self) -> [&'static str; 3] {
        match self {
            Self::Image => ["Metrics", "MetricPlugin", "metric"],
            Self::Pair => ["PairMetrics", "PairMetricPlugin", "pair"],
            Self::Set => ["SetMetrics", "SetMetricPlugin", "set"],
        }
    }

    /// The parameters of the trait's `measure` between the metric's name and the config.
    pub(crate) fn parameters(self) -> TokenStream {
        match self {
            Self::Image => quote!(image: &::difftest_sdk::Image, sample: &::difftest_sdk::Sample),
            Self::Pair => quote! {
                image: &::difftest_sdk::Image,
                reference: &::difftest_sdk::Image,
                sample: &::difftest_sdk::Sample
            },
            Self::Set => quote! {
                images: &::difftest_sdk::ImageSet,
                reference: ::core::option::Option<&::difftest_sdk::ImageSet>
            },
        }
    }

    /// What the call passes for a known parameter.
    pub(crate) fn argument(self, name: &str, ty: &Type) -> Option<Result<TokenStream>> {
        let shared = match ty {
            Type::Reference(reference) if reference.mutability.is_none() => Some(&*reference.elem),
            _ => None,
        };
        let (passed, fault) = match (self, name) {
            (Self::Image | Self::Pair, "image") => {
                let fault = match shared {
                    Some(ty) if is(ty, "ImageSet") => Some("a set goes by another name: write `images: &ImageSet`"),
                    Some(_) => None,
                    None => Some("a metric only looks at it: write `image: &Image`"),
                };
                (quote_spanned!(ty.span()=> image), fault)
            }
            (Self::Pair, "reference") => {
                let fits = shared.is_some_and(|ty| !is(ty, "ImageSet"));
                let fault = (!fits).then_some("the reference of an image is an image: write `reference: &Image`");
                (quote_spanned!(ty.span()=> reference), fault)
            }
            (Self::Image | Self::Pair, "sample") => {
                let fault = shared.is_none().then_some("a metric only looks at it: write `sample: &Sample`");
                (quote_spanned!(ty.span()=> sample), fault)
            }
            (Self::Set, "images") => {
                let fits = shared.is_some_and(|ty| matches!(ty, Type::Path(_)) && !is(ty, "Image") && !is(ty, "Vec"));
                let fault = (!fits).then_some("images come one by one out of a set: write `images: &ImageSet`");
                (quote_spanned!(ty.span()=> images), fault)
            }
            (Self::Set, "reference") => {
                let fault = (!is(ty, "Option"))
                    .then_some("not every suite has a reference set: write `reference: Option<&ImageSet>`");
                (quote_spanned!(ty.span()=> reference), fault)
            }
            (Self::Set, "sample") => {
                (TokenStream::new(), Some("a set has no sample: each of its images was made from another"))
            }
            _ => return None,
        };
        Some(fault.map_or(Ok(passed), |fault| Err(Error::new(ty.span(), fault))))
    }
}

/// Whether a path ends in this name. An alias may hide it; the compiler then judges.
fn is(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name))
}
