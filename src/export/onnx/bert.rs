//! A BERT with its pooling as a graph: the same arithmetic as the encoder's own pass, over padded batches.

use pipeline_encoder::{Architecture, BertConfig, Folder, Parameters};

use super::graph::{Attribute, Graph, Kind, Size};
use crate::export::error::ExportError;
use crate::export::target::Target;

/// What a key that is padding gets added before softmax: its share is then 0 in single precision.
const MASKED: f32 = -1e30;

/// The weights of a BERT in a graph; texts of several fields go through the same ones.
pub struct Bert {
    config: BertConfig,
    /// Whether the first token's state is the embedding; else the mean of all.
    first_token: bool,
    normalize: bool,
    /// Length of an embedding.
    dims: usize,
}

/// The values that a text's tokens become.
pub struct Embedded {
    /// `batch × sequence × hidden`.
    pub states: String,
    /// `batch × dims`.
    pub embedding: String,
}

impl Bert {
    /// Put the weights of the encoder in `folder` into `graph`.
    ///
    /// # Errors
    /// It is an encoder that the own pass does not run, or its weights are damaged.
    pub fn load(graph: &mut Graph, folder: &Folder) -> Result<Self, ExportError> {
        let not_expressible = |reason: String| ExportError::NotExpressible {
            target: Target::Onnx,
            reason: format!("of the encoder in {}: {reason}", folder.path.display()),
            setting: "encoder.model",
            instead: "encoders that the own pass runs can be (BERT with mean or first-token pooling)",
        };
        folder.runs_natively().map_err(not_expressible)?;
        let Architecture::Bert(config) = &folder.architecture else {
            return Err(not_expressible(format!("it is a `{}`", folder.architecture.name())));
        };
        let weights = Parameters::open(folder)?;
        let hidden = config.hidden_size;
        for table in ["word", "position", "token_type"] {
            let name = format!("embeddings.{table}_embeddings.weight");
            let values = weights.take(&name, &[0, hidden])?;
            graph.floats(&name, &[values.len() / hidden, hidden], &values);
        }
        let norm = |graph: &mut Graph, name: &str| -> Result<(), ExportError> {
            for part in ["weight", "bias"] {
                let name = format!("{name}.{part}");
                let values = weights.take(&name, &[hidden])?;
                graph.floats(&name, &[hidden], &values);
            }
            Ok(())
        };
        norm(graph, "embeddings.LayerNorm")?;
        let wide = config.intermediate_size;
        for i in 0..config.num_hidden_layers {
            let layer = |part: &str| format!("encoder.layer.{i}.{part}");
            for (part, outputs, inputs) in [
                ("attention.self.query", hidden, hidden),
                ("attention.self.key", hidden, hidden),
                ("attention.self.value", hidden, hidden),
                ("attention.output.dense", hidden, hidden),
                ("intermediate.dense", wide, hidden),
                ("output.dense", hidden, wide),
            ] {
                let name = format!("{}.weight", layer(part));
                let values = weights.take(&name, &[outputs, inputs])?;
                graph.floats(&name, &[inputs, outputs], &turned(&values, inputs));
                let name = format!("{}.bias", layer(part));
                let values = weights.take(&name, &[outputs])?;
                graph.floats(&name, &[outputs], &values);
            }
            norm(graph, &layer("attention.output.LayerNorm"))?;
            norm(graph, &layer("output.LayerNorm"))?;
        }
        Ok(Self {
            config: config.clone(),
            first_token: folder.pooling.pooling_mode_cls_token,
            normalize: folder.normalize,
            dims: folder.dims,
        })
    }

    /// Length of a token's state.
    pub fn hidden(&self) -> usize {
        self.config.hidden_size
    }

    /// Length of an embedding.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// The way of one text field: the inputs `input_ids`, `attention_mask` and `token_type_ids` with `prefix` before their
    /// names, each `batch × sequence`, to its embedding.
    pub fn embed(&self, graph: &mut Graph, prefix: &str) -> Embedded {
        let sequence = format!("{prefix}sequence");
        let sizes = [Size::Named("batch"), Size::Named(&sequence)];
        let [ids, mask, types] = ["input_ids", "attention_mask", "token_type_ids"]
            .map(|name| graph.input(&format!("{prefix}{name}"), Kind::Int64, &sizes));
        let words = graph.node("Gather", &["embeddings.word_embeddings.weight", &ids], &[]);
        let types = graph.node("Gather", &["embeddings.token_type_embeddings.weight", &types], &[]);
        let shape = graph.node("Shape", &[&ids], &[Attribute::Int("start", 1), Attribute::Int("end", 2)]);
        let [from, axis] = [0, 0].map(|value| graph.integers(&[value]));
        let table = "embeddings.position_embeddings.weight";
        let positions = graph.node("Slice", &[table, &from, &shape, &axis], &[]);
        let sum = graph.node("Add", &[&words, &types], &[]);
        let sum = graph.node("Add", &[&sum, &positions], &[]);
        let mut states = self.norm(graph, &sum, "embeddings.LayerNorm");

        let mask = graph.node("Cast", &[&mask], &[Attribute::Int("to", Kind::Float as i64)]);
        let (one, masked) = (graph.number(1.0), graph.number(MASKED));
        let hidden_keys = graph.node("Sub", &[&one, &mask], &[]);
        let hidden_keys = graph.node("Mul", &[&hidden_keys, &masked], &[]);
        let axes = graph.integers(&[1, 2]);
        let bias = graph.node("Unsqueeze", &[&hidden_keys, &axes], &[]);
        for i in 0..self.config.num_hidden_layers {
            states = self.layer(graph, i, &states, &bias);
        }
        let embedding = self.pool(graph, &states, &mask);
        Embedded { states, embedding }
    }

