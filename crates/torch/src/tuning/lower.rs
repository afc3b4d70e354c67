//! The layers that do not learn: their states are computed once and kept, or each time where they would take too much memory.

use tch::{Kind, Tensor};

use super::bert::{Bert, unseen};
use super::random::Dropout;
use super::texts::Texts;
use crate::device::CPU;

/// The frozen lower part of a BERT: its embeddings and the first layers.
pub struct Lower {
    /// Layers of it.
    pub layers: usize,
    /// States of each text, `[tokens, hidden_size]`, once they were asked for, on the processor, which has more memory than a GPU;
    /// `None` where they are not kept.
    kept: Option<Vec<Option<Tensor>>>,
}

impl Lower {
    /// The first `layers`, whose states of `texts` are kept if they take no more than `bytes`.
    pub fn new(bert: &Bert, layers: usize, texts: &Texts, bytes: u64) -> Self {
        let needed = texts.all_tokens() as u64 * bert.config.hidden_size as u64 * size_of::<f32>() as u64;
        // Without a layer there is nothing to save.
        let kept = (layers > 0 && needed <= bytes).then(|| (0..texts.len()).map(|_| None).collect());
        Self { layers, kept }
    }

    /// States of some texts below the layers that learn, `[texts, width, hidden_size]`, 0 where there is no token.
    pub fn states(&mut self, bert: &Bert, texts: &Texts, which: &[usize]) -> Tensor {
        let own: Vec<Tensor> = which.iter().map(|&text| self.of(bert, texts, text)).collect();
        let width = own.iter().map(|states| states.size()[0]).max().unwrap_or(1);
        let padded: Vec<Tensor> =
            own.iter().map(|states| states.constant_pad_nd([0, 0, 0, width - states.size()[0]])).collect();
        Tensor::stack(&padded, 0)
    }

    /// One text at a time, so that its states are the same to the bit whatever it is asked with, kept or not.
    fn of(&mut self, bert: &Bert, texts: &Texts, text: usize) -> Tensor {
        if let Some(states) = self.kept.as_ref().and_then(|kept| kept[text].as_ref()) {
            return states.to_device(bert.device());
        }
        let states = tch::no_grad(|| states(bert, texts, text, self.layers));
        if let Some(kept) = &mut self.kept {
            kept[text] = Some(states.to_device(CPU));
        }
        states
    }

    #[cfg(test)]
    pub fn keeps(&self) -> bool {
        self.kept.is_some()
    }
}

/// States of one text after the first `layers`, `[tokens, hidden_size]`, nothing dropped.
pub fn states(bert: &Bert, texts: &Texts, text: usize, layers: usize) -> Tensor {
    let (ids, mask) = texts.batch(&[text], (Kind::Float, bert.device()));
    let (unseen, mut none) = (unseen(&mask), Dropout::default());
    let first = bert.embeddings(&ids, &mut none);
    (0..layers).fold(first, |states, layer| bert.layer(layer, &states, &unseen, &mut none)).squeeze_dim(0)
}
