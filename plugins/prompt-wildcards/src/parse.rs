//! Reading a text into a [`Template`].
//!
//! ```text
//! text    = { literal | "\" special | "#" comment | group | "__" list "__" }
//! group   = "{" [ bounds "$$" [ separator "$$" ] ] option { "|" option } "}"
//! bounds  = n | n "-" m | n "-" | "-" m
//! option  = [ weight "::" ] text          white space before it is dropped
//! comment = to the end of the line, with the spaces before it
//! ```

use difftest_sdk::Error;

use crate::lists::{Lists, Refusal};
use crate::template::{Alternative, Choice, MAX_CHARS, MAX_DEPTH, MAX_STEPS, Options, Piece, Template};

/// What a backslash makes an ordinary character. Before any other character it is one itself: `\(` of attention weights.
const SPECIAL: &str = "{}|$%_#\\:!~@";
/// Choices that are recorded: the host takes 64 attributes.
const RECORDED: usize = 64;

/// The names under which the choices of a template are recorded: `{1}`, `{2}`, ... for groups in the order of their opening
/// braces, the list's name for lists, with a number from the second use on.
#[derive(Clone, Debug, Default)]
pub struct Sites {
    /// By site.
    pub names: Vec<String>,
    prefix: &'static str,
    groups: usize,
}

impl Sites {
    /// None yet; `prefix` is put before each name.
    #[must_use]
    pub fn new(prefix: &'static str) -> Self {
        Self { prefix, ..Self::default() }
    }

    fn group(&mut self) -> Option<usize> {
        self.groups += 1;
        self.add(format!("{{{}}}", self.groups))
    }

    fn list(&mut self, list: &str) -> Option<usize> {
        let name = |n: usize| if n == 1 { list.to_owned() } else { format!("{list} {n}") };
        let fresh = (1..).map(name).find(|name| !self.names.iter().any(|own| own[self.prefix.len()..] == **name))?;
        self.add(fresh)
    }

    fn add(&mut self, name: String) -> Option<usize> {
        (self.names.len() < RECORDED).then(|| {
            self.names.push(format!("{}{name}", self.prefix));
            self.names.len() - 1
        })
    }
}

/// Reads `source`. `place` says in messages what it is, such as `template`.
///
/// # Errors
/// [`Error::InvalidConfig`] with the character at which it cannot go on, or the size that is too large.
pub fn parse(source: &str, place: &str, lists: &mut Lists<'_>, sites: &mut Sites) -> Result<Template, Error> {
    let mut parser = Parser { source, place, at: 0, depth: 0, lists, sites: Some(sites) };
    let template = parser.text(false)?;
    bounded(&template, place)?;
    Ok(template)
}

/// Reads an entry of a list that is used `depth` deep in others: a text that may begin with its weight.
pub(crate) fn entry(source: &str, place: &str, depth: u32, lists: &mut Lists<'_>) -> Result<Alternative, Error> {
    let mut parser = Parser { source, place, at: 0, depth, lists, sites: None };
    let weight = parser.weight()?;
    let body = parser.text(false)?;
    bounded(&body, place)?;
    Ok(Alternative { weight, body })
}

fn bounded(template: &Template, place: &str) -> Result<(), Error> {
    let size = template.size();
    let what = if size.depth > MAX_DEPTH {
        format!("nests choices and lists {} deep; {MAX_DEPTH} is the most", size.depth)
    } else if size.chars > MAX_CHARS {
        format!("stands for prompts of up to {} characters; {MAX_CHARS} is the most", size.chars)
    } else if size.steps > MAX_STEPS {
        format!("takes up to {} steps for one prompt; {MAX_STEPS} is the most", size.steps)
    } else {
        return Ok(());
    };
    Err(Error::invalid_config(format_args!("{place}: it {what}")))
}

struct Parser<'a, 'l> {
    source: &'a str,
    place: &'a str,
    /// In bytes.
    at: usize,
    depth: u32,
    lists: &'a mut Lists<'l>,
    sites: Option<&'a mut Sites>,
}

