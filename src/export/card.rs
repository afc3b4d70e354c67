//! The model card: README.md as the Hugging Face hub reads it, every figure from `metrics.json`.

use std::fmt::Write;

use super::error::ExportError;
use super::staging::Staging;
use super::subject::Subject;
use crate::counting::{counted, grouped};
use crate::evaluate::{Estimate, Evaluation, Figure, Level, Metrics};
use crate::model::{Calibration, PredictError, load_evaluation};

/// Name of the file.
pub const CARD: &str = "README.md";

/// Write the card.
///
/// # Errors
/// There is no evaluation of this training, or the file cannot be written.
pub fn write(subject: &Subject, staging: &mut Staging) -> Result<(), ExportError> {
    let evaluation = load_evaluation(&subject.files)?;
    // calibration.json was written with the figures, and names its training; the figures do not.
    let same = |calibration: &Calibration| {
        calibration.temperature == evaluation.temperature && evaluation.classes == subject.card.classes
    };
    if !subject.calibration.as_ref().is_some_and(same) {
        let reason = "it is of another training than model.json; `pipeline train` evaluates, too".to_owned();
        return Err(PredictError::File { path: subject.files.metrics(), reason }.into());
    }
    staging.write(CARD, card(subject, &evaluation).as_bytes())
}

/// The metric of a figure by the name that the hub knows it by, where it knows one.
fn metric(figure: Figure) -> &'static str {
    match figure {
        Figure::Accuracy => "accuracy",
        Figure::BalancedAccuracy => "balanced_accuracy",
        Figure::MacroF1 | Figure::WeightedF1 => "f1",
        Figure::Mcc => "matthews_correlation",
        Figure::QuadraticKappa => "cohen_kappa",
        Figure::ClassError => "mae",
        Figure::LogLoss => "log_loss",
        Figure::Ece => "ece",
        Figure::Brier => "brier_score",
    }
}

/// The parts that the head was judged on, with what they are called: out of fold where that was done, and the test part.
fn parts(e: &Evaluation) -> Vec<(&'static str, &Metrics)> {
    let folds = e.out_of_fold.as_ref().map(|metrics| ("out of fold", metrics));
    folds.into_iter().chain([("test part", &e.test)]).collect()
}

/// A YAML string: JSON's are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn interval(of: Estimate, figure: Figure, classes: usize) -> String {
    match of.is_everything(figure.range(classes)) {
        true => "too few rows for an interval".to_owned(),
        false => format!("{:.4} to {:.4}", of.low, of.high),
    }
}

fn card(subject: &Subject, e: &Evaluation) -> String {
    let mut text = front_matter(subject, e);
    // Writing to a string does not fail.
    let _ = body(&mut text, subject, e);
    text
}

fn front_matter(subject: &Subject, e: &Evaluation) -> String {
    let name = quoted(subject.name());
    let mut text = String::from("---\nlibrary_name: pipeline\npipeline_tag: text-classification\n");
    let hub_names: Vec<&str> = subject
        .card
        .encoders
        .iter()
        .map(|encoder| encoder.model.as_str())
        .filter(|m| is_hub_name(m))
        .collect();
    if !hub_names.is_empty() {
        text += "base_model:\n";
        text.extend(hub_names.iter().map(|model| format!("- {}\n", quoted(model))));
    }
    text += &format!("model-index:\n- name: {name}\n  results:\n");
    for (part, metrics) in parts(e) {
        text += &format!(
            "  - task:\n      type: text-classification\n    dataset:\n      type: {name}\n      name: {}\n      split: {}\n    \
             metrics:\n",
            quoted(&format!("{}, {part}", subject.name())),
            quoted(part)
        );
        for (figure, estimate) in &metrics.figures {
            let shown = interval(*estimate, *figure, e.classes.len());
            text += &format!(
                "    - type: {}\n      value: {}\n      name: {}\n      args:\n        low: {}\n        high: {}\n",
                metric(*figure),
                estimate.value,
                quoted(&format!("{} (95 % interval {shown})", figure.label())),
                estimate.low,
                estimate.high
            );
        }
    }
    text + "---\n"
}

/// Whether a name is one of the hub's, `owner/model`, and no folder.
fn is_hub_name(model: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    let model = model.split('@').next().unwrap_or(model);
    matches!(model.split('/').collect::<Vec<_>>()[..], [owner, name] if plain(owner) && plain(name))
}

