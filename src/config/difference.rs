//! What differs between two configs.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// A value that is not the same in two configs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Its dotted key.
    pub key: String,
    /// The one value as JSON, or `unset`.
    pub before: String,
    /// The other.
    pub now: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} → {}", self.key, self.before, self.now)
    }
}

/// Every value that differs between two configs.
pub fn differences(before: &Value, now: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    differing_values("", before, now, &mut found);
    found
}

fn differing_values(key: &str, before: &Value, now: &Value, found: &mut Vec<Difference>) {
    if before == now {
        return;
    }
    if let (Value::Object(a), Value::Object(b)) = (before, now) {
        let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for name in keys {
            let dotted = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            let value = |o: &Map<String, Value>| o.get(name).cloned().unwrap_or(Value::Null);
            differing_values(&dotted, &value(a), &value(b), found);
        }
    } else {
        let show = |v: &Value| if v.is_null() { "unset".to_owned() } else { v.to_string() };
        found.push(Difference { key: key.to_owned(), before: show(before), now: show(now) });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_changed_value_is_named_by_its_key() {
        let before = json!({"train": {"dropout": 0.3, "epochs": 5}, "seed": 1});
        let now = json!({"train": {"dropout": 0.5, "epochs": 5, "patience": 3}, "seed": 1});
        let found = differences(&before, &now);
        let said: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["train.dropout 0.3 → 0.5", "train.patience unset → 3"]);
    }
}
