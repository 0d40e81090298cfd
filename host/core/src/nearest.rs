//! "Did you mean": the nearest of the names that exist.

/// How alike two names must be (Damerau-Levenshtein, 1 is equal) before one is offered for the other.
const ALIKE: f64 = 0.6;

/// How many names a list in a message holds.
const LISTED: usize = 30;

/// The name most like `name`, where one is alike enough.
#[must_use]
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let alike = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        // `sharpness` is meant as `image-stats/sharpness`: a plugin's metric without its plugin.
        let tail = candidate.rsplit('/').next().unwrap_or(&candidate);
        strsim::normalized_damerau_levenshtein(&name, &candidate)
            .max(strsim::normalized_damerau_levenshtein(&name, tail) * 0.99)
    };
    let mut best = None;
    for candidate in names {
        let score = alike(candidate);
        if score >= ALIKE && best.is_none_or(|(most, _)| score > most) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// ``did you mean `x`?`` and what there is: `what` names the list, such as `known keys`.
#[must_use]
pub fn did_you_mean<'a>(name: &str, names: impl IntoIterator<Item = &'a str> + Clone, what: &str) -> String {
    let mut listed: Vec<&str> = names.clone().into_iter().take(LISTED + 1).collect();
    let more = if listed.len() > LISTED { ", ..." } else { "" };
    listed.truncate(LISTED);
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
}
