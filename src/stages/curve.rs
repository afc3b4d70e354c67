//! `pipeline curve`: the head taught on parts of each fold's rows, and what more rows would be worth.

use std::fs;

use super::error::BuildError;
use super::project::Project;
use super::run::{check_networks, ready};
use super::stage::Stage;
use super::staleness::{Reason, Sources, plan};
use super::trial::Trial;
use crate::counting::grouped;
use crate::engine::Engine;
use crate::evaluate::{Curve, CurvePoint, Figure, Folded, Gain, extrapolate, fold_means};
use crate::progress::Progress;
use crate::report::with_curve;
use crate::split::{Fold, FoldCounts, GroupedClasses, Part};
use crate::store::{Manifest, Output, StoreError, write_atomic, write_json};

/// Shares of a fold's training rows.
const SHARES: [f64; 5] = [0.1, 0.2, 0.4, 0.8, 1.0];

/// With fewer rows of a class on the average, a share says nothing.
const ROWS_OF_A_CLASS: f64 = 4.0;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct CurveSettings {
    /// Rows more than there are; a round number near half of them by default.
    pub more_rows: Option<usize>,
}

/// Train the head on a tenth, a fifth, two and four fifths and all of each fold's rows, and evaluate it on the same held-out
/// rows. The test part takes no part; what an earlier run has measured is not trained again.
///
/// # Errors
/// More rows are asked after than there are, or what [`crate::stages::build`] can fail with.
pub fn curve(
    project: &Project,
    settings: CurveSettings,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
    announce: &mut dyn FnMut(Stage, &[Reason]),
) -> Result<Curve, BuildError> {
    let config = &project.config;
    check_networks(config.train.heads(), engine)?;
    let ready = ready(project, engine, progress, announce)?;
    let (context, rows) = (&ready.context, &ready.rows);
    let used = rows.of(&[Part::Train, Part::Validation]);
    let more_rows = settings.more_rows.unwrap_or_else(|| round(used.len() / 2));
    if more_rows == 0 || more_rows > used.len() {
        return Err(BuildError::TooFar { more_rows, rows: used.len() });
    }
    let folds = context.folds(rows)?;
    let sources = Sources::measure(project)?;
    let classes = rows.dataset.classes.len();
    let by = GroupedClasses { groups: &rows.dealt.groups, classes: &rows.classes };
    let (mut counts, mut shares, mut measured) = (Vec::new(), Vec::new(), Vec::<Trial>::new());
    for share in SHARES {
        let part: Vec<Fold> = folds
            .iter()
            .map(|fold| {
                let seed = config.seed_for(&format!("curve {} {}", fold.fold, fold.repeat));
                if share < 1.0 { fold.with_share(share, by, seed) } else { fold.clone() }
            })
            .collect();
        let taught = part.iter().map(|fold| fold.train.len() + fold.validation.len()).sum::<usize>();
        let taught = taught as f64 / part.len() as f64;
        if share < 1.0 && taught < ROWS_OF_A_CLASS * classes as f64 {
            continue;
        }
        progress.note(&format!("{} rows", grouped(taught.round() as usize)));
        measured.push(context.trial(rows, &part, &sources)?);
        counts.push(taught);
        shares.push(share);
    }
    let FoldCounts { folds: of_repeat, repeats } = context.fold_counts(used.len());
    let folded = Folded::of(of_repeat, used.len());
    let point = |((&share, &rows), trial): ((&f64, &f64), &Trial)| {
        let folded = Folded { test_over_train: folded.test_over_train / share, ..folded };
        CurvePoint { share, rows, figures: fold_means(&trial.figures, folded, classes) }
    };
    let points = shares.iter().zip(&counts).zip(&measured).map(point).collect();
    // All rows teach in the end, so the step begins there, not at a fold's.
    let step = [used.len() as f64, (used.len() + more_rows) as f64];
    let of = |figure: Figure| {
        let of_fold = |fold: usize| measured.iter().map(|trial| trial.figures[fold][&figure]).collect();
        extrapolate(&counts, &(0..folds.len()).map(of_fold).collect::<Vec<_>>(), folded, step)
    };
    let gain = of(Figure::MacroF1).zip(of(Figure::Accuracy)).map(|(macro_f1, accuracy)| Gain {
        more_rows,
        macro_f1,
        accuracy,
    });
    let found =
        Curve { name: config.name.clone(), folds: of_repeat, repeats, rows: used.len(), points, gain };
    write_json(&project.curve(), &found)?;
    into_report(project, &found)?;
    Ok(found)
}

/// Put the curve into the report of the project's model, where that is as the evaluate stage, or an earlier curve, left it.
fn into_report(project: &Project, curve: &Curve) -> Result<(), BuildError> {
    let (path, report) = (project.manifest(Stage::Evaluate), project.model().report());
    let name = project.relative(&report);
    let Some(mut manifest) = Manifest::load(&path) else { return Ok(()) };
    let is_left = |of: &Output| Output::of(&report).is_ok_and(|found| found == *of);
    let is_fresh = plan(project)?.iter().all(|of| of.stage > Stage::Evaluate || of.reasons.is_empty());
    if !is_fresh || !manifest.outputs.get(&name).is_some_and(is_left) {
        return Ok(());
    }
    let html = fs::read_to_string(&report).map_err(StoreError::of("read", &report))?;
    let Some(html) = with_curve(&html, curve) else { return Ok(()) };
    write_atomic(&report, |w| std::io::Write::write_all(w, html.as_bytes()))?;
    manifest.outputs.insert(name, Output::of(&report)?);
    Ok(manifest.save(&path)?)
}

/// The greatest of 1, 2 and 5 times a power of ten that is not above `rows`.
fn round(rows: usize) -> usize {
    let power = 10usize.pow(rows.max(1).ilog10());
    [5, 2, 1].into_iter().map(|times| times * power).find(|&found| found <= rows).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_number_of_rows_is_asked_after() {
        assert_eq!([0, 1, 4, 9, 19, 20, 534, 2110].map(round), [1, 1, 2, 5, 10, 20, 500, 2000]);
    }
}
