//! From Rust names and doc comments to what `describe` answers.

use syn::{Attribute, Expr, ExprLit, Ident, Lit, Meta};

/// `mean_luma` becomes `mean-luma`; `r#type` becomes `type`.
pub(crate) fn kebab(ident: &Ident) -> String {
    let text = ident.to_string();
    let text = text.strip_prefix("r#").unwrap_or(&text);
    text.split('_').filter(|word| !word.is_empty()).map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

/// Why `name` cannot name a metric, if it cannot: the rule of the contract is lower-case words joined by single hyphens,
/// each beginning with a letter.
pub(crate) fn kebab_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.len() > 64 {
        return Some("it is longer than 64 characters");
    }
    for word in name.split('-') {
        if !word.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Some("every word begins with a lower-case letter, and words are joined by single hyphens");
        }
        if !word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            return Some("only lower-case letters, digits and hyphens are allowed");
        }
    }
    None
}

/// The first line of the doc comment, if there is one with text in it.
pub(crate) fn summary(attributes: &[Attribute]) -> Option<String> {
    attributes
        .iter()
        .filter_map(doc_line)
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .find_map(|line| {
            let line = line.trim();
            (!line.is_empty()).then(|| line.to_owned())
        })
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn rust_names_become_kebab_case() {
        for (rust, wanted) in [
            ("brightness", "brightness"),
            ("mean_luma_8", "mean-luma-8"),
            ("r#type", "type"),
            ("_private", "private"),
            ("SSIM", "ssim"),
        ] {
            let ident: Ident = syn::parse_str(rust).unwrap();
            assert_eq!(kebab(&ident), wanted);
        }
    }

    #[test]
    fn names_outside_the_contract_are_found() {
        for good in ["a", "mean-luma", "ssim2"] {
            assert_eq!(kebab_fault(good), None, "{good}");
        }
        for bad in ["", "Mean", "mean--luma", "-a", "a-", "2d", "mean-8", "a_b", "grün", &"a".repeat(65)] {
            assert!(kebab_fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn the_summary_is_the_first_line_with_text() {
        let item: syn::ItemFn = syn::parse_quote! {
            #[doc = ""]
            /// Mean brightness.
            /// More about it.
            fn f() {}
        };
        assert_eq!(summary(&item.attrs).as_deref(), Some("Mean brightness."));
        let item: syn::ItemFn = syn::parse_quote! { #[doc = "  "] #[inline] fn f() {} };
        assert_eq!(summary(&item.attrs), None);
    }
}
