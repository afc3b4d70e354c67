//! Which way of the own pass is fast on this processor: a table for the known, a measurement for the others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::arithmetic::{Arithmetic, Precision};
use crate::transformer::rate;

/// A kind of processor.
#[derive(Clone, Debug, PartialEq)]
pub struct Processor {
    /// Its model's name, `unknown` where it says none.
    pub name: String,
    vendor: String,
    family: u32,
}

/// Why a way is taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// There is no other here.
    Only,
    /// What is known of the vendor's processors.
    Known(&'static str),
    /// It was the fastest when it was measured, once for this model of processor; texts a second of each.
    Measured(Rates),
    /// Nothing is known and a measurement could not be kept, so that it might be another in the next run.
    NotKept,
}

/// Texts a second of one thread, by the arithmetic's name; see [`rate`].
pub type Rates = BTreeMap<String, f64>;

/// The way that is taken where the precision is `auto`.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// How the numbers are computed.
    pub arithmetic: Arithmetic,
    /// Why so.
    pub reason: Reason,
}

impl Processor {
    /// The one that runs this.
    pub fn this() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let listed = raw_cpuid::CpuId::new();
            let name = listed.get_processor_brand_string().map(|brand| brand.as_str().trim().to_owned());
            Self {
                name: name.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned()),
                vendor: listed.get_vendor_info().map(|vendor| vendor.as_str().to_owned()).unwrap_or_default(),
                family: listed.get_feature_info().map_or(0, |features| u32::from(features.family_id())),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Self { name: std::env::consts::ARCH.to_owned(), vendor: String::new(), family: 0 }
    }

    /// The way that is taken of those that are here, float32 first; `measured` is asked where nothing is known.
    fn choose(&self, here: &[Arithmetic], measured: impl FnOnce() -> Option<Rates>) -> Choice {
        let [f32, others @ ..] = here else { unreachable!("every processor computes in float32") };
        let has = |arithmetic| others.contains(&arithmetic);
        let choice = |arithmetic, reason| Choice { arithmetic, reason };
        match (self.vendor.as_str(), self.family) {
            _ if others.is_empty() => choice(*f32, Reason::Only),
            ("GenuineIntel", _) if has(Arithmetic::Bf16Amx) => choice(
                Arithmetic::Bf16Amx,
                Reason::Known("Intel's matrix unit is several times as fast as its vectors"),
            ),
            ("GenuineIntel", _) => {
                choice(*f32, Reason::Known("Intel's vectors are slower in bfloat16 than in float32"))
            }
            // Zen 4 and 5.
            ("AuthenticAMD", 0x19 | 0x1a) if has(Arithmetic::Bf16Avx512) => choice(
                Arithmetic::Bf16Avx512,
                Reason::Known("AMD's vectors are twice as fast in bfloat16 as in float32"),
            ),
            _ => match measured() {
                Some(rates) => {
                    let rate =
                        |arithmetic: &&Arithmetic| rates.get(arithmetic.name()).copied().unwrap_or(0.0);
                    let fastest = here.iter().max_by(|a, b| rate(a).total_cmp(&rate(b)));
                    choice(*fastest.unwrap_or(f32), Reason::Measured(rates))
                }
                None => choice(*f32, Reason::NotKept),
            },
        }
    }
}

impl Arithmetic {
    /// The arithmetic of the own pass for `precision` on this processor; `None` where it has no instructions for it.
    pub fn native(precision: Precision) -> Option<Self> {
        let of = |ways: &[Self]| ways.iter().copied().find(|way| way.runs_here());
        match precision {
            Precision::Auto => Some(choice().arithmetic),
            Precision::Bf16 => of(&[Self::Bf16Amx, Self::Bf16Avx512]),
            Precision::F32 => of(&[Self::F32, Self::F32Unfused]),
        }
    }

    /// The arithmetic of rust-bert for `precision`: `auto` is what the own pass would take.
    pub fn rust_bert(precision: Precision) -> Self {
        match precision {
            Precision::Bf16 => Self::RustBertBf16,
            Precision::Auto if choice().arithmetic.precision() == Precision::Bf16 => Self::RustBertBf16,
            Precision::Auto | Precision::F32 => Self::RustBertF32,
        }
    }
}

/// The ways of the own pass that run here, float32 first.
pub fn here() -> Vec<Arithmetic> {
    let own = Arithmetic::ALL.into_iter().filter(|arithmetic| !arithmetic.needs_torch());
    own.filter(|arithmetic| arithmetic.runs_here()).collect()
}

/// The way of the own pass that is taken on this processor, the same in every run.
pub fn choice() -> &'static Choice {
    static CHOICE: OnceLock<Choice> = OnceLock::new();
    CHOICE.get_or_init(|| {
        let (processor, here) = (Processor::this(), here());
        processor.choose(&here, || kept(&measurements(), &processor.name, &here))
    })
}

/// Where measurements are kept.
pub fn measurements() -> PathBuf {
    user_cache().join("processors.json")
}

