//! How fast a pass is on this processor, without any encoder's files.

use std::time::Instant;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::bert::Bert;
use super::forward::Scratch;
use crate::architecture::BertConfig;
use crate::arithmetic::Arithmetic;
use crate::weights::Weights;

/// Sizes of all-MiniLM-L6-v2, and the tokens of a text of an activity.
const HIDDEN: usize = 384;
const HEADS: usize = 12;
const WIDE: usize = 1536;
const LAYERS: f64 = 6.0;
const TOKENS: usize = 77;
/// As many texts as a batch has of that length.
const TEXTS: usize = 6;

/// Texts of 77 tokens that one thread embeds a second by an encoder of the size of all-MiniLM-L6-v2, its weights made up: the
/// best of `rounds` passes through one layer, the layers taken to be alike. A few milliseconds a round.
///
/// # Panics
/// This processor does not run `arithmetic`, or it needs libtorch.
pub fn rate(arithmetic: Arithmetic, rounds: usize) -> f64 {
    let config = BertConfig {
        hidden_size: HIDDEN,
        num_attention_heads: HEADS,
        num_hidden_layers: 1,
        intermediate_size: WIDE,
        layer_norm_eps: 1e-12,
        hidden_act: None,
        position_embedding_type: None,
    };
    let weights = Weights::of(&made_up()).expect("weights of the right form");
    let bert = Bert::pack(&config, arithmetic, &weights).expect("an arithmetic that runs here");
    let text: Vec<i64> = (0..TOKENS as i64).collect();
    let (texts, mut scratch) = ([&text[..]; TEXTS], Scratch::default());
    let mut seconds = || {
        let begin = Instant::now();
        std::hint::black_box(bert.forward(&texts, &mut scratch).expect("tokens that are there"));
        begin.elapsed().as_secs_f64()
    };
    seconds(); // memory comes with the first pass
    let best = (0..rounds.max(1)).map(|_| seconds()).fold(f64::INFINITY, f64::min);
    TEXTS as f64 / (LAYERS * best)
}

/// A layer's weights as a safetensors file has them, seemingly random numbers around 0.
fn made_up() -> Vec<u8> {
    let mut state = 7u64;
    let mut numbers = |size: &[usize]| -> Vec<u8> {
        let count = size.iter().product::<usize>();
        (0..count)
            .flat_map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((state >> 40) as f32 / (1u64 << 26) as f32 - 0.125).to_le_bytes()
            })
            .collect()
    };
    let layer = "encoder.layer.0";
    let mut named = Vec::new();
    for (name, rows) in [("word", TOKENS), ("position", TOKENS), ("token_type", 1)] {
        named.push((format!("embeddings.{name}_embeddings.weight"), vec![rows, HIDDEN]));
    }
    for (name, size) in [
        ("embeddings.LayerNorm".to_owned(), vec![HIDDEN]),
        (format!("{layer}.attention.self.query"), vec![HIDDEN, HIDDEN]),
        (format!("{layer}.attention.self.key"), vec![HIDDEN, HIDDEN]),
        (format!("{layer}.attention.self.value"), vec![HIDDEN, HIDDEN]),
        (format!("{layer}.attention.output.dense"), vec![HIDDEN, HIDDEN]),
        (format!("{layer}.attention.output.LayerNorm"), vec![HIDDEN]),
        (format!("{layer}.intermediate.dense"), vec![WIDE, HIDDEN]),
        (format!("{layer}.output.dense"), vec![HIDDEN, WIDE]),
        (format!("{layer}.output.LayerNorm"), vec![HIDDEN]),
    ] {
        named.push((format!("{name}.bias"), vec![size[0]]));
        named.push((format!("{name}.weight"), size));
    }
    let stored: Vec<_> = named
        .into_iter()
        .map(|(name, size)| {
            let bytes = numbers(&size);
            (name, size, bytes)
        })
        .collect();
    let views = stored.iter().map(|(name, size, bytes)| {
        (name, TensorView::new(Dtype::F32, size.clone(), bytes).expect("as many bytes as the size says"))
    });
    safetensors::serialize(views, None).expect("names that differ")
}
