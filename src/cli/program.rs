//! The program: its commands, and how it ends.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

use super::args::{BuildArgs, EmbedArgs, ProjectArgs, StageArgs, TrainArgs, ValidateArgs};
use super::exit::{self, Exit};
use super::output::{print, visible};
use super::progress::say;
use super::{
    ablate, build, cache, collect, compare, correct, curve, encoders, evaluate, export, few_shot, forget,
    init, predict, runs, serve, status, suggest, torch, tune, validate,
};
use crate::device::DeviceChoice;
use crate::engine::{Engine, MakeEngine};
use crate::foreign::is_under_way;
use crate::stages::Stage;

#[derive(Parser)]
#[command(
    name = "pipeline",
    version,
    about = "Raw CSVs to a trained, honestly evaluated text classifier",
    after_help = "Examples:\n  pipeline init tickets.csv      write a pipeline.toml for a table\n  pipeline build                 run every stage that is stale\n  pipeline build --dry-run       say what would run, and why\n  pipeline predict --text \"Build a pillow fort\"\n\nExit codes: 0 done, 1 failed, 2 bad usage, 3 bad config, 4 bad data, 5 encoder, model or libtorch missing or unusable, 6 another run is at work, 7 a gate failed (with --require-gates), 130 interrupted.",
    max_term_width = 100,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Look at a table and write a pipeline.toml for it
    #[command(after_help = init::EXAMPLES)]
    Init(init::InitArgs),
    /// Embed every text of the raw files; only unseen texts are computed
    #[command(
        after_help = "Examples:\n  pipeline embed --model sentence-transformers/all-MiniLM-L12-v2\n  pipeline embed rows.parquet --column text -o vectors.parquet\n  pipeline embed --arrow-stream --model all-MiniLM-L6-v2 --column text\n\nLeaves data/embeddings/<name>/<field>.npy with rows.csv; in Python:\n  import numpy as np\n  title = np.load(\"data/embeddings/activities/title.npy\")"
    )]
    Embed(EmbedArgs),
    /// Make augmented rows from the training part
    #[command(
        after_help = "Example:\n  pipeline augment --force --json\n\nLeaves data/augmented/<name>/variants.jsonl and mixup.csv; every row names its parents."
    )]
    Augment(StageArgs),
    /// Train the head, evaluate it, and say what is wrong with it
    #[command(
        after_help = "Examples:\n  pipeline train --force\n  pipeline train --require-gates    end with 7 if a gate fails\n\nLeaves data/models/<name>/ with everything that predicting needs, metrics.json and report.html."
    )]
    Train(TrainArgs),
    /// Run the stages that are stale, and say why for each
    #[command(after_help = "Examples:\n  pipeline build --dry-run\n  pipeline build --from augment")]
    Build(BuildArgs),
    /// Say which stages are stale, and why; run nothing
    #[command(after_help = "Example:\n  pipeline status --json")]
    Status(ProjectArgs),
    /// Check the data: columns, duplicates, texts that name the label, doubtful labels
    #[command(
        after_help = "Example:\n  pipeline validate --json > findings.json\n\nEnds with 4 when the data has errors; [validate] in pipeline.toml says what is one."
    )]
    Validate(ValidateArgs),
    /// Say what is kept to be quick; verify or prune it
    #[command(after_help = cache::EXAMPLES)]
    Cache(cache::CacheArgs),
    /// List the models that were trained; restore or prune them
    #[command(after_help = runs::EXAMPLES)]
    Runs(runs::RunsArgs),
    /// Compare two evaluated models, row by row and fold by fold, or the model with a language model
    #[command(after_help = compare::EXAMPLES)]
    Compare(compare::CompareArgs),
    /// Compare presets (heads, inputs, losses, augmentation) on the same folds
    #[command(
        after_help = "Examples:\n  pipeline ablate\n  pipeline ablate --list\n  pipeline ablate network network-smote network-focal\n\nNo preset sees the test part. Differences are to the first preset, each with its 95 % interval (corrected resampled t); data/ablation/NAME.json has every figure."
    )]
    Ablate(ablate::AblateArgs),
    /// New rows from elsewhere: which pass the gate, what they are worth, and those to the data
    #[command(after_help = collect::EXAMPLES)]
    Collect(collect::CollectArgs),
    /// Record corrected labels beside the raw files, or take them back
    #[command(after_help = correct::EXAMPLES)]
    Correct(correct::CorrectArgs),
    /// Take rows out of the data and of all that was made from them, and look whether anything is left
    #[command(after_help = forget::EXAMPLES)]
    Forget(forget::ForgetArgs),
    /// Say which unlabelled rows are worth a label next
    #[command(after_help = suggest::EXAMPLES)]
    Suggest(suggest::SuggestArgs),
    /// Say what more rows were worth, and what still more would be
    #[command(
        after_help = "Examples:\n  pipeline curve\n  pipeline curve --more 1000\n\nThe head is taught on a tenth, a fifth, two and four fifths and all of each fold's rows, and judged on the same held-out rows; the test part takes no part. data/curves/NAME.json has every figure. What was measured once is not trained again."
    )]
    Curve(curve::CurveArgs),
    /// Search for a better config by nested cross-validation
    #[command(
        after_help = "Examples:\n  pipeline tune\n  pipeline tune --minutes 10\n\n[tune.space] declares what is tried, such as \"train.dropout\" = { low = 0.2, high = 0.7 }; without it a space that suits the head. The test part takes no part. A search that was stopped goes on where it was; data/tuning/NAME.json records every config tried."
    )]
    Tune(tune::TuneArgs),
    /// Measure the encoder with a few training rows a class (as MTEB does)
    #[command(
        after_help = "Example:\n  pipeline bench-few-shot --config banking77.toml --per-class 8 --draws 10\n\nThe config names the training files (data.files) and the test files (data.test_files)."
    )]
    BenchFewShot(few_shot::FewShotArgs),
    /// Say how fast this processor runs an encoder in each way, and which way and encoders are here
    #[command(
        after_help = "Example:\n  pipeline encoders --json\n\nNeeds no project. encoder.precision in pipeline.toml takes another way."
    )]
    Encoders(encoders::EncodersArgs),
    /// Label new texts with a trained model
    #[command(after_help = predict::EXAMPLES)]
    Predict(predict::PredictArgs),
    /// Answer over HTTP: labels, embeddings, a page to try it
    #[command(after_help = serve::EXAMPLES)]
    Serve(serve::ServeArgs),
    /// Say what a trained model is worth on labelled rows that it has not seen
    #[command(after_help = evaluate::EXAMPLES)]
    Evaluate(evaluate::EvaluateArgs),
    /// Write a trained model in a form that other programs read
    #[command(after_help = export::EXAMPLES)]
    Export(export::ExportArgs),
    /// Prepare a folder with a trained model for others
    #[command(after_help = export::PUBLISH_EXAMPLES)]
    Publish(export::PublishArgs),
    /// Print a completion script for a shell
    #[command(
        after_help = "Examples:\n  pipeline completions bash > /etc/bash_completion.d/pipeline\n  pipeline completions zsh > ~/.zfunc/_pipeline"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Run the program inside another one, with `arguments` of which the first is its name; the exit code.
