//! What is declared of the rows to be written: the task, its attributes, classes and texts.

use serde::Deserialize;

use super::error::CollectError;
use super::rules::{Field, Forbidden};

/// A property that rows differ in, other than their class; e.g. `season`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Its name, as the prompt says it.
    pub name: String,
    /// Its values, of which each is drawn about equally often.
    pub values: Vec<String>,
    /// Names of the classes that have it; all where empty.
    #[serde(default)]
    pub classes: Vec<String>,
}

/// A class.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Its name in the data. The prompt does not say it.
    pub name: String,
    /// What rows of it are, for the prompt.
    pub description: String,
    /// Words, and regular expressions between slashes, that no text of the class may hold since they would give it away.
    #[serde(default)]
    pub must_not_appear: Vec<String>,
    /// Its share of the requests, relative to the other classes; 0 or more.
    #[serde(default = "equal")]
    pub share: f64,
}

fn equal() -> f64 {
    1.0
}

/// What rows are to be written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The task in a sentence or two.
    pub task: String,
    /// The texts of a row.
    pub fields: Vec<Field>,
    /// What rows differ in.
    #[serde(default)]
    pub attributes: Vec<Attribute>,
    /// The classes.
    pub classes: Vec<Class>,
    /// Rows asked for in one request, 1 to 100.
    pub rows_per_request: usize,
    /// Examples of the class shown in one request.
    #[serde(default)]
    pub examples_per_request: usize,
}

impl Task {
    /// # Errors
    /// Something is empty, twice there, out of its range or names what is not there.
    pub fn check(&self) -> Result<(), CollectError> {
        let fail = |key: &str, value: &dyn ToString, problem: &str| {
            Err(CollectError::setting(key, value.to_string(), problem))
        };
        if self.task.trim().is_empty() {
            return fail("task", &self.task, "it must say what is to be written");
        }
        if !(1..=100).contains(&self.rows_per_request) {
            return fail("rows_per_request", &self.rows_per_request, "it must be 1 to 100");
        }
        check_fields(&self.fields)?;
        distinct("classes", self.classes.iter().map(|class| class.name.as_str()))?;
        for class in &self.classes {
            if class.description.trim().is_empty() {
                return fail("classes.description", &class.description, "the prompt needs it");
            }
            if !(class.share.is_finite() && class.share >= 0.0) {
                return fail("classes.share", &class.share, "it must be 0 or more");
            }
            forbidden(class)?;
        }
        let whole: f64 = self.classes.iter().map(|class| class.share).sum();
        if !(whole > 0.0 && whole.is_finite()) {
            return fail("classes.share", &whole, "the shares must add up to more than 0");
        }
        if !self.attributes.is_empty() {
            distinct("attributes", self.attributes.iter().map(|attribute| attribute.name.as_str()))?;
        }
        for attribute in &self.attributes {
            distinct("attributes.values", attribute.values.iter().map(String::as_str))?;
            let known = |name: &&String| self.classes.iter().any(|class| class.name == **name);
            if let Some(unknown) = attribute.classes.iter().find(|name| !known(name)) {
                return fail("attributes.classes", unknown, "there is no such class");
            }
        }
        Ok(())
    }
}

/// # Errors
/// No field, one without name or twice there, or with lengths or values that no text can have.
pub(super) fn check_fields(fields: &[Field]) -> Result<(), CollectError> {
    distinct("fields", fields.iter().map(|field| field.name.as_str()))?;
    for field in fields {
        if field.min_chars == 0 || field.min_chars > field.max_chars {
            let lengths = format!("{} to {}", field.min_chars, field.max_chars);
            let key = format!("fields.{}.min_chars to max_chars", field.name);
            return Err(CollectError::setting(
                &key,
                lengths,
                "the first must be at least 1 and at most the second",
            ));
        }
        if let Some(value) =
            field.allowed.iter().find(|value| field.check(value).is_err() || value.trim() != *value)
        {
            let key = format!("fields.{}.allowed", field.name);
            return Err(CollectError::setting(
                &key,
                value,
                "its lengths or white space do not let it through",
            ));
        }
    }
    Ok(())
}

/// What no text of `class` may hold.
///
/// # Errors
/// One is no pattern.
pub(super) fn forbidden(class: &Class) -> Result<Vec<Forbidden>, CollectError> {
    class.must_not_appear.iter().map(|written| Forbidden::new(written)).collect()
}

fn distinct<'a>(key: &str, names: impl Iterator<Item = &'a str>) -> Result<(), CollectError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if name.trim().is_empty() {
            return Err(CollectError::setting(key, name, "it must not be empty"));
        }
        if !seen.insert(name) {
            return Err(CollectError::setting(key, name, "it is there twice"));
        }
    }
    if seen.is_empty() {
        return Err(CollectError::setting(key, "[]", "at least one is needed"));
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A task with two classes and three attributes, one of which is of one class only.
    pub fn task() -> Task {
        let attribute = |name: &str, values: &[&str], classes: &[&str]| Attribute {
            name: name.into(),
            values: values.iter().map(ToString::to_string).collect(),
            classes: classes.iter().map(ToString::to_string).collect(),
        };
        let class = |name: &str, share: f64| Class {
            name: name.into(),
            description: format!("something for {name}"),
            must_not_appear: vec![name.into(), "/ages? \\d/".into()],
            share,
        };
        Task {
            task: "Titles of things that families do.".into(),
            fields: vec![Field {
                name: "title".into(),
                description: "a short title".into(),
                min_chars: 5,
                max_chars: 80,
                allowed: vec![],
            }],
            attributes: vec![
                attribute("season", &["winter", "spring", "summer", "autumn"], &[]),
                attribute("place", &["at home", "outside", "in town"], &[]),
                attribute("bedtime", &["soon", "late"], &["toddlers"]),
            ],
            classes: vec![class("toddlers", 3.0), class("teenagers", 1.0)],
            rows_per_request: 4,
            examples_per_request: 2,
        }
    }

    #[test]
    fn bad_declarations_are_named() {
        type Change = fn(&mut Task);
        let table: [(Change, &str); 15] = [
            (|t| t.task = " ".into(), "task"),
            (|t| t.rows_per_request = 0, "rows_per_request"),
            (|t| t.rows_per_request = 101, "rows_per_request"),
            (|t| t.fields.clear(), "fields"),
            (|t| t.fields[0].min_chars = 81, "fields.title.min_chars"),
            (|t| t.fields[0].min_chars = 0, "fields.title.min_chars"),
            (|t| t.fields[0].allowed = vec!["yes".into()], "fields.title.allowed"),
            (|t| t.classes.clear(), "classes"),
            (|t| t.classes[1].name = "toddlers".into(), "classes"),
            (|t| t.classes[1].description.clear(), "classes.description"),
            (|t| t.classes[1].share = f64::NAN, "classes.share"),
            (|t| t.classes.iter_mut().for_each(|c| c.share = 0.0), "classes.share"),
            (|t| t.classes[0].must_not_appear = vec!["/(/".into()], "must_not_appear"),
            (|t| t.attributes[0].values.clear(), "attributes.values"),
            (|t| t.attributes[0].classes = vec!["adults".into()], "attributes.classes"),
        ];
        assert!(task().check().is_ok());
        assert!(Task { attributes: vec![], ..task() }.check().is_ok());
        for (change, key) in table {
            let mut changed = task();
            change(&mut changed);
            let message = changed.check().unwrap_err().to_string();
            assert!(message.starts_with(key), "{key}: {message}");
        }
    }
}
