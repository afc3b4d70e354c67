//! A BERT with its tokenizer and what reads its vectors.

use pipeline::fine_tuning::{Depth, TuningError, TuningSettings};
use pipeline_encoder::Precision;
use tch::{Kind, Tensor};

use super::bert::{Bert, unseen};
use super::folder::BertFolder;
use super::lower::states;
use super::random::{Dropout, Stream, uniform};
use super::readout::{Pooling, Readout};
use super::texts::Texts;
use super::weights::failed;
use crate::device::CPU;
use crate::libtorch::single_threaded;

/// What is tuned.
pub struct Model {
    pub bert: Bert,
    pub pooling: Pooling,
    pub readout: Readout,
    /// Its weights are those of `bert`.
    pub folder: BertFolder,
}

impl Model {
    /// What `folder` holds, with its vectors made and read so.
    pub fn new(mut folder: BertFolder, pooling: Pooling, readout: Readout) -> Self {
        let weights = std::mem::take(&mut folder.weights);
        let config = folder.config.clone();
        Self { bert: Bert { config, weights, bfloat16: false, adapter_scale: 0.0 }, pooling, readout, folder }
    }

    /// Make ready for `settings`: the arithmetic, and adapters where there are to be some.
    ///
    /// # Errors
    /// The encoder has not so many layers.
    pub fn begin(&mut self, settings: &TuningSettings, seed: u64) -> Result<(), TuningError> {
        self.bert.bfloat16 = match settings.precision {
            Precision::Auto => has_bfloat16(),
            Precision::F32 => false,
            Precision::Bf16 => true,
        };
        let layers = self.bert.config.num_hidden_layers;
        match settings.depth {
            Depth::Top(top) if top > layers => Err(TuningError::setting(
                "train.encoder",
                format!("top-{top}"),
                format!("the encoder has {layers} layers"),
            )),
            Depth::Top(_) | Depth::Full => Ok(()),
            Depth::Lora { rank, .. } if rank as i64 > self.bert.config.hidden_size => {
                let reason = format!("a state has {} numbers", self.bert.config.hidden_size);
                Err(TuningError::setting("train.tuning.rank", rank, reason))
            }
            Depth::Lora { rank, alpha } => {
                self.begin_adapters(rank, alpha, seed);
                Ok(())
            }
        }
    }

    fn begin_adapters(&mut self, rank: usize, alpha: f64, seed: u64) {
        let (hidden, mut rng) = (self.bert.config.hidden_size, Stream::Adapters.of(seed));
        self.bert.adapter_scale = alpha / rank as f64;
        let rank = rank as i64;
        for layer in 0..self.bert.config.num_hidden_layers {
            for part in ["query", "value"] {
                let name = format!("encoder.layer.{layer}.attention.self.{part}");
                // As the paper's own code: an even draw for the first, nothing for the second, so that they begin by adding nothing.
                let a = uniform(&mut rng, &[rank, hidden], (hidden as f64).sqrt().recip());
                let b = Tensor::zeros([hidden, rank], (Kind::Float, CPU));
                self.bert.weights.insert(format!("{name}.lora_a"), a);
                self.bert.weights.insert(format!("{name}.lora_b"), b);
            }
        }
    }

    /// Begin what reads the vectors of rows of so many fields, columns and outputs. A classifier is there already.
    pub fn begin_readout(&mut self, sizes: [i64; 3], seed: u64) {
        if self.readout == Readout::Linear {
            let mut rng = Stream::Head.of(seed);
            self.readout.begin(&self.bert.config, &mut self.bert.weights, sizes, &mut rng);
        }
    }

    /// Layers below the first that learns, or whose adapter does.
    pub fn frozen(&self, depth: Depth) -> usize {
        match depth {
            Depth::Top(top) => self.bert.config.num_hidden_layers.saturating_sub(top),
            Depth::Lora { .. } | Depth::Full => 0,
        }
    }

    /// The vector of one text, `[1, hidden_size]`, nothing dropped.
    pub fn vector(&self, texts: &Texts, text: usize) -> Tensor {
        tch::no_grad(|| {
            let states = states(&self.bert, texts, text, self.bert.config.num_hidden_layers).unsqueeze(0);
            let mask = Tensor::ones(&states.size()[..2], (states.kind(), states.device()));
            self.pooling.vectors(&states, &mask)
        })
    }

    /// Vectors of some texts, `[texts, hidden_size]`, from the states below the layers from `first` on.
    pub fn vectors(&self, below: Tensor, mask: &Tensor, first: usize, dropout: &mut Dropout) -> Tensor {
        let unseen = unseen(mask);
        let layers = first..self.bert.config.num_hidden_layers;
        let states = layers.fold(below, |states, layer| self.bert.layer(layer, &states, &unseen, dropout));
        self.pooling.vectors(&states, mask)
    }

    /// The vectors of `texts` one behind the other, float32, nothing dropped.
    ///
    /// # Errors
    /// The tokenizer or libtorch failed.
    pub fn embed(&self, texts: &[&str]) -> Result<Vec<f32>, TuningError> {
        single_threaded();
        let (tokens, which) = Texts::new(&self.folder.tokenizer, texts, self.bert.config.vocab_size)?;
        let mut all = Vec::new();
        for text in which {
            let vector = self.vector(&tokens, text).view([-1]);
            all.extend(Vec::<f32>::try_from(vector).map_err(failed)?);
        }
        Ok(all)
    }
}

/// Whether the processor has instructions for bfloat16.
fn has_bfloat16() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}
