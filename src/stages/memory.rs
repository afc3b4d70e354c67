//! How many folds there is memory for at once.

use crate::config::KernelConfig;

/// Matrices of float64, training rows by landmarks, that training a fold holds at most at one time, with all that is smaller:
/// as measured, 3.0 on 3,751 rows, 1.8 on 7,200, and 2.2 on 14,400 with 5,000 landmarks.
const MATRICES: u64 = 4;

/// Share of the free memory that folds may take; the rest is for what else there is.
const SHARE: f64 = 0.8;

/// Bytes that training one fold of so many training rows takes.
pub fn of_fold(rows: usize, kernel: &KernelConfig) -> u64 {
    // Baselines look at all pairs of rows whatever the head is.
    let landmarks = if rows <= kernel.exact_rows { rows } else { kernel.landmarks };
    MATRICES * size_of::<f64>() as u64 * rows as u64 * landmarks as u64
}

/// Share of [`of_fold`] without which no training has been seen to end.
const LEAST: f64 = 0.5;

/// The bytes that training on so many rows takes, where so many are not `free`.
pub fn lacking(rows: usize, kernel: &KernelConfig, free: u64) -> Option<u64> {
    let needed = (of_fold(rows, kernel) as f64 * LEAST) as u64;
    (needed > free).then_some(needed)
}

/// Folds at once, at least 1: as many as there are threads, unless `free` bytes hold fewer of `each`.
pub fn at_once(each: u64, free: u64, threads: usize) -> usize {
    let held = (free as f64 * SHARE / each.max(1) as f64) as usize;
    held.clamp(1, threads.max(1))
}

/// Free bytes of the machine, or of what the system grants this process (control groups); without end where neither is known.
pub fn free() -> u64 {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let granted = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    let available = system.available_memory();
    // There is no /proc in some containers.
    if available == 0 { granted } else { available.min(granted) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_share_the_memory_that_is_free() {
        let each = of_fold(8000, &KernelConfig::default());
        assert_eq!(each, 32 * 8000 * 8000);
        assert!(
            of_fold(20_000, &KernelConfig::default()) < of_fold(10_000, &KernelConfig::default()) * 2 + 1
        );
        assert_eq!(
            [at_once(each, 64 << 30, 16), at_once(each, 16 << 30, 16), at_once(each, 1 << 30, 16)],
            [16, 6, 1]
        );
        assert_eq!(at_once(each, u64::MAX, 0), 1);
        let kernel = KernelConfig { exact_rows: 100_000, ..KernelConfig::default() };
        assert_eq!(lacking(100_000, &kernel, 64 << 30), Some(160_000_000_000));
        assert_eq!(lacking(100_000, &KernelConfig::default(), 64 << 30), None);
        assert_eq!(lacking(8000, &kernel, 1 << 30), None);
        assert!(free() > 1 << 20);
    }
}
