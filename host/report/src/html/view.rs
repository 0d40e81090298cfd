//! The results as the page shows them: cases by test, each test a grid of prompts x seeds, and all cases with the worst first.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::share::Share;
use super::status::{self, Said, Status};
use super::{HistorySeries, HtmlOptions};
use crate::json::{CaseResult, Results, SuiteResult, TestResult};

/// Everything the page is made of.
pub(super) struct View<'a> {
    pub(super) results: &'a Results,
    pub(super) options: &'a HtmlOptions,
    /// In the order they ran.
    pub(super) groups: Vec<Group<'a>>,
    /// Indices of `groups`, those with the worst cases first.
    pub(super) groups_worst_first: Vec<usize>,
    /// In the order of the groups.
    pub(super) cases: Vec<Case<'a>>,
    /// Indices of `cases`, the worst first.
    pub(super) worst_first: Vec<usize>,
    /// Every prompt once.
    pub(super) prompts: Vec<&'a str>,
    history: HashMap<(&'a str, &'a str, Option<&'a str>, &'a str), &'a HistorySeries>,
}

/// A test with its cases.
pub(super) struct Group<'a> {
    pub(super) suite: &'a SuiteResult,
    pub(super) name: &'a str,
    /// `None` where cases name a test that the results do not have.
    pub(super) test: Option<&'a TestResult>,
    /// The columns of its sheet.
    pub(super) seeds: Vec<u64>,
    /// The rows, in the order of the suite: a prompt, and for each seed its cases.
    pub(super) rows: Vec<Row>,
    /// Indices of `rows`, those with the worst cases first.
    pub(super) rows_worst_first: Vec<usize>,
    /// Indices of its cases.
    pub(super) cases: std::ops::Range<usize>,
}

/// A prompt of a test.
pub(super) struct Row {
    /// Index of the prompt.
    pub(super) prompt: usize,
    /// Indices of cases by column: one, but for results that have a case twice.
    pub(super) cells: Vec<Vec<usize>>,
}

/// A case and what is said of it.
pub(super) struct Case<'a> {
    pub(super) result: &'a CaseResult,
    /// Index of its group.
    pub(super) group: usize,
    /// Index of its prompt.
    pub(super) prompt: usize,
    pub(super) status: Status,
    /// Its part in each gate that judges all images together.
    pub(super) shares: Vec<Share<'a>>,
    bad: f64,
}

impl<'a> View<'a> {
    pub(super) fn new(results: &'a Results, options: &'a HtmlOptions) -> Self {
        let history = options.history.iter().map(|series| {
            let HistorySeries { suite, test, case, metric, .. } = series;
            ((suite.as_str(), test.as_str(), case.as_deref(), metric.as_str()), series)
        });
        let mut view = View {
            results,
            options,
            groups: Vec::new(),
            groups_worst_first: Vec::new(),
            cases: Vec::new(),
            worst_first: Vec::new(),
            prompts: Vec::new(),
            history: history.collect(),
        };
        let mut prompts = HashMap::new();
        for suite in &results.suites {
            let mut of_test: HashMap<&str, Vec<&CaseResult>> = HashMap::new();
            suite.cases.iter().for_each(|case| of_test.entry(&case.test).or_default().push(case));
            for test in &suite.tests {
                let cases = of_test.remove(test.name.as_str()).unwrap_or_default();
                view.group(suite, &test.name, Some(test), &cases, &mut prompts);
            }
            let mut unknown: Vec<_> = of_test.into_iter().collect();
            unknown.sort_by_key(|(name, _)| *name);
            for (name, cases) in unknown {
                view.group(suite, name, None, &cases, &mut prompts);
            }
        }
        view.worst_first = (0..view.cases.len()).collect();
        let cases = &view.cases;
        view.worst_first.sort_by(|a, b| {
            let (a, b) = (&cases[*a], &cases[*b]);
            a.status.rank().cmp(&b.status.rank()).then(b.bad.total_cmp(&a.bad))
        });
        let mut place = vec![0; cases.len()];
        view.worst_first.iter().enumerate().for_each(|(at, case)| place[*case] = at);
        for group in &mut view.groups {
            let Group { rows, rows_worst_first, .. } = group;
            *rows_worst_first = (0..rows.len()).collect();
            rows_worst_first.sort_by_key(|&row| rows[row].cells.iter().flatten().map(|&case| place[case]).min());
        }
        let worst = |at: &usize| {
            let verdict = view.groups[*at].test.map(|test| std::cmp::Reverse(test.verdict));
            (verdict, view.cases[view.groups[*at].cases.clone()].iter().map(|case| case.status.rank()).min())
        };
        let mut groups: Vec<usize> = (0..view.groups.len()).collect();
        groups.sort_by_key(worst);
        view.groups_worst_first = groups;
        view
    }

