//! `difftest ci`: a run with CI's defaults. `difftest report`: the reports of a run that is over, made from its recording.

use crate::args::report::CiArgs;
use crate::commands::run;
use crate::environment;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(crate) fn ci(args: &CiArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    environment::behave_as_ci();
    if args.run.watch {
        return Err(CliError::new("usage", "--watch never ends, so CI would not either").hint("leave out `--watch`"));
    }
    run::run(&args.run, ui)
}
