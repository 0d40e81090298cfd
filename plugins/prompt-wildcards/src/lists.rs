//! The lists of the config: read when a text first uses them, each once, circles found on the way.

use std::collections::BTreeMap;
use std::rc::Rc;

use difftest_sdk::Error;

use crate::parse;
use crate::template::Options;

/// The config's lists by name, as written and as read.
#[derive(Debug)]
pub struct Lists<'a> {
    written: &'a BTreeMap<String, Vec<String>>,
    read: BTreeMap<&'a str, Rc<Options>>,
    /// Those being read, outermost first.
    open: Vec<&'a str>,
}

/// Why a `__name__` cannot be used.
#[derive(Debug)]
pub enum Refusal {
    /// What is wrong with the name where it stands.
    Name(String),
    /// What is wrong inside the list, with its own place.
    Inside(Error),
}

impl<'a> Lists<'a> {
    /// Nothing is read yet.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for a name that no template could say.
    pub fn new(written: &'a BTreeMap<String, Vec<String>>) -> Result<Self, Error> {
        for name in written.keys() {
            let spoken = !name.is_empty() && !name.contains("__") && !name.starts_with('_') && !name.ends_with('_');
            if !spoken || !name.chars().all(|c| c.is_alphanumeric() || "_-/.".contains(c)) {
                return Err(Error::invalid_config(format_args!(
                    "lists: `{name}` is no name of a list: letters, digits, `-`, `/`, `.` and single `_` inside"
                )));
            }
        }
        Ok(Self { written, read: BTreeMap::new(), open: Vec::new() })
    }

    /// Reads the lists that no text has used: their mistakes are mistakes as well.
    ///
    /// # Errors
    /// As reading the list itself.
    pub fn read_all(&mut self) -> Result<(), Error> {
        for name in self.written.keys() {
            self.options(name, 0).map_err(|refusal| match refusal {
                Refusal::Inside(error) => error,
                Refusal::Name(why) => Error::invalid_config(format_args!("lists: {why}")),
            })?;
        }
        Ok(())
    }

    /// The entries of a list that is used `depth` deep in other choices.
    pub(crate) fn options(&mut self, name: &str, depth: u32) -> Result<Rc<Options>, Refusal> {
        if let Some(read) = self.read.get(name) {
            return Ok(read.clone());
        }
        let written = self.written;
        let Some((name, entries)) = written.get_key_value(name) else { return Err(Refusal::Name(self.unknown(name))) };
        if let Some(first) = self.open.iter().position(|open| open == name) {
            let circle: Vec<String> =
                self.open[first..].iter().chain([&name.as_str()]).map(|n| format!("`{n}`")).collect();
            return Err(Refusal::Name(format!("the lists use each other in a circle: {}", circle.join(" -> "))));
        }
        if entries.is_empty() {
            return Err(Refusal::Name(format!("the list `{name}` is empty; give it at least one entry")));
        }
        self.open.push(name);
        let mut read = Vec::with_capacity(entries.len());
        for (number, entry) in entries.iter().enumerate() {
            let place = format!("list `{name}`, entry {}", number + 1);
            let entry = parse::entry(entry, &place, depth, self).map_err(Refusal::Inside)?;
            if entry.body.pieces.is_empty() {
                let what = format!("{place}: it is empty; for a choice of nothing write `{{}}`");
                return Err(Refusal::Inside(Error::invalid_config(what)));
            }
            read.push(entry);
        }
        self.open.pop();
        let Some(read) = Options::new(read) else {
            return Err(Refusal::Name(format!(
                "every entry of the list `{name}` has the weight 0, so there is none to take"
            )));
        };
        self.read.insert(name, read.clone());
        Ok(read)
    }

    fn unknown(&self, name: &str) -> String {
        if let Some(sign) = name.chars().find(|c| "!~@(){}$*?[]".contains(*c)) {
            return format!(
                "`__{name}__` has `{sign}` in it; a list is used by its plain name, without pattern, sampling sign or parameter"
            );
        }
        const SHOWN: usize = 12;
        let mut known: Vec<&str> = self.written.keys().map(String::as_str).take(SHOWN).collect();
        if self.written.len() > SHOWN {
            known.push("...");
        }
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        format!(
            "there is no list `{name}`; give `lists = {{ {name} = [\"...\"] }}` in the config (lists there are: {known})"
        )
    }
}
