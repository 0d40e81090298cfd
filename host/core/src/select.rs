//! The `-k` language: which cases to run, by their ids.
//!
//! ```text
//! expression = all ( "or" all )*
//! all        = one ( "and" one )*
//! one        = "not" one | "(" expression ")" | text
//! text       = a word without white space, brackets or quotes, or anything in '...' or "..."
//! ```
//!
//! A text matches a case whose id contains it, whatever the case of the letters: `base and not seed=42`.

use crate::plan::SuitePlan;
use crate::suite::{PromptSource, Suite};

/// How deep brackets and `not` may nest.
const DEEPEST: usize = 100;

/// A parsed `-k` expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression(Node);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    /// In lower case.
    Contains(String),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
}

/// The expression cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at column {column} of `{text}`")]
pub struct SelectError {
    /// The expression.
    pub text: String,
    /// Where, in characters counted from 1.
    pub column: usize,
    /// What was expected.
    pub message: String,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`SelectError`] with the place. An empty expression is an error too: it would select everything in silence.
    pub fn parse(text: &str) -> Result<Self, SelectError> {
        let mut parser = Parser { text, tokens: tokens(text)?, next: 0 };
        let node = parser.any(0)?;
        match parser.peek() {
            None => Ok(Self(node)),
            Some(Token::Close) => Err(parser.error("this bracket was never opened")),
            Some(_) => Err(parser.error("expected `and` or `or`")),
        }
    }

    /// Whether the case of this id is selected.
    #[must_use]
    pub fn matches(&self, id: &str) -> bool {
        self.0.matches(&id.to_lowercase())
    }
}

impl Node {
    fn matches(&self, id: &str) -> bool {
        match self {
            Self::Contains(text) => id.contains(text.as_str()),
            Self::Not(node) => !node.matches(id),
            Self::All(nodes) => nodes.iter().all(|node| node.matches(id)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(id)),
        }
    }

    /// What it says of every id that begins with `prefix`; `None` where that depends on the rest.
    fn of_prefix(&self, prefix: &str) -> Option<bool> {
        // One node can decide; without that, the answer is known only where every node's is.
        let all = |nodes: &[Self], decides: bool| {
            let said: Vec<_> = nodes.iter().map(|node| node.of_prefix(prefix)).collect();
            if said.contains(&Some(decides)) { Some(decides) } else { (!said.contains(&None)).then_some(!decides) }
        };
        match self {
            Self::Contains(text) => prefix.contains(text.as_str()).then_some(true),
            Self::Not(node) => node.of_prefix(prefix).map(|says| !says),
            Self::All(nodes) => all(nodes, false),
            Self::Any(nodes) => all(nodes, true),
        }
    }
}

impl Suite {
    /// Drops the tests that cannot have a case that `expression` selects, as far as that can be told before anything is looked up: of
    /// a test whose prompts are written out, every case id is known; of one whose prompts come from elsewhere, only the name. What
    /// is dropped here needs no plugin, no model and no file. `seeds_override` is that of [`crate::plan::expand`].
    pub fn narrow(&mut self, expression: &Expression, seeds_override: Option<&[u64]>) {
        let suite = self.name.to_lowercase();
        self.tests.retain(|test| {
            let name = format!("{suite}::{}", test.name.to_lowercase());
            let PromptSource::List(prompts) = &test.prompts else {
                return expression.0.of_prefix(&name) != Some(false);
            };
            let seeds = seeds_override.unwrap_or(&test.seeds);
            (0..prompts.len())
                .any(|prompt| seeds.iter().any(|seed| expression.0.matches(&format!("{name}[p{prompt},seed={seed}]"))))
        });
    }
}

