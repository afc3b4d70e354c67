//! Rows to losses: the pass of a batch, forward only.

use pipeline::fine_tuning::TuningTask;
use tch::{Kind, Tensor};

use super::bert::WORDS;
use super::lower::Lower;
use super::model::Model;
use super::pairs::Pair;
use super::prepared::{Part, Prepared};
use super::random::Dropout;

/// Vectors, `[texts, hidden_size]`, of texts that the encoder is learning.
pub fn vectors(
    model: &Model,
    lower: &mut Lower,
    data: &Prepared,
    texts: &[usize],
    dropout: &mut Dropout,
) -> Tensor {
    let kind = model.bert.weights[WORDS].kind();
    let (ids, mask) = data.texts.batch(texts, (kind, model.bert.device()));
    let below = match lower.layers {
        0 => model.bert.embeddings(&ids, dropout),
        _ => lower.states(&model.bert, &data.texts, texts),
    };
    model.vectors(below, &mask, lower.layers, dropout)
}

/// Loss of some rows of a part from the vectors of their texts: the cross-entropy of each task, weighed, by what a row counts
/// on average.
pub fn loss(
    model: &Model,
    tasks: &[TuningTask],
    (part, rows): (&Part, &[usize]),
    vectors: &Tensor,
    dropout: &mut Dropout,
) -> Tensor {
    let (columns, targets) = part.numbers_of(rows, (vectors.kind(), vectors.device()));
    let answers = model.readout.answers(&model.bert, model.pooling, vectors, &columns, dropout);
    let mut sum = Tensor::zeros([], (vectors.kind(), vectors.device()));
    let mut first = 0;
    for task in tasks {
        let classes = task.classes as i64;
        let logs = answers.narrow(1, first, classes).log_softmax(-1, None::<Kind>);
        let missed = (logs * targets.narrow(1, first, classes)).sum(vectors.kind());
        sum -= missed * task.weight;
        first += classes;
    }
    sum / (rows.len() as f64 * part.unit)
}

/// Mean squared difference of the cosines of pairs from 1, where they are of one class, and 0; `vectors` are those of the
/// texts of all first rows, then of all second ones.
pub fn contrast(pairs: &[Pair], vectors: &Tensor) -> Tensor {
    let rows = vectors.view([2 * pairs.len() as i64, -1]);
    let [first, second] = [0, 1].map(|half| rows.narrow(0, half * pairs.len() as i64, pairs.len() as i64));
    let cosines = Tensor::cosine_similarity(&first, &second, 1, 1e-8);
    let same: Vec<f32> = pairs.iter().map(|pair| f32::from(u8::from(pair.same))).collect();
    (cosines - Tensor::from_slice(&same).to_device(vectors.device()).to_kind(vectors.kind()))
        .square()
        .mean(vectors.kind())
}
