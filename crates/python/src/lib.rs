//! What `python/pipeline` calls: encoders, saved models, and the program's commands. Everything for people (types of tables, numpy, docs) is
//! Python's; nothing is computed here that the library does not compute.

mod encoder;
mod errors;
mod model;
mod module;
