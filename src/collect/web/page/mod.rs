//! What a page says: the things that it describes, its main text, what CSS rules point at; and the row that rules make of it.

mod candidate;
mod css;
mod extract;
mod item;
mod licence;
mod main_text;
mod mapping;
mod microdata;
mod nesting;
mod number;
mod page_text;
mod rules;
mod source;
mod structured;

#[cfg(test)]
pub use candidate::Provenance;
pub use candidate::{Candidate, Seen};
pub use extract::{Extractor, Page};
pub use mapping::Mapping;
pub use rules::Rules;
