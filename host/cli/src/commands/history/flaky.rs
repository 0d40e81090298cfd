//! `difftest history flaky`: what should be the same every time and was not.

use std::fmt::Write as _;

use difftest_report::text::{count, safe, score};
use difftest_store::history::Flakes;

use super::{print, read};
use crate::args::Format;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(super) fn flaky(format: Format, ui: &mut Ui) -> Result<Exit, CliError> {
    let flakes = read(ui, |history| history.flaky())?;
    print(&flakes, || human(&flakes), format, ui)
}

fn human(flakes: &Flakes) -> String {
    let mut text = String::new();
    for flaky in &flakes.images {
        let _ =
            writeln!(text, "image {}: {} of the same inputs", safe(&flaky.case), count(flaky.images.len(), "image"));
        let _ = writeln!(text, "    {}, {}", safe(&flaky.model), safe(&flaky.environment));
        for (image, runs) in &flaky.images {
            let last = runs.last().map(|run| safe(run)).unwrap_or_default();
            let _ = writeln!(
                text,
                "    {}  in {}, last in {last}",
                image.get(..12).unwrap_or(image),
                count(runs.len(), "run")
            );
        }
    }
    for flaky in &flakes.scores {
        let image = flaky.image.get(..12).unwrap_or(&flaky.image);
        let (least, most) = (score(flaky.least), score(flaky.most));
        // Differences below what is shown otherwise are told whole.
        let range =
            if least == most { format!("{} to {}", flaky.least, flaky.most) } else { format!("{least} to {most}") };
        let _ = writeln!(
            text,
            "score {} of {}: {range} for the same image {image}, in {}",
            safe(&flaky.metric),
            safe(&flaky.case),
            count(flaky.runs, "run")
        );
    }
    for flaky in &flakes.tests {
        let verdicts: Vec<_> =
            flaky.verdicts.iter().rev().take(10).rev().map(|(_, verdict)| verdict.as_str()).collect();
        let more = if flaky.verdicts.len() > verdicts.len() { "... " } else { "" };
        let _ = writeln!(
            text,
            "test {}::{}: another verdict {}, {} with nothing changed",
            safe(&flaky.suite),
            safe(&flaky.test),
            times(flaky.changes),
            times(flaky.unexplained)
        );
        let _ =
            writeln!(text, "    {}, {}: {more}{}", safe(&flaky.model), safe(&flaky.environment), verdicts.join(" "));
    }
    if text.is_empty() {
        text.push_str("nothing: the same inputs gave the same images, scores and verdicts in every run\n");
    }
    text
}

fn times(n: usize) -> String {
    match n {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}
