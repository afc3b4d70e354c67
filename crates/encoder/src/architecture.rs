//! What the config.json of an encoder says, by its `model_type`.

use serde::Deserialize;

/// The kinds of transformers that there is a way to run, natively or through rust-bert.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "model_type", rename_all = "lowercase")]
pub enum Architecture {
    /// BERT (Devlin et al. 2018): MiniLM, BGE, E5, GTE and their like. The own pass runs it.
    Bert(BertConfig),
    /// DistilBERT (Sanh et al. 2019).
    DistilBert {},
    /// RoBERTa (Liu et al. 2019).
    Roberta {},
    /// ALBERT (Lan et al. 2020).
    Albert {},
    /// T5's encoder (Raffel et al. 2020).
    T5 {},
}

/// Sizes of a BERT, as its config.json names them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct BertConfig {
    /// Length of a token's state.
    pub hidden_size: usize,
    /// Heads of attention; they share the state evenly.
    pub num_attention_heads: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Width of the layer between two states.
    pub intermediate_size: usize,
    /// Added to the variance in a layer norm.
    #[serde(default = "layer_norm_eps")]
    pub layer_norm_eps: f32,
    /// Activation; `gelu` where it is not said.
    pub hidden_act: Option<String>,
    /// How places in the text are told; `absolute` where it is not said.
    pub position_embedding_type: Option<String>,
}

fn layer_norm_eps() -> f32 {
    1e-12
}

impl BertConfig {
    /// Whether there can be such a BERT at all, whatever runs it.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self { hidden_size, num_attention_heads: heads, num_hidden_layers, intermediate_size, .. } =
            *self;
        let sizes = [hidden_size, heads, num_hidden_layers, intermediate_size];
        if sizes.contains(&0) || !hidden_size.is_multiple_of(heads) {
            return Err(format!(
                "hidden_size {hidden_size}, num_attention_heads {heads}, num_hidden_layers {num_hidden_layers} and \
                 intermediate_size {intermediate_size} make no BERT"
            ));
        }
        Ok(())
    }
}

impl Architecture {
    /// Name as in config.json.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bert(_) => "bert",
            Self::DistilBert {} => "distilbert",
            Self::Roberta {} => "roberta",
            Self::Albert {} => "albert",
            Self::T5 {} => "t5",
        }
    }
}
