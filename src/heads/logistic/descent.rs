//! L-BFGS: the way down a smooth convex function by the last few gradients (Nocedal & Wright 2006, algorithms 7.4 and 7.5); where
//! the curvature is known, Newton's method (the same, section 3.3).
//!
//! Own code, because argmin 0.11 copies all vectors at each of its steps and adds up number by number: of a model with
//! 320,000 weights a step took 65 ms, of which the passes over the rows were 15.

use std::collections::VecDeque;

use crate::heads::lanes::Real;

/// Steps that are remembered.
const MEMORY: usize = 10;

/// A step is taken that lowers the cost by this share of what the slope promises, and flattens the slope to that share
/// (Wolfe's conditions, with the constants of Nocedal & Wright, section 3.1).
const DECREASE: f64 = 1e-4;
const FLATTER: f64 = 0.9;

/// Lengths of a step that are tried.
const TRIES: usize = 20;

/// What is minimised.
pub trait Cost<T> {
    /// Its value at a point, and its gradient there, put into `gradient`.
    fn evaluate(&mut self, at: &[T], gradient: &mut [T]) -> f64;

    /// Minus the inverse of the matrix of second derivatives at a point, times the gradient there; none where that is too
    /// dear.
    fn newton_step(&mut self, _at: &[T], _gradient: &[T]) -> Option<Vec<T>> {
        None
    }
}

/// When the descent ends.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Length of the gradient.
    pub gradient: f64,
    /// What a step lowers the cost by.
    pub cost: f64,
    /// Most steps.
    pub steps: u64,
}

/// A step that was taken, and how the gradient changed on it.
struct Step<T> {
    moved: Vec<T>,
    change: Vec<T>,
    /// Product of the two.
    product: f64,
}

/// The lowest point that is found from `start` on.
pub fn descend<T: Real>(cost: &mut impl Cost<T>, start: Vec<T>, limits: Limits) -> Vec<T> {
    let mut at = start;
    let mut gradient = vec![T::default(); at.len()];
    let mut value = cost.evaluate(&at, &mut gradient);
    let (mut next, mut next_gradient) = (at.clone(), gradient.clone());
    let mut steps: VecDeque<Step<T>> = VecDeque::new();
    for _ in 0..limits.steps {
        let length = dot(&gradient, &gradient).sqrt();
        if length.is_nan() || length <= limits.gradient {
            break;
        }
        let newton = cost.newton_step(&at, &gradient);
        // The first step is of length 1 where nothing is known of the curvature.
        let first = if newton.is_none() && steps.is_empty() { (1.0 / length).min(1.0) } else { 1.0 };
        let way = newton.unwrap_or_else(|| direction(&gradient, &steps));
        let slope = dot(&way, &gradient);
        let tried = |by: f64, next: &mut [T], next_gradient: &mut [T]| {
            put_sum(next, &at, T::of(by), &way);
            let value = cost.evaluate(next, next_gradient);
            (value, dot(&way, next_gradient))
        };
        let Some(found) = line_search(tried, [value, slope], first, [&mut next, &mut next_gradient]) else {
            break;
        };
        let mut step = if steps.len() == MEMORY { steps.pop_front() } else { None }.unwrap_or_else(|| Step {
            moved: vec![T::default(); at.len()],
            change: vec![T::default(); at.len()],
            product: 0.0,
        });
        put_sum(&mut step.moved, &next, T::of(-1.0), &at);
        put_sum(&mut step.change, &next_gradient, T::of(-1.0), &gradient);
        step.product = dot(&step.moved, &step.change);
        if step.product > f64::EPSILON * dot(&step.change, &step.change) {
            steps.push_back(step);
        }
        let lower = value - found;
        std::mem::swap(&mut at, &mut next);
        std::mem::swap(&mut gradient, &mut next_gradient);
        value = found;
        if lower < limits.cost {
            break;
        }
    }
    at
}

