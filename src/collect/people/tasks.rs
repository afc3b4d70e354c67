//! Annotation tasks for people: a CSV for a spreadsheet, and Label Studio's tasks with its labelling configuration.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::people_error::PeopleError;
use crate::table::normalise;

/// The column of a task's CSV that says which row it is.
pub(crate) const ID: &str = "id";
/// The column that the annotator fills in, and the name of the choice in Label Studio.
pub(crate) const LABEL: &str = "label";
/// The column that says who answers.
pub(crate) const ANNOTATOR: &str = "annotator";
/// What the id is called in Label Studio, which has an `id` of its own.
pub(crate) const ROW_ID: &str = "row_id";

/// A row to ask about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// What the answer comes back under, the same in all tasks.
    pub id: String,
    /// Its texts, in the order of the fields.
    pub texts: Vec<String>,
}

/// Rows to ask about, and the classes to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tasks {
    fields: Vec<String>,
    classes: Vec<String>,
    rows: Vec<TaskRow>,
}

impl Tasks {
    /// Tasks that show these fields of each row.
    ///
    /// # Errors
    /// An id is empty or there twice, a row has more or fewer texts than there are fields, a field is named as a column of the
    /// task, or there are not two classes that can be told apart.
    pub fn new(fields: Vec<String>, classes: Vec<String>, rows: Vec<TaskRow>) -> Result<Self, PeopleError> {
        let taken = fields.iter().enumerate().find(|(place, field)| {
            let own = [ID, LABEL, ANNOTATOR].contains(&field.trim().to_lowercase().as_str());
            own || fields[..*place].contains(field)
        });
        if let Some((_, field)) = taken {
            return Err(PeopleError::FieldName { field: field.clone() });
        }
        if classes.len() < 2 {
            let why = format!("there is nothing to choose between: {} classes", classes.len());
            return Err(PeopleError::Classes { why });
        }
        let mut looks = BTreeSet::new();
        if let Some(same) = classes.iter().find(|class| !looks.insert(class.trim().to_lowercase())) {
            return Err(PeopleError::Classes { why: format!("two classes look like {same:?}") });
        }
        let mut ids: HashMap<&str, usize> = HashMap::new();
        for (second, row) in rows.iter().enumerate() {
            if row.id.trim().is_empty() {
                return Err(PeopleError::Row { row: second, why: "has no id".to_owned() });
            }
            if row.texts.len() != fields.len() {
                let why = format!("has {} texts for {} fields", row.texts.len(), fields.len());
                return Err(PeopleError::Row { row: second, why });
            }
            if let Some(first) = ids.insert(row.id.trim(), second) {
                return Err(PeopleError::SameId { id: row.id.clone(), first, second });
            }
        }
        Ok(Self { fields, classes, rows })
    }

    /// A CSV with the columns `id`, the fields, an empty `label`, and `annotator` filled in with a name that may be empty.
    ///
    /// It begins with a byte-order mark, without which spreadsheets take UTF-8 for something else. A text that a spreadsheet
    /// would run as a formula gets an apostrophe before it (OWASP, "CSV Injection"): candidates come from anywhere.
    ///
    /// # Errors
    /// The CSV cannot be written.
    pub fn csv(&self, annotator: &str) -> Result<Vec<u8>, PeopleError> {
        let failed = |reason: String| PeopleError::Format { format: "CSV", reason };
        let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
        let header = [ID].into_iter().chain(self.fields.iter().map(String::as_str)).chain([LABEL, ANNOTATOR]);
        writer.write_record(header).map_err(|error| failed(error.to_string()))?;
        for row in &self.rows {
            let texts = row.texts.iter().map(|text| harmless(text));
            let cells =
                [harmless(&row.id)].into_iter().chain(texts).chain([String::new(), harmless(annotator)]);
            writer.write_record(cells).map_err(|error| failed(error.to_string()))?;
        }
        writer.into_inner().map_err(|error| failed(error.to_string()))
    }

    /// The tasks as Label Studio imports them: a JSON list of `data` with the `row_id` and a `text_…` for each field.
    pub fn label_studio(&self) -> Value {
        let keys = self.keys();
        let task = |row: &TaskRow| {
            let texts = keys.iter().cloned().zip(row.texts.iter().map(|text| Value::from(text.as_str())));
            let id = (ROW_ID.to_owned(), Value::from(row.id.as_str()));
            let data: Map<String, Value> = [id].into_iter().chain(texts).collect();
            json!({ "data": data })
        };
        Value::Array(self.rows.iter().map(task).collect())
    }

