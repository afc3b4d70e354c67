//! `pipeline encoders`.

use anyhow::Result;
use clap::Args;
use pipeline_encoder::{
    Arithmetic, Choice, Folder, Processor, Reason, choice, here, measurements, rate, user_cache,
};
use serde_json::json;

use super::exit::Exit;
use super::output::{print, print_json, visible};

/// Passes of which the best counts.
const ROUNDS: usize = 15;

#[derive(Args, Clone)]
pub struct EncodersArgs {
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// An encoder of the per-user cache.
struct Installed {
    name: String,
    architecture: &'static str,
    dims: usize,
    /// Why only rust-bert runs it.
    torch: Option<String>,
}

/// Say how fast this processor runs an encoder in each way, which way is taken, and which encoders are here.
pub fn encoders(args: &EncodersArgs) -> Result<Exit> {
    let (processor, taken) = (Processor::this(), choice());
    let here = here();
    let own = Arithmetic::ALL.into_iter().filter(|arithmetic| !arithmetic.needs_torch());
    // Of the two float32 ways a processor has one.
    let ways: Vec<(Arithmetic, Result<f64, String>)> = own
        .filter(|arithmetic| here.contains(arithmetic) || *arithmetic != Arithmetic::F32Unfused)
        .map(|arithmetic| (arithmetic, arithmetic.missing_here().map(|()| rate(arithmetic, ROUNDS))))
        .collect();
    let installed = installed();
    if args.json {
        let ways = ways.iter().map(|(arithmetic, rate)| {
            json!({
                "arithmetic": arithmetic.name(), "texts_per_second": rate.as_ref().ok(), "missing": rate.as_ref().err(),
            })
        });
        return print_json(&json!({
            "processor": processor.name,
            "arithmetics": ways.collect::<Vec<_>>(),
            "auto": taken.arithmetic.name(),
            "because": because(taken),
            "encoders": installed.iter().map(|encoder| json!({
                "name": encoder.name, "architecture": encoder.architecture, "dims": encoder.dims,
                "own_pass": encoder.torch.is_none(), "needs_libtorch_because": encoder.torch,
            })).collect::<Vec<_>>(),
        }));
    }
    let mut text = format!("{}\n  arithmetic   texts/s\n", visible(&processor.name));
    for (arithmetic, rate) in ways {
        let (rate, said) = match rate {
            Ok(rate) if arithmetic == taken.arithmetic => {
                (format!("{rate:.1}"), "taken where precision is auto".to_owned())
            }
            Ok(rate) => (format!("{rate:.1}"), String::new()),
            Err(missing) => ("–".to_owned(), missing),
        };
        text += format!("  {:<11}  {rate:>7}  {said}", arithmetic.name()).trim_end();
        text += "\n";
    }
    text +=
        "  of 77 tokens, on one thread, by an encoder of the size of all-MiniLM-L6-v2 (made-up weights)\n";
    text += &format!("  {}: {}\n", taken.arithmetic.name(), because(taken));
    for encoder in installed {
        let way =
            encoder.torch.map_or("the own pass".to_owned(), |why| format!("rust-bert over libtorch: {why}"));
        text += &format!(
            "{}: {}, {} numbers a text, run by {way}\n",
            visible(&encoder.name),
            encoder.architecture,
            encoder.dims
        );
    }
    print(&text)
}

fn because(choice: &Choice) -> String {
    match &choice.reason {
        Reason::Only => "there is no other way here".to_owned(),
        Reason::Known(why) => (*why).to_owned(),
        Reason::Measured(rates) => {
            let rates: Vec<String> = rates.iter().map(|(name, rate)| format!("{name} {rate:.1}")).collect();
            format!(
                "the fastest when this processor was measured ({} texts/s; {} keeps it)",
                rates.join(", "),
                measurements().display()
            )
        }
        Reason::NotKept => format!(
            "this processor is not in the table, and a measurement cannot be kept in {}",
            measurements().display()
        ),
    }
}

/// What of the per-user cache is an encoder, by name.
fn installed() -> Vec<Installed> {
    let entries = std::fs::read_dir(user_cache()).into_iter().flatten().flatten();
    let mut found: Vec<Installed> = entries
        .filter_map(|entry| {
            let folder = Folder::open(&entry.path()).ok()?;
            Some(Installed {
                name: entry.file_name().to_string_lossy().into_owned(),
                architecture: folder.architecture.name(),
                dims: folder.dims,
                torch: folder.runs_natively().err(),
            })
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}
