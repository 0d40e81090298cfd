//! Many files: what is missing, whether there is room, and getting it.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::answer::{Asked, judge};
use crate::cache::{Snapshot, beside};
use crate::content::Content;
use crate::download::{Download, left_over};
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::hub::{Endpoint, Hub};
use crate::listing::{Listing, RemoteFile};
use crate::lock::Lock;
use crate::space;
use crate::transport::text_of;

/// Files that come at the same time. More gain little on large files, and are unkind to the hub.
const AT_ONCE: usize = 4;

/// What a selection of files comes to.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Files of the selection.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Those that are not in the cache.
    pub missing: Vec<RemoteFile>,
    /// Bytes that have to come: without those that an interrupted download left.
    pub to_come: u64,
}

/// A content with everything that is needed to get it.
struct Target {
    /// The files that have it; at least one.
    paths: Vec<String>,
    size: u64,
    content: Content,
}

impl Hub {
    /// What fetching `files` would take. No request is sent.
    #[must_use]
    pub fn wanted(&self, listing: &Listing, files: &[&str]) -> Wanted {
        let snapshot = self.cache.snapshot(&listing.id, &listing.commit);
        let mut wanted = Wanted { files: files.len(), ..Wanted::default() };
        for file in files.iter().filter_map(|path| listing.file(path)) {
            let size = file.size.unwrap_or(0);
            wanted.bytes += size;
            if self.is_there(&snapshot, file) {
                continue;
            }
            let blob = file.content.as_ref().map(|content| self.cache.blob(&listing.id, &content.to_string()));
            let whole = blob.as_ref().is_some_and(|blob| is_file_of(blob, file.size));
            let twice = |known: &RemoteFile| known.content.is_some() && known.content == file.content;
            if !whole && !wanted.missing.iter().any(twice) {
                let there = blob.map_or(0, |blob| left_over(&blob.with_added_extension("incomplete"), size));
                wanted.to_come += size - there;
                wanted.missing.push(file.clone());
            }
        }
        wanted
    }

    /// A folder with `files` in it, whole. What is not in the cache is fetched and checked.
    ///
    /// # Errors
    /// When a file cannot be had, is of another length or content than listed, or there is no room for it. What came is kept.
    pub fn fetch(&self, listing: &Listing, files: &[&str], observer: &dyn Observer) -> Result<Snapshot, Error> {
        let (id, commit) = (&listing.id, &listing.commit);
        let snapshot = self.cache.snapshot(id, commit);
        let mut targets = Vec::new();
        for path in files {
            let Some(file) = listing.file(path) else {
                self.cache.remember_absence(id, commit, path);
                return Err(Error::NoFile { model: id.to_string(), file: (*path).to_owned() });
            };
            if self.is_there(&snapshot, file) {
                continue;
            }
            let target = self.target(listing, file, observer)?;
            match targets.iter_mut().find(|known: &&mut Target| known.content == target.content) {
                Some(known) => known.paths.extend(target.paths),
                None => targets.push(target),
            }
        }
        // small files first: what is wrong with the model as a whole shows early
        targets.sort_by_key(|target| target.size);
        if !targets.is_empty() {
            let wanted = self.wanted(listing, files);
            if let Some(free) = space::free(&self.settings.cache).filter(|free| *free < wanted.to_come) {
                let (model, needed, folder) = (id.to_string(), wanted.to_come, self.settings.cache.clone());
                return Err(Error::Space { model, needed, free, folder });
            }
            self.cache.prepare(id)?;
            let bytes = targets.iter().map(|target| target.size).sum();
            observer.event(Event::Begin { model: &id.to_string(), files: targets.len(), bytes });
            self.get_all(listing, &snapshot, &targets, observer)?;
        }
        match self.cache.remember(id, commit) {
            // a cache that is complete and read-only is as good
            Err(_) if targets.is_empty() => {}
            other => other?,
        }
        Ok(snapshot)
    }

