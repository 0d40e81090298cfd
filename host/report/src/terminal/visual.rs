//! What a visual regression test found, below its verdict.

use difftest_core::visual::{Comparison, Standing};

use super::paint::Paint;
use crate::findings;
use crate::json::CaseResult;
use crate::text::{count, safe};

/// How many changed images are listed; all are in the results, and `review` shows them.
const LISTED: usize = 5;

/// How the images stand to their baseline, those that changed by what differs, and what to do. Nothing for a test that compares none.
pub(super) fn lines(cases: &[&CaseResult], paint: Paint) -> String {
    let compared: Vec<(&CaseResult, &Comparison)> =
        cases.iter().filter_map(|case| Some((*case, case.comparison.as_ref()?))).collect();
    let stand = |wanted: Standing| compared.iter().filter(move |(_, comparison)| comparison.standing == wanted);
    let (new, changed) = (stand(Standing::New).count(), stand(Standing::Changed).count());
    let mut text = String::new();
    if let Some((_, first)) = stand(Standing::Same).next() {
        let same = stand(Standing::Same).count();
        let line = format!("{} as in baseline {}", count(same, "image"), safe(&first.baseline));
        text += &paint.below(&paint.dim(&line));
    }
    for (case, comparison) in stand(Standing::Changed).take(LISTED) {
        text += &paint.below(&format!("{}: {}", safe(&case.id), findings::comparison(comparison)));
    }
    for line in findings::asked_otherwise(cases.iter().copied()) {
        text += &paint.below(&line);
    }
    let mut notes: Vec<&str> = compared.iter().filter_map(|(_, comparison)| comparison.note.as_deref()).collect();
    notes.dedup();
    for note in notes {
        text += &paint.below(&safe(note));
    }
    let parts = [
        (
            new,
            format!("{} no baseline", if new == 1 { "1 image has".to_owned() } else { format!("{new} images have") }),
        ),
        (changed, format!("{changed} changed")),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|(n, _)| *n > 0).map(|(_, words)| words).collect();
    if !parts.is_empty() {
        text += &paint.below(&format!("{}: difftest review", parts.join(", ")));
    }
    text
}
