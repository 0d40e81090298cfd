//! Templates: text with `{variables}`, and `{{` and `}}` for braces.

use difftest_sdk::Error;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// As it was written.
    pub source: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for a brace without its partner, or what is no name between braces.
    pub fn parse(source: &str) -> Result<Self, Error> {
        let fault = |at: usize, what: String| {
            let column = source[..at].chars().count() + 1;
            Error::invalid_config(format_args!("template `{source}`, character {column}: {what}"))
        };
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = 0;
        while let Some(found) = source[rest..].find(['{', '}']) {
            let at = rest + found;
            text.push_str(&source[rest..at]);
            let (brace, after) = source[at..].split_at(1);
            if after.starts_with(brace) {
                text.push_str(brace);
                rest = at + 2;
                continue;
            }
            if brace == "}" {
                return Err(fault(at, "`}` closes nothing; a brace in the text is written `}}`".into()));
            }
            let Some(length) = after.find(['{', '}']).filter(|&end| after[end..].starts_with('}')) else {
                return Err(fault(at, "`{` is not closed; a brace in the text is written `{{`".into()));
            };
            let name = after[..length].trim();
            if !is_name(name) {
                let what = "is no variable name: letters, digits, `_` and `-`, beginning with a letter";
                return Err(fault(at, format!("`{{{name}}}` {what}")));
            }
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(Piece::Variable(name.to_owned()));
            rest = at + length + 2;
        }
        text.push_str(&source[rest..]);
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Ok(Self { source: source.to_owned(), pieces })
    }

    /// The variables, in order of appearance, repeats included.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The text with every variable replaced. Where a value is empty, the space after it goes with it, so that
    /// `a {size} star` without a size is `a star`.
    pub fn render<'a>(&self, value: impl Fn(&str) -> &'a str) -> String {
        let mut out = String::new();
        let mut swallow = false;
        for piece in &self.pieces {
            match piece {
                Piece::Variable(name) => {
                    let value = value(name);
                    out.push_str(value);
                    swallow = value.is_empty() && (out.is_empty() || out.ends_with(' '));
                }
                Piece::Text(text) => {
                    out.push_str(if swallow { text.strip_prefix(' ').unwrap_or(text) } else { text });
                    swallow = false;
                }
            }
        }
        if swallow {
            out.truncate(out.trim_end_matches(' ').len());
        }
        out
    }
}

/// A letter, then letters, digits, `_` and `-`; ASCII, so that names stay readable in ids.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn render(source: &str) -> String {
        Template::parse(source).unwrap().render(|name| match name {
            "empty" => "",
            "braces" => "{x}",
            _ => "V",
        })
    }

    #[test]
    fn variables_are_replaced_and_values_are_not_read_again() {
        assert_eq!(render("a {subject} in { style } style"), "a V in V style");
        assert_eq!(render("{a}{b}"), "VV");
        assert_eq!(render("{braces}"), "{x}");
        assert_eq!(render("plain, ünïcode 猫"), "plain, ünïcode 猫");
        assert_eq!(render(""), "");
    }

    #[test]
    fn doubled_braces_are_braces() {
        assert_eq!(render("{{a}} {{{a}}} }}{{"), "{a} {V} }{");
    }

    #[test]
    fn an_empty_value_takes_a_space_along() {
        assert_eq!(render("a {empty} star"), "a star");
        assert_eq!(render("{empty} star"), "star");
        assert_eq!(render("a star {empty}"), "a star");
        assert_eq!(render("a {empty}star"), "a star");
    }

    #[test]
    fn faults_say_where_and_what() {
        for (source, wanted) in [
            ("a {", "character 3: `{` is not closed"),
            ("a {b {c}", "character 3: `{` is not closed"),
            ("é } a", "character 3: `}` closes nothing"),
            ("a {}", "`{}` is no variable name"),
            ("a {2x}", "`{2x}` is no variable name"),
            ("{größe}", "`{größe}` is no variable name"),
        ] {
            let message = Template::parse(source).unwrap_err().to_string();
            assert!(message.contains(wanted), "{source}: {message}");
        }
    }
}
