//! Everything that the data alone can tell, put together and judged.

use regex::Regex;
use serde::Serialize;

use super::columns::ColumnProfile;
use super::near::NearDuplicates;
use super::suspects::Suspect;
use crate::config::ValidateConfig;
use crate::counting::counted;
use crate::evaluate::{Agreement, PassAgreement};
use crate::table::{Dataset, ReadReport};

/// Pairs and mentions listed in full; the counts are always of all.
const LISTED: usize = 50;

/// Everything that validation found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Validation {
    /// Name of the dataset.
    pub name: String,
    /// What must be mended; any makes the command fail.
    pub errors: Vec<String>,
    /// What should be looked at.
    pub warnings: Vec<String>,
    /// Rows read, used, rejected, repeated.
    pub rows: RowCounts,
    /// Rows of each class.
    pub classes: Vec<ClassCount>,
    /// What every column of the raw files holds.
    pub columns: Vec<ColumnProfile>,
    /// Rows with the same normalised title as an earlier one.
    pub repeated_titles: Vec<String>,
    /// Rows with a near neighbour, at the set cosine and at 0.95.
    pub near_duplicates: Vec<NearDuplicates>,
    /// Texts in which a pattern of `validate.names_label` matches.
    pub label_mentions: Mentions,
    /// Rows most likely mislabelled, most suspect first; `None` until a model exists.
    pub suspects: Option<Vec<Suspect>>,
    /// Agreement with the second labels; `None` where there are none.
    pub agreement: Option<Agreement>,
    /// Agreement of the labelling passes; `None` where there are none.
    pub passes: Option<PassAgreement>,
}

/// Counts of rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowCounts {
    /// Rows in the files.
    pub read: usize,
    /// Rows that can be learned from.
    pub used: usize,
    /// Rows that cannot be used.
    pub rejected: usize,
    /// Rows that repeat another in everything.
    pub repeated: usize,
}

/// Rows of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassCount {
    /// Class name.
    pub class: String,
    /// Its rows.
    pub rows: usize,
    /// Its share of the usable rows, in `[0, 1]`.
    pub share: f64,
}

/// Texts that name the label outright.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Mentions {
    /// Rows with at least one.
    pub rows: usize,
    /// The first, as `file:line field: words`.
    pub first: Vec<String>,
}

/// What is validated.
pub struct ValidateInput<'a> {
    /// Name of the dataset.
    pub name: &'a str,
    /// The usable rows.
    pub dataset: &'a Dataset,
    /// What reading found.
    pub report: &'a ReadReport,
    /// What the columns hold.
    pub columns: Vec<ColumnProfile>,
    /// Rows with a near neighbour at `validate.near_duplicate_cosine`, and at 0.95.
    pub near_duplicates: [NearDuplicates; 2],
    /// Most suspect rows, where a model exists.
    pub suspects: Option<Vec<Suspect>>,
    /// Agreement with the second labels, where there are any.
    pub agreement: Option<Agreement>,
    /// Agreement of the labelling passes, where there are any.
    pub passes: Option<PassAgreement>,
}

/// Put all findings together and judge them by `config`.
///
/// `names_label` are the compiled patterns of `config.names_label`.
pub fn validate(input: ValidateInput<'_>, config: &ValidateConfig, names_label: &[Regex]) -> Validation {
    let (dataset, report) = (input.dataset, input.report);
    let used = dataset.rows.len();
    let mut errors: Vec<String> = report.bad().map(ToString::to_string).collect();
    let warning = |note: &String| note.strip_prefix("warning: ").unwrap_or(note).to_owned();
    let mut warnings: Vec<String> = report.notes.iter().map(warning).collect();
    if report.unlabelled() > 0 {
        warnings.push(format!("rows without a label: {}", report.unlabelled()));
    }
    for found in report.contradictions.iter().take(LISTED) {
        let (file, line) = (found.file.display(), found.line);
        warnings.push(format!(
            "{file}:{line}: is `{}` with the text of {}, which is `{}`",
            found.label, found.same_text_as, found.other_label
        ));
    }
    if report.contradictions.len() > LISTED {
        warnings.push(format!("… and {} more such rows", report.contradictions.len() - LISTED));
    }
    for duplicate in &report.duplicates {
        errors.push(format!(
            "{}:{}: repeats {}",
            duplicate.file.display(),
            duplicate.line,
            duplicate.repeats
        ));
    }
    for column in &input.columns {
        errors.extend(column.faults.iter().cloned());
    }
    let repeated_titles = repeated_titles(dataset);
    if config.unique_titles {
        errors.extend(repeated_titles.iter().cloned());
    }
    let near_duplicates = input.near_duplicates;
    if near_duplicates[0].share > config.max_near_duplicate_share {
        errors.push(format!(
            "{:.2} % of the rows have a neighbour at cosine ≥ {}, more than validate.max_near_duplicate_share = {} allows",
            100.0 * near_duplicates[0].share,
            config.near_duplicate_cosine,
            config.max_near_duplicate_share
        ));
    }
    let label_mentions = mentions(dataset, names_label);
    if label_mentions.rows > 0 {
        warnings.push(format!(
            "{} the label in the text (validate.names_label)",
            counted(label_mentions.rows, "row names", "rows name")
        ));
    }
    let classes: Vec<ClassCount> = dataset
        .classes
        .iter()
        .enumerate()
        .map(|(class, name)| {
            let rows = dataset.rows.iter().filter(|r| r.class == class).count();
            ClassCount { class: name.clone(), rows, share: rows as f64 / used.max(1) as f64 }
        })
        .collect();
    for class in classes.iter().filter(|c| c.rows < config.min_class_rows) {
        let (name, rows, wanted) = (&class.class, counted(class.rows, "row", "rows"), config.min_class_rows);
        errors.push(format!("class `{name}` has {rows}, fewer than validate.min_class_rows = {wanted}"));
    }
    Validation {
        name: input.name.to_owned(),
        errors,
        warnings,
        rows: RowCounts {
            read: report.read,
            used,
            rejected: report.bad().count(),
            repeated: report.duplicates.len(),
        },
        classes,
        columns: input.columns,
        repeated_titles,
        near_duplicates: near_duplicates.into(),
        label_mentions,
        suspects: input.suspects,
        agreement: input.agreement,
        passes: input.passes,
    }
}