    fn get_all(
        &self,
        listing: &Listing,
        snapshot: &Snapshot,
        targets: &[Target],
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        let (next, stop, failed) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(None));
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(targets.len()) {
                scope.spawn(|| {
                    while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        if let Err(error) = self.get(listing, snapshot, target, observer, &stop) {
                            stop.store(true, Ordering::Relaxed);
                            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        }
                    }
                });
            }
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn get(
        &self,
        listing: &Listing,
        snapshot: &Snapshot,
        target: &Target,
        observer: &dyn Observer,
        stop: &AtomicBool,
    ) -> Result<(), Error> {
        let Target { paths, size, content } = target;
        let (id, name, path) = (&listing.id, content.to_string(), paths[0].as_str());
        let lock = Lock::take(&self.cache.lock(id, &name), || observer.event(Event::Locked { file: path }))?;
        let blob = self.cache.blob(id, &name);
        let new = !is_file_of(&blob, Some(*size));
        if new {
            let partial = blob.with_added_extension("incomplete");
            // without locks, two processes must not write to one file
            let partial = if lock.holds() { partial } else { beside(&partial) };
            let asked = Asked { model: id.repository(), revision: &listing.commit, file: Some(path) };
            let completed = self.ask(&listing.id, listing.endpoint, observer, &|_, endpoint: &Endpoint| {
                let url = endpoint.file(listing, path);
                let transport = &endpoint.transport;
                Download { transport, url: &url, asked, path, size: *size, content, observer, stop }.complete(&partial)
            });
            if let Err(error) = completed {
                if !lock.holds() {
                    let _ = fs::remove_file(&partial);
                }
                return Err(error);
            }
            fs::rename(&partial, &blob).map_err(Error::io("write", &blob))?;
        }
        for path in &paths[1..] {
            self.cache.link(snapshot, path, &blob, false)?;
        }
        self.cache.link(snapshot, path, &blob, new)?;
        observer.event(Event::Done { file: path });
        Ok(())
    }

    /// Whether the snapshot has the file, of the length that is listed.
    fn is_there(&self, snapshot: &Snapshot, file: &RemoteFile) -> bool {
        is_file_of(&snapshot.file(&file.path), file.size)
    }

    /// What is to be got, asked for where the listing does not say it (some mirrors do not).
    fn target(&self, listing: &Listing, file: &RemoteFile, observer: &dyn Observer) -> Result<Target, Error> {
        if let RemoteFile { path, size: Some(size), content: Some(content) } = file {
            return Ok(Target { paths: vec![path.clone()], size: *size, content: content.clone() });
        }
        let asked = Asked { model: listing.id.repository(), revision: &listing.commit, file: Some(&file.path) };
        self.ask(&listing.id, listing.endpoint, observer, &|_, endpoint: &Endpoint| {
            let transport = &endpoint.transport;
            let headers = transport.head(&endpoint.file(listing, &file.path), &asked.what(), observer)?;
            let headers = match headers {
                Ok(headers) => headers,
                Err(answer) => return Err(judge(transport, asked, answer).err().unwrap_or(Error::Stopped)),
            };
            let etag = text_of(&headers, "x-linked-etag").or_else(|| text_of(&headers, "etag"));
            let content = etag.and_then(|etag| Content::parse(etag.trim_start_matches("W/").trim_matches('"')));
            let size = text_of(&headers, "x-linked-size").or_else(|| text_of(&headers, "content-length"));
            match (size.and_then(|size| size.parse().ok()), content) {
                (Some(size), Some(content)) => Ok(Target { paths: vec![file.path.clone()], size, content }),
                _ => Err(Error::Protocol {
                    host: transport.host(),
                    reason: format!("it tells neither length nor digest of {}", asked.what()),
                }),
            }
        })
    }
}

/// Whether it is a file, of that length where one is known. Links are followed.
fn is_file_of(path: &std::path::Path, size: Option<u64>) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && size.is_none_or(|size| size == file.len()))
}
