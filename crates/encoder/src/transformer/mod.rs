//! The forward pass of BERT (Devlin et al. 2018, arXiv 1810.04805) made for short texts on few cores.
//!
//! What libtorch's loses and this one does not: padding (the texts of a batch lie one behind the other, and only
//! attention looks at where they begin), the passes over memory between two operations (bias, GELU and the residual sum
//! are done while a tile of a product is at hand), and packing weights at each product (they are packed once, here). The
//! sums, layer norms and softmax are float32 also where the weights are bfloat16.

mod arena;
mod bert;
mod elementwise;
mod forward;
#[cfg(any(target_arch = "x86_64", test))]
mod matrix;
mod pack;
mod products;
mod rate;
mod set;
#[cfg(any(target_arch = "x86_64", test))]
mod short;
#[cfg(test)]
mod tests;
mod team;
mod vectors;

pub use bert::Bert;
pub use forward::Scratch;
pub use rate::rate;
