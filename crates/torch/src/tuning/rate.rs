//! The learning rate of each step.

/// Share of the greatest rate in step `step` (from 0) of `steps`: rising in a line over the first `warm_up` of them, then
/// falling in a line to 0 behind the last.
pub fn share(step: usize, steps: usize, warm_up: f64) -> f64 {
    let warm = (warm_up * steps as f64).ceil() as usize;
    if step < warm {
        return (step + 1) as f64 / (warm + 1) as f64;
    }
    steps.saturating_sub(step) as f64 / steps.saturating_sub(warm).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_falls_in_a_line() {
        let all: Vec<f64> = (0..10).map(|step| share(step, 10, 0.3)).collect();
        assert_eq!(all[..4], [0.25, 0.5, 0.75, 1.0]);
        assert!((all[9] - 1.0 / 7.0).abs() < 1e-12);
        assert!((0..5).all(|step| share(step, 5, 0.0) > 0.0) && share(0, 1, 0.9) > 0.0);
    }
}
