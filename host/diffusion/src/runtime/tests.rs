#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::package::Wheel;
use super::unpack::{unpack, verify};
use super::*;

/// The name of the main library of that version, as packages on this operating system have it.
fn library_name(version: &str) -> String {
    match std::env::consts::OS {
        "windows" => "onnxruntime.dll".to_owned(),
        "macos" => format!("libonnxruntime.{version}.dylib"),
        _ => format!("libonnxruntime.so.{version}"),
    }
}

/// Puts a file that looks like a library of that version into `folder/onnxruntime-VERSION-x`, or `folder` itself.
fn put_library(folder: &Path, version: &str) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    let path = folder.join(library_name(version));
    fs::write(&path, "library").unwrap();
    path
}

fn wheel(folder: &TempDir, entries: &[&str]) -> PathBuf {
    let path = folder.path().join("onnxruntime-test.whl");
    let mut writer = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    for name in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(name.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    path
}

fn main_wheel() -> &'static Wheel {
    &Wheel::for_this_machine(Provider::Cpu).unwrap()[0]
}

#[test]
fn versions_are_read_from_names() {
    let version = |major, minor, patch| Some(Version { major, minor, patch });
    assert_eq!(Version::leading("1.31.1"), version(1, 31, 1));
    assert_eq!(Version::leading("1.32"), version(1, 32, 0));
    assert_eq!(Version::leading("1.31.1.dylib"), version(1, 31, 1));
    assert_eq!(Version::leading("1.33.0rc1-cpu"), version(1, 33, 0));
    for not_a_version in ["", "1", "dylib", ".", "99999999999.1"] {
        assert_eq!(Version::leading(not_a_version), None, "{not_a_version}");
    }
    assert!(version(1, 9, 9) < version(1, 31, 0), "compared as numbers");
}

#[test]
fn a_version_is_found_in_the_folder_or_the_package() {
    let folder = tempfile::tempdir().unwrap();
    let unnamed = folder.path().join("onnxruntime-1.31.1-cpu/onnxruntime.dll");
    fs::create_dir_all(unnamed.parent().unwrap()).unwrap();
    fs::write(&unnamed, "").unwrap();
    assert_eq!(Version::of_library(&unnamed), Version::leading("1.31.1"));

    let packaged = folder.path().join("site-packages/onnxruntime/capi/onnxruntime.dll");
    fs::create_dir_all(packaged.parent().unwrap()).unwrap();
    fs::create_dir_all(folder.path().join("site-packages/onnxruntime_gpu-1.30.2.dist-info")).unwrap();
    fs::write(&packaged, "").unwrap();
    assert_eq!(Version::of_library(&packaged), Version::leading("1.30.2"));

    let stranger = folder.path().join("some.so");
    fs::write(&stranger, "").unwrap();
    assert_eq!(Version::of_library(&stranger), None);
}

#[test]
fn the_order_of_places_holds() {
    let folder = tempfile::tempdir().unwrap();
    let named = put_library(&folder.path().join("named"), "1.31.0");
    let beside = put_library(&folder.path().join("bin"), "1.33.0");
    let data = folder.path().join("data");
    let cuda = put_library(&data.join("runtime/onnxruntime-1.34.0-cuda"), "1.34.0");
    let cpu = put_library(&data.join("runtime/onnxruntime-1.32.0-cpu"), "1.32.0");
    put_library(&data.join("runtime/.unfinished-abc"), "1.40.0");

    let mut search = Search {
        named: Some(named.clone()),
        beside_binary: Some(folder.path().join("bin")),
        data_folder: Some(data),
        python: false,
    };
    let paths = |search: &Search| search.list().into_iter().map(|library| library.path).collect::<Vec<_>>();
    assert_eq!(paths(&search), [&named, &beside, &cpu, &cuda].map(PathBuf::clone));
    assert_eq!(search.find(Provider::Cpu).unwrap().path, named);

    search.named = None;
    let found = search.find(Provider::Cpu).unwrap();
    assert_eq!((found.path, found.source), (beside, Source::BesideBinary));

    search.beside_binary = None;
    assert_eq!(search.find(Provider::Cpu).unwrap().path, cpu);
    assert!(matches!(search.find(Provider::Cuda), Err(RuntimeError::Missing { .. })), "no CUDA provider beside any");
    if let Some(companion) = Provider::Cuda.companion() {
        fs::write(cuda.with_file_name(companion), "").unwrap();
        assert_eq!(search.find(Provider::Cuda).unwrap().path, cuda);
    }
}

