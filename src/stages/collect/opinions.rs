//! What heads like the project's say of candidates that they have not learned from.

use rayon::prelude::*;

use crate::inputs::RawInputs;
use crate::model::answers;
use crate::split::{FoldCounts, GroupedClasses, Part, folds};
use crate::stages::context::Context;
use crate::stages::error::BuildError;
use crate::stages::rows::Rows;

/// Heads that give an opinion, each without a fifth of the rows.
const FOLDS: usize = 5;

impl Context<'_> {
    /// Class probabilities of the candidates, `candidates × classes`: the mean of heads trained on four fifths of the rows outside
    /// the test part; of a candidate that says a row in other words, of the head alone that has not learned that row.
    pub fn opinions(
        &self,
        rows: &Rows,
        candidates: &RawInputs,
        parents: &[Option<usize>],
    ) -> Result<Vec<f64>, BuildError> {
        let config = &self.project.config;
        let used = rows.of(&[Part::Train, Part::Validation]);
        let grouped = GroupedClasses { groups: &rows.dealt.groups, classes: &rows.classes };
        let counts = FoldCounts { folds: FOLDS, repeats: 1 };
        let folds = folds(&used, grouped, counts, 0.1, |name| config.seed_for(&format!("opinions {name}")));
        self.progress.start("asking heads for their opinion", FOLDS as u64, "heads");
        let said = folds
            .par_iter()
            .map(|fold| {
                let seed = config.seed_for(&format!("opinion {}", fold.fold));
                let trained = self.fit_plain(rows, fold, seed)?;
                self.progress.advance(1);
                Ok(answers(trained.head.as_ref(), &trained.shape, &trained.inputs, candidates)?.label)
            })
            .collect::<Result<Vec<Vec<f32>>, BuildError>>();
        self.progress.finish();
        let (said, classes) = (said?, rows.dataset.classes.len());
        let mut opinions = vec![0.0; parents.len() * classes];
        for (candidate, (opinion, parent)) in opinions.chunks_exact_mut(classes).zip(parents).enumerate() {
            let group = parent.map(|parent| rows.dealt.groups[parent]);
            let knows = |fold: usize| {
                let mut learned = folds[fold].train.iter().chain(&folds[fold].validation);
                group.is_some_and(|group| learned.any(|&row| rows.dealt.groups[row] == group))
            };
            let asked: Vec<usize> = (0..FOLDS).filter(|&fold| !knows(fold)).collect();
            for &fold in &asked {
                let answer = &said[fold][candidate * classes..(candidate + 1) * classes];
                let share = |(sum, &p): (&mut f64, &f32)| *sum += f64::from(p) / asked.len() as f64;
                opinion.iter_mut().zip(answer).for_each(share);
            }
        }
        Ok(opinions)
    }
}
