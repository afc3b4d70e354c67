//! `pipeline.toml`: what a dataset is and how its model is made, as checked, typed settings; one file a section.
//!
//! The bound of every number stands below the struct of its section (the trait `Section`); a test walks all keys
//! and fails for a number without one. What concerns several sections is in `check`. Only the config file itself is read
//! here. Relative paths in it are relative to the folder that holds it.

mod augment;
mod check;
mod collect;
mod collect_model;
mod data;
mod difference;
mod effect;
mod encoder;
mod ensemble;
mod error;
mod evaluate;
mod features;
mod file;
mod gates;
mod head_kind;
mod kernel;
mod label;
mod names;
mod network;
mod number;
mod scrape;
mod section;
mod split;
mod train;
mod trees;
mod tune;
mod tuning;
mod validate;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;

pub use augment::{
    AugmentConfig, BackTranslationConfig, EdaConfig, MixupConfig, SmoteConfig, SmoteKind, SynonymConfig,
};
pub use collect::{CollectConfig, CollectedKind, GateConfig, PersonalUse};
pub use collect_model::{GenerateClass, GenerateConfig, GenerateField, ModelConfig, ParaphraseConfig};
pub use data::DataConfig;
pub use difference::{Difference, differences};
pub use encoder::EncoderConfig;
pub use ensemble::EnsembleConfig;
pub use error::ConfigError;
pub use evaluate::{BaselineKind, DecisionKind, EvaluateConfig};
pub use features::FeatureConfig;
pub use file::Config;
pub use gates::{GateLimits, GatesConfig, GatesPreset};
pub use head_kind::HeadKind;
pub use kernel::KernelConfig;
pub use label::{LabelConfig, PassUse, RangeClass, RangeRule};
pub use names::{file_name, nearest};
pub use network::{AveragingKind, OutputKind, PlateauConfig, ScheduleKind};
pub use number::{Amount, Bounds, GREATEST};
pub use scrape::{ColumnRule, CssRule, NumberTaken, Replace, ScrapeConfig, Take};
pub use split::{GivenTestDuplicates, GroupBy, SplitConfig};
pub use train::{TaskConfig, TrainConfig};
pub use trees::TreesConfig;
pub use tune::{SpaceAxis, TuneConfig, TuneMetric};
pub use tuning::{EncoderTraining, TuningConfig};
pub use validate::ValidateConfig;