#[test]
#[cfg(not(windows))] // there the version is not part of a library's name
fn old_libraries_are_passed_over_and_named_when_there_is_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let old = put_library(&folder.path().join("bin"), "1.24.4");
    let mut search = Search { beside_binary: Some(folder.path().join("bin")), ..Search::default() };
    search.data_folder = Some(folder.path().join("data"));

    let error = search.find(Provider::Cpu).unwrap_err();
    assert!(error.to_string().contains("1.24.4") && error.to_string().contains("1.31.0"), "{error}");
    assert!(error.hint().contains("difftest runtime install cpu"), "{}", error.hint());
    assert!(search.list()[0].is_too_old());

    let new = put_library(&folder.path().join("data/runtime/onnxruntime-1.31.1-cpu"), "1.31.1");
    assert_eq!(search.find(Provider::Cpu).unwrap().path, new);

    // what the user names is not silently replaced by something else
    search.named = Some(old.clone());
    assert!(matches!(search.find(Provider::Cpu), Err(RuntimeError::TooOld { path, .. }) if path == old));
}

#[test]
fn a_named_library_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let search = Search { named: Some(folder.path().join("nothing.so")), ..Search::default() };
    let error = search.find(Provider::Cpu).unwrap_err();
    assert!(matches!(error, RuntimeError::NotAFile { .. }), "{error}");
    assert!(error.to_string().contains("ORT_DYLIB_PATH"), "{error}");
    assert_eq!(search.list(), []);
}

#[test]
fn nothing_found_says_where_and_what_to_do() {
    let search = Search { data_folder: Some("/nowhere".into()), python: true, ..Search::default() };
    let error = RuntimeError::Missing { provider: Provider::Cpu, searched: search.described() };
    assert!(error.to_string().contains("the Python package `onnxruntime`"), "{error}");
    assert!(error.hint().contains("difftest runtime install cpu"));
}

#[test]
fn only_libraries_are_unpacked_and_only_into_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let suffix = std::env::consts::DLL_SUFFIX;
    let prefix = std::env::consts::DLL_PREFIX;
    let main = library_name("1.31.1");
    let shared = format!("{prefix}onnxruntime_providers_shared{suffix}");
    let entries = [
        format!("onnxruntime/capi/{main}"),
        format!("onnxruntime/capi/{shared}"),
        format!("onnxruntime/capi/{prefix}onnxruntime_providers_tensorrt{suffix}"),
        format!("onnxruntime/capi/{main}/../../../../escaped{suffix}"),
        "onnxruntime/capi/onnxruntime_pybind11_state.so".to_owned(),
        "onnxruntime/__init__.py".to_owned(),
    ];
    let file = wheel(&folder, &entries.each_ref().map(String::as_str));
    let unpacked = folder.path().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    unpack(&file, main_wheel(), &unpacked).unwrap();
    let mut names: Vec<_> =
        unpacked.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let mut wanted = [main, shared];
    wanted.sort();
    assert_eq!(names, wanted);
}

#[test]
fn broken_packages_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = wheel(&folder, &["onnxruntime/__init__.py"]);
    assert!(
        matches!(unpack(&file, main_wheel(), folder.path()), Err(RuntimeError::NoLibrary { file }) if file == "onnxruntime-test.whl")
    );

    let digest = difftest_core::digest::Digest::of(&fs::read(&file).unwrap()).to_string();
    verify(&file, &digest).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes.truncate(bytes.len() / 2);
    fs::write(&file, bytes).unwrap();
    let error = verify(&file, &digest).unwrap_err();
    assert!(matches!(&error, RuntimeError::WrongDigest { expected, .. } if *expected == digest), "{error}");
    assert!(matches!(unpack(&file, main_wheel(), folder.path()), Err(RuntimeError::Archive { .. })));
}

