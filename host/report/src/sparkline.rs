//! A row of numbers as a row of small bars, one character each.

use std::ffi::OsString;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Ever more ink, for a terminal that has no blocks.
const ASCII: [char; 8] = ['_', '.', ':', '-', '=', '+', '*', '#'];

/// The bars of `values`, from the least of them to the greatest; equal values give bars of middle height. Without `unicode`, in ASCII.
#[must_use]
pub fn sparkline(values: &[f64], unicode: bool) -> String {
    let bars = if unicode { BLOCKS } else { ASCII };
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Halves, for a span that is beyond any number.
    let (half, span) = (least / 2.0, most / 2.0 - least / 2.0);
    let bar = |value: &f64| {
        let height = if span > 0.0 { (value / 2.0 - half) / span * 7.0 } else { 3.0 };
        bars[(height.round() as usize).min(7)]
    };
    values.iter().map(bar).collect()
}

/// Whether the terminal's characters are Unicode, by the variables that say so.
#[must_use]
pub fn unicode(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    // The first that is set decides, as in POSIX; Windows has none of them, and its terminals are Unicode.
    match ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set) {
        Some(locale) => {
            let locale = locale.to_string_lossy().to_lowercase();
            locale.ends_with("utf-8")
                || locale.ends_with("utf8")
                || locale.contains(".utf-8@")
                || locale.contains(".utf8@")
        }
        None => cfg!(windows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_go_from_the_least_to_the_greatest() {
        assert_eq!(sparkline(&[0.0, 1.0, 0.5, 0.25], true), "▁█▅▃");
        assert_eq!(sparkline(&[0.0, 1.0, 0.5, 0.25], false), "_#=:");
        assert_eq!(sparkline(&[2.0, 2.0], true), "▄▄");
        assert_eq!(sparkline(&[f64::MIN, f64::MAX, 0.0], true), "▁█▅");
        assert_eq!(sparkline(&[], true), "");
    }

    #[test]
    fn the_locale_decides() {
        let of = |variables: &[(&str, &str)]| {
            unicode(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
        };
        assert!(of(&[("LANG", "en_GB.UTF-8")]));
        assert!(of(&[("LANG", "de_DE.utf8@euro")]));
        assert!(!of(&[("LANG", "en_GB.UTF-8"), ("LC_ALL", "C")]));
        assert!(of(&[("LANG", "C"), ("LC_ALL", ""), ("LC_CTYPE", "C.UTF-8")]));
        assert!(!of(&[("LANG", "en_GB.ISO-8859-1")]));
    }
}
