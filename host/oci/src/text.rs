//! Text from servers, made safe to show.

/// `text` on one line of at most `max` characters: whatever is not plainly visible is written as an escape.
pub(crate) fn line(text: &str, max: usize) -> String {
    let mut out = String::new();
    for (at, c) in text.trim().chars().enumerate() {
        if at == max {
            out.push('…');
            break;
        }
        match c {
            '"' | '\'' | '\\' => out.push(c),
            // escapes controls, separators, direction overrides and other characters that cannot be seen
            c => out.extend(c.escape_debug()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn terminal_sequences_and_overrides_are_disarmed() {
        assert_eq!(line("a \u{1b}[31m\n\u{202e}b 'é' \"q\"", 100), "a \\u{1b}[31m\\n\\u{202e}b 'é' \"q\"");
        assert_eq!(line("abcdef", 3), "abc…");
    }
}