/// The per-user cache: `PIPELINE_CACHE`, or `pipeline` in `XDG_CACHE_HOME` or `~/.cache`.
pub fn user_cache() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    variable("PIPELINE_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|d| d.join("pipeline")))
        .or_else(|| variable("HOME").map(|d| d.join(".cache/pipeline")))
        .unwrap_or_else(|| PathBuf::from(".cache/pipeline"))
}

/// The rates that `file` has for the processor `name`, measured and written where it has none; `None` where they cannot be
/// kept.
fn kept(file: &Path, name: &str, here: &[Arithmetic]) -> Option<Rates> {
    type Kept = BTreeMap<String, Rates>;

    let read = || std::fs::read(file).ok().and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
    let mut all = read().unwrap_or_default();
    let whole = |rates: &&Rates| here.iter().all(|arithmetic| rates.contains_key(arithmetic.name()));
    if let Some(rates) = all.get(name).filter(whole) {
        return Some(rates.clone());
    }
    let rates: Rates = here.iter().map(|a| (a.name().to_owned(), rate(*a, 1))).collect();
    all.insert(name.to_owned(), rates);
    std::fs::create_dir_all(file.parent()?).ok()?;
    // Renamed into its place, so that two processes at once leave one whole file, and both go by what is in it.
    let new = file.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&new, serde_json::to_vec_pretty(&all).ok()?).ok()?;
    std::fs::rename(&new, file).ok()?;
    read()?.remove(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Arithmetic::{Bf16Amx, Bf16Avx512, F32};

    fn processor(vendor: &str, family: u32) -> Processor {
        Processor { name: "some".to_owned(), vendor: vendor.to_owned(), family }
    }

    fn rates(of: &[(Arithmetic, f64)]) -> Rates {
        of.iter().map(|(arithmetic, rate)| (arithmetic.name().to_owned(), *rate)).collect()
    }

    #[test]
    fn the_known_are_in_the_table() {
        for (vendor, family, here, expected) in [
            ("GenuineIntel", 6, &[F32, Bf16Avx512, Bf16Amx][..], Bf16Amx),
            // The system refuses the matrix unit.
            ("GenuineIntel", 6, &[F32, Bf16Avx512], F32),
            ("GenuineIntel", 6, &[F32], F32),
            ("AuthenticAMD", 0x19, &[F32], F32),
            ("AuthenticAMD", 0x19, &[F32, Bf16Avx512], Bf16Avx512),
            ("AuthenticAMD", 0x1a, &[F32, Bf16Avx512], Bf16Avx512),
            ("", 0, &[F32], F32),
        ] {
            let found = processor(vendor, family).choose(here, || panic!("measured"));
            assert_eq!(found.arithmetic, expected, "{vendor} {family:#x}");
            assert_eq!(found.reason == Reason::Only, here.len() == 1);
        }
    }

    #[test]
    fn the_others_are_measured_once_or_run_in_float32() {
        let new = processor("AuthenticAMD", 0x1b);
        let here = [F32, Bf16Avx512];
        let measured = rates(&[(F32, 40.0), (Bf16Avx512, 30.0)]);
        assert_eq!(new.choose(&here, || Some(measured.clone())).arithmetic, F32);
        let faster = rates(&[(F32, 40.0), (Bf16Avx512, 50.0)]);
        assert_eq!(new.choose(&here, || Some(faster.clone())).arithmetic, Bf16Avx512);
        let not_kept = new.choose(&here, || None);
        assert_eq!((not_kept.arithmetic, not_kept.reason), (F32, Reason::NotKept));
    }

    #[test]
    fn a_measurement_is_kept_by_the_model_of_the_processor() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/processors.json");
        let here = here();
        let first = kept(&file, "one", &here).unwrap();
        assert!(here.iter().all(|a| first[a.name()] > 0.0), "{first:?}");
        assert_eq!(kept(&file, "one", &here), Some(first.clone()));
        kept(&file, "two", &here).unwrap();
        assert_eq!(kept(&file, "one", &here), Some(first));
        std::fs::write(&file, "not JSON").unwrap();
        assert!(kept(&file, "one", &here).is_some());
        // A file where the folder would be.
        assert_eq!(kept(&file.join("below/processors.json"), "one", &here), None);
    }

    #[test]
    fn every_precision_has_an_arithmetic_that_runs_here() {
        for precision in [Precision::Auto, Precision::F32, Precision::Bf16] {
            let rust_bert = Arithmetic::rust_bert(precision);
            assert!(rust_bert.runs_here() && rust_bert.needs_torch());
            if let Some(native) = Arithmetic::native(precision) {
                assert!(native.runs_here() && !native.needs_torch());
                assert!(precision == Precision::Auto || native.precision() == precision);
            }
        }
        assert!(Arithmetic::native(Precision::F32).is_some());
        let names: std::collections::HashSet<_> = Arithmetic::ALL.iter().map(|a| a.name()).collect();
        assert_eq!(names.len(), Arithmetic::ALL.len());
    }

    #[test]
    fn this_processor_has_a_choice_that_runs() {
        assert!(choice().arithmetic.runs_here());
        assert_eq!(choice().arithmetic, Arithmetic::native(Precision::Auto).unwrap());
        assert!(here()[0].precision() == Precision::F32);
    }
}
