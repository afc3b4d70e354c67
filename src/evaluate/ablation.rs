//! Several configs on the same folds.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::figure::Figure;
use super::interval::Estimate;
use super::paired::{Folded, fold_differences, fold_means};
use crate::split::FoldCounts;

/// What one preset gave. Intervals are of the mean over the folds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ablated {
    /// The preset.
    pub preset: String,
    /// What it is.
    pub what: String,
    /// Mean of the heads' parameters, effective ones for a kernel machine.
    pub parameters: usize,
    /// Every figure.
    pub figures: BTreeMap<Figure, Estimate>,
    /// F1 of each class.
    pub class_f1: Vec<Estimate>,
    /// Mean time to train a head, as many folds at once as there are cores.
    pub train_seconds: f64,
    /// Every figure minus the reference's; absent for the reference.
    pub difference: Option<BTreeMap<Figure, Estimate>>,
    /// The same on the rows that all labelling passes give one class; absent without passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unanimous: Option<OnUnanimous>,
}

/// What a preset gave on the rows that all labelling passes give one class: where the label is settled, a gain is no other way
/// of labelling.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OnUnanimous {
    /// Every figure.
    pub figures: BTreeMap<Figure, Estimate>,
    /// Every figure minus the reference's; absent for the reference.
    pub difference: Option<BTreeMap<Figure, Estimate>>,
}

/// The table of an ablation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ablation {
    /// Name of the dataset.
    pub name: String,
    /// Class names.
    pub classes: Vec<String>,
    /// Folds of a repeat, and repeats; in the file a list of the two.
    #[serde(serialize_with = "as_list")]
    pub folds: FoldCounts,
    /// Rows outside the test part.
    pub rows: usize,
    /// Those that all labelling passes give one class.
    pub unanimous_rows: usize,
    /// The preset that the others are compared with.
    pub reference: String,
    /// The presets, in the order asked for.
    pub presets: Vec<Ablated>,
    /// What choosing among them gives; absent for one preset, or one fold.
    pub chosen: Option<Chosen>,
}

/// The preset chosen anew for every fold, by macro-F1 on the other folds of the same repeat: what is seen of a preset that was
/// chosen because it did best is too good by what chance gave it (Varma & Simon 2006).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chosen {
    /// Every figure, over the folds.
    pub figures: BTreeMap<Figure, Estimate>,
    /// Every figure minus that of the preset that does best over all folds.
    pub difference: BTreeMap<Figure, Estimate>,
    /// For how many folds each preset was chosen.
    pub picked: BTreeMap<String, usize>,
}

impl Chosen {
    /// Of presets by name with their figures of each fold, `repeats` of [`Folded::of`] so many folds one after the other.
    pub fn among(
        presets: &[(&str, &[BTreeMap<Figure, f64>])],
        folds: usize,
        folded: Folded,
        classes: usize,
    ) -> Option<Self> {
        let count = presets.first().map_or(0, |(_, figures)| figures.len());
        if presets.len() < 2 || folds < 2 || count < folds {
            return None;
        }
        let f1 = |preset: usize, fold: usize| presets[preset].1[fold][&Figure::MacroF1];
        // The first of those that are equally good.
        let best = |of: &[usize]| {
            let mean = |preset: usize| of.iter().map(|&fold| f1(preset, fold)).sum::<f64>();
            (1..presets.len()).fold(0, |best, preset| if mean(preset) > mean(best) { preset } else { best })
        };
        let all: Vec<usize> = (0..count).collect();
        let overall = best(&all);
        let mut picked = BTreeMap::new();
        let mut figures = Vec::new();
        for fold in 0..count {
            let repeat = fold / folds * folds..((fold / folds + 1) * folds).min(count);
            let others: Vec<usize> = repeat.filter(|&other| other != fold).collect();
            let choice = best(&others);
            *picked.entry(presets[choice].0.to_owned()).or_insert(0) += 1;
            figures.push(presets[choice].1[fold].clone());
        }
        Some(Self {
            difference: fold_differences(&figures, presets[overall].1, folded),
            figures: fold_means(&figures, folded, classes),
            picked,
        })
    }
}

fn as_list<S: Serializer>(counts: &FoldCounts, serializer: S) -> Result<S::Ok, S::Error> {
    [counts.folds, counts.repeats].serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fold_is_answered_by_what_does_best_on_the_others() {
        let of = |values: [f64; 4]| values.map(|v| BTreeMap::from([(Figure::MacroF1, v)])).to_vec();
        // Over all folds `lucky` does best, by its first fold alone.
        let (steady, lucky) = (of([0.6, 0.6, 0.6, 0.6]), of([0.9, 0.4, 0.6, 0.6]));
        let presets = [("steady", &steady[..]), ("lucky", &lucky[..])];
        let chosen = Chosen::among(&presets, 2, Folded::of(2, 100), 2).unwrap();
        assert_eq!(chosen.picked, BTreeMap::from([("lucky".to_owned(), 1), ("steady".to_owned(), 3)]));
        assert!((chosen.figures[&Figure::MacroF1].value - (0.6 + 0.4 + 0.6 + 0.6) / 4.0).abs() < 1e-12);
        assert!((chosen.difference[&Figure::MacroF1].value - (2.2 - 2.5) / 4.0).abs() < 1e-12);
        assert!(Chosen::among(&presets[..1], 2, Folded::of(2, 100), 2).is_none());
    }
}
