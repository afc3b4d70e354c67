//! The real program with the real encoder on small files. One file a behaviour:
//! `ablation` presets, `advice` of the diagnosis followed, `input` bad and odd raw files, `runs` models that are kept, `scored` a model on labelled rows, `settings` the config, `short_texts` texts of one word, `stages` build and staleness, `cache` what is computed when, `forget` rows, `formats` of tables, `hub` encoders from a model hub, `init` a table to a project file,
//! `arrow_stream` a worker of an engine, `embed_table` a table to its embeddings, `built_before` what an older program left, `figures` what documents state, `layouts` that were released, `links` where they lead, `examples` the commands they show, `explain` why a row has its label, `export` models for other programs, `evaluation` figures, gates and report, `next` sets, suggestions and corrections, `lineage` parts and augmented rows, `labels` predict, `checks` validate, `start` start-up, help and messages, `switches` what every setting moves, `tuned_encoder` an encoder that learns, `tuning` tune.

mod ablation;
mod advice;
mod against;
mod arrow_stream;
mod built_before;
mod cache;
mod checks;
mod collect;
mod curve;
mod decision;
mod embed_table;
mod endpoint;
mod evaluation;
mod examples;
mod explain;
mod export;
mod figures;
mod forget;
mod formats;
mod hub;
mod huge;
mod init;
mod input;
mod labels;
mod lineage;
mod layouts;
mod links;
mod next;
mod project;
mod runs;
mod scored;
mod scrape;
mod serve;
mod settings;
mod short_texts;
mod stages;
mod start;
mod switches;
mod tables;
mod tuned_encoder;
mod tuning;
mod weights;
