//! Where libtorch computes.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where libtorch is asked to train.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// On the first GPU where libtorch has CUDA and one answers, else on the processor.
    #[default]
    Auto,
    /// On the processor.
    Cpu,
    /// On this GPU, from 0, or not at all.
    Cuda(usize),
}

/// Where libtorch computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor.
    Cpu,
    /// A GPU, by CUDA.
    Cuda,
}

impl Display for DeviceChoice {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(0) => f.write_str("cuda"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl Display for Device {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        })
    }
}

/// A text that names no device.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is none of auto, cpu, cuda and cuda:N, N from 0 to {LAST}")]
pub struct NoDevice;

/// The greatest number of a GPU that libtorch can name.
const LAST: usize = i8::MAX as usize;

impl FromStr for DeviceChoice {
    type Err = NoDevice;

    fn from_str(text: &str) -> Result<Self, NoDevice> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let digits = text.strip_prefix("cuda:").ok_or(NoDevice)?;
                let number = digits.parse().ok().filter(|number| *number <= LAST);
                number.filter(|_| !digits.starts_with('+')).map(Self::Cuda).ok_or(NoDevice)
            }
        }
    }
}

/// Why libtorch cannot compute where it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// libtorch was built, or is loaded, without CUDA.
    #[error("--device {asked}: the libtorch in {} has no CUDA", libtorch.display())]
    NoCuda {
        /// What was asked for.
        asked: DeviceChoice,
        /// The folder of its libraries.
        libtorch: PathBuf,
    },
    /// libtorch has CUDA, but not this GPU.
    #[error("--device {asked}: the libtorch in {} has CUDA and finds {gpus} GPUs", libtorch.display())]
    NoGpu {
        /// What was asked for.
        asked: DeviceChoice,
        /// The folder of its libraries.
        libtorch: PathBuf,
        /// GPUs that it finds.
        gpus: usize,
    },
    /// The GPU is there and does not compute.
    #[error("--device {asked}: the GPU does not answer: {reason}")]
    Silent {
        /// What was asked for.
        asked: DeviceChoice,
        /// What libtorch says.
        reason: String,
    },
}

impl DeviceError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoCuda { .. } => "LIBTORCH names the folder of another libtorch 2.4, one with lib/libtorch_cuda.so \
                                    (the PyTorch 2.4.0 of pip has it: LIBTORCH=.../site-packages/torch); --device cpu goes on \
                                    without"
                .into(),
            Self::NoGpu { .. } => "GPUs are counted from 0, those of CUDA_VISIBLE_DEVICES alone, and need NVIDIA's driver \
                                   (`nvidia-smi` lists them); --device cpu goes on without"
                .into(),
            Self::Silent { .. } => "another program may hold all of its memory (`nvidia-smi`); --device cpu goes on without".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written_and_nothing_else_is() {
        for (text, device) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda", DeviceChoice::Cuda(0)),
            ("cuda:3", DeviceChoice::Cuda(3)),
        ] {
            assert_eq!((text.parse(), device.to_string().as_str()), (Ok(device), text));
        }
        assert_eq!("cuda:0".parse(), Ok(DeviceChoice::Cuda(0)));
        for text in [
            "",
            "gpu",
            "CUDA",
            "cuda:",
            "cuda:-1",
            "cuda:+1",
            "cuda:128",
            "cuda: 1",
            "cuda:99999999999999999999",
        ] {
            assert_eq!(text.parse::<DeviceChoice>(), Err(NoDevice), "{text}");
        }
    }
}
