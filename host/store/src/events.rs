//! The recording of a run, read again: what a run told, in order, one event at a time.
//!
//! A recording that was cut short by a kill is as good as its whole lines: a last line that is torn is left out. A line that cannot be
//! read anywhere else is an error that names it, for then the file is not what was written.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use difftest_core::event::{Event, VERSION};

use crate::run_folder::RECORDING;

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is none.
    #[error("{} is not the folder of a run: it has no {RECORDING}", .0.display())]
    Missing(PathBuf),
    /// The system refuses it.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It has no first event: the run was killed before, or the file is something else.
    #[error("{} does not begin as a recording of difftest does", .0.display())]
    NotARecording(PathBuf),
    /// A later difftest wrote it.
    #[error("{} was recorded by a newer difftest: format {found}, and this one reads up to {VERSION}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A line in it is not an event.
    #[error("{} is damaged in line {line}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl ReadError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing(_) => "`difftest history list` shows the runs that there are",
            Self::Io { .. } => "check its permissions",
            Self::NotARecording(_) | Self::Damaged { .. } => {
                "run the suites again: nothing in this folder is needed for that"
            }
            Self::Newer { .. } => "read it with that version, or a newer one",
        }
    }
}

/// The events of a recording, one at a time. Ends after the first error.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    lines: BufReader<File>,
    line: usize,
    buffer: Vec<u8>,
    ended: bool,
}

/// The events of the run in `folder`.
///
/// # Errors
/// When there is no recording, or it cannot be opened. What is in it is found out while reading.
pub fn read(folder: &Path) -> Result<Events, ReadError> {
    read_file(&folder.join(RECORDING)).map_err(|error| match error {
        ReadError::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            ReadError::Missing(folder.to_owned())
        }
        error => error,
    })
}

/// The events in the file `path`.
///
/// # Errors
/// When it cannot be opened.
pub fn read_file(path: &Path) -> Result<Events, ReadError> {
    let file = File::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    Ok(Events { path: path.to_owned(), lines: BufReader::new(file), line: 0, buffer: Vec::new(), ended: false })
}

impl Iterator for Events {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let event = self.read_line().transpose();
        self.ended = !matches!(event, Some(Ok(_)));
        event
    }
}

impl Events {
    fn read_line(&mut self) -> Result<Option<Event>, ReadError> {
        self.buffer.clear();
        let fail = |source| ReadError::Io { path: self.path.clone(), source };
        let length = self.lines.read_until(b'\n', &mut self.buffer).map_err(fail)?;
        self.line += 1;
        let parsed = serde_json::from_slice::<Event>(&self.buffer);
        // What a power cut leaves of a file may end in zeros.
        let torn = !self.buffer.ends_with(b"\n") || self.buffer.iter().all(|byte| *byte == 0);
        match parsed {
            Ok(Event::RunStarted { version, .. }) if version > VERSION => {
                Err(ReadError::Newer { path: self.path.clone(), found: version })
            }
            Ok(Event::RunStarted { .. }) if self.line > 1 => Err(self.damaged("a second run begins in it".to_owned())),
            Ok(event @ Event::RunStarted { .. }) => Ok(Some(event)),
            _ if self.line == 1 => match self.newer() {
                Some(found) => Err(ReadError::Newer { path: self.path.clone(), found }),
                None => Err(ReadError::NotARecording(self.path.clone())),
            },
            Ok(event) => Ok(Some(event)),
            Err(_) if torn || length == 0 => Ok(None),
            Err(error) => Err(self.damaged(error.to_string())),
        }
    }

    /// The version in a first line that is newer than this program, whatever else is in it.
    fn newer(&self) -> Option<u32> {
        let head: serde_json::Value = serde_json::from_slice(&self.buffer).ok()?;
        let version = u32::try_from(head.get("version")?.as_u64()?).ok()?;
        (head["event"] == "run-started" && version > VERSION).then_some(version)
    }

    fn damaged(&self, reason: String) -> ReadError {
        ReadError::Damaged { path: self.path.clone(), line: self.line, reason }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use difftest_core::event::Conclusion;

    use super::*;

    fn started(version: u32) -> String {
        format!(
            "{{\"event\":\"run-started\",\"version\":{version},\"difftest\":\"0.1.0\",\"run\":\"r\",\"started\":\"\",\"folder\":\"r\",\"suites\":1,\"cases\":1}}\n"
        )
    }

    fn read_text(text: impl AsRef<[u8]>) -> Result<Vec<Event>, ReadError> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(RECORDING), text).unwrap();
        read(dir.path())?.collect()
    }

    const END: &str = "{\"event\":\"run-finished\",\"conclusion\":\"passed\",\"seconds\":0.30000000000000004}\n";

    #[test]
    fn whole_lines_are_read_to_the_last_bit() {
        let events = read_text(started(VERSION) + END).unwrap();
        assert_eq!(events[1], Event::RunFinished { conclusion: Conclusion::Passed, seconds: 0.1 + 0.2 });
        assert_eq!(read_text(started(1)).unwrap().len(), 1, "recordings of the first version are read");
    }

    #[test]
    fn every_cut_leaves_the_lines_before_it() {
        let whole = started(VERSION) + "{\"event\":\"case-started\",\"case\":0}\n" + END;
        let lines = |cut: &str| cut.matches('\n').count();
        for cut in started(VERSION).len()..whole.len() {
            let events = read_text(&whole[..cut]).unwrap();
            // a line that lacks nothing but its end is whole
            assert!(events.len() == lines(&whole[..cut]) || whole[cut..].starts_with('\n'), "cut at {cut}");
        }
        assert_eq!(read_text(whole + "\0\0\0").unwrap().len(), 3);
    }

    #[test]
    fn what_is_no_recording_is_told() {
        let text = |result: Result<Vec<Event>, ReadError>| result.unwrap_err().to_string();
        assert!(text(read_text("")).contains("does not begin"));
        assert!(text(read_text("{\"event\":\"case-started\",\"case\":0}\n")).contains("does not begin"));
        assert!(text(read_text(started(VERSION) + "{\"event\":\"ca\n" + END)).contains("damaged in line 2"));
        assert!(text(read_text(started(VERSION) + &started(VERSION))).contains("a second run"));
        assert!(text(read_text(started(VERSION + 7))).contains(&format!("format {}", VERSION + 7)));
        let unknown = format!("{{\"event\":\"run-started\",\"version\":{}}}\n", VERSION + 1);
        assert!(text(read_text(unknown)).contains("newer difftest"));
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read(&dir.path().join("gone")), Err(ReadError::Missing(_))));
    }
}
