//! Embedding a list of texts.

use std::io::{BufRead, Write};
use std::ops::ControlFlow;
use std::time::Instant;

use pipeline::embed::{Encode, EncoderSettings};
use pipeline_torch::encoder::Encoder;

/// Embed the JSON list in the file `texts` once for each line of standard input, print the seconds, and leave the vectors,
/// row after row, in the file `vectors`.
///
/// `precision` is as in pipeline.toml; `way` is `fast`, or `padded` for rust-bert over libtorch.
pub fn run(texts: &str, precision: &str, way: &str, vectors: &str) {
    let texts: Vec<String> = serde_json::from_slice(&std::fs::read(texts).unwrap()).unwrap();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let settings = EncoderSettings {
        folder: pipeline::store::user_cache().join("all-MiniLM-L6-v2"),
        max_tokens: 256,
        precision: serde_json::from_value(precision.into()).unwrap(),
        workers: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let load = if way == "padded" { Encoder::load_padded } else { Encoder::load };
    let mut encoder = load(&settings).unwrap();
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
