//! The real thing: the pinned package, from the registry, into an empty data folder.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::sync::Barrier;

use difftest_diffusion::runtime::{InstallStep, Provider, Search, Source, install_in};

/// Two installs at the same time into a folder where a third one was killed; then once more.
#[test]
fn the_library_is_installed_once_and_found() {
    let data = tempfile::tempdir().unwrap();
    let leftover = data.path().join("runtime/.unfinished-killed");
    fs::create_dir_all(&leftover).unwrap();
    fs::write(leftover.join("half.whl"), "half").unwrap();

    let barrier = Barrier::new(2);
    let install = || {
        barrier.wait();
        let mut steps = Vec::new();
        let path = install_in(data.path(), Provider::Cpu, &mut |step| steps.push(step)).unwrap();
        (path, steps)
    };
    let (one, two) = std::thread::scope(|scope| {
        let other = scope.spawn(install);
        let one = install();
        (one, other.join().unwrap())
    });
    assert_eq!(one.0, two.0);
    let downloads = [&one.1, &two.1].map(|steps| steps.contains(&InstallStep::Verifying));
    assert_eq!(downloads.iter().filter(|&&downloaded| downloaded).count(), 1, "exactly one of them downloads");
    assert!(!leftover.exists());

    let search = Search { data_folder: Some(data.path().to_owned()), ..Search::default() };
    let found = search.find(Provider::Cpu).unwrap();
    assert_eq!((found.path, found.source), (one.0.clone(), Source::DataFolder));
    assert_eq!(found.version.unwrap().to_string(), "1.31.1");

    let mut steps = Vec::new();
    install_in(data.path(), Provider::Cpu, &mut |step| steps.push(step)).unwrap();
    assert_eq!(steps, [InstallStep::AlreadyThere { path: one.0.clone() }]);

    // a damaged install is made whole: the cache of the package client has the wheel now
    fs::remove_file(&one.0).unwrap();
    assert_eq!(install_in(data.path(), Provider::Cpu, &mut |_| {}).unwrap(), one.0);
    let names: Vec<_> =
        data.path().join("runtime").read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "the library's folder and the lock: {names:?}");
}
