//! Answers in an export of Label Studio: JSON, with all annotations of each task, or JSON-MIN, an annotation an entry.

use serde_json::Value;

use super::said::{Place, Said, Unread};
use super::tasks::{LABEL, ROW_ID};

/// What each annotation says.
pub(crate) fn read_json(text: &str) -> Vec<Result<Said, Unread>> {
    let whole = |why: String| vec![Err(Unread { place: Place::File, value: String::new(), why })];
    match serde_json::from_str::<Value>(text) {
        Err(error) => whole(format!("is no JSON: {error}")),
        Ok(Value::Array(tasks)) => {
            (1..).zip(&tasks).flat_map(|(number, task)| read_task(number, task)).collect()
        }
        Ok(_) => whole("is no JSON list of tasks".to_owned()),
    }
}

fn read_task(number: u64, task: &Value) -> Vec<Result<Said, Unread>> {
    let place = Place::Task(number);
    let unread = |value: &Value, why: &str| Unread { place, value: value.to_string(), why: why.to_owned() };
    let said = |id: &Value, annotator: &Value, label: Result<String, Unread>| {
        label.map(|label| Said { place, id: plain(id), annotator: name(annotator), label })
    };
    if let Some(annotations) = task.get("annotations").and_then(Value::as_array) {
        let data = &task["data"];
        let Some(id) = data.get(ROW_ID) else { return vec![Err(unread(data, "has no `row_id`"))] };
        let annotations = annotations.iter().map(|annotation| {
            let label = if annotation["was_cancelled"].as_bool() == Some(true) {
                Ok(String::new())
            } else {
                let results = annotation["result"].as_array();
                results.ok_or_else(|| unread(&annotation["result"], "is no list of results")).and_then(
                    |results| {
                        choice(results).map_or(Ok(String::new()), |value| single(place, &value["choices"]))
                    },
                )
            };
            said(id, &annotation["completed_by"], label)
        });
        return annotations.collect();
    }
    let Some(id) = task.get(ROW_ID) else {
        return vec![Err(unread(task, "is no task: it has no `annotations`, nor a `row_id` of its own"))];
    };
    let label = &task[LABEL];
    vec![said(id, &task["annotator"], single(place, label.get("choices").unwrap_or(label)))]
}

/// The value of the result that is the label: the choice of that name, or the only choice there is.
fn choice(results: &[Value]) -> Option<&Value> {
    let choices: Vec<&Value> = results.iter().filter(|result| result["type"] == "choices").collect();
    let named = choices.iter().find(|result| result["from_name"] == LABEL);
    let only = choices.first().filter(|_| choices.len() == 1);
    named.or(only).map(|result| &result["value"])
}

/// The one class chosen; blank where none is.
fn single(place: Place, chosen: &Value) -> Result<String, Unread> {
    match chosen {
        Value::Array(choices) if choices.len() > 1 => {
            let value = choices.iter().map(plain).collect::<Vec<_>>().join(", ");
            Err(Unread { place, value, why: "is more than one choice".to_owned() })
        }
        Value::Array(choices) => Ok(choices.first().map(plain).unwrap_or_default()),
        other => Ok(plain(other)),
    }
}

/// Who: a number, a name, or a user with an e-mail address, a name or a number.
fn name(annotator: &Value) -> String {
    let of = ["email", "username", "id"].iter().find_map(|key| annotator.get(key));
    plain(of.unwrap_or(annotator))
}

/// A text or a number as text; blank for anything else.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}
