//! What a plugin is given while it is tested and measured: models, the author's cases, fuel.

use std::path::Path;
use std::sync::Arc;

use difftest_core::model::Models;
use difftest_core::suite::DeclaredModel;
use difftest_diffusion::declared::DeclaredModels;
use difftest_diffusion::pipeline::Options;
use difftest_plugin::conformance::CaseFile;

use super::locate::Located;
use crate::args::plugin::Givens;
use crate::error::CliError;

/// The author's cases: those that were asked for, or the ones beside the sources.
pub(super) fn cases(givens: &Givens, located: &Located) -> Result<Vec<CaseFile>, CliError> {
    let folder = match &givens.cases {
        Some(folder) if !folder.is_dir() => {
            return Err(CliError::new("usage", format!("--cases {}: there is no such folder", folder.display()))
                .hint("name the folder with the *.toml files"));
        }
        Some(folder) => folder.clone(),
        None => match &located.sources {
            Some(sources) => sources.join("tests"),
            None => return Ok(Vec::new()),
        },
    };
    CaseFile::read_all(&folder).map_err(|error| {
        CliError::new("cases", error.to_string()).hint("`difftest plugin test --help` shows what a case looks like")
    })
}

/// The models of `--model NAME=PATH`, none where none was given.
pub(super) fn models(givens: &Givens) -> Result<Option<Arc<dyn Models>>, CliError> {
    if givens.model.is_empty() {
        return Ok(None);
    }
    let declared = givens.model.iter().map(|text| model(text)).collect::<Result<Vec<_>, _>>()?;
    let models = DeclaredModels::new(declared, Path::new(""), &Options::default(), &Arc::default());
    if let Some(problem) = models.problems().first() {
        let error = CliError::new("model", problem.to_string());
        return Err(match &problem.hint {
            Some(hint) => error.hint(hint.clone()),
            None => error,
        });
    }
    Ok(Some(Arc::new(models)))
}

fn model(text: &str) -> Result<DeclaredModel, CliError> {
    match text.split_once('=') {
        Some((name, reference)) if !name.is_empty() && !reference.is_empty() => {
            Ok(DeclaredModel { name: name.to_owned(), reference: reference.to_owned(), span: 0..0 })
        }
        _ => Err(CliError::new("usage", format!("--model {text}: this is not NAME=PATH"))
            .hint("for example: --model clip=models/clip --model aesthetic=aesthetic.onnx")),
    }
}
