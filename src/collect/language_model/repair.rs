//! JSON from the text of an answer, over what language models write around it and the faults that they make in it.

use serde_json::Value;

use super::lenient::Reader;

/// How many opening brackets are tried as the beginning of the JSON; more are in no honest answer.
const STARTS: usize = 16;

/// JSON found in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Repaired {
    /// What it says. Of an array or object that was cut off, the members that are whole.
    pub value: Value,
    /// Whether the text is not JSON as it stands.
    pub repaired: bool,
    /// Items of arrays that could not be read and were left out.
    pub unreadable: usize,
}

/// The JSON in `text`: as it stands where it is JSON; else the first object, or array that holds an object, whatever text or
/// code fence is around it. Read over: trailing commas, single quotes, quotes inside strings, bare keys, Python's literals, line
/// breaks inside strings, brackets missing at the end. `None` where there is nothing of the kind.
pub fn repair(text: &str) -> Option<Repaired> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(Repaired { value, repaired: false, unreadable: 0 });
    }
    let text = after_thoughts(text);
    let mut from = 0;
    for _ in 0..STARTS {
        let start = from + text.get(from..)?.find(['{', '['])?;
        let mut reader = Reader::new(text, start);
        match reader.value(0).map(|read| read.value) {
            Some(mut value) if holds_object(&value) => {
                // One object a line.
                if value.is_object() && reader.next_object() {
                    value = Value::Array(reader.further(value));
                }
                return Some(Repaired { value, repaired: true, unreadable: reader.unreadable });
            }
            Some(_) => from = reader.at,
            None => from = start + 1,
        }
    }
    None
}

/// What follows the thoughts that reasoning models put before their answer; nothing of thoughts without end.
fn after_thoughts(text: &str) -> &str {
    if let Some((_, answer)) = text.rsplit_once("</think>") {
        return answer;
    }
    if text.trim_start().starts_with("<think>") { "" } else { text }
}

fn holds_object(value: &Value) -> bool {
    match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => items.iter().any(holds_object),
        _ => false,
    }
}

#[cfg(test)]
#[path = "repair_tests.rs"]
mod tests;
