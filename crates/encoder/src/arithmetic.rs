//! Number formats, ways to run an encoder, and the arithmetic that follows from both on this processor.

use serde::{Deserialize, Serialize};

#[cfg(target_arch = "x86_64")]
use crate::simd::may_use_amx;

/// Number format of the encoder's weights and activations. Embeddings are always stored as `f32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// What is fast on the processor, see [`choice`](crate::choice()).
    Auto,
    /// 32-bit floats: equal to sentence-transformers (cosine at least 0.9999).
    F32,
    /// bfloat16: faster where the processor has it, cosine at least 0.999 to `f32`.
    Bf16,
}

/// What runs the encoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The own pass where it can run the encoder, else rust-bert.
    #[default]
    Auto,
    /// The own pass.
    Native,
    /// rust-bert over libtorch.
    RustBert,
}

/// How an embedding's numbers are computed. Two of them differ in the last bits at least, so each has its own caches and
/// models; the name is part of the fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arithmetic {
    /// The own pass in float32, products and sums fused: the same bits on every processor that fuses them.
    F32,
    /// The own pass in float32 on a processor that does not fuse products and sums.
    F32Unfused,
    /// The own pass by the bfloat16 instructions of AVX-512.
    Bf16Avx512,
    /// The own pass in bfloat16 on the matrix unit AMX, attention too.
    Bf16Amx,
    /// rust-bert over libtorch, float32.
    RustBertF32,
    /// rust-bert over libtorch, bfloat16.
    RustBertBf16,
}

impl Arithmetic {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::F32, Self::F32Unfused, Self::Bf16Avx512, Self::Bf16Amx, Self::RustBertF32, Self::RustBertBf16];

    /// Name in fingerprints, manifests and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F32Unfused => "f32-unfused",
            Self::Bf16Avx512 => "bf16-avx512",
            Self::Bf16Amx => "bf16-amx",
            Self::RustBertF32 => "rust-bert-f32",
            Self::RustBertBf16 => "rust-bert-bf16",
        }
    }

    /// Number format, never `auto`.
    pub fn precision(self) -> Precision {
        match self {
            Self::F32 | Self::F32Unfused | Self::RustBertF32 => Precision::F32,
            Self::Bf16Avx512 | Self::Bf16Amx | Self::RustBertBf16 => Precision::Bf16,
        }
    }

    /// Whether libtorch is needed.
    pub fn needs_torch(self) -> bool {
        matches!(self, Self::RustBertF32 | Self::RustBertBf16)
    }

    /// Whether this processor has the instructions.
    pub fn runs_here(self) -> bool {
        self.missing_here().is_ok()
    }

    /// Why this processor does not run it here.
    ///
    /// # Errors
    /// The reason; none where it runs.
    pub fn missing_here(self) -> Result<(), String> {
        let unless = |runs: bool, missing: &str| if runs { Ok(()) } else { Err(missing.to_owned()) };
        match self {
            Self::F32 => unless(fuses(), "the processor does not fuse products and sums"),
            Self::F32Unfused => unless(!fuses(), "the processor fuses products and sums"),
            Self::Bf16Avx512 => unless(has_bf16(), "the processor has no AVX-512 BF16"),
            #[cfg(target_arch = "x86_64")]
            Self::Bf16Amx => may_use_amx().map_err(|refused| refused.to_string()),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Bf16Amx => unless(false, "the processor has no matrix unit AMX"),
            Self::RustBertF32 | Self::RustBertBf16 => Ok(()),
        }
    }
}

fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

fn fuses() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    cfg!(target_arch = "aarch64")
}
