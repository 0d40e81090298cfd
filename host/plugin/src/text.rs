//! Text that came from a plugin, made safe to show: no terminal escapes, no text that reorders its neighbours, no end in sight.

/// Whether `c` changes how text around it is shown: control characters (C0, C1, DEL), separators of lines, overrides of the
/// writing direction, invisible tags. Joiners inside emoji and scripts are left alone.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One line of at most `max` characters: unsafe characters written as `\u{1b}`, line ends as `\n`, and `…` where it was cut.
pub(crate) fn line(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    let mut left = max;
    for c in text.chars() {
        if left == 0 {
            out.push('…');
            break;
        }
        left -= 1;
        if is_unsafe(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// As [`line()`], but keeps line ends, for text that is shown as a block.
pub(crate) fn block(text: &str, max: usize) -> String {
    let mut left = max;
    let mut lines = Vec::new();
    for part in text.lines() {
        if left == 0 {
            lines.push("…".to_owned());
            break;
        }
        let shown = line(part, left);
        left = left.saturating_sub(part.chars().count() + 1);
        lines.push(shown);
    }
    lines.join("\n")
}

/// Whether `name` is kebab-case: words of lower-case ASCII letters and digits joined by single dashes, starting with a letter.
pub(crate) fn is_kebab(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .split('-')
            .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_shown_and_not_obeyed() {
        assert_eq!(line("\u{1b}[31mred\u{7}", 100), "\\u{1b}[31mred\\u{7}");
        assert_eq!(line("a\r\nb\u{202e}c\u{9b}", 100), "a\\r\\nb\\u{202e}c\\u{9b}");
        assert_eq!(line("größer 👩‍🚀 größte", 100), "größer 👩‍🚀 größte");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(line(&"x".repeat(2_000), 4), "xxxx…");
        assert_eq!(block("one\ntwo\nthree", 5), "one\nt…\n…");
        assert_eq!(block("one\ntwo", 50), "one\ntwo");
    }

    #[test]
    fn kebab() {
        for good in ["a", "image-stats", "v2", "a-1"] {
            assert!(is_kebab(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "a_b", "1a", "a b", "é", "a/b"] {
            assert!(!is_kebab(bad), "{bad}");
        }
    }
}
