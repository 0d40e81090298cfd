//! What can run networks here, and whether the device that was asked for repeats itself.

use difftest_diffusion::runtime::{self, InstallSize, Provider};
use difftest_diffusion::selfcheck;
use difftest_diffusion::session::{Device, Driver};

use super::Finding::{self, Bad, Good, Note};
use crate::environment;

/// A line for each device that this system can have.
pub(super) fn all(tried: Device) -> Vec<(&'static str, Finding)> {
    let mut found = vec![("device cpu", Good(format!("{} threads", environment::threads(None))))];
    if cfg!(target_os = "macos") {
        found.push(("device coreml", Note("part of the library; tried by `--device coreml`".into(), None)));
        return found;
    }
    found.push(("device cuda", cuda(matches!(tried, Device::Cuda(_)))));
    if cfg!(target_arch = "x86_64") {
        found.push(("device openvino", installed(Provider::OpenVino, "", tried == Device::OpenVino)));
    }
    found
}

/// Without a driver there is nothing to install for.
fn cuda(tried: bool) -> Finding {
    let driver = match Driver::find() {
        Err(error) => return Note(error.to_string(), None),
        Ok(driver) => driver,
    };
    let gpus: Vec<_> = driver
        .gpus
        .iter()
        .enumerate()
        .map(|(number, gpu)| format!("{number}: {} ({}.{})", gpu.name, gpu.capability.0, gpu.capability.1))
        .collect();
    let text = format!("{}; the driver speaks CUDA {}; ", gpus.join(", "), driver.cuda);
    match driver.check(0) {
        Err(error) => Note(format!("{text}{error}"), Some(error.hint())),
        Ok(()) => installed(Provider::Cuda, &text, tried),
    }
}

fn installed(provider: Provider, text: &str, tried: bool) -> Finding {
    match runtime::find_for(provider) {
        Ok(library) => {
            let next = (!tried).then(|| format!("difftest doctor --device {provider}"));
            let tried = if tried { "tried" } else { "not tried" };
            Note(format!("{text}library at {}; {tried}", library.path.display()), next)
        }
        Err(_) => {
            let size = InstallSize::of(provider).map_or_else(
                |error| error.to_string(),
                |size| {
                    format!("{} MB to download, {} MB installed", size.download / 1_000_000, size.installed / 1_000_000)
                },
            );
            Note(format!("{text}not installed ({size})"), Some(format!("difftest runtime install {provider}")))
        }
    }
}

/// Makes the same images twice, and with other threads.
pub(super) fn determinism(device: Device) -> Finding {
    let compared = match selfcheck::determinism(device) {
        Err(error) => {
            let next = error.hint().unwrap_or_else(|| "run with `--device cpu`".to_owned());
            return Bad(format!("builtin:shapes on {device}: {error}"), next);
        }
        Ok(compared) => compared,
    };
    let differing: Vec<_> = compared.iter().filter(|one| one.bytes > 0).map(ToString::to_string).collect();
    let of: Vec<_> = compared.iter().map(|one| one.what).collect();
    let what = format!("builtin:shapes on {device}");
    match (differing.is_empty(), device) {
        (true, _) => Good(format!("{what}: the same bytes {}", of.join(" and "))),
        (false, Device::Cpu) => Bad(
            format!("{what}: {}", differing.join("; ")),
            "give thresholds a margin, and report this with the processor and the version above".to_owned(),
        ),
        (false, _) => Note(
            format!("{what}: {}", differing.join("; ")),
            Some("give thresholds a margin: images of this device do not repeat bit by bit".to_owned()),
        ),
    }
}
