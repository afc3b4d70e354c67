//! What is learned in each phase: the things that an epoch goes over, and the loss of a batch of them.

use pipeline::fine_tuning::{Phase, TuningError};
use tch::{Kind, Tensor};

use super::batches::sorted;
use super::lower::Lower;
use super::model::Model;
use super::pairs::Pair;
use super::pass::{contrast, loss, vectors};
use super::prepared::Prepared;
use super::random::Dropout;
use super::room::Room;
use super::weights::failed;

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
                all.index_select(0, &Tensor::from_slice(&texts).to_device(all.device()))
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

    /// Add the gradients of the loss of a batch, of which `at_once` things are passed at a time; the loss. It is a mean over the things, so
    /// how many are passed at once changes no more than its last bits, and what is dropped.
    ///
    /// # Errors
    /// libtorch failed.
    pub fn gradients(
        &mut self,
        model: &Model,
        (phase, batch): (Phase, &[usize]),
        at_once: usize,
        known: Option<&Tensor>,
        dropout: &mut Dropout,
    ) -> Result<f64, TuningError> {
        let mut sum = 0.0;
        for piece in batch.chunks(at_once.max(1)) {
            let share = piece.len() as f64 / batch.len() as f64;
            let loss = self.loss(model, phase, piece, known, dropout);
            sum += loss.double_value(&[]) * share;
            let loss = if share < 1.0 { loss * share } else { loss };
            loss.f_backward().map_err(failed)?;
        }
        Ok(sum)
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
    ///
    /// # Errors
    /// libtorch failed, or a row alone has no room.
    pub fn validation(
        &mut self,
        model: &Model,
        batch_size: usize,
        room: &mut Room,
    ) -> Result<Option<f64>, TuningError> {
        let rows = self.data.validation.rows();
        if rows == 0 {
            return Ok(None);
        }
        let lengths = self.data.validation.lengths(&self.data.texts);
        let mut sum = 0.0;
        for batch in sorted(&lengths, batch_size) {
            let mut of_batch = |at_once: usize| {
                let of_pieces = batch
                    .chunks(at_once)
                    .map(|piece| self.validation_loss(model, piece) * piece.len() as f64);
                Ok(of_pieces.sum::<f64>())
            };
            sum += room.halving(batch.len(), &mut of_batch)?;
        }
        Ok(Some(sum / rows as f64))
    }

    fn validation_loss(&mut self, model: &Model, rows: &[usize]) -> f64 {
        let texts = self.data.validation.texts_of(rows);
        let mut none = Dropout::default();
        let loss = tch::no_grad(|| {
            let vectors = vectors(model, &mut self.lower, &self.data, &texts, &mut none);
            loss(model, &self.data.tasks, (&self.data.validation, rows), &vectors, &mut none)
        });
        loss.to_kind(Kind::Double).double_value(&[])
    }
}
