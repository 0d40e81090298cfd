//! Text from servers, made safe to show.

/// `text` on one line of at most `max` characters, with escapes for whatever cannot be seen.
pub(crate) fn line(text: &str, max: usize) -> String {
    let text = text.trim();
    let mut shown: String = text
        .chars()
        .take(max)
        .map(|c| if matches!(c, '"' | '\'' | '\\') { c.to_string() } else { c.escape_debug().to_string() })
        .collect();
    if text.chars().nth(max).is_some() {
        shown.push('…');
    }
    shown
}

/// `5.1 GB`, `512 kB`, `17 bytes`.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} bytes"),
        1_000..1_000_000 => format!("{} kB", count / 1_000),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_disarmed_and_length_is_bounded() {
        assert_eq!(line("a \u{1b}[31m\n\u{202e}b 'é'", 100), "a \\u{1b}[31m\\n\\u{202e}b 'é'");
        assert_eq!(line("abcdef", 3), "abc…");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!([999, 1_500, 5_140_000, 5_140_000_000].map(bytes), ["999 bytes", "1 kB", "5.1 MB", "5.1 GB"]);
    }
}
