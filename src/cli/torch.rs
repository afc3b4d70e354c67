//! How `pipeline` becomes `pipeline-torch`, and that the program that links libtorch, with the same arguments.
//!
//! Loading libtorch costs 0.4 s and takes 0.9 GB of disk, so it is loaded only by who needs it. The loader's own message
//! about a missing library would not say what to do, so the library is found first.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::exit::TorchMissing;
use super::progress::say;
use crate::device::DeviceChoice;
use crate::store::user_cache;

/// The program that finds libtorch; it lies beside `pipeline`.
const PROGRAM: &str = "pipeline-torch";

/// The program that links it; it lies beside that one.
const LINKED_PROGRAM: &str = "pipeline-torch-linked";

/// Name of set-up's libtorch in the per-user cache (scripts/setup.py).
const INSTALLED: &str = "libtorch-2.4.0-cpu";

/// Libraries that must be there.
const LIBRARIES: [&str; 2] = ["libtorch_cpu.so", "libc10.so"];

/// The library that gives libtorch CUDA, where it has it. Nothing that is linked needs it, so it is loaded only when it is named.
const CUDA: &str = "libtorch_cuda.so";

/// Become `pipeline-torch`; returns only when that fails. `setting` is what needs it.
pub fn become_program(setting: Option<String>) -> anyhow::Error {
    let program = beside(PROGRAM);
    let error = Command::new(&program).args(arguments()).exec();
    TorchMissing { setting, reason: format!("cannot start {}: {error}", program.display()) }.into()
}

/// Become the program that links libtorch, with CUDA where `device` may be a GPU and libtorch has it; returns only when that fails.
pub fn become_linked_program(device: DeviceChoice) -> anyhow::Error {
    let missing = |reason| TorchMissing { setting: None, reason }.into();
    let folder = match find(std::env::var_os("LIBTORCH").filter(|v| !v.is_empty()), &places()) {
        Ok(folder) => folder,
        Err(reason) => return missing(reason),
    };
    let cuda = (device != DeviceChoice::Cpu).then(|| folder.join(CUDA)).filter(|library| library.exists());
    let mut paths = vec![folder];
    paths.extend(std::env::var_os("LD_LIBRARY_PATH").iter().flat_map(std::env::split_paths));
    let paths = match std::env::join_paths(paths) {
        Ok(paths) => paths,
        Err(error) => return missing(error.to_string()),
    };
    let program = beside(LINKED_PROGRAM);
    let mut command = Command::new(&program);
    command.args(arguments()).env("LD_LIBRARY_PATH", &paths);
    match cuda.map(|cuda| preloaded(&program, &paths, &cuda)) {
        Some(Ok(libraries)) => {
            command.env(PRELOAD, libraries);
        }
        Some(Err(reason)) if device == DeviceChoice::Auto => {
            say(&format!("note: training on the processor: {reason}"))
        }
        Some(Err(reason)) => return missing(reason),
        None => {}
    }
    let error = command.exec();
    missing(format!("cannot start {}: {error}", program.display()))
}

/// Names libraries that the loader loads first.
const PRELOAD: &str = "LD_PRELOAD";

/// What [`PRELOAD`] is to say for `cuda` to be loaded, once it is seen that `program` starts with it: where one of the libraries that
/// it needs is missing, the loader lets nothing start.
fn preloaded(program: &Path, paths: &OsStr, cuda: &Path) -> Result<OsString, String> {
    let before = std::env::var_os(PRELOAD).filter(|libraries| !libraries.is_empty());
    let mut libraries = cuda.as_os_str().to_owned();
    if let Some(before) = before {
        libraries.push(":");
        libraries.push(before);
    }
    let mut command = Command::new(program);
    command.arg("--version").env("LD_LIBRARY_PATH", paths).env(PRELOAD, &libraries);
    let tried = command.output().map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    let said = String::from_utf8_lossy(&tried.stderr);
    // The loader says what is missing in its last line; where it goes on without a library, it says so, too.
    match (tried.status.success(), said.lines().last()) {
        (true, None) => Ok(libraries),
        (_, Some(line)) => Err(format!("{} cannot be loaded: {line}", cuda.display())),
        (false, None) => Err(format!("{} cannot be loaded: {}", cuda.display(), tried.status)),
    }
}

fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip(1)
}

fn beside(name: &str) -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from(name)).with_file_name(name)
}

/// Where libtorch may lie: beside the program, where `make install` or a checkout has it, in the per-user cache.
fn places() -> Vec<PathBuf> {
    let program = beside(PROGRAM);
    let above = |n: usize| program.ancestors().nth(n).map(Path::to_owned).unwrap_or_default();
    vec![
        above(1).join("libtorch"),
        above(2).join("lib/pipeline"),
        above(3).join(".deps/libtorch"),
        user_cache().join(INSTALLED),
    ]
}

/// The folder with the libraries: the one that `LIBTORCH` names, `named`, or the first of `places` that has them.
fn find(named: Option<OsString>, places: &[PathBuf]) -> Result<PathBuf, String> {
    let libraries = |place: &PathBuf| {
        let mut folders = [place.join("lib"), place.clone()].into_iter();
        folders.find(|folder| LIBRARIES.iter().all(|name| folder.join(name).exists()))
    };
    if let Some(named) = named.map(PathBuf::from) {
        return libraries(&named)
            .ok_or_else(|| format!("LIBTORCH is {}, which has no lib/{}", named.display(), LIBRARIES[0]));
    }
    places.iter().find_map(libraries).ok_or_else(|| {
        let looked: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        format!("libtorch is not in {}", looked.join(", nor in "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn libtorch_is_found_by_its_libraries_and_what_is_missing_is_said() {
        let root = tempfile::tempdir().unwrap();
        let [whole, half, none] = ["whole", "half", "none"].map(|name| root.path().join(name));
        for (place, names) in [(&whole, &LIBRARIES[..]), (&half, &LIBRARIES[..1])] {
            fs::create_dir_all(place.join("lib")).unwrap();
            names.iter().for_each(|name| fs::write(place.join("lib").join(name), "").unwrap());
        }
        let all = [none.clone(), half.clone(), whole.clone()];
        assert_eq!(find(None, &all), Ok(whole.join("lib")));
        assert_eq!(find(None, &[whole.join("lib")]), Ok(whole.join("lib")));
        assert_eq!(find(Some(whole.clone().into()), &[]), Ok(whole.join("lib")));
        let error = find(Some(half.into()), &all).unwrap_err();
        assert!(error.contains("LIBTORCH") && error.contains("half"), "{error}");
        assert!(find(None, &all[..2]).unwrap_err().contains("none"));
    }
}
