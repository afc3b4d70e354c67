//! Which vector instructions a pass is made of.

use crate::arithmetic::Arithmetic;
#[cfg(target_arch = "x86_64")]
use crate::simd::Avx512Bf16;
use crate::simd::{Portable, Words};

/// The instructions used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Set {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
    #[cfg(target_arch = "x86_64")]
    Amx,
    /// [`Set::Amx`] by its definition.
    #[cfg(test)]
    Emulated,
}

impl Set {
    /// Numbers in a word of the weights.
    pub fn per_word(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 | Self::Amx => Avx512Bf16::PER_WORD,
            #[cfg(test)]
            Self::Emulated => super::tests::Rounded::PER_WORD,
            _ => Portable::PER_WORD,
        }
    }

    /// The best that this processor has for an arithmetic; `None` where it has none.
    pub fn of(arithmetic: Arithmetic) -> Option<Self> {
        if arithmetic.needs_torch() || !arithmetic.runs_here() {
            return None;
        }
        #[cfg(target_arch = "x86_64")]
        match arithmetic {
            Arithmetic::Bf16Avx512 => return Some(Self::Avx512Bf16),
            Arithmetic::Bf16Amx => return Some(Self::Amx),
            Arithmetic::F32 if is_x86_feature_detected!("avx512f") => return Some(Self::Avx512),
            Arithmetic::F32 => return Some(Self::Avx2),
            _ => {}
        }
        Some(Self::Portable)
    }
}
