//! The config.json of a BERT, as transformers writes it.

use serde::Deserialize;

/// Sizes of a BERT and how it computes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Config {
    /// Which transformer it is.
    pub model_type: ModelType,
    /// Length of a token's state.
    pub hidden_size: i64,
    /// Heads of attention; they share the state evenly.
    pub num_attention_heads: i64,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Width of the layer between two states.
    pub intermediate_size: i64,
    /// Tokens.
    pub vocab_size: i64,
    /// Places of a text.
    pub max_position_embeddings: i64,
    /// Kinds of tokens.
    #[serde(default = "type_vocab_size")]
    pub type_vocab_size: i64,
    /// Added to the variance in a layer norm.
    #[serde(default = "layer_norm_eps")]
    pub layer_norm_eps: f64,
    /// Between the two products of a layer.
    #[serde(default)]
    pub hidden_act: Activation,
    /// How places are told.
    #[serde(default)]
    pub position_embedding_type: Positions,
    /// Whether a token sees those before it only, which is another model.
    #[serde(default)]
    pub is_decoder: bool,
    /// Standard deviation of new weights.
    #[serde(default = "initializer_range")]
    pub initializer_range: f64,
}

/// Transformers that can be tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelType {
    /// BERT (Devlin et al. 2018).
    Bert,
}

/// Activations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// GELU by the error function (Hendrycks & Gimpel 2016).
    #[default]
    Gelu,
    /// GELU by the hyperbolic tangent.
    #[serde(alias = "gelu_pytorch_tanh")]
    GeluNew,
    /// What is above 0.
    Relu,
}

/// How places in the text are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Positions {
    /// An embedding each.
    #[default]
    Absolute,
}

fn type_vocab_size() -> i64 {
    2
}

fn layer_norm_eps() -> f64 {
    1e-12
}

fn initializer_range() -> f64 {
    0.02
}

impl Config {
    /// Whether there can be such a BERT. How large its weights are is known from their file.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), String> {
        let sizes = [
            ("hidden_size", self.hidden_size),
            ("num_attention_heads", self.num_attention_heads),
            ("num_hidden_layers", i64::try_from(self.num_hidden_layers).unwrap_or(i64::MAX)),
            ("intermediate_size", self.intermediate_size),
            ("vocab_size", self.vocab_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ];
        if let Some((name, size)) =
            sizes.into_iter().find(|(_, size)| !(1..=i64::from(i32::MAX)).contains(size))
        {
            return Err(format!("{name} is {size}"));
        }
        if self.hidden_size % self.num_attention_heads != 0 {
            return Err(format!("hidden_size {} in {} heads", self.hidden_size, self.num_attention_heads));
        }
        let positive = |value: f64| value.is_finite() && value > 0.0;
        if !positive(self.layer_norm_eps) || !positive(self.initializer_range) {
            return Err(format!(
                "layer_norm_eps is {}, initializer_range {}",
                self.layer_norm_eps, self.initializer_range
            ));
        }
        if self.is_decoder { Err("is_decoder is set".into()) } else { Ok(()) }
    }

    /// Names and sizes of the weights of the embeddings and of all layers.
    pub fn weights(&self) -> impl Iterator<Item = (String, Vec<i64>)> {
        let (hidden, inner) = (self.hidden_size, self.intermediate_size);
        let norm = move |name: &str| {
            ["weight", "bias"].map(|end| (format!("{name}.LayerNorm.{end}"), vec![hidden])).into_iter()
        };
        let linear = |name: String, outputs: i64, inputs: i64| {
            [(format!("{name}.weight"), vec![outputs, inputs]), (format!("{name}.bias"), vec![outputs])]
                .into_iter()
        };
        let table =
            |name: &str, rows: i64| (format!("embeddings.{name}_embeddings.weight"), vec![rows, hidden]);
        let tables = [
            table("word", self.vocab_size),
            table("position", self.max_position_embeddings),
            table("token_type", self.type_vocab_size),
        ];
        let layers = (0..self.num_hidden_layers).flat_map(move |layer| {
            let below = |name: &str| format!("encoder.layer.{layer}.{name}");
            let square = |name: &str| linear(below(&format!("attention.{name}")), hidden, hidden);
            square("self.query")
                .chain(square("self.key"))
                .chain(square("self.value"))
                .chain(square("output.dense"))
                .chain(norm(&below("attention.output")))
                .chain(linear(below("intermediate.dense"), inner, hidden))
                .chain(linear(below("output.dense"), hidden, inner))
                .chain(norm(&below("output")))
                .collect::<Vec<_>>()
        });
        tables.into_iter().chain(norm("embeddings")).chain(layers)
    }
}
