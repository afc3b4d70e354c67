//! What is learned in each phase: the things that an epoch goes over, and the loss of a batch of them.

use pipeline::fine_tuning::Phase;
use tch::{Kind, Tensor};

use super::batches::sorted;
use super::lower::Lower;
use super::model::Model;
use super::pairs::Pair;
use super::pass::{contrast, loss, vectors};
use super::prepared::Prepared;
use super::random::Dropout;

/// Rows and pairs, and what is known of their texts.
pub struct Objective {
    pub data: Prepared,
    /// Pairs of training rows.
    pub pairs: Vec<Pair>,
    pub lower: Lower,
}

impl Objective {
    /// Loss of a batch of what an epoch of the phase goes over; `known` are the vectors of all texts where the encoder learns nothing.
    pub fn loss(
        &mut self,
        model: &Model,
        phase: Phase,
        batch: &[usize],
        known: Option<&Tensor>,
        dropout: &mut Dropout,
    ) -> Tensor {
        let pairs: Vec<Pair> = match phase {
            Phase::Contrastive => batch.iter().map(|&pair| self.pairs[pair]).collect(),
            Phase::Head | Phase::Encoder => Vec::new(),
        };
        let rows: Vec<usize> = match phase {
            Phase::Contrastive => [0, 1].iter().flat_map(|&i| pairs.iter().map(move |p| p.rows[i])).collect(),
            Phase::Head | Phase::Encoder => batch.to_vec(),
        };
        let texts = self.data.train.texts_of(&rows);
        let vectors = match known {
            Some(all) => {
                let texts: Vec<i64> = texts.iter().map(|&text| text as i64).collect();
                all.index_select(0, &Tensor::from_slice(&texts))
            }
            None => vectors(model, &mut self.lower, &self.data, &texts, dropout),
        };
        match phase {
            Phase::Contrastive => contrast(&pairs, &vectors),
            Phase::Head | Phase::Encoder => {
                loss(model, &self.data.tasks, (&self.data.train, &rows), &vectors, dropout)
            }
        }
    }

    /// Things that an epoch of the phase goes over: pairs or rows.
    pub fn things(&self, phase: Phase) -> usize {
        match phase {
            Phase::Contrastive => self.pairs.len(),
            Phase::Head | Phase::Encoder => self.data.train.rows(),
        }
    }

    /// The vector of every text of the training rows, `[texts, hidden_size]`, as the encoder is now.
    pub fn all_vectors(&self, model: &Model) -> Tensor {
        let texts = 0..self.data.train.first_texts();
        Tensor::cat(&texts.map(|text| model.vector(&self.data.texts, text)).collect::<Vec<_>>(), 0)
    }

    /// Length of each thing that an epoch goes over.
    pub fn lengths(&self, phase: Phase) -> Vec<usize> {
        let of_rows = self.data.train.lengths(&self.data.texts);
        match phase {
            Phase::Contrastive => {
                self.pairs.iter().map(|pair| of_rows[pair.rows[0]].max(of_rows[pair.rows[1]])).collect()
            }
            Phase::Head | Phase::Encoder => of_rows,
        }
    }

    /// Loss of the validation rows, nothing dropped; `None` where there are none.
    pub fn validation(&mut self, model: &Model, batch_size: usize) -> Option<f64> {
        let rows = self.data.validation.rows();
        if rows == 0 {
            return None;
        }
        let lengths = self.data.validation.lengths(&self.data.texts);
        let mut sum = 0.0;
        for batch in sorted(&lengths, batch_size) {
            let texts = self.data.validation.texts_of(&batch);
            let mut none = Dropout::default();
            let of_batch = tch::no_grad(|| {
                let vectors = vectors(model, &mut self.lower, &self.data, &texts, &mut none);
                loss(model, &self.data.tasks, (&self.data.validation, &batch), &vectors, &mut none)
            });
            sum += of_batch.to_kind(Kind::Double).double_value(&[]) * batch.len() as f64;
        }
        Some(sum / rows as f64)
    }
}
