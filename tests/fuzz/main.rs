//! Bytes from outside, changed at random for a bounded time: that nothing panics, takes memory without bound, or is read as something
//! else the second time.
//!
//! `FUZZ_SECONDS` (0, so that only the corpus is replayed) is spent on each target, from `FUZZ_SEED` (1) on; what is found is kept in `FUZZ_FINDINGS` and tried first the next
//! time. What was mended is in the corpus (`tests/fuzz/corpus/TARGET`), which is tried whole by every run.

#[path = "../../crates/serve/tests/fake/mod.rs"]
mod fake;
mod mutation;
mod supervised;
mod target;
mod targets;
mod worker;

/// A test for each target, and the list of them.
macro_rules! targets {
    ($($test:ident: $target:expr,)*) => {
        $(#[test]
        fn $test() {
            supervised::fuzz(&$target);
        })*

        /// Does nothing but in the processes that the others start.
        #[test]
        fn worker() {
            supervised::worker(&[$(&$target),*]);
        }
    };
}

targets! {
    csv: targets::table::CSV,
    tsv_packed: targets::table::GZIP,
    json_lines: targets::table::JSON_LINES,
    parquet: targets::table::PARQUET,
    arrow_file: targets::table::ARROW,
    arrow_stream: targets::table::ARROW_STREAM,
    spreadsheet: targets::table::XLSX,
    sheet: targets::table::SHEET,
    open_document: targets::table::ODS,
    dataset: targets::table::DATASET,
    config: targets::config::CONFIG,
    tensors: targets::model::TENSORS,
    npy: targets::model::NPY,
    card: targets::model::CARD,
    inputs: targets::model::INPUTS,
    calibration: targets::model::CALIBRATION,
    metrics: targets::model::METRICS,
    novelty: targets::model::NOVELTY,
    head_kernel: targets::head::KERNEL,
    head_neighbours: targets::head::NEIGHBOURS,
    head_logistic: targets::head::PROTOTYPES,
    head_trees: targets::head::TREES,
    encoder_config: targets::encoder::CONFIG,
    encoder_modules: targets::encoder::MODULES,
    encoder_pooling: targets::encoder::POOLING,
    encoder_sentences: targets::encoder::SENTENCES,
    tokenizer: targets::encoder::TOKENIZER,
    encoder_weights: targets::encoder::WEIGHTS,
    http_body: targets::http::BODY,
    http_request: targets::http::REQUEST,
}
