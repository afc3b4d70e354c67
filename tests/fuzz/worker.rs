//! The loop over inputs, in a process of its own, which may die of one: the input lies in its folder all the while.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::mutation::Mutator;
use crate::target::{Outcome, Target, files_in};

/// What one input may take beside what is held before the first, bytes.
const MOST_MEMORY: u64 = 512 << 20;
/// How long one input may take: unoptimised, on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);
/// Bytes of the inputs that are kept to make others of.
const MOST_KEPT: usize = 64 << 20;
/// Findings after which a run ends.
const MOST_FINDINGS: usize = 20;

thread_local! {
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// How long and with what a target is fuzzed.
pub struct Plan {
    /// Inputs are tried for so long,
    pub seconds: f64,
    /// beginning with this one,
    pub seed: u64,
    /// each in this folder,
    pub folder: PathBuf,
    /// and those with which something is wrong are kept here.
    pub findings: PathBuf,
}

/// Try what was found before, the corpus, and then changed inputs until time is up; how many there were, and what is wrong with some.
pub fn work(target: &Target, plan: &Plan) -> (u64, Vec<String>) {
    set_hook(Box::new(|info| {
        let place = info.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        PANICKED_AT.with_borrow_mut(|at| *at = place);
    }));
    let begun = Instant::now();
    let held = memory("VmRSS:");
    let mut trial = Trial { target, plan, held, inputs: 0, known: BTreeSet::new(), faults: Vec::new() };
    for path in files_in(&plan.findings) {
        trial.input(&fs::read(path).unwrap());
    }
    let mut kept: Vec<Vec<u8>> = target.corpus().iter().map(|path| fs::read(path).unwrap()).collect();
    let committed = kept.len();
    let mut room = MOST_KEPT;
    for seed in &kept {
        trial.input(seed);
    }
    let mut mutator = Mutator::new(plan.seed, target.words, target.longest);
    while begun.elapsed().as_secs_f64() < plan.seconds && trial.faults.len() < MOST_FINDINGS {
        // What was committed is not to be drowned by what came of it.
        let from = if mutator.below(2) == 0 { committed } else { kept.len() };
        let (of, other) = (mutator.below(from), mutator.below(kept.len()));
        let input = mutator.mutated(&kept[of], &kept[other]);
        if trial.input(&input) && input.len() <= room {
            room -= input.len();
            kept.push(input);
        }
    }
    (trial.inputs, trial.faults)
}

struct Trial<'a> {
    target: &'a Target,
    plan: &'a Plan,
    /// Memory before the first input, bytes.
    held: u64,
    inputs: u64,
    /// Kinds of outcome that were seen.
    known: BTreeSet<String>,
    faults: Vec<String>,
}

impl Trial<'_> {
    /// Try an input; whether it is taken as none before it was, by which ways in are found without measuring coverage.
    fn input(&mut self, bytes: &[u8]) -> bool {
        self.inputs += 1;
        let path = self.plan.folder.join(self.target.file);
        fs::write(&path, bytes).unwrap();
        let begun = Instant::now();
        let outcome = read(self.target, &path, bytes);
        // The most that was ever held: that of this input, if no input before it was told of.
        let (took, used) = (begun.elapsed(), memory("VmHWM:").saturating_sub(self.held));
        let fault = match &outcome {
            Err(panic) => Some(format!("it panics: {panic}")),
            Ok(_) if took > LONGEST => Some(format!("it takes {took:?}")),
            Ok(_) if used > MOST_MEMORY => {
                // The most is counted anew from here.
                let _ = fs::write("/proc/self/clear_refs", "5");
                Some(format!("it takes {} MB", used >> 20))
            }
            Ok(Ok(first)) => match read(self.target, &path, bytes) {
                Ok(Ok(second)) if second == *first => None,
                second => Some(format!("it is read as {first}, and then as {second:?}")),
            },
            Ok(Err(_)) => None,
        };
        if let Some(fault) = fault {
            self.found(&fault, bytes);
            return false;
        }
        let kind = match outcome {
            Ok(Err(reason)) => kind_of(&reason),
            _ => format!("taken, {} bytes", bytes.len().next_power_of_two()),
        };
        self.known.insert(kind)
    }

    fn found(&mut self, fault: &str, bytes: &[u8]) {
        if self.known.insert(kind_of(fault)) {
            let path = self.plan.findings.join(format!("{:.16}", blake3::hash(bytes).to_hex()));
            fs::create_dir_all(&self.plan.findings).unwrap();
            fs::write(&path, bytes).unwrap();
            self.faults.push(format!("{}: {fault}", path.display()));
        }
    }
}

fn read(target: &Target, path: &Path, bytes: &[u8]) -> Result<Outcome, String> {
    let said = |panic: Box<dyn Any + Send>| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        format!("{} ({})", text.unwrap_or_default(), PANICKED_AT.with_borrow(Clone::clone))
    };
    catch_unwind(AssertUnwindSafe(|| (target.read)(path, bytes))).map_err(said)
}

/// A message without its numbers and names, so that two of the same kind are the same.
fn kind_of(message: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphabetic() { c } else { ' ' };
    let outside = message.split(['`', '"']).step_by(2).flat_map(|part| part.chars().map(kept).chain([' ']));
    let words: String = outside.take(400).collect();
    words.split_whitespace().take(20).collect::<Vec<_>>().join(" ")
}

/// A line of /proc/self/status, bytes; 0 where there is none.
fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value =
        status.lines().find_map(|l| l.strip_prefix(line)?.split_whitespace().next()?.parse::<u64>().ok());
    value.unwrap_or(0) << 10
}
