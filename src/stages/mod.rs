//! The stages in their order, what is stale and why, and the run of those that are.
//!
//! Only this room knows the order ([`Stage`]). Staleness is a question of content: a stage is fresh when its code version,
//! its config values, the hashes of its inputs and the files it left are those of its manifest. What a stage does is
//! computed in the rooms before; here it is read from disk, handed over, and written.

mod ablate;
mod against_model;
mod augment;
mod compare;
mod collect;
mod context;
mod correct;
mod curve;
mod declaration;
mod embed;
mod endpoint;
mod error;
mod evaluate;
mod evidence;
mod explainer;
mod few_shot;
mod files;
mod folds;
mod foretold;
mod forget;
mod forget_error;
mod kin;
mod list;
mod learned_rows;
mod memory;
mod near;
mod project;
mod rows;
mod run;
mod runs;
mod scored;
mod slicings;
mod split;
mod stage;
mod staleness;
mod stored;
mod suggest;
mod train;
mod translator;
mod trial;
mod tune;
mod thorough;
mod told;
mod tuned;
mod validate;

pub use ablate::{AblateSettings, Preset, ablate, presets};
pub use against_model::{Against, AgainstSettings, against_model};
pub use collect::{
    AcceptSettings, AnswersOptions, AskOptions, Asked, GenerateSettings, Generated, ScrapeSettings, accept,
    answers, ask, generate, paraphrase, review, scrape, worth,
};
pub use compare::{compare, settings};
pub use correct::{Batch, Corrected, correct, corrections, undo_corrections};
pub use curve::{CurveSettings, curve};
pub use error::BuildError;
pub use evaluate::EvaluateSummary;
pub use explainer::Explainer;
pub use few_shot::{FewShot, FewShotSettings, few_shot};
pub use forget::{
    ForgetPlan, ForgetSettings, Forgotten, ForgottenRow, Looked, Removed, Thinned, Trace, Traces, Why,
    forget, forget_plan, traces,
};
pub use forget_error::ForgetError;
pub use learned_rows::{LearnedRows, learned_rows};
pub use project::Project;
pub use run::{BuildSettings, StageOutcome, build, due};
pub use runs::{Prune, current, prune, restore, run_files, runs};
pub use scored::score;
pub use stage::Stage;
pub use staleness::{Reason, StageStatus, plan};
pub use stored::{Place, Stored, prune_embeddings, stored, verify_embeddings};
pub use suggest::{Suggested, SuggestedRow, suggest};
pub use thorough::thorough;
pub use tune::{TuneSettings, tune};
pub use validate::validate;