#[test]
fn every_install_is_pinned_and_starts_with_the_main_library() {
    for (provider, os, arch, wheels) in super::pins::PINS {
        let what = format!("{provider} on {os} {arch}");
        assert_eq!(wheels[0].version, PACKAGE_VERSION, "{what}");
        assert!(wheels[0].package.starts_with("onnxruntime"), "{what}");
        for wheel in wheels {
            assert!(wheel.sha256.len() == 64 && wheel.folder.ends_with('/'), "{what}: {}", wheel.package);
        }
    }
    let size = InstallSize::of_wheels(Wheel::for_machine(Provider::Cuda, "linux", "x86_64").unwrap());
    assert!(size.download > 1_500_000_000 && size.installed > size.download, "{size:?}");
}

#[test]
fn a_wheel_gives_its_libraries_and_nothing_else() {
    let [main, cublas, ..] = Wheel::for_machine(Provider::Cuda, "linux", "x86_64").unwrap() else { unreachable!() };
    assert_eq!(
        main.taken("onnxruntime/capi/libonnxruntime_providers_cuda.so"),
        Some("libonnxruntime_providers_cuda.so")
    );
    assert_eq!(main.taken("onnxruntime/capi/libonnxruntime_providers_tensorrt.so"), None);
    assert_eq!(cublas.taken("nvidia/cu13/lib/libcublasLt.so.13"), Some("libcublasLt.so.13"));
    for left in ["nvidia/cu13/lib/libnvblas.so.13", "nvidia/cu13/include/cublas.h", "nvidia/cu13/lib/../../x.so.1"] {
        assert_eq!(cublas.taken(left), None, "{left}");
    }
    let [_, openvino] = Wheel::for_machine(Provider::OpenVino, "linux", "x86_64").unwrap() else { unreachable!() };
    let plugin = "libonnxruntime_providers_openvino_plugin.so";
    assert_eq!(openvino.taken(&format!("onnxruntime_ep_openvino/{plugin}")), Some(plugin));
    assert_eq!(openvino.taken(&format!("onnxruntime_ep_openvino/{plugin}.1.8.1")), None, "a second name of the same");
    assert_eq!(openvino.taken("onnxruntime_ep_openvino/libopenvino.so.2641"), Some("libopenvino.so.2641"));
    assert_eq!(openvino.taken("onnxruntime_ep_openvino/__init__.py"), None);
}

#[test]
fn what_is_not_published_is_refused_before_anything_is_downloaded() {
    for (provider, os, arch) in [(Provider::OpenVino, "linux", "aarch64"), (Provider::OpenVino, "macos", "aarch64")] {
        let error = Wheel::for_machine(provider, os, arch).unwrap_err();
        assert!(matches!(error, RuntimeError::UnsupportedPlatform { .. }), "{error}");
        assert!(error.hint().contains("--device cpu"), "{}", error.hint());
    }
    let error = Wheel::for_machine(Provider::Cuda, "macos", "aarch64").unwrap_err();
    assert!(error.to_string().contains("cuda for macos on aarch64"), "{error}");
    let error = "gpu".parse::<Provider>().unwrap_err();
    assert_eq!(error.hint(), "one of cpu, cuda, openvino");
    for provider in Provider::ALL {
        assert_eq!(provider.to_string().parse::<Provider>().unwrap(), provider);
    }
}

#[test]
#[cfg(unix)]
fn an_unwritable_data_folder_is_an_error_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    // a file where a folder has to be: refused for every user, root included
    fs::write(folder.path().join("runtime"), "").unwrap();
    let error = install_in(folder.path(), Provider::Cpu, &mut |_| {}).unwrap_err();
    assert!(matches!(&error, RuntimeError::Io { action: "create", path, .. } if path.ends_with("runtime")), "{error}");
}
