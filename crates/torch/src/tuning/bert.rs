//! The pass of a BERT that gradients go back through.

use tch::{Device, Kind, Tensor};

use super::config::{Activation, Config};
use super::random::Dropout;
use super::weights::Weights;

/// Added to the attention to what is no token. Finite, so that a row of nothing but padding is no row of no numbers.
const NOT_SEEN: f64 = -1e30;

/// A BERT (Devlin et al. 2018), after the layer norm as transformers' `BertModel` is, with adapters where it has any.
pub struct Bert {
    pub config: Config,
    /// Its own by the names of `BertModel`, those of adapters (`….lora_a`, `[rank, inputs]`, and `….lora_b`, `[outputs, rank]`),
    /// and those of what reads its vectors.
    pub weights: Weights,
    /// Products in bfloat16; sums, norms and softmax stay in float32.
    pub bfloat16: bool,
    /// What the adapters add is scaled by this.
    pub adapter_scale: f64,
}

/// Its greatest weight.
pub const WORDS: &str = "embeddings.word_embeddings.weight";

impl Bert {
    /// Where its weights lie.
    pub fn device(&self) -> Device {
        self.weights[WORDS].device()
    }

    /// Move its weights, and those of what reads its vectors.
    pub fn move_to(&mut self, device: Device) {
        for weight in self.weights.values_mut() {
            *weight = weight.detach().to_device(device);
        }
    }

    /// Token ids, `[texts, width]`, to their embeddings, `[texts, width, hidden_size]`.
    pub fn embeddings(&self, ids: &Tensor, dropout: &mut Dropout) -> Tensor {
        let table = |name: &str| &self.weights[&format!("embeddings.{name}_embeddings.weight")];
        let width = ids.size()[1];
        let words = Tensor::embedding(table("word"), ids, -1, false, false);
        // All tokens are of the first text of a pair.
        let sum = words + table("position").narrow(0, 0, width) + table("token_type").get(0);
        dropout.apply(&self.norm("embeddings", &sum))
    }

    /// The states of a layer, `[texts, width, hidden_size]`, from those below it; `unseen` is that of [`unseen`].
    pub fn layer(&self, layer: usize, states: &Tensor, unseen: &Tensor, dropout: &mut Dropout) -> Tensor {
        let below = |name: &str| format!("encoder.layer.{layer}.{name}");
        let attended = self.attention(&below("attention.self"), states, unseen, dropout);
        let attended = self.linear(&below("attention.output.dense"), &attended, dropout);
        let attended = self.norm(&below("attention.output"), &(dropout.apply(&attended) + states));
        let inner = self.linear(&below("intermediate.dense"), &attended, dropout);
        let inner = match self.config.hidden_act {
            Activation::Gelu => inner.gelu("none"),
            Activation::GeluNew => inner.gelu("tanh"),
            Activation::Relu => inner.relu(),
        };
        let output = self.linear(&below("output.dense"), &inner, dropout);
        self.norm(&below("output"), &(dropout.apply(&output) + attended))
    }

    fn attention(&self, name: &str, states: &Tensor, unseen: &Tensor, dropout: &mut Dropout) -> Tensor {
        let [texts, width, hidden] = states.size()[..] else { return states.shallow_clone() };
        let heads = self.config.num_attention_heads;
        let mut split = |part: &str| {
            let states = self.linear(&format!("{name}.{part}"), states, dropout);
            states.view([texts, width, heads, hidden / heads]).transpose(1, 2)
        };
        let [query, key, value] = ["query", "key", "value"].map(&mut split);
        let scores = self.product(&query, &key.transpose(-1, -2)) / ((hidden / heads) as f64).sqrt();
        let shares = dropout.apply(&(scores + unseen).softmax(-1, None));
        self.product(&shares, &value).transpose(1, 2).contiguous().view([texts, width, hidden])
    }

    /// `x · weightᵀ + bias`, and what an adapter adds.
    pub fn linear(&self, name: &str, x: &Tensor, dropout: &mut Dropout) -> Tensor {
        let weight = &self.weights[&format!("{name}.weight")];
        let bias = &self.weights[&format!("{name}.bias")];
        let own = self.apply(x, weight, Some(bias));
        let adapter = |end: &str| self.weights.get(&format!("{name}.{end}"));
        let (Some(a), Some(b)) = (adapter("lora_a"), adapter("lora_b")) else { return own };
        let added = self.apply(&self.apply(&dropout.apply(x), a, None), b, None);
        own + added * self.adapter_scale
    }

    fn apply(&self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        if !self.bfloat16 {
            return x.linear(weight, bias);
        }
        let short = |tensor: &Tensor| tensor.to_kind(Kind::BFloat16);
        short(x).linear(&short(weight), bias.map(short)).to_kind(x.kind())
    }

    fn product(&self, left: &Tensor, right: &Tensor) -> Tensor {
        if !self.bfloat16 {
            return left.matmul(right);
        }
        let short = |tensor: &Tensor| tensor.to_kind(Kind::BFloat16);
        short(left).matmul(&short(right)).to_kind(left.kind())
    }

    fn norm(&self, name: &str, x: &Tensor) -> Tensor {
        let weight = |end: &str| Some(&self.weights[&format!("{name}.LayerNorm.{end}")]);
        x.layer_norm(
            [self.config.hidden_size],
            weight("weight"),
            weight("bias"),
            self.config.layer_norm_eps,
            false,
        )
    }

    /// Put what the adapters have learned into the weights that they belong to, and take them away.
    pub fn merge_adapters(&mut self) {
        let names: Vec<String> =
            self.weights.keys().filter_map(|name| name.strip_suffix(".lora_a")).map(str::to_owned).collect();
        for name in names {
            let mut take = |end: &str| self.weights.remove(&format!("{name}.{end}"));
            if let (Some(a), Some(b)) = (take("lora_a"), take("lora_b"))
                && let Some(weight) = self.weights.get_mut(&format!("{name}.weight"))
            {
                *weight = tch::no_grad(|| weight.detach() + b.matmul(&a) * self.adapter_scale);
            }
        }
    }
}

/// What is added to the scores of attention: 0 to tokens, next to nothing to padding. `mask` is `[texts, width]`, 1 for tokens.
pub fn unseen(mask: &Tensor) -> Tensor {
    ((mask - 1.0) * -NOT_SEEN).unsqueeze(1).unsqueeze(1)
}
