//! A row's explanation by a model that is asked about parts of it.

use serde::Serialize;

use super::players::{Player, players, with};
use super::shapley::{Coalition, Share, shapley};
use crate::model::files::PredictError;
use crate::model::predictor::Predictor;
use crate::progress::Progress;
use crate::table::Cells;

/// Parts of rows that the head answers at once.
const AT_ONCE: usize = 2048;

/// How a row is explained.
#[derive(Clone, Copy, Debug)]
pub struct ExplainSettings {
    /// Orders in which words and columns are put together.
    pub permutations: usize,
    /// Of these orders.
    pub seed: u64,
}

/// Why a row has its class. All values are parts of the class's log-odds, ln p − ln (1 − p), calibrated; those of the words and columns
/// add up to `log_odds − log_odds_of_nothing`, and so do those of the fields and columns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The class that is explained.
    pub class: String,
    /// Of the row.
    pub log_odds: f64,
    /// Of a row without words and columns.
    pub log_odds_of_nothing: f64,
    /// Whether every set of words and columns was asked; else sets were drawn, and values have a standard error.
    pub exact: bool,
    /// The text fields that have words.
    pub fields: Vec<Part>,
    /// The columns that are not empty.
    pub columns: Vec<Part>,
    /// The words of all fields, in order.
    pub words: Vec<Word>,
    /// The share of rows like those of the training that are at least as unlike the others, in `(0, 1]`; `None` where the model cannot
    /// tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_unusual: Option<f32>,
    /// The most similar rows of the training, the nearest first; `None` where these are not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Vec<Neighbour>>,
}

/// What a field or a column adds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// What it adds.
    #[serde(flatten)]
    pub share: Share,
}

/// What a word adds, or several neighbouring ones of a long text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Word {
    /// The field that it stands in.
    pub field: String,
    /// As it stands there, with the signs behind it.
    pub text: String,
    /// Characters (Unicode scalar values) of the field before it.
    pub start: usize,
    /// Characters before its end; white space behind it aside.
    pub end: usize,
    /// What it adds.
    #[serde(flatten)]
    pub share: Share,
}

/// A row of the training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Neighbour {
    /// `file:line`.
    pub place: String,
    /// Its label.
    pub label: String,
    /// Mean of the cosines of its fields to those of the row, in `[-1, 1]`.
    pub cosine: f32,
    /// Its texts, where they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Why `predictor` gives the row `cells` the class at the place `class`, or would.
///
/// # Errors
/// The encoder or the head failed, or the user interrupted.
pub fn explain(
    predictor: &Predictor,
    cells: &Cells,
    class: usize,
    settings: ExplainSettings,
    progress: &dyn Progress,
) -> Result<Explanation, PredictError> {
    let card = predictor.card();
    let players = players(cells);
    let found =
        shapley(players.len(), settings.permutations, settings.seed, |coalitions: &[Coalition]| {
            let mut values = Vec::with_capacity(coalitions.len());
            for some in coalitions.chunks(AT_ONCE) {
                let rows: Vec<Cells> =
                    some.iter().map(|coalition| with(cells, &players, coalition)).collect();
                let answered = predictor.rows(&rows.iter().collect::<Vec<_>>(), progress)?;
                let probabilities = answered.answers.label.chunks_exact(card.classes.len());
                values.extend(probabilities.map(|row| log_odds(row, class)));
            }
            Ok::<_, PredictError>(values)
        })?;
    let fields = card.config.encoded_fields();
    let word = |(place, player): (usize, &Player)| {
        let Player::Words { field, bytes } = player else { return None };
        let (before, text) = (&cells.texts[*field][..bytes.start], &cells.texts[*field][bytes.clone()]);
        let shown = text.trim();
        let start = before.chars().count() + text.chars().take_while(|c| c.is_whitespace()).count();
        Some(Word {
            field: fields[*field].clone(),
            text: shown.to_owned(),
            start,
            end: start + shown.chars().count(),
            share: found.share(std::iter::once(place)),
        })
    };
    let of_field = |wanted: usize| {
        let own = |player: &Player| matches!(player, Player::Words { field, .. } if *field == wanted);
        let places: Vec<usize> = (0..players.len()).filter(|&place| own(&players[place])).collect();
        let part = || Part { name: fields[wanted].clone(), share: found.share(places.iter().copied()) };
        (!places.is_empty()).then(part)
    };
    let column = |(place, player): (usize, &Player)| {
        let name = match player {
            Player::Words { .. } => return None,
            Player::Number(at) => &card.config.features.numeric[*at],
            Player::Category(at) => &card.config.features.categorical[*at],
        };
        Some(Part { name: name.clone(), share: found.share(std::iter::once(place)) })
    };
    Ok(Explanation {
        class: card.classes[class].clone(),
        log_odds: found.all,
        log_odds_of_nothing: found.none,
        exact: found.is_exact(),
        fields: (0..fields.len()).filter_map(of_field).collect(),
        columns: players.iter().enumerate().filter_map(column).collect(),
        words: players.iter().enumerate().filter_map(word).collect(),
        as_unusual: None,
        nearest: None,
    })
}

