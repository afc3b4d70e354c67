//! Rows before anything is learned from them: the fields' embeddings side by side, the columns, the shape of the texts.

use std::sync::OnceLock;

use super::counted::Counted;
use super::distances::Distances;
use super::terms::Terms;
use crate::config::Config;
use crate::embed::Embeddings;
use crate::table::Cells;

/// Inputs of several rows before anything is learned from them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawInputs {
    /// Values of the (concatenated) embeddings of one row.
    pub embedding_dims: usize,
    /// `rows × embedding_dims`, row-major.
    pub embedding: Vec<f32>,
    /// For each row, the value of each numeric feature, `None` where it is missing.
    pub numeric: Vec<Vec<Option<f32>>>,
    /// For each row, the values of each categorical feature.
    pub categories: Vec<Vec<Vec<String>>>,
    /// For each row, its texts as one.
    pub texts: Vec<String>,
    /// What fits on parts of the rows have in common, made when first asked for.
    pub common: Common,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Common {
    distances: OnceLock<Distances>,
    words: OnceLock<Counted>,
    letters: OnceLock<Counted>,
}

impl RawInputs {
    /// The squared distances of all embeddings, made now unless they are there; none where there is no embedding, or
    /// they would take too much memory.
    pub fn make_distances(&self) -> Option<&Distances> {
        let of = || Distances::new(&self.embedding, self.embedding_dims);
        let rows = self.embedding.len().checked_div(self.embedding_dims).unwrap_or(0);
        (1..=Distances::MOST_ROWS).contains(&rows).then(|| self.common.distances.get_or_init(of))
    }

    /// The squared distances, where someone made them.
    pub fn distances(&self) -> Option<&Distances> {
        self.common.distances.get()
    }

    /// The terms of all texts, counted now unless they are.
    pub fn count_terms(&self, kind: Terms) -> &Counted {
        self.common.of(kind).get_or_init(|| Counted::new(self.texts.iter().map(String::as_str), kind))
    }

    /// The terms, where someone counted them.
    pub fn counted_terms(&self, kind: Terms) -> Option<&Counted> {
        self.common.of(kind).get()
    }

    /// These rows and then `other`'s.
    pub fn above(&self, other: &Self) -> Self {
        Self {
            embedding_dims: self.embedding_dims,
            embedding: [&self.embedding[..], &other.embedding].concat(),
            numeric: [&self.numeric[..], &other.numeric].concat(),
            categories: [&self.categories[..], &other.categories].concat(),
            texts: [&self.texts[..], &other.texts].concat(),
            common: Common::default(),
        }
    }

    /// The inputs of `rows`, in their order.
    pub fn pick(&self, rows: &[usize]) -> Self {
        let dims = self.embedding_dims;
        Self {
            embedding_dims: dims,
            embedding: rows
                .iter()
                .flat_map(|&r| &self.embedding[r * dims..(r + 1) * dims])
                .copied()
                .collect(),
            numeric: rows.iter().map(|&r| self.numeric[r].clone()).collect(),
            categories: rows.iter().map(|&r| self.categories[r].clone()).collect(),
            texts: rows.iter().map(|&r| self.texts[r].clone()).collect(),
            common: Common::default(),
        }
    }
}

impl Common {
    fn of(&self, kind: Terms) -> &OnceLock<Counted> {
        match kind {
            Terms::Words => &self.words,
            Terms::Letters => &self.letters,
        }
    }
}

/// One field's embeddings beside the other's, row by row, with the tabular features: what a head's inputs are made of.
///
/// `fields` has one matrix a text field, each with one row for every item of `cells`. With a `config`, fields are weighted
/// and the shape of each text follows the numeric features, as it says; without, the texts are taken as they are.
pub fn raw_inputs<'c>(
    fields: &[Embeddings],
    cells: impl Iterator<Item = &'c Cells>,
    config: Option<&Config>,
) -> RawInputs {
    let weights = config.map_or(Vec::new(), Config::field_weights);
    let text_shape = config.is_some_and(|c| c.features.text_shape);
    let mut inputs =
        RawInputs { embedding_dims: fields.iter().map(|f| f.dims).sum(), ..RawInputs::default() };
    for (row, cells) in cells.enumerate() {
        for (i, field) in fields.iter().enumerate() {
            let weight = weights.get(i).copied().unwrap_or(1.0);
            inputs.embedding.extend(field.row(row).iter().map(|value| value * weight));
        }
        let mut numeric = cells.numeric.clone();
        if text_shape {
            numeric.extend(cells.texts.iter().flat_map(|text| shape_of(text)).map(Some));
        }
        inputs.numeric.push(numeric);
        inputs.categories.push(cells.categories.clone());
        inputs.texts.push(cells.texts.join("\n"));
    }
    inputs
}

/// What of a text's shape is counted, in the order of the inputs.
pub const SHAPE: [&str; 4] = ["words", "letters a word", "exclamation marks", "question marks"];

/// Words, letters a word, exclamation marks and question marks: what an embedding, which is of one length whatever the
/// text, says little about.
fn shape_of(text: &str) -> [f32; 4] {
    let words = text.split_whitespace().count() as f32;
    let letters = text.chars().filter(|c| c.is_alphanumeric()).count() as f32;
    let count = |mark| text.chars().filter(|&c| c == mark).count() as f32;
    [words, letters / words.max(1.0), count('!'), count('?')]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn fields_and_features_stand_side_by_side() {
        let fields = [
            Embeddings { dims: 1, values: vec![1.0, 2.0] },
            Embeddings { dims: 2, values: vec![3.0, 4.0, 5.0, 6.0] },
        ];
        let cells = [Cells::default(), Cells::default()];
        assert_eq!(shape_of("Run! Run, quick!"), [3.0, 11.0 / 3.0, 2.0, 0.0]);
        assert_eq!(shape_of(""), [0.0; 4]);
        assert_eq!(raw_inputs(&fields, cells.iter(), None).embedding, [1.0, 3.0, 4.0, 2.0, 5.0, 6.0]);
        let config = "name = \"t\"\n[data]\nfiles = [\"*.csv\"]\ntext_fields = [\"a\", \"b\"]\n[label]\ncolumn = \"c\"\n\
                      [features]\nfield_weights = { b = 0.5 }";
        let config = Config::parse(config, Path::new("t.toml")).unwrap();
        let weighted = raw_inputs(&fields, cells.iter(), Some(&config)).embedding;
        assert_eq!(weighted, [1.0, 1.5, 2.0, 2.0, 2.5, 3.0]);
    }
}
