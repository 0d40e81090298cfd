//! When each test of a suite began, by the terminal's own clock. Cases overlap, so the sum of what they took is not the time that a
//! person waited.

use std::time::Duration;

use difftest_core::event::Event;

/// The tests of the current suite.
#[derive(Default)]
pub(super) struct TestTimes {
    /// Test of each case.
    of_case: Vec<usize>,
    /// When the first case of each test began.
    began: Vec<Option<Duration>>,
}

impl TestTimes {
    /// Takes in the next event.
    pub(super) fn event(&mut self, event: &Event, now: Duration) {
        match event {
            Event::SuiteStarted { tests, cases, .. } => {
                self.of_case = cases.iter().map(|case| case.test).collect();
                self.began = vec![None; tests.len()];
            }
            Event::CaseStarted { case } => {
                let test = self.of_case.get(*case).copied();
                if let Some(began) = test.and_then(|test| self.began.get_mut(test)) {
                    began.get_or_insert(now);
                }
            }
            _ => {}
        }
    }

    /// Seconds from the first case of `test` to now; 0 where none has begun.
    pub(super) fn seconds(&self, test: usize, now: Duration) -> f64 {
        let began = self.began.get(test).copied().flatten();
        began.map_or(0.0, |began| now.saturating_sub(began).as_secs_f64())
    }
}
