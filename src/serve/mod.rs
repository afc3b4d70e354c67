//! Saved models and encoders as the server asks them (`crates/serve`, which knows neither).

mod embedded;
mod encoder;
mod model;

pub use encoder::EncoderFolder;
pub use model::ModelFolder;
