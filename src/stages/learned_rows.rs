//! The rows that a model has learned from, where its project still has them: which of them are most like a new one.

use std::path::Path;

use super::compare::answers;
use super::error::BuildError;
use super::scored::{learned_embeddings, learned_texts, texts_of};
use crate::counting::{counted, grouped};
use crate::embed::Embeddings;
use crate::inputs::raw_inputs;
use crate::model::{ModelFiles, Neighbour, Predictor, load_evaluation};
use crate::progress::Silent;
use crate::split::mean_cosine_vectors;
use crate::table::{self, Cells, Dataset};

/// The rows of a training.
pub struct LearnedRows {
    dataset: Dataset,
    /// Places in the dataset.
    rows: Vec<usize>,
    /// `rows × dims`; the product of two is the mean of their fields' cosines.
    vectors: Vec<f32>,
    dims: usize,
    fields: usize,
}

/// The rows that `predictor`, of the model in `files`, has learned from, with what the embed stage left of them in the project in `root`.
/// Those of the test part are none, and neither are rows that have come since.
///
/// # Errors
/// The raw data, the embeddings or the model's `predictions.csv` are not here, or do not belong together.
pub fn learned_rows(
    predictor: &Predictor,
    files: &ModelFiles,
    root: &Path,
) -> Result<LearnedRows, BuildError> {
    let learned = learned_texts(answers(files, &load_evaluation(files)?)?);
    let (dataset, _) = table::read(&predictor.card().config, root, &Silent)?;
    let missing = |reason: String| BuildError::Artefact { path: root.join("data/embeddings"), reason };
    let embeddings = learned_embeddings(root, predictor).ok_or_else(|| {
        missing("the embeddings of the training are not there, or of another encoder".into())
    })?;
    if let Some(other) = embeddings.iter().map(Embeddings::rows).find(|&rows| rows != dataset.rows.len()) {
        let (has, wanted) = (counted(other, "row", "rows"), grouped(dataset.rows.len()));
        return Err(missing(format!("a matrix has {has}, the data has {wanted}")));
    }
    let rows: Vec<usize> =
        (0..dataset.rows.len()).filter(|&row| learned.contains(&texts_of(&dataset.rows[row]))).collect();
    let fields = embeddings.len();
    let pick = |of: &Embeddings| Embeddings {
        dims: of.dims,
        values: rows.iter().flat_map(|&row| of.row(row)).copied().collect(),
    };
    let (vectors, dims) = vectors(&embeddings.iter().map(pick).collect::<Vec<_>>(), rows.len());
    Ok(LearnedRows { dataset, rows, vectors, dims, fields })
}

/// One vector a row, whose products are means of cosines, and their length.
pub(super) fn vectors(embeddings: &[Embeddings], rows: usize) -> (Vec<f32>, usize) {
    let none = Cells::default();
    let raw = raw_inputs(embeddings, std::iter::repeat_n(&none, rows), None);
    let fields = embeddings.len().max(1);
    (mean_cosine_vectors(&raw.embedding, fields, raw.embedding_dims / fields), raw.embedding_dims)
}

/// The `count` of `rows`, which have these `vectors`, whose products with `asked` are greatest, with these, the greatest first.
pub(super) fn most_similar(
    asked: &[f32],
    vectors: &[f32],
    rows: &[usize],
    count: usize,
) -> Vec<(f32, usize)> {
    let product = |vector: &[f32]| vector.iter().zip(asked).map(|(a, b)| a * b).sum::<f32>();
    let products = vectors.chunks_exact(asked.len().max(1)).map(product);
    let mut found: Vec<(f32, usize)> = products.zip(rows.iter().copied()).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    found.truncate(count);
    found
}

impl LearnedRows {
    /// The `count` rows most like each of `rows` new ones with these `embeddings` (a matrix a text field), the nearest first; their texts
    /// where `with_text`.
    pub fn nearest(
        &self,
        embeddings: &[Embeddings],
        rows: usize,
        count: usize,
        with_text: bool,
    ) -> Vec<Vec<Neighbour>> {
        let (asked, dims) = vectors(embeddings, rows);
        if dims != self.dims || dims == 0 || embeddings.len() != self.fields {
            return vec![Vec::new(); rows];
        }
        asked.chunks_exact(dims).map(|row| self.nearest_to(row, count, with_text)).collect()
    }

    fn nearest_to(&self, asked: &[f32], count: usize, with_text: bool) -> Vec<Neighbour> {
        let found = most_similar(asked, &self.vectors, &self.rows, count);
        let neighbour = |&(cosine, row): &(f32, usize)| {
            let of = &self.dataset.rows[row];
            Neighbour {
                place: self.dataset.place(row),
                label: self.dataset.classes[of.class].clone(),
                cosine: cosine.clamp(-1.0, 1.0),
                text: with_text.then(|| of.cells.texts.join("\n")),
            }
        };
        found.iter().map(neighbour).collect()
    }
}