/// ln p − ln (1 − p) of a class; a probability of 0 counts as the least one that a number holds.
fn log_odds(probabilities: &[f32], class: usize) -> f64 {
    let others = probabilities.iter().enumerate().filter(|(other, _)| *other != class);
    let others: f64 = others.map(|(_, &p)| f64::from(p)).sum();
    let log = |p: f64| p.max(f64::from(f32::MIN_POSITIVE)).ln();
    log(f64::from(probabilities[class])) - log(others)
}

impl Explanation {
    /// Words and columns by name, those that add most for the class first and those most against it last.
    pub fn ranked(&self) -> Vec<(&str, Share)> {
        let words = self.words.iter().map(|word| (word.text.as_str(), word.share));
        let columns = self.columns.iter().map(|column| (column.name.as_str(), column.share));
        let mut all: Vec<_> = words.chain(columns).collect();
        all.sort_by(|a, b| b.1.value.total_cmp(&a.1.value));
        all
    }

    /// The `most` words and columns that add or take most, such as `invoice +1.20; please -0.10`.
    pub fn in_brief(&self, most: usize) -> String {
        let mut all = self.ranked();
        all.sort_by(|a, b| b.1.value.abs().total_cmp(&a.1.value.abs()));
        let told = all.iter().take(most).map(|(name, share)| format!("{name} {:+.2}", share.value));
        told.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds_are_of_the_class_against_all_others() {
        // 0.6 against 0.4: ln 1.5.
        assert!((log_odds(&[0.1, 0.6, 0.3], 1) - 1.5f64.ln()).abs() < 1e-6);
        // Where the class is nearly sure, 1 − p has no digits left; the others' sum has.
        assert!((log_odds(&[1.0, 1e-20], 0) - 1e20f64.ln()).abs() < 1e-6);
        assert!(log_odds(&[0.0, 1.0], 0).is_finite() && log_odds(&[1.0, 0.0], 0).is_finite());
    }

    #[test]
    fn in_brief_the_weightiest_come_first_whichever_way() {
        let part =
            |name: &str, value| Part { name: name.into(), share: Share { value, standard_error: 0.0 } };
        let explanation = Explanation {
            class: "a".into(),
            log_odds: 1.0,
            log_odds_of_nothing: 0.0,
            exact: true,
            fields: vec![],
            columns: vec![part("x", 0.2), part("y", -1.5), part("z", 0.9)],
            words: vec![],
            as_unusual: None,
            nearest: None,
        };
        assert_eq!(explanation.in_brief(2), "y -1.50; z +0.90");
        let names: Vec<&str> = explanation.ranked().iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["z", "x", "y"]);
    }
}
