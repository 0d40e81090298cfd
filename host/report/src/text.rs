//! Words and numbers for people.

use difftest_core::gate::Bound;

/// `text` with everything escaped that could steer a terminal or turn its reading direction around. One line stays one line.
#[must_use]
pub fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // Bidirectional controls, zero-width characters, line and paragraph separators, the byte order mark, tags.
        let hidden = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
        if c.is_control() || hidden {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// [`safe`], cut to `most` characters with an ellipsis.
#[must_use]
pub fn short(text: &str, most: usize) -> String {
    let text = safe(text);
    if text.chars().count() <= most {
        return text;
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// `text` with what it quotes (from its first quotation mark to its last) cut behind a word where that is longer than a line takes.
#[must_use]
pub fn brief(text: &str) -> String {
    const MOST: usize = 80;
    let Some((start, end)) = text.find('"').zip(text.rfind('"')).filter(|(start, end)| start < end) else {
        return text.to_owned();
    };
    let quoted = &text[start + 1..end];
    let Some((most, _)) = quoted.char_indices().nth(MOST) else { return text.to_owned() };
    let word = quoted[..most].rfind(char::is_whitespace).unwrap_or(most);
    format!("{}\"{} …{}", &text[..start], quoted[..word].trim_end(), &text[end..])
}

/// `1 case`, `2 cases`.
#[must_use]
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// A score as people read it: three decimals, more where three would show nothing.
#[must_use]
pub fn score(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.001 || value.abs() >= 1e9 {
        format!("{value:.2e}")
    } else {
        format!("{value:.3}")
    }
}

/// How a value stands to its bound: `0.241 < 0.250, short by 0.009`, `0.310 >= 0.250`, `0.475 within 0.050 and 0.950`. Where it is
/// outside, both with as many decimals as it takes to tell them apart.
#[must_use]
pub fn compared(value: f64, bound: &Bound) -> String {
    let below = bound.min.filter(|&min| value < min);
    let above = bound.max.filter(|&max| value > max);
    match (below, above) {
        (Some(min), _) => {
            let (value, min, gap) = distinct(value, min);
            format!("{value} < {min}, short by {gap}")
        }
        (None, Some(max)) => {
            let (value, max, gap) = distinct(value, max);
            format!("{value} > {max}, over by {gap}")
        }
        (None, None) => match (bound.min, bound.max) {
            (Some(min), Some(max)) => format!("{} within {} and {}", score(value), score(min), score(max)),
            (Some(min), None) => format!("{} >= {}", score(value), score(min)),
            (None, Some(max)) => format!("{} <= {}", score(value), score(max)),
            (None, None) => score(value),
        },
    }
}

/// Two different numbers and their distance, with enough decimals to see that they differ.
fn distinct(a: f64, b: f64) -> (String, String, String) {
    let gap = (a - b).abs();
    if score(a) != score(b) && gap >= 0.001 {
        return (score(a), score(b), score(gap));
    }
    for decimals in 4..=12 {
        let (left, right) = (format!("{a:.decimals$}"), format!("{b:.decimals$}"));
        if left != right {
            return (left, right, format!("{gap:.1e}"));
        }
    }
    (a.to_string(), b.to_string(), format!("{gap:.1e}"))
}

/// `>= 0.250`, `<= 0.900`, `0.100 to 0.900`.
#[must_use]
pub fn bound(bound: &Bound) -> String {
    match (bound.min, bound.max) {
        (Some(min), Some(max)) => format!("{} to {}", score(min), score(max)),
        (Some(min), None) => format!(">= {}", score(min)),
        (None, Some(max)) => format!("<= {}", score(max)),
        (None, None) => "any".to_owned(),
    }
}

/// A duration of a piece of work in a column: `[   1.204s]`; minutes and hours where it was long.
#[must_use]
pub fn seconds_column(seconds: f64) -> String {
    if seconds < 1000.0 { format!("[{seconds:>8.3}s]") } else { format!("[{:>9}]", duration(seconds)) }
}

/// `8s`, `6m 12s`, `1h 02m`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m {s:02}s"),
        (h, m, _) => format!("{h}h {m:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_least(min: f64) -> Bound {
        Bound { min: Some(min), max: None }
    }

    #[test]
    fn nothing_can_steer_the_terminal() {
        assert_eq!(safe("a red\u{1b}[2J\r\ncircle\u{7}"), "a red\\u{1b}[2J\\r\\ncircle\\u{7}");
        assert_eq!(safe("abc\u{202e}def\u{200b}\u{9b}31m"), "abc\\u{202e}def\\u{200b}\\u{9b}31m");
        assert_eq!(safe("größe ∞ 🟥 赤い丸"), "größe ∞ 🟥 赤い丸");
        assert_eq!(short("abcdef", 4), "abc…");
        assert_eq!(short("赤い丸", 3), "赤い丸");
    }

    #[test]
    fn long_quotes_end_behind_a_word() {
        assert_eq!(brief("does not see \"a green heart\""), "does not see \"a green heart\"");
        let long = brief(&format!("cut: \"{}end\", so", "seven77 ".repeat(20)));
        assert_eq!(long, format!("cut: \"{} …\", so", ["seven77"; 10].join(" ")));
        assert_eq!(brief(&format!("\"{}\"", "∞".repeat(90))), format!("\"{} …\"", "∞".repeat(80)));
        assert_eq!(brief("one \" mark"), "one \" mark");
    }

    #[test]
    fn a_failed_comparison_always_shows_a_difference() {
        assert_eq!(compared(0.241, &at_least(0.25)), "0.241 < 0.250, short by 0.009");
        assert_eq!(compared(0.249_999, &at_least(0.25)), "0.249999 < 0.250000, short by 1.0e-6");
        assert_eq!(
            compared(0.1 + 0.2, &Bound { min: None, max: Some(0.3) }),
            "0.30000000000000004 > 0.3, over by 5.6e-17"
        );
        assert_eq!(compared(0.31, &at_least(0.25)), "0.310 >= 0.250");
        assert_eq!(compared(0.5, &Bound { min: Some(0.1), max: Some(0.9) }), "0.500 within 0.100 and 0.900");
    }

    #[test]
    fn numbers_and_times() {
        assert_eq!(
            [0.0, 0.31, 0.000_12, 123.456_78, 2e12].map(score),
            ["0.000", "0.310", "1.20e-4", "123.457", "2.00e12"]
        );
        assert_eq!([8.2, 372.0, 3720.0].map(duration), ["8s", "6m 12s", "1h 02m"]);
        assert_eq!(seconds_column(1.2044), "[   1.204s]");
        assert_eq!(seconds_column(3720.0).len(), seconds_column(1.0).len());
        assert_eq!((count(1, "case"), count(0, "case")), ("1 case".to_owned(), "0 cases".to_owned()));
    }
}