fn body(text: &mut String, subject: &Subject, e: &Evaluation) -> std::fmt::Result {
    let config = subject.config();
    writeln!(text, "\n# {}\n", subject.name())?;
    writeln!(
        text,
        "Labels a text as one of {}: {}. Trained and evaluated by pipeline {}; every figure is from metrics.json.",
        counted(e.classes.len(), "class", "classes"),
        e.classes.iter().map(|class| format!("`{class}`")).collect::<Vec<_>>().join(", "),
        e.pipeline_version
    )?;
    writeln!(text, "\nNo licence is stated: the project file names none.\n")?;
    writeln!(text, "## Intended use\n")?;
    writeln!(
        text,
        "Rows like those of its training, read by the columns `{}`. `pipeline predict --model FOLDER` answers; `pipeline \
         evaluate` says what it is worth on labelled rows of your own.\n",
        config.data.text_fields.join("`, `")
    )?;
    let features: Vec<&String> = config.features.numeric.iter().chain(&config.features.categorical).collect();
    if !features.is_empty() {
        let names: Vec<&str> = features.into_iter().map(String::as_str).collect();
        writeln!(text, "Beside the text it reads `{}`.\n", names.join("`, `"))?;
    }
    let encoders: Vec<String> = subject.card.encoders.iter().map(|e| format!("`{}`", e.model)).collect();
    let [train, validation, test] = e.training.part_rows;
    writeln!(
        text,
        "Encoder: {}. Trained on {}, with {} for validation and {} for the test.\n",
        encoders.join(", "),
        counted(train, "row", "rows"),
        counted(validation, "row", "rows"),
        counted(test, "row", "rows")
    )?;
    writeln!(text, "## Figures\n\nEach with its 95 % interval; probabilities are calibrated.\n")?;
    let parts = parts(e);
    let header: Vec<String> =
        parts.iter().map(|(part, m)| format!("{part} ({})", counted(m.rows, "row", "rows"))).collect();
    writeln!(text, "| | {} |", header.join(" | "))?;
    writeln!(text, "|---|{}", "---|".repeat(header.len()))?;
    for figure in Figure::ALL.iter().filter(|figure| e.test.figures.contains_key(*figure)) {
        let cells = parts.iter().map(|(_, metrics)| match metrics.figures.get(figure) {
            Some(of) => format!("{:.4} ({})", of.value, interval(*of, *figure, e.classes.len())),
            None => String::new(),
        });
        writeln!(text, "| {} | {} |", figure.label(), cells.collect::<Vec<_>>().join(" | "))?;
    }
    let (judged, of) = e.judged();
    writeln!(
        text,
        "\n| class ({of}) | rows | precision | recall | F1 | 95 % interval |\n|---|---|---|---|---|---|"
    )?;
    for class in &judged.per_class {
        writeln!(
            text,
            "| {} | {} | {:.4} | {:.4} | {:.4} | {:.4} to {:.4} |",
            class.class.replace('|', "\\|"),
            grouped(class.support),
            class.precision.value,
            class.recall.value,
            class.f1.value,
            class.f1.low,
            class.f1.high
        )?;
    }
    limits(text, e)
}

fn limits(text: &mut String, e: &Evaluation) -> std::fmt::Result {
    writeln!(text, "\n## Limits\n")?;
    for (level, heading) in [(Level::Ill, "What is wrong:"), (Level::Note, "Good to know:")] {
        let found: Vec<_> = e.findings.iter().filter(|finding| finding.level == level).collect();
        if found.is_empty() {
            continue;
        }
        writeln!(text, "{heading}\n")?;
        for finding in found {
            writeln!(text, "- {}: {}", finding.finding.trim_end_matches('.'), finding.evidence)?;
        }
        writeln!(text)?;
    }
    let failed: Vec<&str> =
        e.gates.iter().filter(|gate| !gate.passed).map(|gate| gate.name.as_str()).collect();
    let gates = e.gates.iter().filter(|gate| gate.not_applied.is_none()).count();
    match &failed[..] {
        [] if gates == 0 => writeln!(text, "No gates were set."),
        [] => writeln!(text, "It passes all {gates} gates."),
        _ => writeln!(text, "Of {gates} gates it fails {}: {}.", failed.len(), failed.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_hub_are_told_from_folders() {
        for (name, is) in [
            ("sentence-transformers/all-MiniLM-L6-v2", true),
            ("owner/model@main", true),
            ("all-MiniLM-L6-v2", false),
            ("/srv/encoder", false),
            ("../encoder", false),
            ("a/b/c", false),
        ] {
            assert_eq!(is_hub_name(name), is, "{name}");
        }
    }
}
