//! Which of libtorch's devices trains. All that is saved, loaded or asked lies on the processor.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline::device::{Device, DeviceChoice, DeviceError};
use pipeline::foreign::guarded;
use tch::{Cuda, Kind, Tensor, utils};

use crate::libtorch::without_frames;

/// Where everything lies that is not being trained.
pub const CPU: tch::Device = tch::Device::Cpu;

/// The device that `asked` names, which has answered.
///
/// # Errors
/// A GPU was asked for, and libtorch has no CUDA, does not find the GPU, or cannot compute there.
pub fn open(asked: DeviceChoice) -> Result<tch::Device, DeviceError> {
    if asked == DeviceChoice::Cpu {
        return Ok(CPU);
    }
    let gpus = utils::has_cudart().then(|| usize::try_from(Cuda::device_count()).unwrap_or(0));
    choose(asked, gpus, &answers)
}

/// As it is told and recorded.
pub fn recorded(device: tch::Device) -> Device {
    match device {
        tch::Device::Cuda(_) => Device::Cuda,
        tch::Device::Cpu | tch::Device::Mps | tch::Device::Vulkan => Device::Cpu,
    }
}

/// The device for `asked` where libtorch finds so many `gpus`, `None` where it has no CUDA; `answers` says why one does not.
fn choose(
    asked: DeviceChoice,
    gpus: Option<usize>,
    answers: &dyn Fn(tch::Device) -> Result<(), String>,
) -> Result<tch::Device, DeviceError> {
    let first = tch::Device::Cuda(0);
    match (asked, gpus) {
        (DeviceChoice::Cpu, _) => Ok(CPU),
        (DeviceChoice::Auto, Some(1..)) if answers(first).is_ok() => Ok(first),
        (DeviceChoice::Auto, _) => Ok(CPU),
        (DeviceChoice::Cuda(_), None) => Err(DeviceError::NoCuda { asked, libtorch: libraries() }),
        (DeviceChoice::Cuda(number), Some(gpus)) if number >= gpus => {
            Err(DeviceError::NoGpu { asked, libtorch: libraries(), gpus })
        }
        (DeviceChoice::Cuda(number), Some(_)) => {
            let device = tch::Device::Cuda(number);
            answers(device).map_err(|reason| DeviceError::Silent { asked, reason })?;
            Ok(device)
        }
    }
}

/// Have a device add two numbers.
fn answers(device: tch::Device) -> Result<(), String> {
    let sum = guarded(|| (Tensor::ones([2], (Kind::Float, device)).sum(Kind::Float)).double_value(&[]));
    match sum {
        Ok(2.0) => Ok(()),
        Ok(sum) => Err(format!("1 + 1 is {sum} there")),
        Err(said) => Err(without_frames(&said).to_owned()),
    }
}

/// The folder of the libtorch that this process has loaded.
fn libraries() -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let library = maps
        .lines()
        .find_map(|line| line.find('/').map(|at| &line[at..]).filter(|path| path.contains("libtorch_cpu")));
    library.and_then(|path| Path::new(path).parent()).unwrap_or(Path::new("this program")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_taken_where_it_answers_and_missed_only_where_it_was_asked_for() {
        let (well, ill) = (&|_| Ok(()), &|_| Err("out of memory".to_owned()));
        let (auto, second) = (DeviceChoice::Auto, DeviceChoice::Cuda(1));
        assert_eq!(choose(auto, Some(2), well).unwrap(), tch::Device::Cuda(0));
        assert_eq!(choose(second, Some(2), well).unwrap(), tch::Device::Cuda(1));
        for (gpus, answer) in [(None, &well as &dyn Fn(_) -> _), (Some(0), &well), (Some(1), &ill)] {
            assert_eq!(choose(auto, gpus, answer).unwrap(), CPU);
        }
        assert_eq!(choose(DeviceChoice::Cpu, Some(1), well).unwrap(), CPU);
        let error = choose(second, None, well).unwrap_err();
        assert!(
            matches!(&error, DeviceError::NoCuda { libtorch, .. } if libtorch.join("libc10.so").exists()),
            "{error}"
        );
        assert!(matches!(choose(second, Some(1), well), Err(DeviceError::NoGpu { gpus: 1, .. })));
        let error = choose(second, Some(2), ill).unwrap_err().to_string();
        assert_eq!(error, "--device cuda:1: the GPU does not answer: out of memory");
    }

    #[test]
    fn the_processor_answers_and_a_gpu_that_is_not_there_does_not() {
        assert_eq!(answers(CPU), Ok(()));
        assert!(answers(tch::Device::Cuda(99)).is_err());
    }
}
