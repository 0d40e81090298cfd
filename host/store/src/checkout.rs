//! Which commit is checked out, read from git's own files: no program is started, and a run in no checkout costs nothing.

use std::fs;
use std::path::{Path, PathBuf};

/// The commit of the checkout that `folder` lies in, in hex. `None` outside of one, before its first commit, and where git keeps its
/// references in a form that is not text files.
#[must_use]
pub fn commit(folder: &Path) -> Option<String> {
    let folder = std::path::absolute(folder).ok()?;
    let git = folder.ancestors().find_map(git_folder)?;
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    match head.trim().strip_prefix("ref: ") {
        Some(name) => reference(&git, name),
        None => object_id(&head),
    }
}

/// Git's folder for a checkout at `top`: `.git`, or for a linked worktree or a submodule where the file `.git` says.
fn git_folder(top: &Path) -> Option<PathBuf> {
    let git = top.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = fs::read_to_string(&git).ok()?;
    Some(top.join(text.trim().strip_prefix("gitdir: ")?))
}

/// What a branch points at. Linked worktrees share the branches of the first checkout.
fn reference(git: &Path, name: &str) -> Option<String> {
    let shared = fs::read_to_string(git.join("commondir")).map_or_else(|_| git.to_owned(), |at| git.join(at.trim()));
    let loose = [git, &shared].into_iter().find_map(|folder| fs::read_to_string(folder.join(name)).ok());
    loose.and_then(|text| object_id(&text)).or_else(|| {
        let packed = fs::read_to_string(shared.join("packed-refs")).ok()?;
        packed.lines().find_map(|line| object_id(line.strip_suffix(name)?.strip_suffix(' ')?))
    })
}

/// SHA-1 or SHA-256.
fn object_id(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn finds_the_commit_of_every_kind_of_checkout() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let (first, second) = ("1".repeat(40), "2".repeat(40));
        let below = dir.path().join("a/b");
        fs::create_dir_all(&below).unwrap();
        write(".git/HEAD", "ref: refs/heads/main\n");
        assert_eq!(commit(&below), None, "no commit yet");
        write(
            ".git/packed-refs",
            &format!("# pack-refs with: peeled\n{first} refs/heads/main\n{second} refs/heads/my/main\n"),
        );
        assert_eq!(commit(&below), Some(first.clone()));
        write(".git/refs/heads/main", &format!("{second}\n"));
        assert_eq!(commit(&below), Some(second.clone()), "a loose reference is newer");
        write(".git/HEAD", &format!("{first}\n"));
        assert_eq!(commit(&below), Some(first.clone()), "detached");

        write(".git/worktrees/w/HEAD", "ref: refs/heads/main\n");
        write(".git/worktrees/w/commondir", "../..\n");
        write("w/.git", &format!("gitdir: {}\n", dir.path().join(".git/worktrees/w").display()));
        assert_eq!(commit(&dir.path().join("w")), Some(second), "a linked worktree");
        write(".git/HEAD", "garbage");
        assert_eq!(commit(&below), None);
    }
}
