//! `difftest baseline import DIR`: images that another program made become a baseline.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use difftest_core::baseline::Question;
use difftest_core::generate::{Generated, Generator as _, Request, Settings, is_environment_class};
use difftest_core::nearest::did_you_mean;
use difftest_core::plan::Case;
use difftest_diffusion::images::ImageFolder;
use difftest_report::text::{count, safe};
use difftest_store::baseline::{Because, Candidate, Effect, Folder};

use super::{list, who};
use crate::args::baseline::ImportArgs;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(crate) fn import(args: &ImportArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let folder = Folder::named(&args.root.baselines, &args.name)?;
    difftest_store::baseline::check_environment(&args.environment)?;
    if !is_environment_class(&args.environment) {
        return Err(unknown_environment(args));
    }
    if !args.dry_run {
        who::must_be_a_person("`baseline import` takes in images that no test has passed", args.ci.allow_ci)?;
    }
    let images = ImageFolder::open(&args.folder, None)
        .map_err(|error| CliError::new("images", error.to_string()).hint_if(error.hint()))?;
    let plans = list::plans(&args.suites, &args.named, ui)?;
    let mut wanted: BTreeMap<(&str, u64), Vec<&Case>> = BTreeMap::new();
    for case in plans.iter().flat_map(|planned| &planned.plan.cases) {
        wanted.entry((case.prompt.text.as_str(), case.seed)).or_default().push(case);
    }
    // Found before anything is written: an image that is missing or damaged stops all of it.
    let (mut found, mut without) = (Vec::new(), Vec::new());
    for (prompt, seed) in images.rows() {
        match wanted.get(&(prompt.text.as_str(), *seed)) {
            Some(cases) => found.push((image(&images, &prompt.text, *seed)?, cases)),
            None => without.push((prompt.text.clone(), *seed)),
        }
    }
    if found.is_empty() {
        return Err(CliError::new(
            "import",
            "no case of the suites has the prompt and the seed of one of these images",
        )
        .hint("`difftest list` prints the cases; prompts have to be equal to the letter"));
    }
    let mut change = None;
    if !args.dry_run {
        change = Some(folder.change(&args.environment, who::now(Because::Person, None))?);
    }
    let (mut taken, mut changed) = (0, 0);
    for (image, cases) in found {
        for case in cases {
            taken += 1;
            let Some(change) = &mut change else { continue };
            let (id, prompt, seed) = (case.id.clone(), case.prompt.text.clone(), case.seed);
            // A person says that it is what the case asks for, all of it.
            let inputs = Question::of(&case.prompt, seed, &case.settings).rest();
            let (image, scores) = (image.clone(), Vec::new());
            let effect = change.accept(Candidate { id, image, prompt, seed, scores, inputs })?;
            changed += usize::from(effect != Effect::Same);
        }
    }
    if let Some(change) = change {
        change.commit()?;
    }
    let place = folder.path().join(&args.environment);
    let mut text = String::new();
    let _ = if args.dry_run {
        writeln!(text, "{} would be taken into {}", count(taken, "image"), place.display())
    } else {
        writeln!(text, "{} taken into {} ({changed} new or changed)", count(taken, "image"), place.display())
    };
    ui.data(&text)?;
    for (prompt, seed) in without {
        ui.note(&format!("left out: no case has seed {seed} and the prompt {:?}", safe(&prompt)));
    }
    Ok(Exit::Success)
}

/// Images under a name that no run has would never be compared with anything.
fn unknown_environment(args: &ImportArgs) -> CliError {
    let message = format!("no run is in an environment `{}`", safe(&args.environment));
    let others = Folder::list(&args.root.baselines).unwrap_or_default();
    let others: Vec<String> = others.iter().flat_map(|folder| folder.environments().unwrap_or_default()).collect();
    let named = others.iter().map(String::as_str).chain(["images"]);
    let form = "it is `images`, or DEVICE-PRECISION-onnxruntime-VERSION such as cpu-f32-onnxruntime-1.31.1, as results name it";
    CliError::new("usage", message).hint(format!("{form}; {}", did_you_mean(&args.environment, named, "known")))
}

fn image(images: &ImageFolder, prompt: &str, seed: u64) -> Result<difftest_core::image::Image, CliError> {
    let request = Request {
        id: format!("{prompt} (seed {seed})"),
        prompt: prompt.to_owned(),
        negative_prompt: None,
        seed,
        settings: Settings::default(),
    };
    match images.generate(&[request], &|_| true).pop() {
        Some(Ok(Generated { image, .. })) => Ok(image),
        Some(Err(error)) => Err(CliError::new("images", error.message).hint_if(error.hint)),
        None => Err(CliError::new("images", format!("there is no image for seed {seed} of {:?}", safe(prompt)))),
    }
}