impl SuitePlan {
    /// Drops every case that `expression` does not select, and the tests left without cases. What stays keeps its order; tests and
    /// cases are renumbered. A test that keeps some of its cases is judged over those alone. A test whose prompts were refused has no
    /// cases to ask; it stays when its own name, `suite::test`, is selected.
    pub fn select(&mut self, expression: &Expression) {
        let suite = self.suite.clone();
        self.retain(
            |_, case| expression.matches(&case.id),
            |test| expression.matches(&format!("{suite}::{}", test.name)),
        );
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Text(String),
    And,
    Or,
    Not,
    Open,
    Close,
}

/// Tokens with the column each starts at.
fn tokens(text: &str) -> Result<Vec<(Token, usize)>, SelectError> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().zip(1..).peekable();
    while let Some((c, column)) = chars.next() {
        let token = match c {
            _ if c.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '"' | '\'' => {
                let quoted: String = chars.by_ref().map(|(c, _)| c).take_while(|&inner| inner != c).collect();
                // `take_while` eats the closing quote, so compare with the text instead of asking the iterator.
                let closed = text.chars().nth(column + quoted.chars().count()) == Some(c);
                if !closed || quoted.is_empty() {
                    let message = if closed { "nothing between the quotes" } else { "this quote is never closed" };
                    return Err(SelectError { text: text.to_owned(), column, message: message.to_owned() });
                }
                Token::Text(quoted.to_lowercase())
            }
            _ => {
                let mut word = String::from(c);
                let part = |c: char| !c.is_whitespace() && !matches!(c, '(' | ')' | '"' | '\'');
                while let Some((c, _)) = chars.next_if(|&(c, _)| part(c)) {
                    word.push(c);
                }
                match word.as_str() {
                    "and" => Token::And,
                    "or" => Token::Or,
                    "not" => Token::Not,
                    _ => Token::Text(word.to_lowercase()),
                }
            }
        };
        tokens.push((token, column));
    }
    Ok(tokens)
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<(Token, usize)>,
    next: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn take(&mut self, wanted: &Token) -> bool {
        let found = self.peek() == Some(wanted);
        self.next += usize::from(found);
        found
    }

    fn error(&self, message: &str) -> SelectError {
        let end = self.text.chars().count() + 1;
        let column = self.tokens.get(self.next).map_or(end, |&(_, column)| column);
        SelectError { text: self.text.to_owned(), column, message: message.to_owned() }
    }

