//! Whole runs, from prompt and seed to pixels.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Mutex;

use difftest_diffusion::pipeline::{Options, StableDiffusion};

use crate::golden::{Case, Family, worst};
use crate::table::Runs;

/// What came out of a family's runs.
pub(crate) struct Measured {
    pub(crate) rows: Vec<Runs>,
    /// Runs without an image.
    pub(crate) failures: Vec<String>,
}

/// How far the runs of a family are from diffusers', by scheduler.
pub(crate) fn measure(family: &Family) -> Result<Measured, Box<dyn Error>> {
    let options = Options { threads: Some(1), lanes: Some(1), ..Options::default() };
    let model =
        StableDiffusion::load_adapted(family.folder().to_str().unwrap(), Path::new("/"), family.adapters(), &options)?;
    let mut rows: BTreeMap<String, Runs> = BTreeMap::new();
    let mut failures = Vec::new();
    for case in &family.cases {
        match run(&model, family, case) {
            Ok(row) => {
                println!(
                    "{:<28} latents {:.1e}, {} of {} bytes beyond one level, at most {}",
                    case.request.id, row.latents, row.beyond, row.bytes, row.worst
                );
                rows.entry(row.scheduler.clone()).and_modify(|known| known.add(&row)).or_insert(row);
            }
            Err(error) => failures.push(format!("{}: {error}", case.request.id)),
        }
    }
    Ok(Measured { rows: rows.into_values().collect(), failures })
}

fn run(model: &StableDiffusion, family: &Family, case: &Case) -> Result<Runs, Box<dyn Error>> {
    let last = Mutex::new(Vec::new());
    let request = std::slice::from_ref(&case.request);
    let keep = |latents: &[f32]| *last.lock().unwrap() = latents.to_vec();
    let made = model.generate_observed(request, &|_| true, &|seen| keep(seen.latents)).remove(0)?;
    let expected = family.bytes(&format!("{}.image", case.name));
    let image = made.image.rgb8();
    if image.len() != expected.len() {
        return Err(format!("{}x{} pixels", made.image.width(), made.image.height()).into());
    }
    let off: Vec<u8> = image.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).collect();
    let used = made.attributes.iter().find(|(name, _)| name == "scheduler").ok_or("no scheduler in the record")?;
    Ok(Runs {
        family: family.name.clone(),
        scheduler: case.scheduler.clone().unwrap_or_else(|| used.1.clone()),
        runs: 1,
        latents: worst(&last.into_inner().unwrap(), &family.values(&format!("{}.latents", case.name))),
        beyond: off.iter().filter(|&&off| off > 1).count(),
        bytes: off.len(),
        worst: off.iter().copied().max().unwrap_or(0),
    })
}
