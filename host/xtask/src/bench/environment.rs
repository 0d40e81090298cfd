//! Both sides, ready to run: the release build and its runtime library, and a Python of the bench's own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::{self, Failure};
use crate::workspace::Workspace;

/// Everything a measurement needs to start its sides.
pub(super) struct Environment<'a> {
    pub(super) workspace: &'a Workspace,
    /// `target/bench`.
    pub(super) folder: PathBuf,
    python: PathBuf,
    scripts: PathBuf,
    /// Versions of the packages on the Python side.
    pub(super) packages: BTreeMap<String, String>,
    /// Operating system, architecture and number of cores.
    pub(super) machine: String,
}

impl<'a> Environment<'a> {
    pub(super) fn prepare(
        workspace: &'a Workspace,
        python: Option<&str>,
        measurements: &[char],
    ) -> Result<Self, Failure> {
        let folder = workspace.target.join("bench");
        fs::create_dir_all(&folder)
            .map_err(|error| Failure::new(format!("cannot create {}: {error}", folder.display())))?;
        step::run(&mut workspace.build_plugins(&["image-stats", "ssim", "phash"]))?;
        step::run(&mut workspace.cargo(&["build", "--release", "-p", "difftest-bench", "-p", "difftest"]))?;
        step::run(workspace.command(workspace.program("release", "difftest")).args(["runtime", "install", "cpu"]))?;

        let scripts = workspace.root.join("host/xtask/bench");
        let requirements = scripts.join("requirements.txt");
        let needs_python = measurements.iter().any(|measurement| !matches!(measurement, 'd' | 'k' | 'u'));
        let python = match python {
            Some(python) => PathBuf::from(python),
            None if needs_python => own_python(workspace, &folder.join("venv"), &requirements)?,
            None => PathBuf::from("python3"),
        };
        let packages = if needs_python { versions(&python, &requirements)? } else { BTreeMap::new() };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let machine = format!("{} {} with {cores} cores", std::env::consts::OS, std::env::consts::ARCH);
        Ok(Self { workspace, folder, python, scripts, packages, machine })
    }

    /// A script of `host/xtask/bench` on so many threads. The variables reach what reads them when it is imported; the scripts
    /// themselves tell torch.
    pub(super) fn python(&self, script: &str, threads: usize) -> Command {
        let mut command = self.workspace.command(&self.python);
        for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
            command.env(variable, threads.to_string());
        }
        // nothing is asked of a hub, and no progress bars
        command.env("HF_HUB_OFFLINE", "1").env("TQDM_DISABLE", "1").env("TRANSFORMERS_VERBOSITY", "error");
        command.arg(self.scripts.join(script));
        command
    }

    /// A module of the bench's Python, run as a program.
    pub(super) fn python_module(&self, module: &str) -> Command {
        let mut command = self.workspace.command(&self.python);
        command.args(["-m", module]);
        command
    }

    /// `difftest-bench`.
    pub(super) fn ours(&self) -> Command {
        self.workspace.command(self.workspace.program("release", "difftest-bench"))
    }

    /// `difftest`.
    pub(super) fn difftest(&self) -> Command {
        self.workspace.command(self.workspace.program("release", "difftest"))
    }

    /// A path below `target/bench`, as an argument.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Makes the virtual environment, or takes the one that was made from the same requirements.
fn own_python(workspace: &Workspace, venv: &Path, requirements: &Path) -> Result<PathBuf, Failure> {
    let python = if cfg!(windows) { venv.join("Scripts/python.exe") } else { venv.join("bin/python") };
    let wanted = fs::read_to_string(requirements)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", requirements.display())))?;
    // written last: a half-made environment has none
    let stamp = venv.join("requirements.installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    eprintln!("  installing torch and diffusers into {}: some gigabytes, some minutes", venv.display());
    if step::succeeds(workspace.command("uv").arg("--version")) {
        step::run(workspace.command("uv").args(["venv", "--clear", "--quiet"]).arg(venv))?;
        step::run(
            workspace
                .command("uv")
                .args(["pip", "install", "--quiet", "--python"])
                .arg(&python)
                .arg("-r")
                .arg(requirements),
        )?;
    } else {
        let system = if cfg!(windows) { "python" } else { "python3" };
        step::run(workspace.command(system).args(["-m", "venv", "--clear"]).arg(venv))?;
        let mut pip = workspace.command(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
        step::run(pip.arg(requirements))?;
    }
    fs::write(&stamp, wanted).map_err(|error| Failure::new(format!("cannot write {}: {error}", stamp.display())))?;
    Ok(python)
}

/// The versions of the required packages; a missing one is an error of the Python that was named.
fn versions(python: &Path, requirements: &Path) -> Result<BTreeMap<String, String>, Failure> {
    const ASK: &str = "import json, re, sys\n\
        from importlib.metadata import version\n\
        lines = [line.split('#')[0].strip() for line in open(sys.argv[1])]\n\
        names = [re.split('[=<>]', line)[0] for line in lines if line]\n\
        print(json.dumps({name: version(name) for name in names}))";
    let printed = step::output(Command::new(python).args(["-c", ASK]).arg(requirements))?;
    serde_json::from_str(&printed)
        .map_err(|error| Failure::new(format!("{} gave no versions: {error}", python.display())))
}