fn repeated_titles(dataset: &Dataset) -> Vec<String> {
    let mut first = std::collections::HashMap::new();
    let mut repeated = Vec::new();
    for (row, title) in dataset.rows.iter().map(|r| &r.title).enumerate().filter(|(_, t)| !t.is_empty()) {
        let earlier = *first.entry(title).or_insert(row);
        if earlier != row {
            repeated.push(format!("{}: has the title of {}", dataset.place(row), dataset.place(earlier)));
        }
    }
    repeated
}

fn mentions(dataset: &Dataset, patterns: &[Regex]) -> Mentions {
    let mut found = Mentions::default();
    for (row, cells) in dataset.rows.iter().map(|r| &r.cells).enumerate() {
        let hit = cells.texts.iter().zip(&dataset.text_fields).find_map(|(text, field)| {
            let words = patterns.iter().find_map(|p| p.find(text))?;
            Some(format!("{} {field}: {}", dataset.place(row), words.as_str()))
        });
        if let Some(hit) = hit {
            found.rows += 1;
            if found.first.len() < LISTED {
                found.first.push(hit);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use crate::split::{NearSearch, Vectors};
    use crate::table::{Cells, ContentHash, Row};
    use crate::validate::near_duplicates;

    fn dataset() -> Dataset {
        let row = |line, title: &str, class| Row {
            file: 0,
            line,
            cells: Cells { texts: vec![title.into()], ..Cells::default() },
            class,
            title: title.to_lowercase(),
            in_test_files: false,
            range: None,
            weight: 1.0,
            collected: None,
            tasks: vec![],
            group: None,
            record: ContentHash::default(),
        };
        Dataset {
            files: vec!["a.csv".into()],
            text_fields: vec!["title".into()],
            classes: vec!["low".into(), "high".into()],
            numeric: vec![],
            categorical: vec![],
            tasks: vec![],
            rows: vec![row(2, "One", 0), row(3, "one", 0), row(4, "For a 3-year-old", 1)],
        }
    }

    #[test]
    fn findings_are_counted_placed_and_judged() {
        let dataset = dataset();
        let values = [1.0, 0.0, 0.98, 0.199, 0.0, 1.0];
        let search = NearSearch { exact_rows: 10, seed: 0 };
        let near =
            near_duplicates(&dataset, Vectors::new(&values, 2), [0.92, 0.99], search, &Silent).unwrap();
        assert_eq!([&near[0], &near[1]].map(|near| near.rows), [2, 0]);
        let input = ValidateInput {
            name: "t",
            dataset: &dataset,
            report: &ReadReport { read: 3, ..ReadReport::default() },
            columns: vec![],
            near_duplicates: near,
            suspects: None,
            agreement: None,
            passes: None,
        };
        let config = ValidateConfig { unique_titles: true, min_class_rows: 2, ..ValidateConfig::default() };
        let found = validate(input, &config, &[Regex::new("[0-9]+-year-old").unwrap()]);
        assert_eq!(found.repeated_titles, ["a.csv:3: has the title of a.csv:2"]);
        assert_eq!((found.near_duplicates[0].rows, found.near_duplicates[0].pairs.len()), (2, 1));
        assert_eq!(found.label_mentions.first, ["a.csv:4 title: 3-year-old"]);
        assert_eq!(found.errors.len(), 3, "title, near-duplicates, class: {:?}", found.errors);
        assert!(found.errors[2].contains("class `high` has 1 row,"), "{:?}", found.errors);
    }
}
