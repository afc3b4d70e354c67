//! A process for a target: started, watched, and asked how it ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::target::Target;
use crate::worker::{Plan, work};

/// Address space of a worker, KiB: what is asked for in one piece is refused, and the process ends.
const ADDRESS_SPACE: u64 = 8 << 20;
/// Beside the seconds of its plan, a worker may take so long: the last input, and the start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// `FUZZ_SECONDS` for each target; 0, which replays the corpus alone, by default.
fn seconds() -> f64 {
    setting("FUZZ_SECONDS").map_or(0.0, |value| value.parse().expect("FUZZ_SECONDS is a number"))
}

/// `FUZZ_FINDINGS`, a folder in that of cargo's temporary files by default.
fn findings() -> PathBuf {
    setting("FUZZ_FINDINGS")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz"), PathBuf::from)
}

/// Fuzz a target in a process of its own.
///
/// # Panics
/// Something is wrong with an input; the message says what, and where the input is kept.
pub fn fuzz(target: &Target) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {ADDRESS_SPACE}; exec \"$0\" \"$@\"")]);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", "worker", "--nocapture", "--test-threads=1"]);
    command.env("FUZZ_TARGET", target.name).env("FUZZ_FOLDER", folder.path());
    let log = folder.path().join("worker.log");
    let out = fs::File::create(&log).unwrap();
    command.stdin(Stdio::null()).stderr(out.try_clone().unwrap()).stdout(out);
    let (begun, most) = (Instant::now(), Duration::from_secs_f64(seconds()) + PATIENCE);
    let mut child = command.spawn().unwrap();
    let ended = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if begun.elapsed() > most {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = fs::read_to_string(&log).unwrap_or_default();
    if let Some(done) = said.lines().find(|line| line.contains("inputs of ")) {
        println!("{done}");
    }
    if ended.is_some_and(|status| status.success()) {
        return;
    }
    let mut kept = String::new();
    if !said.contains("something is wrong") {
        // It died of the input that it was at.
        let input = fs::read(folder.path().join(target.file)).unwrap_or_default();
        let path = findings().join(target.name).join(format!("{:.16}", blake3::hash(&input).to_hex()));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, input).unwrap();
        kept = format!("; the input is {}", path.display());
    }
    let ended = ended.map_or("it hangs".to_owned(), |status| status.to_string());
    panic!("{}: {ended}{kept}\n{said}", target.name);
}

/// What a process of [`fuzz`] does; nothing in any other.
pub fn worker(targets: &[&Target]) {
    let (Some(name), Some(folder)) = (setting("FUZZ_TARGET"), setting("FUZZ_FOLDER")) else { return };
    let target = targets.iter().find(|target| target.name == name).expect("FUZZ_TARGET is a target");
    let seed = setting("FUZZ_SEED").map_or(1, |value| value.parse().expect("FUZZ_SEED is a whole number"));
    let plan =
        Plan { seconds: seconds(), seed, folder: folder.into(), findings: findings().join(target.name) };
    let (inputs, faults) = work(target, &plan);
    // The panic hook of the loop says nothing.
    let _ = std::panic::take_hook();
    println!("\n{inputs} inputs of {name}");
    assert!(faults.is_empty(), "something is wrong with {}:\n{}", faults.len(), faults.join("\n"));
}