impl<'a> Parser<'a, '_> {
    /// Up to the end, or, inside a group, up to the `|` or `}` that ends the option.
    fn text(&mut self, inside: bool) -> Result<Template, Error> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        while let Some(next) = self.rest().chars().next() {
            let rest = self.rest();
            match next {
                '|' | '}' if inside => break,
                '}' => return Err(self.fault(self.at, "`}` closes nothing; a brace in the text is written `\\}`")),
                '\\' => literal.push(self.escaped()),
                '#' => {
                    literal.truncate(literal.trim_end_matches([' ', '\t']).len());
                    self.at += rest.find('\n').unwrap_or(rest.len());
                }
                '{' => push(&mut pieces, &mut literal, self.group()?),
                '_' if rest.starts_with("__") => push(&mut pieces, &mut literal, self.list()?),
                '$' if rest.starts_with("${") => {
                    return Err(self.fault(
                        self.at,
                        "`${` begins a variable, which are not known here; use a list, or write `\\$`",
                    ));
                }
                '%' if rest.starts_with("%{") => {
                    return Err(self.fault(
                        self.at,
                        "`%{` begins a wrapper, which are not known here; for a percent sign write `\\%`",
                    ));
                }
                '$' if inside && rest.starts_with("$$") => {
                    let what = "`$$` follows the number of choices at the beginning of a group, as in `{2$$a|b|c}` or \
                                `{1-2$$ and $$a|b|c}`; dollars in the text are written `\\$`";
                    return Err(self.fault(self.at, what));
                }
                _ => {
                    literal.push(next);
                    self.at += next.len_utf8();
                }
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Template::new(pieces))
    }

    fn group(&mut self) -> Result<Choice, Error> {
        let open = self.at;
        let site = self.sites.as_mut().and_then(|sites| sites.group());
        self.deeper(open)?;
        self.at += 1;
        self.skip_white();
        if self.rest().starts_with(['!', '~', '@']) {
            let what = "`!`, `~` and `@` after a brace set a way of sampling, which `mode` sets for all here; for the \
                        character itself put a backslash before it";
            return Err(self.fault(self.at, what));
        }
        let bounds = self.bounds()?;
        let separator = if bounds.is_some() { self.separator() } else { None };

        let mut options = Vec::new();
        loop {
            self.skip_white();
            let weight = self.weight()?;
            options.push(Alternative { weight, body: self.text(true)? });
            match self.rest().chars().next() {
                Some('|') => self.at += 1,
                Some(_) => break,
                None => return Err(self.fault(open, "`{` is not closed; a brace in the text is written `\\{`")),
            }
        }
        self.at += 1;
        self.depth -= 1;
        // `{2$$__color__}` chooses among the entries of the list
        let lone = match options.as_slice() {
            [only] => only.body.only_list().map(|list| list.options.clone()),
            _ => None,
        };
        let Some(options) = lone.or_else(|| Options::new(options)) else {
            return Err(self.fault(open, "every option of this choice has the weight 0, so there is none to take"));
        };
        Ok(Choice::new(options, bounds.unwrap_or((1, 1)), separator.unwrap_or_else(|| ",".into()), site))
    }

    /// `2$$`, `1-2$$`, `1-$$` or `-2$$`; `None` where the group begins with its options.
    fn bounds(&mut self) -> Result<Option<(usize, usize)>, Error> {
        let rest = self.rest();
        let Some(end) = rest.find("$$") else { return Ok(None) };
        let text = &rest[..end];
        if text.trim_matches('-').is_empty() || !text.chars().all(|c| c.is_ascii_digit() || c == '-') {
            return Ok(None);
        }
        let number = |text: &str| {
            text.parse::<usize>().map_err(|_| self.fault(self.at, &format!("`{text}` is no number of choices")))
        };
        let (first, last) = match text.split_once('-') {
            None => (number(text)?, number(text)?),
            Some((first, last)) => (
                if first.is_empty() { 1 } else { number(first)? },
                if last.is_empty() { usize::MAX } else { number(last)? },
            ),
        };
        self.at += end + 2;
        Ok(Some((first.min(last), first.max(last))))
    }

    /// The text up to the next `$$`, where no brace or single dollar comes before it.
    fn separator(&mut self) -> Option<String> {
        let rest = self.rest();
        let end = rest.find(['$', '{', '}']).filter(|&end| rest[end..].starts_with("$$"))?;
        self.at += end + 2;
        Some(rest[..end].to_owned())
    }

    /// `2::` or `0.5::`; 1 where there is none.
    fn weight(&mut self) -> Result<f64, Error> {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(length);
        if number.is_empty() || !after.starts_with("::") {
            return Ok(1.0);
        }
        let weight = number.parse::<f64>().ok().filter(|weight| *weight <= 1e9);
        let weight = weight.ok_or_else(|| self.fault(self.at, &format!("`{number}` is no weight; 0 to 10^9 are")))?;
        self.at += length + 2;
        Ok(weight)
    }

    fn list(&mut self) -> Result<Choice, Error> {
        let open = self.at;
        let Some(length) = self.rest()[2..].find("__") else {
            return Err(self.fault(open, "`__` is not closed; underscores in the text are written `\\_\\_`"));
        };
        let name = self.rest()[2..2 + length].trim();
        self.deeper(open)?;
        let options = self.lists.options(name, self.depth).map_err(|error| match error {
            Refusal::Inside(error) => error,
            Refusal::Name(why) => self.fault(open, &why),
        })?;
        self.depth -= 1;
        let site = self.sites.as_mut().and_then(|sites| sites.list(name));
        self.at += length + 4;
        Ok(Choice::list(options, site))
    }

    fn escaped(&mut self) -> char {
        let next = self.rest()[1..].chars().next().filter(|next| SPECIAL.contains(*next));
        self.at += 1 + next.map_or(0, char::len_utf8);
        next.unwrap_or('\\')
    }

    fn deeper(&mut self, at: usize) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault(at, &format!("choices and lists are nested deeper than {MAX_DEPTH}")));
        }
        Ok(())
    }

    fn skip_white(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn fault(&self, at: usize, what: &str) -> Error {
        let before = &self.source[..at];
        let (line, start) = (before.matches('\n').count() + 1, before.rfind('\n').map_or(0, |end| end + 1));
        let character = before[start..].chars().count() + 1;
        let line = if self.source.contains('\n') { format!("line {line}, ") } else { String::new() };
        Error::invalid_config(format_args!("{}, {line}character {character}: {what}", self.place))
    }
}

fn push(pieces: &mut Vec<Piece>, literal: &mut String, choice: Choice) {
    if !literal.is_empty() {
        pieces.push(Piece::Literal(std::mem::take(literal)));
    }
    pieces.push(Piece::Choice(choice));
}
