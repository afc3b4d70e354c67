//! The pass against one written by the definition, on every set of instructions.

use super::bert::Bert;
use super::forward::{Job, Scratch, forward};
use super::matrix::Matrix;
use super::set::Set;
use crate::architecture::BertConfig;
use crate::arithmetic::Arithmetic;
#[cfg(target_arch = "x86_64")]
use crate::simd::may_use_amx;
use crate::simd::{Emulated, Instructions, Portable, Words};
use crate::weights::Weights;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::collections::BTreeMap;

/// Pairs of bfloat16, rounded to nearest.
pub struct Rounded;

// SAFETY: no special instruction.
unsafe impl Words for Rounded {
    const PER_WORD: usize = 2;
    unsafe fn to_words(numbers: &[f32], words: &mut [u32]) {
        for (numbers, word) in numbers.as_chunks::<2>().0.iter().zip(words) {
            let [low, high] = numbers.map(|n| u32::from(half::bf16::from_f32(n).to_bits()));
            *word = low | high << 16;
        }
    }
}

/// The pass on the emulated unit, products and sums between its products fused where the processor can.
pub fn forward_emulated(bert: &Bert, job: Job<'_>, scratch: &mut Scratch) {
    #[cfg(target_arch = "x86_64")]
    {
        use crate::simd::{Avx2, Avx512};
        #[target_feature(enable = "avx2,fma")]
        unsafe fn with_avx2(bert: &Bert, job: Job<'_>, scratch: &mut Scratch) {
            unsafe { forward(bert, job, scratch, &mut Matrix::<_, Rounded, Avx2>::new(Emulated::default())) }
        }
        #[target_feature(enable = "avx512f")]
        unsafe fn with_avx512(bert: &Bert, job: Job<'_>, scratch: &mut Scratch) {
            unsafe {
                forward(bert, job, scratch, &mut Matrix::<_, Rounded, Avx512>::new(Emulated::default()))
            }
        }
        // SAFETY: as detected.
        unsafe {
            if is_x86_feature_detected!("avx512f") {
                return with_avx512(bert, job, scratch);
            } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return with_avx2(bert, job, scratch);
            }
        }
    }
    // SAFETY: Portable is no special instruction.
    unsafe { forward(bert, job, scratch, &mut Matrix::<_, Rounded, Portable>::new(Emulated::default())) }
}

/// Ids below 50, of all lengths around the heights and widths of tiles.
fn texts() -> Vec<Vec<i64>> {
    [1, 2, 5, 6, 7, 11, 12, 13, 31, 32, 33, 64, 65]
        .iter()
        .map(|&n| (0..n).map(|i| (i * 7 + n) % 50).collect())
        .collect()
}

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A BERT with heads of 64 and other weights than any real one, seemingly random ones around 0.1.
fn model() -> (BertConfig, Tensors) {
    let config = BertConfig {
        hidden_size: 128,
        num_attention_heads: 2,
        num_hidden_layers: 3,
        intermediate_size: 96,
        layer_norm_eps: 1e-12,
        hidden_act: None,
        position_embedding_type: None,
    };
    let mut state = 3u64;
    let mut random = |size: &[usize]| {
        let numbers = (0..size.iter().product::<usize>()).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            0.1 + 0.4 * ((state >> 40) as f32 / (1u64 << 24) as f32 - 0.5)
        });
        (size.to_vec(), numbers.collect::<Vec<f32>>())
    };
    let mut tensors = Tensors::new();
    for (name, rows) in [("word", 50), ("position", 65), ("token_type", 2)] {
        tensors.insert(format!("embeddings.{name}_embeddings.weight"), random(&[rows, 128]));
    }
    let mut add = |name: String, outputs: usize, inputs: Option<usize>| {
        let size: Vec<usize> = std::iter::once(outputs).chain(inputs).collect();
        tensors.insert(format!("{name}.weight"), random(&size));
        tensors.insert(format!("{name}.bias"), random(&[outputs]));
    };
    add("embeddings.LayerNorm".into(), 128, None);
    for i in 0..3 {
        let layer = format!("encoder.layer.{i}");
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            add(format!("{layer}.attention.{part}"), 128, Some(128));
        }
        add(format!("{layer}.attention.output.LayerNorm"), 128, None);
        add(format!("{layer}.intermediate.dense"), 96, Some(128));
        add(format!("{layer}.output.dense"), 128, Some(96));
        add(format!("{layer}.output.LayerNorm"), 128, None);
    }
    (config, tensors)
}

fn saved(tensors: &Tensors) -> (tempfile::TempDir, Weights) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let views = tensors.iter().map(|(name, (size, numbers))| {
        (name, TensorView::new(Dtype::F32, size.clone(), bytemuck::cast_slice(numbers)).unwrap())
    });
    safetensors::serialize_to_file(views, None, &path).unwrap();
    let weights = Weights::open(&path).unwrap();
    (folder, weights)
}