    fn group(
        &mut self,
        suite: &'a SuiteResult,
        name: &'a str,
        test: Option<&'a TestResult>,
        cases: &[&'a CaseResult],
        prompts: &mut HashMap<&'a str, usize>,
    ) {
        let start = self.cases.len();
        let (mut seeds, mut rows): (Vec<u64>, Vec<Row>) = (Vec::new(), Vec::new());
        let (mut column_of, mut row_of) = (HashMap::new(), HashMap::new());
        for (Said { status, bad, shares }, result) in status::of_cases(test, cases).into_iter().zip(cases) {
            let text = result.prompt.text.as_str();
            let prompt = *prompts.entry(text).or_insert_with(|| {
                self.prompts.push(text);
                self.prompts.len() - 1
            });
            let column = *column_of.entry(result.seed).or_insert_with(|| {
                seeds.push(result.seed);
                seeds.len() - 1
            });
            let row = *row_of.entry((result.prompt.id.as_str(), prompt)).or_insert_with(|| {
                rows.push(Row { prompt, cells: Vec::new() });
                rows.len() - 1
            });
            let cells = &mut rows[row].cells;
            cells.resize(cells.len().max(column + 1), Vec::new());
            cells[column].push(self.cases.len());
            self.cases.push(Case { result, group: self.groups.len(), prompt, status, shares, bad });
        }
        rows.iter_mut().for_each(|row| row.cells.resize(seeds.len(), Vec::new()));
        let cases = start..self.cases.len();
        self.groups.push(Group { suite, name, test, seeds, rows, rows_worst_first: Vec::new(), cases });
    }

    /// How many cases have a status of this word.
    pub(super) fn count(&self, word: &str) -> usize {
        self.cases.iter().filter(|case| case.status.word() == word).count()
    }

    /// Earlier values of a metric, of a test or of one of its cases.
    pub(super) fn history(&self, group: &Group<'_>, case: Option<&str>, metric: &str) -> Option<&'a HistorySeries> {
        self.history.get(&(group.suite.name.as_str(), group.name, case, metric)).copied()
    }

    /// Where a file of the run is: where the results say, or in the folder that the run was moved to.
    pub(super) fn find(&self, path: &Path) -> PathBuf {
        let moved = self.options.folder.as_deref().filter(|_| !path.is_file());
        let inside = |folder| path.strip_prefix(&self.results.folder).ok().map(|rest| Path::join(folder, rest));
        moved.and_then(inside).unwrap_or_else(|| path.to_owned())
    }

    /// The scores of a test by one metric.
    pub(super) fn scores<'v>(&'v self, group: &Group<'_>, metric: &'v str) -> impl Iterator<Item = f64> + 'v {
        self.cases[group.cases.clone()].iter().filter_map(move |case| status::score(case.result, metric))
    }
}

impl<'a> Case<'a> {
    /// In a few words: its status, or its part in the gate for which it is worst.
    pub(super) fn said(&self) -> String {
        match (self.status, self.worst_share()) {
            (Status::Together(_), Some(share)) => share.words(),
            (status, _) => status.label().to_owned(),
        }
    }

    /// The score that stands beside that.
    pub(super) fn score(&self) -> Option<f64> {
        let together = matches!(self.status, Status::Together(_)).then(|| self.worst_share()).flatten();
        let first = || self.result.scores.first().and_then(|score| score.value);
        together.and_then(|share| share.score).or_else(first)
    }

    /// Of gates that do not hold before those that do: what it lost most in, or else the first.
    fn worst_share(&self) -> Option<&Share<'a>> {
        let key = |share: &&Share<'_>| (share.gate.result.holds, share.loss().is_none_or(|loss| loss <= 0.0));
        self.shares.iter().min_by_key(key)
    }

    /// Whether a person can accept or reject it: it differs from its baseline, or has none yet.
    pub(super) fn is_markable(&self) -> bool {
        self.result.image.is_some() && matches!(self.status, Status::New | Status::Changed)
    }
}
