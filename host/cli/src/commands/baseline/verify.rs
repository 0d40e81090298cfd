//! `difftest baseline verify`: every image again.

use std::fmt::Write as _;

use difftest_report::text::{count, safe};
use serde_json::json;

use crate::args::Format;
use crate::args::baseline::VerifyArgs;
use crate::error::{CliError, Exit};
use crate::ui::{self, Ui};

/// After how many images a person is told how far it is.
const TELL: usize = 500;

pub(crate) fn verify(args: &VerifyArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let watched = ui.interactive();
    let (mut text, mut rows, mut damaged) = (String::new(), Vec::new(), 0);
    for folder in super::some(&args.root, &args.names)? {
        for environment in folder.environments()? {
            let place = format!("{} {environment}", safe(folder.name()));
            let mut images = 0;
            let findings = folder.verify(&environment, &mut |done| {
                images = done;
                if watched && done % TELL == 0 {
                    ui::note(&format!("{place}: {done} images"));
                }
            })?;
            let bad = findings.iter().filter(|finding| finding.problem.is_damage()).count();
            damaged += bad;
            let what = if bad == 0 { "all as accepted".to_owned() } else { format!("{bad} damaged") };
            let _ = writeln!(text, "{place}: {}, {what}", count(images, "image"));
            for finding in &findings {
                let case = finding.case.as_deref().map_or(String::new(), |case| format!("{}: ", safe(case)));
                let _ = writeln!(text, "  {}: {case}{}", safe(&finding.path.to_string_lossy()), finding.problem);
            }
            let finding = |finding: &difftest_store::baseline::Finding| json!({ "path": finding.path, "case": finding.case, "problem": finding.problem.to_string(), "damage": finding.problem.is_damage() });
            rows.push(
                json!({ "baseline": folder.name(), "environment": environment, "images": images, "good": bad == 0,
                "findings": findings.iter().map(finding).collect::<Vec<_>>() }),
            );
        }
    }
    match args.message_format {
        Format::Human => ui.data(&text)?,
        Format::Json => ui.data(&format!("{:#}\n", json!({ "good": damaged == 0, "baselines": rows })))?,
    }
    if damaged == 0 {
        return Ok(Exit::Success);
    }
    ui.error(
        &format!(
            "{} not as accepted",
            if damaged == 1 { "1 image is".to_owned() } else { format!("{damaged} images are") }
        ),
        Some("take the files back from version control, or accept the images anew"),
    );
    Ok(Exit::Error)
}
