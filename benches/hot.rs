//! The hot parts one by one: `cargo bench --bench hot`, or `cargo bench --bench hot -- embed` for some of them.
//!
//! Inputs are the same in every run. Compare two versions on one machine: `-- --save-baseline before`, then
//! `-- --baseline before`. Against other libraries: `scripts/bench`.

use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pipeline::embed::Cache;
use pipeline::evaluate::Sample;
use pipeline_encoder::{Arithmetic, Encode, Encoded, Encoder, EncoderSettings, Precision};
use pipeline_torch::padded;

/// A text of `words` words, another for each `seed`.
fn text(seed: usize, words: usize) -> String {
    const WORDS: [&str; 12] =
        ["pour", "the", "water", "into", "small", "cups", "and", "count", "how", "many", "children", "laugh"];
    (0..words).map(|i| WORDS[(seed * 7 + i * (seed + 3)) % WORDS.len()]).collect::<Vec<_>>().join(" ")
}

/// Numbers between -1 and 1.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.7).sin()).collect()
}

fn embed(c: &mut Criterion) {
    let folder = pipeline::store::user_cache().join("all-MiniLM-L6-v2");
    let mut group = c.benchmark_group("embed");
    group.sample_size(20);
    let native = [Precision::F32, Precision::Bf16].into_iter().filter_map(Arithmetic::native);
    for arithmetic in native.chain([Arithmetic::RustBertF32]) {
        let settings = EncoderSettings { folder: folder.clone(), max_tokens: 256, arithmetic, workers: 1 };
        let encoder =
            if arithmetic.needs_torch() { padded::load(&settings) } else { Encoder::load(&settings) }
                .unwrap();
        let name = arithmetic.name();
        for (texts, words) in [(1, 12), (64, 12), (64, 60)] {
            let texts: Vec<String> = (0..texts).map(|seed| text(seed, words)).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            group.throughput(Throughput::Elements(texts.len() as u64));
            group.bench_function(format!("{name}/{}-texts-of-{words}-words", texts.len()), |b| {
                b.iter(|| {
                    let sink = &mut |batch| {
                        black_box::<Vec<Encoded>>(batch);
                        ControlFlow::Continue(())
                    };
                    encoder.encode(&texts, sink).unwrap();
                });
            });
        }
    }
    group.finish();
}

fn cache(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(&folder.path().join("cache.redb"), "bench", 384).unwrap();
    let texts: Vec<String> = (0..4096).map(|seed| format!("{seed} {}", text(seed, 40))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let batch: Vec<Encoded> =
        (0..texts.len()).map(|text| Encoded { text, tokens: 42, embedding: numbers(384) }).collect();
    let mut group = c.benchmark_group("cache");
    group.sample_size(10).throughput(Throughput::Elements(texts.len() as u64));
    group.bench_function("write-4096", |b| b.iter(|| cache.insert(&texts, &batch).unwrap()));
    group.bench_function("look-up-4096", |b| b.iter(|| cache.tokens(&texts).unwrap()));
    group.bench_function("read-4096", |b| b.iter(|| cache.get(&texts).unwrap()));
    group.finish();
}

fn figures(c: &mut Criterion) {
    let mut group = c.benchmark_group("figures");
    group.sample_size(10);
    let values: Vec<f64> = numbers(2000).iter().map(|&v| f64::from(v)).collect();
    group
        .bench_function("bootstrap-of-2000", |b| b.iter(|| Sample::new(values.len(), None).mean(7, &values)));
    group.finish();
}

criterion_group!(benches, embed, cache, figures);
criterion_main!(benches);