/// Minus the gradient, times what the steps say of the inverse of the curvature.
fn direction<T: Real>(gradient: &[T], steps: &VecDeque<Step<T>>) -> Vec<T> {
    let mut way: Vec<T> = gradient.iter().map(|&g| T::of(-1.0) * g).collect();
    let mut shares = Vec::with_capacity(steps.len());
    for step in steps.iter().rev() {
        let share = dot(&step.moved, &way) / step.product;
        add(&mut way, T::of(-share), &step.change);
        shares.push(share);
    }
    if let Some(last) = steps.back() {
        let scale = T::of(last.product / dot(&last.change, &last.change));
        way.iter_mut().for_each(|value| *value = *value * scale);
    }
    for (step, share) in steps.iter().zip(shares.into_iter().rev()) {
        let other = dot(&step.change, &way) / step.product;
        add(&mut way, T::of(share - other), &step.moved);
    }
    way
}

/// The cost after a step that meets Wolfe's conditions, found by halving and doubling from `first` on; the point and its
/// gradient are in `out`. None where the cost goes down no further.
fn line_search<T>(
    mut tried: impl FnMut(f64, &mut [T], &mut [T]) -> (f64, f64),
    [value, slope]: [f64; 2],
    first: f64,
    [next, next_gradient]: [&mut Vec<T>; 2],
) -> Option<f64> {
    if slope.is_nan() || slope >= 0.0 {
        return None;
    }
    let (mut by, mut low, mut high) = (first, 0.0, f64::INFINITY);
    for tries in 0..TRIES {
        let (found, slope_there) = tried(by, next, next_gradient);
        let lower = found <= value + DECREASE * by * slope;
        if lower && (slope_there >= FLATTER * slope || tries + 1 == TRIES) {
            return Some(found);
        }
        if lower {
            low = by
        } else {
            high = by
        }
        by = if high.is_finite() { f64::midpoint(low, high) } else { 2.0 * by };
    }
    None
}

fn dot<T: Real>(a: &[T], b: &[T]) -> f64 {
    T::dot(a, b).into()
}

/// `to` = `a` + `factor` · `b`.
fn put_sum<T: Real>(to: &mut [T], a: &[T], factor: T, b: &[T]) {
    to.iter_mut().zip(a.iter().zip(b)).for_each(|(to, (&a, &b))| *to = a + factor * b);
}

fn add<T: Real>(to: &mut [T], factor: T, other: &[T]) {
    to.iter_mut().zip(other).for_each(|(to, &other)| *to += factor * other);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rosenbrock's valley, and how often it was asked about.
    struct Valley(usize);

    impl<T: Real> Cost<T> for Valley {
        fn evaluate(&mut self, at: &[T], gradient: &mut [T]) -> f64 {
            self.0 += 1;
            let [x, y]: [f64; 2] = [at[0].into(), at[1].into()];
            gradient[0] = T::of(-2.0 * (1.0 - x) - 400.0 * x * (y - x * x));
            gradient[1] = T::of(200.0 * (y - x * x));
            (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2)
        }
    }

    const LIMITS: Limits = Limits { gradient: 1e-9, cost: 0.0, steps: 200 };

    #[test]
    fn it_finds_the_bottom_of_a_bent_valley_in_few_steps() {
        let mut valley = Valley(0);
        let found = descend(&mut valley, vec![-1.2, 1.0], LIMITS);
        assert!(found.iter().all(|v| (v - 1.0f64).abs() < 1e-7) && valley.0 < 80, "{found:?} {}", valley.0);
        let single = descend(&mut Valley(0), vec![-1.2f32, 1.0], Limits { gradient: 1e-3, ..LIMITS });
        assert!(single.iter().all(|v| (v - 1.0).abs() < 1e-2), "{single:?}");
    }

    #[test]
    fn it_ends_where_nothing_is_lower_and_where_there_are_no_numbers() {
        struct Flat;
        impl Cost<f64> for Flat {
            fn evaluate(&mut self, _: &[f64], gradient: &mut [f64]) -> f64 {
                gradient.fill(1.0);
                0.0
            }
        }
        struct Nothing;
        impl Cost<f64> for Nothing {
            fn evaluate(&mut self, _: &[f64], gradient: &mut [f64]) -> f64 {
                gradient.fill(f64::NAN);
                f64::NAN
            }
        }
        assert_eq!(descend(&mut Flat, vec![3.0], LIMITS), [3.0]);
        assert_eq!(descend(&mut Nothing, vec![3.0], LIMITS), [3.0]);
        assert!(descend(&mut Flat, vec![], LIMITS).is_empty());
    }
}
