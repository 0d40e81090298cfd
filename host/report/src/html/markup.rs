//! Text that others wrote, made harmless.

use std::fmt::{self, Display, Formatter, Write as _};

use crate::text::safe;

/// Shows as text in HTML, between tags and in a quoted attribute: steers nothing, ends nothing, hides nothing.
pub(super) struct Text<'a>(pub(super) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for line in self.0.split_inclusive('\n') {
            let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
            for c in safe(line.strip_suffix('\r').unwrap_or(line)).chars() {
                match c {
                    '&' => f.write_str("&amp;")?,
                    '<' => f.write_str("&lt;")?,
                    '>' => f.write_str("&gt;")?,
                    '"' => f.write_str("&quot;")?,
                    '\'' => f.write_str("&#39;")?,
                    c => f.write_char(c)?,
                }
            }
            f.write_str(end)?;
        }
        Ok(())
    }
}

/// At most `most` characters of a text, with an ellipsis.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// JSON that may stand in a script element: no character in it has a meaning in HTML, or turns its reading direction around, and it is
/// still the same JSON.
pub(super) struct Json<'a>(pub(super) &'a str);

impl Display for Json<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let special = |c: char| matches!(c, '<' | '>' | '&' | '\u{2028}'..='\u{202e}');
        let mut rest = self.0;
        while let Some(at) = rest.find(special) {
            f.write_str(&rest[..at])?;
            let c = rest[at..].chars().next().unwrap_or_default();
            write!(f, "\\u{:04x}", u32::from(c))?;
            rest = &rest[at + c.len_utf8()..];
        }
        f.write_str(rest)
    }
}

/// One word of a shell command.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_nothing_and_steers_nothing() {
        let shown = Text("</script><b a='\"'>&\u{1b}[2J\u{202e}\r\nnext").to_string();
        assert_eq!(shown, "&lt;/script&gt;&lt;b a=&#39;&quot;&#39;&gt;&amp;\\u{1b}[2J\\u{202e}\nnext");
        assert_eq!(cut("赤い丸です", 3), "赤い丸…");
        assert_eq!(cut("abc", 3), "abc");
    }

    #[test]
    fn json_reads_back_as_it_was() -> Result<(), serde_json::Error> {
        let text = "</script><!-- & \u{2028}\u{2029}\u{202e} \u{0} ü 赤";
        let escaped = Json(&serde_json::to_string(text)?).to_string();
        assert!(!escaped.contains(['<', '>', '&', '\u{2028}', '\u{2029}', '\u{202e}']), "{escaped}");
        assert_eq!(serde_json::from_str::<String>(&escaped)?, text);
        Ok(())
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_read_more() {
        assert_eq!(quoted("smoke::base[p0,seed=42]"), "'smoke::base[p0,seed=42]'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!((quoted("a-b/c.toml"), quoted("")), ("a-b/c.toml".to_owned(), "''".to_owned()));
    }
}
