//! Ids that a person can read and that depend on nothing but the values they name.

/// Longest slug; what is longer is cut and told apart by a hash of the whole.
const LONGEST: usize = 40;

/// Lower-case letters, digits and dots of any script; everything between them becomes one hyphen. A value without any of
/// them, or longer than 40 characters, gets 8 hexadecimal digits of its 64-bit FNV-1a hash.
#[must_use]
pub fn slug(value: &str) -> String {
    let mut slug = String::new();
    for letter in value.chars().flat_map(char::to_lowercase) {
        if letter.is_alphanumeric() || letter == '.' {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.is_empty() && !value.is_empty() {
        return hash(value);
    }
    match slug.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}-{}", slug[..end].trim_end_matches('-'), hash(value)),
        None => slug,
    }
}

/// The id as it is, or cut to the 128 characters that the host takes, with the hash of the whole at its end.
#[must_use]
pub fn fit(id: String) -> String {
    const MOST: usize = 128;
    const HASH: usize = 9;
    if id.chars().count() <= MOST {
        return id;
    }
    let kept: String = id.chars().take(MOST - HASH).collect();
    format!("{kept}~{}", hash(&id))
}

/// 8 hexadecimal digits of the 64-bit FNV-1a hash.
fn hash(value: &str) -> String {
    let hash = value
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{:08x}", hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_readable() {
        assert_eq!(slug("oil painting"), "oil-painting");
        assert_eq!(slug("  Van Gogh's \"Starry Night\" "), "van-gogh-s-starry-night");
        assert_eq!(slug("1.5"), "1.5");
        assert_eq!(slug("猫 und Ünde"), "猫-und-ünde");
        assert_eq!(slug(""), "");
    }

    #[test]
    fn what_a_slug_loses_a_hash_keeps() {
        assert_ne!(slug("!!!"), slug("???"));
        let long = |end: &str| slug(&format!("{}{end}", "a very long value that says more and more "));
        assert_ne!(long("1"), long("2"));
        let wide = |end: &str| fit(format!("{}{end}", "ü".repeat(200)));
        assert_ne!(wide("1"), wide("2"));
        assert_eq!(wide("1").chars().count(), 128);
        assert_eq!(fit("ü".repeat(128)), "ü".repeat(128));
        assert!(long("1").chars().count() <= LONGEST + 9, "{}", long("1"));
    }
}