/// The paper's formulas in f64, one number at a time: the states of one text.
fn by_definition(config: &BertConfig, tensors: &Tensors, ids: &[i64]) -> Vec<Vec<f64>> {
    let get = |name: &str| tensors[name].1.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
    let linear = |name: &str, x: &[f64]| -> Vec<f64> {
        let (weight, bias) = (get(&format!("{name}.weight")), get(&format!("{name}.bias")));
        let dot = |row: &[f64]| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
        weight.chunks(x.len()).zip(bias).map(|(row, bias)| dot(row) + bias).collect()
    };
    let norm = |name: &str, x: &[f64]| -> Vec<f64> {
        let (gain, bias) = (get(&format!("{name}.weight")), get(&format!("{name}.bias")));
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64;
        let scale = 1.0 / (variance + f64::from(config.layer_norm_eps)).sqrt();
        x.iter().zip(gain.iter().zip(bias)).map(|(v, (g, b))| (v - mean) * scale * g + b).collect()
    };
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<f64>>();
    let hidden = config.hidden_size;
    let row = |name: &str, i: usize| {
        get(&format!("embeddings.{name}_embeddings.weight"))[i * hidden..(i + 1) * hidden].to_vec()
    };
    let embedded = |(place, &id): (usize, &i64)| {
        norm(
            "embeddings.LayerNorm",
            &sum(&sum(&row("word", id as usize), &row("position", place)), &row("token_type", 0)),
        )
    };
    let mut states: Vec<Vec<f64>> = ids.iter().enumerate().map(embedded).collect();
    let size = hidden / config.num_attention_heads;
    for i in 0..config.num_hidden_layers {
        let layer = format!("encoder.layer.{i}");
        let project = |part: &str| -> Vec<Vec<f64>> {
            states.iter().map(|s| linear(&format!("{layer}.attention.self.{part}"), s)).collect()
        };
        let (queries, keys, values) = (project("query"), project("key"), project("value"));
        let mixed = queries.iter().map(|query| {
            let heads = (0..hidden).step_by(size).flat_map(|head| {
                let part = head..head + size;
                let score = |key: &Vec<f64>| {
                    let dot = query[part.clone()].iter().zip(&key[part.clone()]).map(|(q, k)| q * k);
                    (dot.sum::<f64>() / (size as f64).sqrt()).exp()
                };
                let scores: Vec<f64> = keys.iter().map(score).collect();
                let total: f64 = scores.iter().sum();
                let value = |c: usize| scores.iter().zip(&values).map(|(s, v)| s / total * v[c]).sum::<f64>();
                part.clone().map(value).collect::<Vec<f64>>()
            });
            heads.collect::<Vec<f64>>()
        });
        let mixed: Vec<Vec<f64>> = mixed.collect();
        states = states
            .iter()
            .zip(mixed)
            .map(|(state, mixed)| {
                let output = linear(&format!("{layer}.attention.output.dense"), &mixed);
                let state = norm(&format!("{layer}.attention.output.LayerNorm"), &sum(state, &output));
                let wide = linear(&format!("{layer}.intermediate.dense"), &state);
                let wide: Vec<f64> = wide.into_iter().map(super::elementwise::tests::gelu_in_f64).collect();
                let output = linear(&format!("{layer}.output.dense"), &wide);
                norm(&format!("{layer}.output.LayerNorm"), &sum(&state, &output))
            })
            .collect();
    }
    states
}

fn states(config: &BertConfig, set: Set, weights: &Weights, texts: &[&[i64]]) -> Vec<f32> {
    let bert = Bert::pack_for(config, set, weights).unwrap();
    bert.forward(texts, &mut Scratch::default()).unwrap().to_vec()
}

