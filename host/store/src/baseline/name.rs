//! Names: of baselines and environments, which become folders, and of image files, which people read.

use difftest_core::digest::Digest;

use super::BaselineError;
use crate::run_folder::file_name;

/// Checks the name of a baseline.
///
/// # Errors
/// [`BaselineError::Name`] for a name that could not be a folder everywhere, or would lead out of the baselines.
pub fn check_name(name: &str) -> Result<(), BaselineError> {
    check("baseline", name)
}

/// [`check_name`], for the name of an environment.
///
/// # Errors
/// As [`check_name`].
pub fn check_environment(name: &str) -> Result<(), BaselineError> {
    check("environment", name)
}

fn check(what: &'static str, name: &str) -> Result<(), BaselineError> {
    const LONGEST: usize = 100;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '.');
    let reason = if name.is_empty() {
        "is empty"
    } else if name.len() > LONGEST {
        "is longer than 100 bytes"
    } else if !name.chars().all(plain) {
        "has a character in it that not every file system takes in a folder's name"
    } else if name.starts_with(['.', '-', '+']) || name.ends_with('.') {
        "begins or ends with a character that makes it a special folder"
    } else if is_reserved(name) {
        "is the name of a device on Windows"
    } else {
        return Ok(());
    };
    Err(BaselineError::Name { what, name: name.to_owned(), reason })
}

/// `SUITE/TEST-PROMPT-seedN.png` for the case `SUITE::TEST[PROMPT,seed=N]`. Where that does not say the whole id (it had characters
/// that not every file system takes, or was too long), or is `taken` by another case, a piece of the id's digest makes it unique.
/// Names are told apart as file systems that ignore case do.
pub(super) fn image_file(id: &str, taken: impl Fn(&str) -> bool) -> String {
    let (suite, rest) = id.split_once("::").unwrap_or(("", id));
    let (test, rest) = rest.split_once('[').unwrap_or((rest, ""));
    let (prompt, seed) = rest.trim_end_matches(']').rsplit_once(",seed=").unwrap_or((rest, ""));
    let mut exact = true;
    let mut part = |text: &str, limit: usize| {
        let name = file_name(text, limit);
        exact &= name == text && !is_reserved(&name);
        if is_reserved(&name) { format!("{name}-") } else { name }
    };
    let suite = part(suite, 60);
    let name = format!("{}-{}-seed{}", part(test, 60), part(prompt, 80), part(seed, 20));
    let plain = format!("{suite}/{name}.png");
    if exact && !taken(&plain.to_lowercase()) {
        return plain;
    }
    let digest = Digest::of(id.as_bytes()).to_string();
    // Eight digits are enough but for an attack, which the loop is for.
    let lengths = (8..=digest.len()).step_by(8);
    let mut unique = lengths.map(|length| format!("{suite}/{name}-{}.png", &digest[..length]));
    unique.find(|name| !taken(&name.to_lowercase())).unwrap_or_else(|| format!("{suite}/{digest}.png"))
}

/// Devices that Windows finds in every folder, whatever follows a full stop.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul")
        || (stem.len() == 4
            && (stem.starts_with("com") || stem.starts_with("lpt"))
            && stem.ends_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_names_that_a_person_reads() {
        assert_eq!(image_file("smoke::base[p0,seed=42]", |_| false), "smoke/base-p0-seed42.png");
        assert_eq!(image_file("smoke::base[color=red,seed=42]", |_| false), "smoke/base-color=red-seed42.png");
    }

    #[test]
    fn what_a_name_cannot_say_is_told_apart_by_a_digest() {
        let hostile = [
            "s::t[../../etc/passwd,seed=1]",
            "s::t[..\\..\\etc\\passwd,seed=1]",
            "s::t[a:b,seed=1]",
            "s::t[💥,seed=1]",
            "con::t[p0,seed=1]",
        ];
        let names: Vec<String> = hostile.iter().map(|id| image_file(id, |_| false)).collect();
        for name in &names {
            assert!(!name.contains("..") && !name.contains([':', '\\']) && name.matches('/').count() == 1, "{name}");
            assert!(name.is_ascii() && !name.starts_with("con/"), "{name}");
        }
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len(), "{names:?}");
    }

    #[test]
    fn a_taken_name_is_not_given_twice_whatever_the_case() {
        let first = image_file("s::t[A,seed=1]", |_| false);
        let second = image_file("s::t[a,seed=1]", |name| name == first.to_lowercase());
        assert_ne!(first.to_lowercase(), second.to_lowercase());
        // the same text, cut differently into test and prompt
        let one = image_file("s::t-a[b,seed=1]", |_| false);
        let other = image_file("s::t[a-b,seed=1]", |name| name == one);
        assert_ne!(one, other);
    }

    #[test]
    fn names_of_baselines_stay_inside() {
        assert!(["v1.0", "sd-turbo_2", "2026-11+rc1"].iter().all(|name| check_name(name).is_ok()));
        let wrong = ["", "..", ".hidden", "a/b", "a\\b", "a b", "nul", "COM1.x", "-x", "v1.", &"a".repeat(101)];
        assert!(wrong.iter().all(|name| check_name(name).is_err()));
    }
}
