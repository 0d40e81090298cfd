//! Credentials, kept out of messages.

/// Parts of names that mark a value as a secret.
const MARKS: [&str; 7] = ["secret", "token", "key", "sas", "password", "credential", "signature"];

/// The values that no message may contain.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

/// Whether a setting of this name is a credential.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    MARKS.iter().any(|mark| name.contains(mark))
}

impl Secrets {
    /// Remembers a value. Short ones are not: taking `1` or `true` out of messages would spoil them and hide nothing.
    pub(crate) fn add(&mut self, value: &str) {
        if value.len() >= 8 {
            self.0.push(value.to_owned());
        }
    }

    /// The text on one line, at most 300 characters, with every secret replaced.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = text.replace(secret.as_str(), "***");
        }
        let line = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        match words.char_indices().nth(300) {
            Some((end, _)) => format!("{} ...", &words[..end]),
            None => words,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_settings_do_not_show() {
        let mut secrets = Secrets::default();
        secrets.add("wJalrXUtnFEMI");
        secrets.add("1");
        assert_eq!(secrets.scrub("no 1\nAuthorization: wJalrXUtnFEMI!"), "no 1 Authorization: ***!");
        assert!(is_secret("AWS_SESSION_TOKEN") && is_secret("sas_key") && !is_secret("AWS_REGION"));
    }
}
