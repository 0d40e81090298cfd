//! Leaving cases out of a plan.

use super::{Case, SuitePlan, TestPlan};

impl SuitePlan {
    /// Drops every case that `keep` does not want (it is given the case's index too), and the tests left without cases. A test that
    /// had no cases to begin with stays when `keep_empty` wants it. What stays keeps its order; tests and cases are renumbered.
    pub fn retain(
        &mut self,
        mut keep: impl FnMut(usize, &Case) -> bool,
        mut keep_empty: impl FnMut(&TestPlan) -> bool,
    ) {
        let mut planned = vec![false; self.tests.len()];
        self.cases.iter().for_each(|case| planned[case.test] = true);
        let mut index = 0;
        self.cases.retain(|case| {
            index += 1;
            keep(index - 1, case)
        });
        let mut kept = vec![false; self.tests.len()];
        self.cases.iter().for_each(|case| kept[case.test] = true);
        for (index, test) in self.tests.iter().enumerate().filter(|&(index, _)| !planned[index]) {
            kept[index] = keep_empty(test);
        }
        let mut count = 0;
        let renumbered: Vec<usize> = kept
            .iter()
            .map(|&kept| {
                let index = count;
                count += usize::from(kept);
                index
            })
            .collect();
        let mut kept = kept.into_iter();
        self.tests.retain(|_| kept.next().unwrap_or(false));
        self.cases.iter_mut().for_each(|case| case.test = renumbered[case.test]);
    }

    /// Keeps the cases of one shard; `shards` says for each case which it is in. Tests that cannot be judged with
    /// what is kept note how many cases they had: those that lose some, and those with a statistical gate where the suite loses some.
    /// Tests without cases (what they need was refused) are kept where `with_empty` says so: in one shard of all.
    pub fn keep_shard(&mut self, shards: &[u32], shard: u32, with_empty: bool) {
        let mut totals = vec![0; self.tests.len()];
        self.cases.iter().for_each(|case| totals[case.test] += 1);
        let mut here = vec![0; self.tests.len()];
        let mine = |index: usize| shards.get(index) == Some(&shard);
        let of_shard = self.cases.iter().enumerate().filter(|&(index, _)| mine(index));
        of_shard.for_each(|(_, case)| here[case.test] += 1);
        // How sure a statistical gate has to be depends on all of them in the suite.
        let whole_suite = here == totals;
        for ((test, total), here) in self.tests.iter_mut().zip(totals).zip(here) {
            let together = !whole_suite && test.gates.iter().any(|gate| gate.check.is_statistical());
            test.split_of = (here < total || together).then_some(total);
        }
        self.retain(|index, _| mine(index), |_| with_empty);
    }
}
