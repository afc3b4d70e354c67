//! What reads the vectors of a BERT: a linear head over fields and columns, or the pooler and classifier of
//! `BertForSequenceClassification`.

use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use super::bert::Bert;
use super::config::Config;
use super::random::{Dropout, normal};
use super::weights::Weights;
use crate::device::CPU;

/// How states become a text's vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// The first token's, `[CLS]`.
    First,
    /// The mean.
    Mean,
}

/// How a text's vector is made, and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    pub pool: Pool,
    /// Whether it is scaled to length 1.
    pub normalize: bool,
}

impl Pooling {
    /// Vectors, `[texts, hidden_size]`, of states, `[texts, width, hidden_size]`, with their mask, `[texts, width]`.
    pub fn vectors(self, states: &Tensor, mask: &Tensor) -> Tensor {
        let pooled = match self.pool {
            Pool::First => states.select(1, 0),
            Pool::Mean => {
                let mask = mask.unsqueeze(-1);
                let sum = (states * &mask).sum_dim_intlist([1].as_slice(), false, None::<Kind>);
                sum / mask.sum_dim_intlist([1].as_slice(), false, None::<Kind>).clamp_min(1.0)
            }
        };
        if !self.normalize {
            return pooled;
        }
        let length = pooled.norm_scalaropt_dim(2, [1].as_slice(), true).clamp_min(1e-12);
        pooled / length
    }
}

/// What answers from a row's vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readout {
    /// `head`: linear over the vectors of all fields and the columns.
    Linear,
    /// `pooler.dense`, hyperbolic tangent and `classifier`, as `BertForSequenceClassification`; one text, no columns.
    Classifier,
}

/// Names of the products that answer.
const LINEAR: &str = "head";
const POOLER: &str = "pooler.dense";
const CLASSIFIER: &str = "classifier";

impl Readout {
    /// Whether a weight is one of the readout.
    pub fn owns(self, name: &str) -> bool {
        let own: &[&str] = match self {
            Self::Linear => &[LINEAR],
            Self::Classifier => &[POOLER, CLASSIFIER],
        };
        own.iter().any(|own| name.strip_prefix(own).is_some_and(|rest| rest.starts_with('.')))
    }

    /// New weights for answers of `outputs` numbers to rows of `fields` vectors and `columns` numbers; a pooler that is there
    /// is kept.
    pub fn begin(
        self,
        config: &Config,
        weights: &mut Weights,
        [fields, columns, outputs]: [i64; 3],
        rng: &mut ChaCha8Rng,
    ) {
        let hidden = config.hidden_size;
        let products = match self {
            Self::Linear => vec![(LINEAR, outputs, fields * hidden + columns)],
            Self::Classifier if weights.contains_key("pooler.dense.weight") => {
                vec![(CLASSIFIER, outputs, hidden)]
            }
            Self::Classifier => vec![(CLASSIFIER, outputs, hidden), (POOLER, hidden, hidden)],
        };
        for (name, rows, inputs) in products {
            weights.insert(format!("{name}.weight"), normal(rng, &[rows, inputs], config.initializer_range));
            weights.insert(format!("{name}.bias"), Tensor::zeros([rows], (Kind::Float, CPU)));
        }
    }

    /// Answers, `[rows, outputs]`, to vectors, `[rows · fields, hidden_size]`, and columns, `[rows, columns]`.
    pub fn answers(
        self,
        bert: &Bert,
        pooling: Pooling,
        vectors: &Tensor,
        columns: &Tensor,
        dropout: &mut Dropout,
    ) -> Tensor {
        match self {
            Self::Linear => {
                let rows = columns.size()[0];
                let hidden = bert.config.hidden_size;
                // Numbers of a vector of length 1 are small; the head is to see some of the size of 1.
                let scale = if pooling.normalize { (hidden as f64).sqrt() } else { 1.0 };
                let side_by_side = vectors.view([rows, -1]) * scale;
                let inputs = Tensor::cat(&[dropout.apply(&side_by_side), columns.shallow_clone()], 1);
                bert.linear(LINEAR, &inputs, &mut Dropout::default())
            }
            Self::Classifier => {
                let pooled = bert.linear(POOLER, vectors, &mut Dropout::default()).tanh();
                bert.linear(CLASSIFIER, &dropout.apply(&pooled), &mut Dropout::default())
            }
        }
    }
}
