//! How templates write numbers.

use minijinja::{Environment, Value};

use crate::counting::{counted, grouped};
use crate::evaluate::signed;

/// Put the filters into an environment.
pub(super) fn add_filters(environment: &mut Environment<'_>) {
    environment.add_filter("percent", |v: f64| format!("{:.1} %", 100.0 * v));
    environment.add_filter("grouped", grouped);
    environment.add_filter("counted", |count: usize, one: &str, more: &str| counted(count, one, more));
    environment.add_filter("number", |v: f64| format!("{v:.3}"));
    environment.add_filter("signed", signed);
    environment.add_filter("interval", |v: Value| {
        let end = |key: &str| v.get_attr(key).ok().and_then(|n| f64::try_from(n).ok()).unwrap_or(f64::NAN);
        format!("{:.3} – {:.3}", end("low"), end("high"))
    });
}
