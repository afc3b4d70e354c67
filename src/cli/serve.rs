//! `pipeline serve`: models that answer over HTTP.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use pipeline_encoder::Precision;
use pipeline_serve::outside::Source;
use pipeline_serve::{Log, ServeSettings, Server, quiet_panics};

use super::exit::{BadUsage, Exit};
use crate::config::Config;
use crate::serve::{EncoderFolder, ModelFolder};

/// Shown under `--help`.
pub const EXAMPLES: &str = "Examples:
  pipeline serve
  pipeline serve --port 9000 --model tickets=a/model --model tone=b/model
  pipeline serve --encoder all-MiniLM-L6-v2   embeddings alone

It answers on loopback alone unless --host says otherwise. http://127.0.0.1:8080/ is a page to try it, /docs lists what can be asked; docs/serve.md has limits, keys, and what to put before it.";

#[derive(Args)]
pub struct ServeArgs {
    /// Folder of a trained model, under the folder's name or another: NAME=FOLDER; once for each [default: data/models/NAME, of
    /// the config]
    #[arg(long, value_name = "[NAME=]FOLDER")]
    model: Vec<String>,
    /// An encoder that is served without a model: a folder, a name in the cache or of the hub; under that name or another:
    /// NAME=ENCODER; once for each
    #[arg(long, value_name = "[NAME=]ENCODER")]
    encoder: Vec<String>,
    /// How those compute: f32, bf16, or what is fast on this processor
    #[arg(long, value_name = "PRECISION", default_value = "auto", value_parser = precision)]
    precision: Precision,
    /// The project file that names the model; encoders are relative to its folder
    #[arg(long, short, value_name = "FILE", default_value = "pipeline.toml")]
    config: PathBuf,
    /// A TOML file of limits, times and batches (docs/serve.md)
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// The address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<IpAddr>,
    /// The port; 0 for a free one, which the log names [default: 8080]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// A file of API keys, one a line; without it everybody who reaches the port may ask
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Where this processor cannot compute embeddings as the training did, compute them in another way (cosine at least 0.999)
    #[arg(long)]
    any_arithmetic: bool,
    /// With an explanation (`"explain": true`), show whoever asks the rows of the training that are most like the row: their texts,
    /// labels and places. Without it, no row of the training is in any answer
    #[arg(long)]
    show_training: bool,
}

/// Serve until SIGTERM or Ctrl-C.
pub fn serve(args: &ServeArgs) -> Result<Exit> {
    let mut settings = match &args.settings {
        Some(path) => read(path)?,
        None => ServeSettings::default(),
    };
    let address = settings.address;
    settings.address =
        SocketAddr::new(args.host.unwrap_or(address.ip()), args.port.unwrap_or(address.port()));
    settings.keys = args.keys.clone().or(settings.keys);
    let root = args.config.parent().unwrap_or(Path::new("")).to_owned();
    let models = match (&args.model[..], &args.encoder[..]) {
        ([], []) => {
            let name = Config::load(&args.config)?.name;
            vec![(name.clone(), root.join("data/models").join(name))]
        }
        (models, _) => models.iter().map(|text| named(text)).collect::<Result<_>>()?,
    };
    let sources = models.into_iter().map(|(name, folder)| {
        let (any_arithmetic, show_training) = (args.any_arithmetic, args.show_training);
        let root = root.clone();
        Box::new(ModelFolder { name, folder, root, any_arithmetic, show_training }) as Box<dyn Source>
    });
    let encoders = args.encoder.iter().map(|text| {
        let (name, encoder) = text.split_once('=').unwrap_or((text, text));
        let (name, encoder) = (name.to_owned(), encoder.to_owned());
        Box::new(EncoderFolder { name, encoder, root: root.clone(), precision: args.precision })
            as Box<dyn Source>
    });
    let log = Log::new(Box::new(std::io::stderr()));
    quiet_panics(log.clone());
    Server::bind(settings, sources.chain(encoders).collect(), log)?.run(true)?;
    Ok(Exit::Done)
}

fn precision(text: &str) -> Result<Precision, String> {
    serde_json::from_value(text.into()).map_err(|_| "give auto, f32 or bf16".to_owned())
}

/// A model's name and folder.
fn named(text: &str) -> Result<(String, PathBuf)> {
    if let Some((name, folder)) = text.split_once('=') {
        return Ok((name.to_owned(), folder.into()));
    }
    let folder = PathBuf::from(text);
    let last = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
    match last.or_else(|| Some(folder.file_name()?.to_str()?.to_owned())) {
        Some(name) => Ok((name, folder)),
        None => Err(BadUsage(format!("--model {text}: name it, as in NAME={text}")).into()),
    }
}

fn read(path: &Path) -> Result<ServeSettings> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).map_err(|error| BadUsage(format!("{}: {error}", path.display())).into())
}
