//! One file: continued where an earlier download ended, checked, and only then given its name.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ureq::http::header::{CONTENT_RANGE, ETAG};

use crate::answer::{Asked, judge};
use crate::content::{Content, Digester};
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::patience::PROGRESS;
use crate::transport::{Answer, Pace, Transport, text_of};

/// What is to be downloaded.
pub(crate) struct Download<'a> {
    pub(crate) transport: &'a Transport,
    pub(crate) url: &'a str,
    pub(crate) asked: Asked<'a>,
    pub(crate) path: &'a str,
    pub(crate) size: u64,
    pub(crate) content: &'a Content,
    pub(crate) observer: &'a dyn Observer,
    /// Set where it is all for nothing, because another file cannot be had.
    pub(crate) stop: &'a AtomicBool,
}

/// A file that is not whole yet, and the digest of what is there of it.
struct Partial<'a> {
    file: File,
    path: &'a Path,
    done: u64,
    digester: Digester,
    /// Whether some of it was there before.
    inherited: bool,
}

impl Download<'_> {
    /// Completes `partial` and checks it.
    pub(crate) fn complete(&self, partial: &Path) -> Result<(), Error> {
        let mut partial = Partial::open(partial, self.content, self.size)?;
        self.observer.event(Event::File { file: self.path, bytes: self.size, there: partial.done });
        loop {
            self.fill(&mut partial)?;
            let found = partial.digest(self.content, self.size);
            if found == *self.content {
                return partial.file.sync_all().map_err(Error::io("write", partial.path));
            }
            let inherited = std::mem::take(&mut partial.inherited);
            partial.restart(self.content, self.size)?;
            if !inherited {
                let (model, file) = (self.asked.model.to_owned(), self.path.to_owned());
                let (expected, found) = (self.content.to_string(), found.to_string());
                return Err(Error::WrongContent { model, file, expected, found });
            }
            // what was there from before was damaged
            self.observer.event(Event::Bytes { file: self.path, done: 0 });
        }
    }

    /// Gets what is missing, through any number of connections that bring something.
    fn fill(&self, partial: &mut Partial<'_>) -> Result<(), Error> {
        let what = self.asked.what();
        let mut tries = self.transport.patience().tries();
        let mut count = 0;
        while partial.done < self.size {
            let before = partial.done;
            let error = match self.connection(partial, &what) {
                Ok(()) => continue,
                Err(error @ (Error::Unreachable { .. } | Error::Timeout { .. })) => error,
                Err(error) => return Err(error),
            };
            count += 1;
            if partial.done.saturating_sub(before) >= PROGRESS {
                tries.reset();
            }
            let Some(pause) = tries.again(None) else {
                let (host, got, expected) = (self.transport.host(), partial.done, self.size);
                return Err(if got == 0 { error } else { Error::CutOff { host, what, tries: count, got, expected } });
            };
            self.observer.event(Event::Again { what: &what, why: &error.to_string(), pause });
            std::thread::sleep(pause);
        }
        Ok(())
    }

    /// One connection: as many bytes as it brings.
    fn connection(&self, partial: &mut Partial<'_>, what: &str) -> Result<(), Error> {
        let answer = self.transport.get(self.url, partial.done, what, self.observer)?;
        if answer.status() == 416 && partial.done > 0 {
            return self.restart(partial);
        }
        let answer = judge(self.transport, self.asked, answer)?;
        self.same_content(&answer)?;
        match (answer.status(), partial.done) {
            (206, from) => self.same_range(&answer, from)?,
            (_, 0) => {}
            // a server that does not know ranges sends everything
            _ => self.restart(partial)?,
        }
        let rest = self.size - partial.done;
        if let Some(declared) = answer.response.body().content_length().filter(|declared| *declared != rest) {
            return Err(self.wrong_size(&answer.host, format!("{}", partial.done + declared)));
        }
        let host = answer.host.clone();
        let mut reader = answer.response.into_body().into_reader();
        let mut buffer = vec![0; 256 << 10];
        let mut pace = Pace::new(self.transport.patience());
        let began = partial.done;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            match reader.read(&mut buffer) {
                Ok(0) if partial.done == self.size => return Ok(()),
                Ok(0) => return Err(Error::Unreachable { host, reason: "the connection was closed".into() }),
                Ok(came) if partial.done + came as u64 > self.size => return Err(self.wrong_size(&host, "more".into())),
                Ok(came) => partial.append(&buffer[..came])?,
                // everything is there: how the connection ends does not matter
                Err(_) if partial.done == self.size => return Ok(()),
                Err(error) => return Err(self.transport.failure(&host, ureq::Error::from(error), what)),
            }
            self.observer.event(Event::Bytes { file: self.path, done: partial.done });
            if let Some(after) = pace.too_slow(partial.done - began) {
                return Err(Error::Timeout { host, what: what.to_owned(), after });
            }
        }
    }

    fn restart(&self, partial: &mut Partial<'_>) -> Result<(), Error> {
        self.observer.event(Event::Bytes { file: self.path, done: 0 });
        partial.inherited = false;
        partial.restart(self.content, self.size)
    }

    /// What the hub says now must be what it listed.
    fn same_content(&self, answer: &Answer) -> Result<(), Error> {
        let named = text_of(&answer.first, "x-linked-etag").or_else(|| text_of(&answer.first, ETAG.as_str()));
        let named = named.map(|etag| etag.trim_start_matches("W/").trim_matches('"')).and_then(Content::parse);
        let comparable = |found: &Content| std::mem::discriminant(found) == std::mem::discriminant(self.content);
        if let Some(found) = named.filter(|found| comparable(found) && found != self.content) {
            let (model, file) = (self.asked.model.to_owned(), self.path.to_owned());
            let (expected, found) = (self.content.to_string(), found.to_string());
            return Err(Error::WrongContent { model, file, expected, found });
        }
        let size = text_of(&answer.first, "x-linked-size").and_then(|size| size.parse::<u64>().ok());
        match size.filter(|size| *size != self.size) {
            Some(size) => Err(self.wrong_size(&answer.host, size.to_string())),
            None => Ok(()),
        }
    }

    /// `Content-Range: bytes FROM-TO/ALL` must be what was asked for.
    fn same_range(&self, answer: &Answer, from: u64) -> Result<(), Error> {
        let wrong = |reason: &str| Error::Protocol { host: answer.host.clone(), reason: reason.to_owned() };
        let range = answer.header(CONTENT_RANGE.as_str()).and_then(|range| range.strip_prefix("bytes "));
        let (span, all) =
            range.and_then(|range| range.split_once('/')).ok_or_else(|| wrong("a part without a range"))?;
        let start = span.split_once('-').and_then(|(start, _)| start.parse::<u64>().ok());
        if start != Some(from) {
            return Err(wrong("it sends another part of a file than it was asked for"));
        }
        match all.parse::<u64>() {
            Ok(all) if all != self.size => Err(self.wrong_size(&answer.host, all.to_string())),
            _ => Ok(()),
        }
    }

    fn wrong_size(&self, host: &str, sent: String) -> Error {
        let (model, file, host) = (self.asked.model.to_owned(), self.path.to_owned(), host.to_owned());
        Error::WrongSize { model, file, host, expected: self.size, sent }
    }
}

