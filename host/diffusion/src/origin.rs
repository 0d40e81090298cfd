//! Where a folder came from, told by its place: `models--ORG--NAME/snapshots/COMMIT` is what the hub's clients call a model's files at
//! a commit.

use std::path::Path;

/// A model on the hub at a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `ORG/NAME`.
    pub model: String,
    /// The commit, 40 hex digits.
    pub revision: String,
}

impl Origin {
    /// What the place of `folder` says; `None` where it is a folder like any other.
    #[must_use]
    pub fn of(folder: &Path) -> Option<Self> {
        let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
        let revision = name(folder)?;
        let snapshots = folder.parent().filter(|parent| name(parent).as_deref() == Some("snapshots"))?;
        let model = name(snapshots.parent()?)?.strip_prefix("models--")?.replacen("--", "/", 1);
        let commit = revision.len() == 40 && revision.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        commit.then_some(Self { model, revision })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_of_the_cache_tell_model_and_commit() {
        let commit = "71153311d3dbb46851df1931d3ca6e939de83304";
        let folder = Path::new("/hub/models--stabilityai--sdxl-turbo/snapshots").join(commit);
        let origin = Origin { model: "stabilityai/sdxl-turbo".into(), revision: commit.into() };
        assert_eq!(Origin::of(&folder), Some(origin));
        assert_eq!(Origin::of(Path::new("/hub/models--a--b/snapshots/main")), None);
        assert_eq!(Origin::of(Path::new("models/my-model")), None);
        assert_eq!(Origin::of(Path::new("/")), None);
    }
}
