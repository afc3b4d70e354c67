//! What concerns several sections: bounds of what is tuned, and settings that contradict one another.

use std::collections::BTreeSet;

use super::error::Fault;
use super::file::Config;
use super::head_kind::HeadKind;
use super::names::{file_name, nearest};
use super::network::OutputKind;
use super::number::{Amount, Bounds, GREATEST};

impl Config {
    /// Whether everything is what it may be.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Fault::at("name", format!("is `{}`; use letters, digits, `-` and `_`", self.name));
        }
        self.check_numbers()?;
        for section in self.sections() {
            section.check()?;
        }
        self.check_head()?;
        self.check_fields()?;
        self.check_columns()
    }

    fn check_numbers(&self) -> Result<(), Fault> {
        let numbers = self.numbers();
        for number in &numbers {
            if let Some(amount) = number.amount.filter(|amount| !number.bounds.hold(*amount)) {
                let (key, bounds) = (number.key.clone(), number.bounds.clone());
                return Err(Fault::Bounds { key, amount, bounds });
            }
        }
        for (key, axis) in &self.tune.space {
            for tried in axis.tries(key) {
                let tuned = numbers.iter().find(|number| number.speaks_of(&tried.of));
                // A key that is no number is told of where the space is tried.
                let any = Bounds::Real(-GREATEST..=GREATEST);
                let bounds = tuned.map_or(any, |number| number.bounds.clone());
                let in_bounds = match (&bounds, tried.amount) {
                    // Of a span, `whole` is still to be said: the key's own type does.
                    (Bounds::Whole(range), Amount::Real(value)) => {
                        (*range.start() as f64..=*range.end() as f64).contains(&value)
                    }
                    (bounds, amount) => bounds.hold(amount),
                };
                if !in_bounds {
                    let (key, amount) = (format!("tune.space.{key}{}", tried.place), tried.amount);
                    return Err(Fault::Bounds { key, amount, bounds });
                }
            }
        }
        Ok(())
    }

    fn check_head(&self) -> Result<(), Fault> {
        if !self.train.encoder.is_frozen() && self.encoder.second.is_some() {
            let problem = format!("is \"{}\", and with encoder.second there are two", self.train.encoder);
            return Fault::at("train.encoder", problem);
        }
        if self.train.heads().contains(&HeadKind::Kernel) && self.augment.makes_points() {
            return Fault::at(
                "augment",
                "mixes rows (mixup or smote), but a kernel machine looks at words and letters, which a point between two rows \
                 has none of; set train.head = \"network\", or remove augment.mixup and augment.smote",
            );
        }
        if self.train.output != OutputKind::Softmax && self.label.range.is_none() {
            return Fault::at("train.output", "is for ordered classes, which label.range makes");
        }
        Ok(())
    }

    /// The text fields that other sections name.
    fn check_fields(&self) -> Result<(), Fault> {
        let weighted: Vec<String> = self.features.field_weights.keys().cloned().collect();
        if self.data.join_text && !weighted.is_empty() {
            return Fault::at("features.field_weights", "has no fields to weight with data.join_text");
        }
        for (key, fields) in [
            ("features.field_weights", &Some(weighted)),
            ("augment.synonyms.fields", &self.augment.synonyms.fields),
            ("validate.near_duplicate_fields", &self.validate.near_duplicate_fields),
        ] {
            if let Some(field) = fields.iter().flatten().find(|f| !self.data.text_fields.contains(f)) {
                let near = nearest(field, self.data.text_fields.iter().map(String::as_str));
                return Fault::at(key, format!("names `{field}`, which is not a text field{near}"));
            }
        }
        Ok(())
    }

    /// No column is used twice, and none that the label comes from is an input.
    fn check_columns(&self) -> Result<(), Fault> {
        let mut seen = BTreeSet::new();
        // Headers are matched without regard to case, so the guard must be, too.
        let same = |name: &str| name.trim().to_lowercase();
        let is_label = |column: &str| self.label_columns().iter().any(|l| same(l) == same(column));
        for (key, columns) in self.inputs() {
            for column in columns {
                if is_label(column) {
                    return Err(Fault::Leak { key, column: column.clone() });
                }
                if !seen.insert(same(column)) {
                    return Fault::at(key, format!("names `{column}` a second time; a column is used once"));
                }
            }
        }
        for task in &self.train.tasks {
            let column = &task.column;
            if is_label(column) {
                return Fault::at("train.tasks", format!("names `{column}`, which is the label already"));
            }
            if !seen.insert(same(column)) {
                return Fault::at(
                    "train.tasks",
                    format!("names `{column}`, which is an input too; the model would only read it back"),
                );
            }
        }
        if let Some(weight) = &self.label.weight {
            if is_label(weight) {
                return Fault::at("label.weight", format!("names `{weight}`, which is the label"));
            }
            if seen.contains(&same(weight)) {
                return Fault::at(
                    "label.weight",
                    format!(
                        "names `{weight}`, which the model sees or predicts; new rows would need it, too"
                    ),
                );
            }
        }
        if !self.label.passes.is_settled() && self.validate.passes.is_empty() {
            return Fault::at("label.passes", "needs validate.passes, the files of the passes");
        }
        if self.validate.unique_titles && self.data.title.is_none() {
            return Fault::at("validate.unique_titles", "needs data.title");
        }
        for (key, patterns) in [
            ("validate.second_labels", &self.validate.second_labels),
            ("validate.passes", &self.validate.passes),
        ] {
            if !patterns.is_empty() && self.data.title.is_none() {
                return Fault::at(key, "needs data.title, by which rows are found again");
            }
        }
        if let Some(title) = &self.data.title
            && is_label(title)
        {
            return Fault::at(
                "data.title",
                format!("is the label column `{title}`; rows would be grouped by their label"),
            );
        }
        if let Some(group) = self.split.group_column()
            && is_label(group)
        {
            let problem = format!("names `{group}`, which is the label; a class would be in one part alone");
            return Fault::at("split.group", problem);
        }
        let files: BTreeSet<String> = self.encoded_fields().iter().map(|f| file_name(f)).collect();
        if files.len() < self.encoded_fields().len() {
            return Fault::at(
                "data.text_fields",
                "has names that differ in punctuation only; rename a column",
            );
        }
        Ok(())
    }
}
