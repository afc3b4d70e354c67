//! Embedding a list of texts.

use std::io::{BufRead, Write};
use std::ops::ControlFlow;
use std::time::Instant;

use pipeline_encoder::{Arithmetic, Encode, Encoder, EncoderSettings, Precision};
use pipeline_torch::padded;

/// Print the arithmetic; then embed the JSON list in the file `texts` once for each line of standard input, print the seconds,
/// and leave the vectors, row after row, in the file `vectors`.
///
/// `precision` is as in pipeline.toml; `way` is `fast`, or `padded` for rust-bert over libtorch; `folder` is the encoder's, which cuts texts
/// after `max_tokens`.
pub fn run(texts: &str, precision: &str, way: &str, vectors: &str, folder: &str, max_tokens: &str) {
    let texts: Vec<String> = serde_json::from_slice(&std::fs::read(texts).unwrap()).unwrap();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let precision: Precision = serde_json::from_value(precision.into()).unwrap();
    let padded = way == "padded";
    let native = Arithmetic::native(precision);
    let settings = EncoderSettings {
        folder: folder.into(),
        max_tokens: max_tokens.parse().unwrap(),
        arithmetic: native.filter(|_| !padded).unwrap_or_else(|| Arithmetic::rust_bert(precision)),
        workers: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let load = if settings.arithmetic.needs_torch() { padded::load } else { Encoder::load };
    let encoder = load(&settings).unwrap();
    println!("{}", settings.arithmetic.name());
    for _ in std::io::stdin().lock().lines() {
        let mut embeddings = vec![Vec::new(); texts.len()];
        let begin = Instant::now();
        encoder
            .encode(&texts, &mut |batch| {
                batch.into_iter().for_each(|e| embeddings[e.text] = e.embedding);
                ControlFlow::Continue(())
            })
            .unwrap();
        println!("{}", begin.elapsed().as_secs_f64());
        let mut file = std::io::BufWriter::new(std::fs::File::create(vectors).unwrap());
        embeddings.iter().flatten().for_each(|v| file.write_all(&v.to_le_bytes()).unwrap());
    }
}
