//! Values for variables that the config gives none: enough to try a template before writing lists.
//!
//! Released lists only grow at their end: ids come from values, so no id changes.

/// Names and values. Colours and shapes are those that `builtin:shapes` knows.
pub const LISTS: [(&str, &[&str]); 9] = [
    ("color", &["red", "green", "blue", "yellow", "purple", "orange", "white", "black", "pink", "cyan"]),
    ("shape", &["circle", "square", "triangle", "star", "cross", "diamond", "ring", "heart"]),
    ("size", &["small", "large"]),
    ("relation", &["left of", "right of", "above", "below"]),
    ("number", &["one", "two", "three", "four", "five"]),
    ("animal", &["cat", "dog", "horse", "cow", "sheep", "bird", "elephant", "bear"]),
    ("subject", &["person", "cat", "car", "house", "tree", "mountain", "bowl of fruit", "city street"]),
    (
        "style",
        &["oil painting", "watercolor", "pencil sketch", "pixel art", "comic book", "art deco", "photorealistic"],
    ),
    ("material", &["wood", "metal", "glass", "stone", "paper", "fabric", "plastic", "leather"]),
];

/// The values of a built-in variable. A number at the end of the name is left out of account, so that one template can
/// use a list twice: `a {color} {shape} left of a {color2} {shape2}`.
#[must_use]
pub fn built_in(name: &str) -> Option<&'static [&'static str]> {
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit());
    LISTS.iter().find(|(list, _)| *list == base).map(|(_, values)| *values)
}

/// The names of all lists, for messages.
#[must_use]
pub fn names() -> String {
    LISTS.map(|(name, _)| name).join(", ")
}