    fn norm(&self, graph: &mut Graph, x: &str, name: &str) -> String {
        let attributes =
            [Attribute::Int("axis", -1), Attribute::Float("epsilon", self.config.layer_norm_eps)];
        let (gain, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        graph.node("LayerNormalization", &[x, &gain, &bias], &attributes)
    }

    fn layer(&self, graph: &mut Graph, i: usize, states: &str, bias: &str) -> String {
        let name = |part: &str| format!("encoder.layer.{i}.{part}");
        let linear = |graph: &mut Graph, x: &str, part: &str| {
            let product = graph.node("MatMul", &[x, &format!("{}.weight", name(part))], &[]);
            graph.node("Add", &[&product, &format!("{}.bias", name(part))], &[])
        };
        let (heads, hidden) = (self.config.num_attention_heads, self.config.hidden_size);
        let head = hidden / heads;
        // 0 keeps a size as it is.
        let split = graph.integers(&[0, 0, heads as i64, head as i64]);
        let part = |graph: &mut Graph, part: &str, order: &[i64]| {
            let x = linear(graph, states, part);
            let x = graph.node("Reshape", &[&x, &split], &[]);
            graph.node("Transpose", &[&x], &[Attribute::Ints("perm", order)])
        };
        let query = part(graph, "attention.self.query", &[0, 2, 1, 3]);
        let key = part(graph, "attention.self.key", &[0, 2, 3, 1]);
        let value = part(graph, "attention.self.value", &[0, 2, 1, 3]);
        let scale = graph.number(1.0 / (head as f32).sqrt());
        let scores = graph.node("MatMul", &[&query, &key], &[]);
        let scores = graph.node("Mul", &[&scores, &scale], &[]);
        let scores = graph.node("Add", &[&scores, bias], &[]);
        let shares = graph.node("Softmax", &[&scores], &[Attribute::Int("axis", -1)]);
        let seen = graph.node("MatMul", &[&shares, &value], &[]);
        let seen = graph.node("Transpose", &[&seen], &[Attribute::Ints("perm", &[0, 2, 1, 3])]);
        let beside = graph.integers(&[0, 0, hidden as i64]);
        let seen = graph.node("Reshape", &[&seen, &beside], &[]);
        let seen = linear(graph, &seen, "attention.output.dense");
        let sum = graph.node("Add", &[states, &seen], &[]);
        let states = self.norm(graph, &sum, &name("attention.output.LayerNorm"));
        let wide = linear(graph, &states, "intermediate.dense");
        let wide = gelu(graph, &wide);
        let narrow = linear(graph, &wide, "output.dense");
        let sum = graph.node("Add", &[&states, &narrow], &[]);
        self.norm(graph, &sum, &name("output.LayerNorm"))
    }

    fn pool(&self, graph: &mut Graph, states: &str, mask: &str) -> String {
        let pooled = if self.first_token {
            let first = graph.integer(0);
            graph.node("Gather", &[states, &first], &[Attribute::Int("axis", 1)])
        } else {
            let (last, tokens) = (graph.integers(&[2]), graph.integers(&[1]));
            let weights = graph.node("Unsqueeze", &[mask, &last], &[]);
            let counted = graph.node("Mul", &[states, &weights], &[]);
            let sums = graph.node("ReduceSum", &[&counted, &tokens], &[Attribute::Int("keepdims", 0)]);
            let counts = graph.node("ReduceSum", &[mask, &tokens], &[Attribute::Int("keepdims", 1)]);
            let one = graph.number(1.0);
            let counts = graph.node("Max", &[&counts, &one], &[]);
            graph.node("Div", &[&sums, &counts], &[])
        };
        if !self.normalize {
            return pooled;
        }
        let length = [Attribute::Ints("axes", &[-1]), Attribute::Int("keepdims", 1)];
        let length = graph.node("ReduceL2", &[&pooled], &length);
        let least = graph.number(1e-12);
        let length = graph.node("Max", &[&length, &least], &[]);
        graph.node("Div", &[&pooled, &length], &[])
    }
}

/// x · ½ · (1 + erf(x / √2)): opset 17 has no Gelu.
fn gelu(graph: &mut Graph, x: &str) -> String {
    let [root, one, half] = [std::f32::consts::FRAC_1_SQRT_2, 1.0, 0.5].map(|value| graph.number(value));
    let scaled = graph.node("Mul", &[x, &root], &[]);
    let share = graph.node("Erf", &[&scaled], &[]);
    let share = graph.node("Add", &[&share, &one], &[]);
    let product = graph.node("Mul", &[x, &share], &[]);
    graph.node("Mul", &[&product, &half], &[])
}

/// The columns of rows of `width` numbers as rows.
pub fn turned(values: &[f32], width: usize) -> Vec<f32> {
    let rows = values.len().checked_div(width).unwrap_or(0);
    (0..width).flat_map(|column| (0..rows).map(move |row| values[row * width + column])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        assert_eq!(turned(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert!(turned(&[], 0).is_empty());
    }
}
