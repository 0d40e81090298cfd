//! A combination by chance.
//!
//! A choice takes a number of options, each number from `min` to `max` equally likely, and then options one after the
//! other by their weights, none twice. So everything that is drawn is one of the combinations of [`crate::nth`].

use difftest_sdk::Random;

use crate::draft::Draft;
use crate::template::{Choice, Piece, Template};

impl Template {
    /// Writes a combination; `None` when two options that are taken at once come out as the same text.
    pub(crate) fn draw(&self, random: &mut Random, draft: &mut Draft) -> Option<()> {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => draft.text.push_str(text),
                Piece::Choice(choice) => draft.choice(choice, |draft| choice.draw(random, draft))?,
            }
        }
        Some(())
    }
}

impl Choice {
    fn draw(&self, random: &mut Random, draft: &mut Draft) -> Option<()> {
        let mut free: Vec<(f64, &Template)> =
            self.options.iter().filter(|o| o.weight > 0.0).map(|option| (option.weight, &option.body)).collect();
        let (min, max) = (self.min.min(free.len()), self.max.min(free.len()));
        let count = min + random.below((max - min) as u64 + 1) as usize;
        let taken: Vec<&Template> = (0..count).map(|_| free.remove(by_weight(&free, random)).1).collect();
        draft.join(&self.separator, taken, |draft, option| option.draw(random, draft))
    }
}

/// The place of one of the options, each as likely as its share of the weights.
fn by_weight(free: &[(f64, &Template)], random: &mut Random) -> usize {
    let total: f64 = free.iter().map(|(weight, _)| weight).sum();
    let mut at = random.next_f64() * total;
    for (place, (weight, _)) in free.iter().enumerate() {
        if at < *weight {
            return place;
        }
        at -= weight;
    }
    // rounding may leave a little beyond the last
    free.len() - 1
}
