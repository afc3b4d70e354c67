//! Writing and reading so many cached embeddings.

use std::path::Path;
use std::time::Instant;

use pipeline::embed::{Cache, embed};
use pipeline::progress::Silent;
use pipeline_encoder::Encoded;

const DIMS: usize = 384;
const BATCH: usize = 4096;

/// Fill the cache in `folder` if it has not these texts yet, then do what a run does when all is cached: see what is
/// missing, count the cut texts, read the embeddings.
pub fn run(folder: &Path, count: usize) {
    let texts: Vec<String> =
        (0..count).map(|i| format!("an activity whose number is {i}, told in a few words")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let cache = Cache::open(&folder.join(format!("{count}.redb")), "measured", DIMS).unwrap();
    let begin = Instant::now();
    for (chunk, first) in texts.chunks(BATCH).zip((0..).step_by(BATCH)) {
        if cache.tokens(&chunk[..1]).unwrap()[0].is_some() {
            continue;
        }
        let vector = |text: usize| (0..DIMS).map(|d| ((first + text) * 31 + d) as f32).collect();
        let encoded: Vec<Encoded> =
            (0..chunk.len()).map(|text| Encoded { text, tokens: 12, embedding: vector(text) }).collect();
        cache.insert(chunk, &encoded).unwrap();
    }
    let write = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let none = &mut || unreachable!("all is cached");
    let report = embed(&texts, &cache, 256, none, &Silent).unwrap();
    assert_eq!((report.computed, report.truncated), (0, 0));
    let look_up = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let sum: f64 = texts.chunks(BATCH).map(|chunk| f64::from(cache.get(chunk).unwrap().values[0])).sum();
    assert!(sum >= 0.0);
    let read = begin.elapsed().as_secs_f64();
    println!("{{\"write\": {write:.3}, \"look_up\": {look_up:.3}, \"read\": {read:.3}}}");
}
