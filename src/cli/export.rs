//! `pipeline export` and `pipeline publish`: a model in forms that other programs read.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use indicatif::HumanBytes;
use serde_json::json;

use super::exit::{BadUsage, Exit};
use super::output::{print, print_json};
use super::progress::Terminal;
use crate::config::Config;
use crate::counting::counted;
use crate::export::{Exported, Request, Subject, Target, export_data, export_model};
use crate::model::{ModelFiles, Places, encoders_of};
use crate::progress::Progress;

pub const EXAMPLES: &str = "Examples:
  pipeline export --to onnx
  pipeline export --to onnx --encoder-only -o encoder
  pipeline export --to sentence-transformers --model data/models/tickets
  pipeline export --to python -o elsewhere
  pipeline export --to card              README.md in the model's folder
  pipeline export --to croissant         the raw tables, no model

What each form can say of a model, and what it leaves out: docs/export.md.";

pub const PUBLISH_EXAMPLES: &str = "Example:
  pipeline publish tickets-model --to hub

Nothing is uploaded: the folder is what a repository of the hub holds.";

#[derive(Args)]
pub struct ExportArgs {
    /// The form
    #[arg(long, value_name = "FORM", value_parser = targets())]
    to: Target,
    /// The folder to write [default: data/exports/NAME/FORM; of card the model's]
    #[arg(long, short, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// The encoder without the head (onnx, sentence-transformers)
    #[arg(long)]
    encoder_only: bool,
    #[command(flatten)]
    of: ExportedModel,
}

#[derive(Args)]
pub struct PublishArgs {
    /// The folder to write
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// For whom it is
    #[arg(long, value_name = "PLACE")]
    to: Publisher,
    #[command(flatten)]
    of: ExportedModel,
}

/// For whom a folder is prepared.
#[derive(Clone, Copy, ValueEnum)]
enum Publisher {
    /// The Hugging Face hub
    Hub,
}

/// Which model, and how the result is told.
#[derive(Args)]
struct ExportedModel {
    /// Folder of the trained model [default: data/models/NAME, of the config]
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// Folder of the encoder that the model was trained with, where it lies elsewhere on this machine
    #[arg(long, value_name = "FOLDER")]
    encoder: Vec<PathBuf>,
    /// The project file that names the model
    #[arg(long, short, value_name = "FILE", default_value = "pipeline.toml")]
    config: PathBuf,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

fn targets() -> impl TypedValueParser<Value = Target> {
    let names = PossibleValuesParser::new(Target::ALL.map(Target::name));
    names.try_map(|name| Target::ALL.into_iter().find(|to| to.name() == name).ok_or("it is no form"))
}

/// Write a form.
pub fn export(args: &ExportArgs) -> Result<Exit> {
    let takes_encoder = matches!(args.to, Target::Onnx | Target::SentenceTransformers);
    if args.encoder_only && !takes_encoder {
        let form = args.to.name();
        return Err(BadUsage(format!(
            "--encoder-only: {form} is of the head; onnx and sentence-transformers are of the encoder, too"
        ))
        .into());
    }
    args.of.write(args.to, args.output.as_deref(), args.encoder_only)
}

/// Prepare a folder.
pub fn publish(args: &PublishArgs) -> Result<Exit> {
    let target = match args.to {
        Publisher::Hub => Target::Hub,
    };
    args.of.write(target, Some(&args.folder), false)
}

impl ExportedModel {
    fn write(&self, target: Target, output: Option<&Path>, encoder_only: bool) -> Result<Exit> {
        let root = self.config.parent().unwrap_or(Path::new(""));
        let exports = |name: &str| root.join("data/exports").join(name).join(target.name());
        if target == Target::Croissant {
            let config = Config::load(&self.config)?;
            let place = output.map_or_else(|| exports(&config.name), Path::to_owned);
            let request = Request { target, encoder_only, place: &place, replace: self.force };
            return self.tell(target, &place, export_data(&config, root, request)?);
        }
        let folder = match &self.model {
            Some(folder) => folder.clone(),
            None => root.join("data/models").join(Config::load(&self.config)?.name),
        };
        let subject = Subject::load(ModelFiles { folder: folder.clone() })?;
        let place = match (output, target) {
            (Some(place), _) => place.to_owned(),
            (None, Target::Card) => folder,
            (None, _) => exports(subject.name()),
        };
        let encoder = || {
            let places = Places { root, encoders: &self.encoder, any_arithmetic: true };
            let mut encoders = encoders_of(&subject.files, &subject.card, places, &Terminal::new(self.json))?;
            // A model of several was refused before.
            Ok(encoders.swap_remove(0))
        };
        let request = Request { target, encoder_only, place: &place, replace: self.force };
        let exported = export_model(&subject, request, encoder)?;
        self.tell(target, &place, exported)
    }

    fn tell(&self, target: Target, place: &Path, Exported { files, notes }: Exported) -> Result<Exit> {
        if self.json {
            return print_json(
                &json!({ "to": target.name(), "folder": place, "files": files, "notes": notes }),
            );
        }
        let terminal = Terminal::new(false);
        notes.iter().for_each(|note| terminal.note(&format!("note: {note}")));
        let bytes = HumanBytes(files.iter().map(|file| file.bytes).sum());
        let count = counted(files.len(), "file", "files");
        print(&format!("{}: {count}, {bytes}\n", place.display()))
    }
}
