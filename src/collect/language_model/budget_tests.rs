//! Tests of the budget.

use super::*;
use std::sync::atomic::{AtomicU64, Ordering};

const ONE: Tokens = Tokens { prompt: 10, completion: 90 };

fn budget(requests: Option<u64>, tokens: Option<u64>, cost: Option<f64>) -> Budget {
    let prices = Prices { prompt: 1.0, completion: 10.0 };
    Budget::new(Limits { requests, tokens, cost }, Some(prices)).unwrap()
}

fn used(prompt_tokens: u64, completion_tokens: u64) -> Usage {
    Usage { prompt_tokens, completion_tokens, estimated: false }
}

fn reserve(budget: &Budget) -> Result<Reservation<'_>, CollectError> {
    budget.reserve(ONE, &|| false)
}

#[test]
fn an_estimate_is_requests_times_prompt_and_longest_answer() {
    let estimate =
        budget(None, None, Some(0.9)).estimate(1000, Tokens { prompt: 10_000, completion: 90_000 });
    assert_eq!(estimate.cost, Some(0.01 + 0.9));
    assert_eq!(estimate.passes, Some(Limit::Cost { limit: 0.9, needed: 0.91 }));
    assert_eq!(budget(Some(1000), Some(100_000), None).estimate(1000, estimate.tokens).passes, None);
    let free = Budget::new(Limits::default(), None).unwrap();
    assert_eq!(free.estimate(1, ONE).cost, None);
}

#[test]
fn no_limit_is_passed_even_in_the_worst_case() {
    let budget = budget(None, Some(250), None);
    reserve(&budget).unwrap().settle(&used(10, 90));
    reserve(&budget).unwrap().settle(&used(10, 41));
    // 151 spent, 100 more in the worst case.
    let stopped = reserve(&budget).err().unwrap();
    assert!(matches!(stopped, CollectError::Budget(Limit::Tokens { limit: 250, needed: 251 })), "{stopped}");
    assert_eq!(budget.spent(), Tokens { prompt: 20, completion: 131 });
}

#[test]
fn tries_that_were_turned_away_are_free_and_lost_ones_count_in_full() {
    let budget = budget(Some(2), None, None);
    drop(reserve(&budget).unwrap());
    reserve(&budget).unwrap().lose();
    assert_eq!(budget.spent(), ONE);
    reserve(&budget).unwrap().settle(&used(1, 1));
    assert!(matches!(reserve(&budget), Err(CollectError::Budget(Limit::Requests { limit: 2 }))));
}

#[test]
fn money_stops_too() {
    // A request costs at most (10 × 1 + 90 × 10) / 10⁶ = 0.00091.
    let budget = budget(None, None, Some(0.0019));
    reserve(&budget).unwrap().lose();
    reserve(&budget).unwrap().lose();
    assert!(matches!(reserve(&budget), Err(CollectError::Budget(Limit::Cost { .. }))));
}

#[test]
fn estimates_of_prompts_learn_from_what_is_told() {
    let budget = budget(None, Some(1000), None);
    reserve(&budget).unwrap().settle(&used(30, 0));
    // The next prompt is taken for 30 tokens instead of 10.
    assert_eq!(reserve(&budget).unwrap().worst, Tokens { prompt: 30, completion: 90 });
}

#[test]
fn threads_wait_for_each_other_instead_of_stopping_early() {
    // Worst case 100, real use 25: all 40 requests fit only if those that do not fit now wait.
    let (budget, asked) = (budget(None, Some(1075), None), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Ok(reserved) = reserve(&budget) {
                    asked.fetch_add(1, Ordering::Relaxed);
                    reserved.settle(&used(5, 20));
                }
            });
        }
    });
    assert_eq!(asked.into_inner(), 40);
    assert_eq!(budget.spent().all(), 1000);
}

#[test]
fn an_interrupt_ends_the_waiting() {
    let budget = budget(Some(1), None, None);
    let _under_way = reserve(&budget).unwrap();
    assert!(matches!(budget.reserve(ONE, &|| true), Err(CollectError::Interrupted)));
}

#[test]
fn bad_amounts_are_errors() {
    let prices = |prompt| Some(Prices { prompt, completion: 1.0 });
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(Budget::new(Limits::default(), prices(bad)).is_err());
        assert!(Budget::new(Limits { cost: Some(bad), ..Limits::default() }, prices(1.0)).is_err());
    }
    assert!(Budget::new(Limits { cost: Some(1.0), ..Limits::default() }, None).is_err());
}
