//! Matrix products on one thread: rows of activations by packed weights.
//!
//! A tile of the product stays in registers while its inputs stream by (Goto and van de Geijn, "Anatomy of
//! High-Performance Matrix Multiplication", 2008). Numbers are stored in 32-bit *words*: one float32, or two bfloat16
//! that are neighbours along the summed dimension. So float32 and bfloat16 products are the same loop around another
//! instruction, [`Instructions::multiply_add`].
//!
//! Each element of a product is summed in the order of its inputs, whatever tile it falls in. A row's result therefore
//! depends neither on the rows beside it nor on the width of the vectors: it is the same to the bit in every batch, and
//! with vectors of 128, 256 and 512 bits, as long as products and sums are fused ([`Instructions::FUSED`]).

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod bf16;
mod instructions;
mod portable;
mod product;
#[cfg(any(target_arch = "x86_64", test))]
mod tiles;

#[cfg(target_arch = "x86_64")]
pub use amx::{Amx, may_use as may_use_amx};
#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
#[cfg(target_arch = "x86_64")]
pub use bf16::Avx512Bf16;
pub use instructions::{Instructions, Words};
pub use portable::Portable;
pub use product::{PANEL, Panels, Rows, multiply};
#[cfg(test)]
pub use tiles::emulated::Emulated;
#[cfg(any(target_arch = "x86_64", test))]
pub use tiles::{Block, Left, Panel, TILE, Tiles, block, multiply_tiled, place, room};