impl<'a> Partial<'a> {
    /// Opens what is there, and digests it.
    fn open(path: &'a Path, content: &Content, size: u64) -> Result<Self, Error> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(Error::io("open", path))?;
        let mut partial = Self { file, path, done: 0, digester: content.begin(size), inherited: false };
        let mut buffer = vec![0; 1 << 20];
        loop {
            let came = partial.file.read(&mut buffer).map_err(Error::io("read", path))?;
            if came == 0 {
                break;
            }
            partial.digester.update(&buffer[..came]);
            partial.done += came as u64;
        }
        partial.inherited = partial.done > 0;
        if partial.done > size {
            // of another content, by somebody who names files otherwise
            partial.inherited = false;
            partial.restart(content, size)?;
        }
        Ok(partial)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(Error::io("write", self.path))?;
        self.digester.update(bytes);
        self.done += bytes.len() as u64;
        Ok(())
    }

    fn restart(&mut self, content: &Content, size: u64) -> Result<(), Error> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(Error::io("write", self.path))?;
        (self.done, self.digester) = (0, content.begin(size));
        Ok(())
    }

    fn digest(&mut self, content: &Content, size: u64) -> Content {
        std::mem::replace(&mut self.digester, content.begin(size)).finish()
    }
}

/// How many bytes of a file an interrupted download left.
pub(crate) fn left_over(partial: &Path, size: u64) -> u64 {
    fs::metadata(partial).map_or(0, |file| file.len()).min(size)
}