pub fn main_of(arguments: Vec<OsString>) -> u8 {
    let done = match Cli::try_parse_from(arguments) {
        Ok(cli) => run(cli.command, None),
        Err(error) => {
            // A closed pipe is no error.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(1);
        }
    };
    exit_of(done) as u8
}

/// Run the program; `make` is there in the program that links libtorch. The other one becomes that program when it meets
/// a head or an encoder that only libtorch can run: what is finished until then is not done again.
pub fn main(make: Option<MakeEngine<'_>>) -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        if !is_under_way() {
            say(&format!("internal error, please report it: {info}"));
        }
    }));
    let task = Cli::parse().command;
    let device = task.device();
    // What trains nothing has no use for a GPU, and waking one takes seconds.
    let engine = make.map(|make| make(device.unwrap_or(DeviceChoice::Cpu))).transpose();
    let done = engine.map_err(Into::into).and_then(|engine| run(task, engine.as_deref()));
    let done = done.map_err(|error| match exit::needs_torch(&error) {
        Some(setting) if make.is_none() => torch::become_program(Some(setting)),
        _ => error,
    });
    if let (Ok(_), None, Some(DeviceChoice::Cuda(_))) = (&done, make, device) {
        say("note: nothing was trained by libtorch, so --device decided nothing");
    }
    end(done)
}

/// Become the program that links libtorch, once libtorch is found.
pub fn launch_torch() -> ExitCode {
    // What cannot be read is said by the program that it becomes.
    let device = Cli::try_parse().ok().and_then(|cli| cli.command.device());
    end(Err(torch::become_linked_program(device.unwrap_or(DeviceChoice::Cpu))))
}

impl Task {
    /// Where to train, for what trains.
    fn device(&self) -> Option<DeviceChoice> {
        match self {
            Self::Train(args) => Some(args.device.device),
            Self::Build(args) => Some(args.device.device),
            Self::Validate(args) => Some(args.device.device),
            Self::Ablate(args) => Some(args.device.device),
            Self::Curve(args) => Some(args.device.device),
            Self::Tune(args) => Some(args.device.device),
            Self::Forget(args) => Some(args.device.device),
            Self::Collect(args) => args.device(),
            _ => None,
        }
    }
}

fn end(done: Result<Exit>) -> ExitCode {
    exit_of(done).into()
}

fn exit_of(done: Result<Exit>) -> Exit {
    done.unwrap_or_else(|error| {
        say(&visible(&exit::told(&error)));
        Exit::of(&error)
    })
}

fn run(task: Task, engine: Option<&dyn Engine>) -> Result<Exit> {
    match task {
        Task::Init(args) => init::init(&args),
        Task::Embed(args) => build::embed(&args, engine),
        Task::Augment(args) => build::stage(&args, Stage::Augment, engine),
        Task::Train(args) => build::train(&args, engine),
        Task::Build(args) => build::build(&args, engine),
        Task::Status(args) => status::status(&args),
        Task::Validate(args) => validate::validate(&args, engine),
        Task::Serve(args) => serve::serve(&args),
        Task::Cache(args) => cache::cache(&args),
        Task::Runs(args) => runs::runs(&args),
        Task::Compare(args) => compare::compare(&args, engine),
        Task::Ablate(args) => ablate::ablate(&args, engine),
        Task::Collect(args) => collect::collect(&args, engine),
        Task::Correct(args) => correct::correct(&args),
        Task::Forget(args) => forget::forget(&args, engine),
        Task::Suggest(args) => suggest::suggest(&args, engine),
        Task::Curve(args) => curve::curve(&args, engine),
        Task::Tune(args) => tune::tune(&args, engine),
        Task::BenchFewShot(args) => few_shot::few_shot(&args, engine),
        Task::Encoders(args) => encoders::encoders(&args),
        Task::Evaluate(args) => evaluate::evaluate(&args, engine),
        Task::Predict(args) => predict::predict(&args, engine),
        Task::Export(args) => export::export(&args),
        Task::Publish(args) => export::publish(&args),
        Task::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "pipeline", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    }
}
