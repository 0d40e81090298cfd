//! A combination by chance.
//!
//! A choice takes a number of options, each number from `min` to `max` equally likely, and then options one after the
//! other by their weights, none twice. So everything that is drawn is one of the combinations of [`crate::nth`].

use difftest_sdk::Random;

use crate::draft::Draft;
use crate::template::{Choice, Options, Piece, Template};

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
        let (min, max) = (self.min.min(self.options.possible), self.max.min(self.options.possible));
        let count = min + random.below((max - min) as u64 + 1) as usize;
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            taken.push(self.options.by_weight(&taken, random));
        }
        draft.join(&self.separator, taken, |draft, place| self.options.all[place].body.draw(random, draft))
    }
}

impl Options {
    /// The place of an option that is not among the `taken`, each as likely as its share of the weights that are left.
    fn by_weight(&self, taken: &[usize], random: &mut Random) -> usize {
        let chance = random.next_f64();
        if taken.is_empty() {
            let at = chance * self.up_to.last().copied().unwrap_or(0.0);
            let place = self.up_to.partition_point(|&up_to| up_to <= at);
            return if place < self.all.len() { place } else { self.last_possible(taken) };
        }
        let free = || self.all.iter().enumerate().filter(|(place, _)| !taken.contains(place));
        let mut at = chance * free().map(|(_, option)| option.weight).sum::<f64>();
        for (place, option) in free() {
            if at < option.weight {
                return place;
            }
            at -= option.weight;
        }
        self.last_possible(taken)
    }

    /// Where rounding leaves a little beyond the end.
    fn last_possible(&self, taken: &[usize]) -> usize {
        let possible = |place: &usize| self.all[*place].weight > 0.0 && !taken.contains(place);
        (0..self.all.len()).rev().find(possible).unwrap_or(0)
    }
}