    fn any(&mut self, depth: usize) -> Result<Node, SelectError> {
        let first = self.all(depth)?;
        let mut nodes = vec![first];
        while self.take(&Token::Or) {
            nodes.push(self.all(depth)?);
        }
        Ok(flat(nodes, Node::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Node, SelectError> {
        let first = self.one(depth)?;
        let mut nodes = vec![first];
        while self.take(&Token::And) {
            nodes.push(self.one(depth)?);
        }
        Ok(flat(nodes, Node::All))
    }

    fn one(&mut self, depth: usize) -> Result<Node, SelectError> {
        if depth > DEEPEST {
            return Err(self.error("nested too deep"));
        }
        if self.take(&Token::Not) {
            return Ok(Node::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.take(&Token::Open) {
            let node = self.any(depth + 1)?;
            return if self.take(&Token::Close) { Ok(node) } else { Err(self.error("expected `)`")) };
        }
        match self.tokens.get(self.next) {
            Some((Token::Text(text), _)) => {
                let node = Node::Contains(text.clone());
                self.next += 1;
                Ok(node)
            }
            _ => Err(self.error("expected some text, `not` or `(`")),
        }
    }
}

/// A list of one needs no list.
fn flat(mut nodes: Vec<Node>, list: fn(Vec<Node>) -> Node) -> Node {
    if nodes.len() == 1 { nodes.swap_remove(0) } else { list(nodes) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const ID: &str = "smoke::base_quality[p0,seed=42]";

    fn matches(text: &str) -> bool {
        Expression::parse(text).unwrap().matches(ID)
    }

    #[test]
    fn tests_that_cannot_be_selected_are_dropped_before_anything_is_looked_up() {
        let text = r#"
            model = "builtin:shapes"
            [[test]]
            name = "base"
            prompts = ["a", "b"]
            seeds = [1, 2]
            metrics = ["x/y"]
            [[test]]
            name = "drawn"
            prompts = { generator = "g" }
            metrics = ["x/y"]
        "#;
        let kept = |expression: &str, seeds: Option<&[u64]>| {
            let mut suite = crate::suite::parse(std::path::Path::new("smoke.toml"), text).unwrap();
            suite.narrow(&Expression::parse(expression).unwrap(), seeds);
            suite.tests.into_iter().map(|test| test.name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(kept("base", None), "base drawn", "a prompt id may hold any word");
        assert_eq!(kept("drawn", None), "drawn");
        assert_eq!(kept("not drawn", None), "base");
        assert_eq!(kept("not (drawn or base)", None), "");
        assert_eq!(kept("not drawn and seed=2", None), "base");
        assert_eq!(kept("not drawn and seed=7", None), "");
        assert_eq!(kept("not drawn and seed=7", Some(&[7])), "base");
        assert_eq!(kept("p2 or drawn", None), "drawn");
        assert_eq!(kept("'[P1,'", None), "base drawn");
    }

    #[test]
    fn understands_the_language() {
        for text in [
            "base",
            "BASE_quality",
            "seed=42",
            "[p0,",
            "smoke::",
            "not colours",
            "not not base",
            "base and seed=42",
            "colours or base",
            "colours and base or smoke",
            "smoke or base and colours",
            "not (colours or seed=7)",
            "'p0,seed=42'",
            "\"base\" and not(colours)",
            "basel or(base)",
        ] {
            assert!(matches(text), "{text}");
        }
        for text in
            ["colours", "not base", "base and colours", "(smoke or base) and colours", "'or'", "not base or colours"]
        {
            assert!(!matches(text), "{text}");
        }
    }

    #[test]
    fn says_where_it_stopped_understanding() {
        let error = |text: &str| Expression::parse(text).unwrap_err();
        assert_eq!(error("").to_string(), "expected some text, `not` or `(` at column 1 of ``");
        assert_eq!((error("a and").column, error("a and").message.as_str()), (6, "expected some text, `not` or `(`"));
        assert_eq!((error("a b").column, error("a b").message.as_str()), (3, "expected `and` or `or`"));
        assert_eq!((error("(a or b").column, error("(a or b").message.as_str()), (8, "expected `)`"));
        assert_eq!((error("a)").column, error("a)").message.as_str()), (2, "this bracket was never opened"));
        assert_eq!((error("ü or 'b").column, error("ü or 'b").message.as_str()), (6, "this quote is never closed"));
        assert_eq!(error("''").message, "nothing between the quotes");
        assert_eq!(error(&"(".repeat(100_000)).message, "nested too deep");
        assert_eq!(error(&"not ".repeat(100_000)).message, "nested too deep");
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-c()'\" \u{fc}]{0,30}|( ?(and|or|not|a|b|\\(|\\))){0,12}", id in "[a-c]{0,6}") {
            if let Ok(expression) = Expression::parse(&text) {
                prop_assert_eq!(expression.matches(&id), expression.clone().matches(&id.to_uppercase()));
            }
        }

        #[test]
        fn a_word_and_its_quoted_form_agree(word in "[a-z0-9=,\\[\\]]{1,8}", id in "[a-z0-9=,\\[\\]]{0,12}") {
            prop_assume!(!["and", "or", "not"].contains(&word.as_str()));
            let plain = Expression::parse(&word).unwrap().matches(&id);
            prop_assert_eq!(plain, id.contains(&word));
            prop_assert_eq!(plain, Expression::parse(&format!("'{word}'")).unwrap().matches(&id));
            prop_assert_eq!(plain, !Expression::parse(&format!("not {word}")).unwrap().matches(&id));
        }
    }
}