    /// The labelling configuration of Label Studio: each field under its name, then one choice of the classes.
    pub fn label_studio_config(&self) -> String {
        let keys = self.keys();
        let mut config = "<View>\n".to_owned();
        for (field, key) in self.fields.iter().zip(&keys) {
            config += &format!(
                "  <Header value=\"{}\" size=\"4\"/>\n  <Text name=\"{key}\" value=\"${key}\"/>\n",
                escaped(field)
            );
        }
        // A choice must belong to something shown.
        let first = keys.first().map_or(ROW_ID, String::as_str);
        if keys.is_empty() {
            config += &format!("  <Text name=\"{ROW_ID}\" value=\"${ROW_ID}\"/>\n");
        }
        config +=
            &format!("  <Choices name=\"{LABEL}\" toName=\"{first}\" choice=\"single\" required=\"true\">\n");
        for class in &self.classes {
            config += &format!("    <Choice value=\"{}\"/>\n", escaped(class));
        }
        config + "  </Choices>\n</View>\n"
    }

    /// A key for each field that Label Studio takes for a variable, none of them one of its own.
    fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        for field in &self.fields {
            let plain: String = normalise(field).split(' ').collect::<Vec<_>>().join("_");
            let plain: String =
                plain.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            let key = format!("text_{plain}");
            let numbered = (2..).map(|number| format!("{key}_{number}"));
            let free = [key.clone()].into_iter().chain(numbered).find(|key| !keys.contains(key));
            keys.push(free.unwrap_or(key));
        }
        keys
    }
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// A text as the value of an XML attribute; characters that XML 1.0 cannot hold become spaces.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => out.push(' '),
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(of: &[&str]) -> Vec<String> {
        of.iter().map(ToString::to_string).collect()
    }

    fn row(id: &str, texts: &[&str]) -> TaskRow {
        TaskRow { id: id.to_owned(), texts: own(texts) }
    }

    fn tasks() -> Tasks {
        let rows = vec![row("a1", &["A \"walk\"", "Go,\nstop."]), row("b2", &["=HYPERLINK(1)", "-"])];
        Tasks::new(own(&["title", "how to play"]), own(&["Small & \"new\"", "<Big>"]), rows).unwrap()
    }

    #[test]
    fn the_csv_quotes_what_it_must_and_disarms_formulas() {
        let csv = String::from_utf8(tasks().csv("Ann").unwrap()).unwrap();
        assert_eq!(
            csv,
            "\u{feff}id,title,how to play,label,annotator\n\
             a1,\"A \"\"walk\"\"\",\"Go,\nstop.\",,Ann\n\
             b2,'=HYPERLINK(1),'-,,Ann\n"
        );
    }

    #[test]
    fn label_studio_gets_data_and_a_configuration_that_belong_together() {
        let tasks = tasks();
        assert_eq!(
            tasks.label_studio()[0],
            json!({ "data": { "row_id": "a1", "text_title": "A \"walk\"", "text_how_to_play": "Go,\nstop." } })
        );
        assert_eq!(
            tasks.label_studio_config(),
            "<View>\n  <Header value=\"title\" size=\"4\"/>\n  <Text name=\"text_title\" value=\"$text_title\"/>\n  \
             <Header value=\"how to play\" size=\"4\"/>\n  <Text name=\"text_how_to_play\" value=\"$text_how_to_play\"/>\n  \
             <Choices name=\"label\" toName=\"text_title\" choice=\"single\" required=\"true\">\n    \
             <Choice value=\"Small &amp; &quot;new&quot;\"/>\n    <Choice value=\"&lt;Big&gt;\"/>\n  </Choices>\n</View>\n"
        );
        let alike = Tasks::new(own(&["a b", "a.b", "é"]), own(&["x", "y"]), vec![]).unwrap();
        assert_eq!(alike.keys(), ["text_a_b", "text_a_b_2", "text__"]);
        assert_eq!(escaped("a\u{0}b\n'"), "a b &apos;");
    }

    #[test]
    fn tasks_that_could_not_be_answered_are_errors() {
        let new = |fields: &[&str], classes: &[&str], rows: Vec<TaskRow>| {
            Tasks::new(own(fields), own(classes), rows).unwrap_err().to_string()
        };
        let two = ["x", "y"];
        assert_eq!(
            new(&["t"], &two, vec![row("1", &["a"]), row("1 ", &["b"])]),
            "rows 0 and 1 of the task have the same id \"1 \""
        );
        assert_eq!(new(&["t"], &two, vec![row(" ", &["a"])]), "row 0 of the task has no id");
        assert_eq!(new(&["t"], &two, vec![row("1", &[])]), "row 0 of the task has 0 texts for 1 fields");
        assert_eq!(new(&["Label"], &two, vec![]), "the field `Label` has the name of a column of the task");
        assert_eq!(new(&["t", "t"], &two, vec![]), "the field `t` has the name of a column of the task");
        assert_eq!(new(&["t"], &["x"], vec![]), "there is nothing to choose between: 1 classes");
        assert_eq!(new(&["t"], &["x", "X "], vec![]), "two classes look like \"X \"");
    }
}
