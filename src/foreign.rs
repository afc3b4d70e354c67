//! Other people's decoders, which may panic at data that is damaged or hostile; the encoder, which has some, has the guard, too.

pub use pipeline_encoder::{guarded, is_under_way};
