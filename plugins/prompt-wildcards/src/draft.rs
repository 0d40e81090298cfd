//! A prompt in the making: its text so far, and what was taken where.

use crate::template::Choice;

/// Text and record, filled by one walk through a template.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The text so far.
    pub text: String,
    /// Site and the text that was taken there, in the order of their ends.
    pub taken: Vec<(usize, String)>,
}

impl Draft {
    /// Adds what `write` writes for a choice, and records it. `None` when `write` fails.
    pub(crate) fn choice(&mut self, choice: &Choice, write: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        let start = self.text.len();
        write(self)?;
        if let Some(site) = choice.site {
            self.taken.push((site, self.text[start..].to_owned()));
        }
        Some(())
    }

    /// Adds several options with the separator between them, each written by `write`. `None`, which makes no prompt, when
    /// two of them come out as the same text. Where the whole begins or ends with the separator, because an option was
    /// empty, that one is dropped.
    pub(crate) fn join<T>(
        &mut self,
        separator: &str,
        options: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Option<()>,
    ) -> Option<()> {
        let start = self.text.len();
        let mut parts: Vec<String> = Vec::new();
        for option in options {
            write(self, option)?;
            let part = self.text.split_off(start);
            if parts.contains(&part) {
                return None;
            }
            parts.push(part);
        }
        let joined = parts.join(separator);
        let mut whole = joined.as_str();
        if parts.len() > 1 && !separator.is_empty() {
            whole = whole.strip_prefix(separator).unwrap_or(whole);
            whole = whole.strip_suffix(separator).unwrap_or(whole);
        }
        self.text.push_str(whole);
        Some(())
    }
}
