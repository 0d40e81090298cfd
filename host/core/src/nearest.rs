//! "Did you mean": the nearest of the names that exist.

/// How alike two names must be (Damerau-Levenshtein, 1 is equal) before one is offered for the other.
const ALIKE: f64 = 0.6;

/// How many names a list in a message holds.
const LISTED: usize = 30;

/// How alike two names are: 0 to 1.
fn likeness(name: &str, candidate: &str) -> f64 {
    let (name, candidate) = (name.to_lowercase(), candidate.to_lowercase());
    // `sharpness` is meant as `image-stats/sharpness`: a plugin's metric without its plugin.
    let tail = candidate.rsplit('/').next().unwrap_or(&candidate);
    strsim::normalized_damerau_levenshtein(&name, &candidate)
        .max(strsim::normalized_damerau_levenshtein(&name, tail) * 0.99)
}

/// The name most like `name`, where one is alike enough.
#[must_use]
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best = None;
    for candidate in names {
        let score = likeness(name, candidate);
        if score >= ALIKE && best.is_none_or(|(most, _)| score > most) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// ``did you mean `x`?`` and what there is: `what` names the list, such as `known keys`. Of a long list, the names most like
/// `name`.
#[must_use]
pub fn did_you_mean<'a>(name: &str, names: impl IntoIterator<Item = &'a str> + Clone, what: &str) -> String {
    let mut listed: Vec<&str> = names.clone().into_iter().collect();
    let more = if listed.len() > LISTED { ", ..." } else { "" };
    if listed.len() > LISTED {
        listed.sort_by_cached_key(|candidate| std::cmp::Reverse((likeness(name, candidate) * 1e6) as u32));
        listed.truncate(LISTED);
    }
    let list = if listed.is_empty() { "none".to_owned() } else { listed.join(", ") };
    match nearest(name, names) {
        Some(meant) => format!("did you mean `{meant}`? {what}: {list}{more}"),
        None => format!("{what}: {list}{more}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_names_without_their_plugin_but_nothing_far() {
        let names = ["clip_score", "image-stats/sharpness", "image-stats/contrast"];
        assert_eq!(nearest("clip_scor", names), Some("clip_score"));
        assert_eq!(nearest("CLIP_SCORE", names), Some("clip_score"));
        assert_eq!(nearest("sharpnes", names), Some("image-stats/sharpness"));
        assert_eq!(nearest("aesthetics", names), None);
        assert_eq!(nearest("anything", []), None);
    }

    #[test]
    fn says_what_there_is() {
        assert_eq!(did_you_mean("x", [], "available"), "available: none");
        assert_eq!(
            did_you_mean("stepz", ["steps", "size"], "known keys"),
            "did you mean `steps`? known keys: steps, size"
        );
    }

    #[test]
    fn a_long_list_keeps_the_names_that_are_most_alike() {
        let names: Vec<String> = (0..100).map(|i| format!("other/{i}")).chain(["stats/entropy".to_owned()]).collect();
        let text = did_you_mean("entropie", names.iter().map(String::as_str), "available");
        assert!(text.starts_with("did you mean `stats/entropy`? available: stats/entropy, other/"), "{text}");
        assert!(text.ends_with(", ..."), "{text}");
    }
}