/// The sets of this processor.
fn available() -> Vec<Set> {
    let mut sets = vec![Set::Portable, Set::Emulated];
    #[cfg(target_arch = "x86_64")]
    for (set, has) in [
        (Set::Avx2, is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")),
        (Set::Avx512, is_x86_feature_detected!("avx512f")),
        (Set::Avx512Bf16, is_x86_feature_detected!("avx512bf16")),
        (Set::Amx, may_use_amx().is_ok()),
    ] {
        if has {
            sets.push(set);
        }
    }
    sets
}

fn is_f32(set: Set) -> bool {
    set.per_word() == 1
}

fn is_fused(set: Set) -> bool {
    is_f32(set) && (set != Set::Portable || Portable::FUSED)
}

#[test]
fn every_set_of_instructions_agrees_with_the_definition() {
    let (config, tensors) = model();
    let (_folder, weights) = saved(&tensors);
    let texts = texts();
    let expected: Vec<f64> =
        texts.iter().flat_map(|t| by_definition(&config, &tensors, t)).flatten().collect();
    let texts: Vec<&[i64]> = texts.iter().map(Vec::as_slice).collect();
    for set in available() {
        let allowed = if is_f32(set) { 1e-5 } else { 0.05 };
        let found = states(&config, set, &weights, &texts);
        assert_eq!(found.len(), expected.len());
        for (expected, found) in expected.iter().zip(&found) {
            assert!(
                (expected - f64::from(*found)).abs() < allowed,
                "{set:?}: {found}, by definition {expected}"
            );
        }
    }
}

#[test]
fn float32_is_the_same_to_the_bit_with_any_width_and_in_any_batch() {
    let (config, tensors) = model();
    let (_folder, weights) = saved(&tensors);
    let texts = texts();
    let texts: Vec<&[i64]> = texts.iter().map(Vec::as_slice).collect();
    let sets = available();
    let fused = sets.iter().filter(|&&s| is_fused(s)).map(|&s| states(&config, s, &weights, &texts));
    let fused: Vec<Vec<f32>> = fused.collect();
    assert!(fused.windows(2).all(|pair| pair[0] == pair[1]));
    for set in sets {
        let together = states(&config, set, &weights, &texts);
        let alone: Vec<f32> = texts.iter().flat_map(|t| states(&config, set, &weights, &[t])).collect();
        assert!(together == alone, "{set:?}");
    }
}

#[test]
fn a_text_on_several_threads_has_the_states_that_it_has_on_one() {
    let (config, tensors) = model();
    let (_folder, weights) = saved(&tensors);
    let others = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    for set in available() {
        let bert = Bert::pack_for(&config, set, &weights).unwrap();
        for text in texts() {
            let alone = states(&config, set, &weights, &[&text]);
            for threads in [1, 2, 3, 5] {
                let mut scratches: Vec<Scratch> = (0..threads).map(|_| Scratch::default()).collect();
                let mut scratches: Vec<&mut Scratch> = scratches.iter_mut().collect();
                let together = bert.forward_together(&text, &mut scratches, &others).unwrap();
                assert!(together == alone, "{set:?}: {} tokens on {threads} threads", text.len());
            }
        }
    }
}

/// Says, past what captures the output of tests, whether the unit itself was tested.
#[test]
fn the_unit_is_the_emulated_one_to_the_bit() {
    use std::io::Write;
    let (config, tensors) = model();
    let (_folder, weights) = saved(&tensors);
    let texts = texts();
    let texts: Vec<&[i64]> = texts.iter().map(Vec::as_slice).collect();
    let emulated = states(&config, Set::Emulated, &weights, &texts);
    #[cfg(target_arch = "x86_64")]
    let unit = may_use_amx().map(|()| states(&config, Set::Amx, &weights, &texts)).map_err(|e| e.to_string());
    #[cfg(not(target_arch = "x86_64"))]
    let unit = Err::<Vec<f32>, _>("the processor has none".to_owned());
    let said = match unit {
        Ok(unit) => {
            assert!(unit == emulated, "the unit and its emulation differ");
            "on the unit and by emulation".to_owned()
        }
        Err(why) => format!("by emulation alone: {why}"),
    };
    let _ = writeln!(std::io::stderr(), "bf16-amx tested {said}");
}

#[test]
fn what_does_not_fit_is_said() {
    let (config, mut tensors) = model();
    let (_folder, weights) = saved(&tensors);
    let bert = Bert::pack(&config, Arithmetic::native(crate::Precision::F32).unwrap(), &weights).unwrap();
    let forward = |ids: &[i64]| bert.forward(&[ids], &mut Scratch::default()).unwrap_err();
    assert!(forward(&[1, 50]).contains("token 50"));
    assert!(forward(&[-1]).contains("token -1"));
    assert!(forward(&[1; 66]).contains("66 tokens"));
    assert_eq!(bert.forward(&[&[], &[1, 2], &[]], &mut Scratch::default()).unwrap().len(), 2 * 128);
    let more = BertConfig { num_hidden_layers: usize::MAX, ..config.clone() };
    let error = Bert::pack_for(&more, Set::Portable, &weights).err().unwrap();
    assert!(error.contains("encoder.layer.3"), "{error}");
    tensors.remove("encoder.layer.2.output.dense.bias");
    let error = Bert::pack_for(&config, Set::Portable, &saved(&tensors).1).err().unwrap();
    assert!(error.contains("encoder.layer.2.output.dense.bias"), "{error}");
    let error = Bert::pack(&config, Arithmetic::RustBertF32, &weights).err().unwrap();
    assert!(error.contains("rust-bert-f32"), "{error}");
}
