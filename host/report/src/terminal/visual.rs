//! What a visual regression test found, below its verdict.

use difftest_core::visual::{Comparison, Said, Standing};

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
    let mut text = String::new();
    let (tolerated, same): (Vec<_>, Vec<_>) = stand(Standing::Same).partition(|(_, comparison)| comparison.tolerated);
    if let Some((_, first)) = same.first() {
        let line = format!("{} as in baseline {}", count(same.len(), "image"), safe(&first.baseline));
        text += &paint.below(&paint.dim(&line));
    }
    // The one that is nearest to what is tolerated says how near they are.
    let nearest = tolerated.iter().filter_map(|(_, comparison)| Some((comparison, comparison.nearest()?)));
    if let Some((first, tier)) = nearest.max_by(|(_, a), (_, b)| a.strain().total_cmp(&b.strain())) {
        let found = format!("{} {}", tier.tier, findings::tier_value(tier.tier, tier.value));
        let images = count(tolerated.len(), "image");
        let line = format!("{images} within tolerance of baseline {} ({found})", safe(&first.baseline));
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
    type Of = fn(&Comparison) -> bool;
    let ends: [(Of, String); 3] = [
        (|comparison| comparison.said.is_none(), ": difftest review".to_owned()),
        (Comparison::is_rejected, format!(", rejected before: {}", findings::AFTER_ALL)),
        (|comparison| comparison.said == Some(Said::Update), ", accepted by --update".to_owned()),
    ];
    for (of, end) in ends {
        let found = |standing: Standing| stand(standing).filter(|(_, comparison)| of(comparison)).count();
        let (new, changed) = (found(Standing::New), found(Standing::Changed));
        let have = if new == 1 { "1 image has".to_owned() } else { format!("{new} images have") };
        let parts = [(new, format!("{have} no baseline")), (changed, format!("{changed} changed"))];
        let parts: Vec<String> = parts.into_iter().filter(|(n, _)| *n > 0).map(|(_, words)| words).collect();
        if !parts.is_empty() {
            text += &paint.below(&format!("{}{end}", parts.join(", ")));
        }
    }
    text
}
