//! What each column seems to be for.

use std::collections::BTreeMap;

use super::facts::Facts;
use crate::counting::grouped;
use crate::table::Sample;
use crate::validate::tells_time;

/// Names that a label's column has, the likeliest first.
const LABELS: [&str; 22] = [
    "label",
    "labels",
    "class",
    "target",
    "y",
    "category",
    "intent",
    "sentiment",
    "topic",
    "tag",
    "type",
    "kategorie",
    "klasse",
    "department",
    "priority",
    "outcome",
    "status",
    "stars",
    "rating",
    "group",
    "answer",
    "result",
];

/// Of these the first [`CERTAIN`] hardly name anything else.
const CERTAIN: usize = 8;

/// Names that a text's column has.
const TEXTS: [&str; 18] = [
    "text",
    "title",
    "subject",
    "body",
    "description",
    "message",
    "comment",
    "review",
    "content",
    "question",
    "query",
    "utterance",
    "sentence",
    "headline",
    "summary",
    "tweet",
    "betreff",
    "beschreibung",
];

/// Rows that a class has on average, at least.
const LEAST_ROWS_A_CLASS: usize = 5;

/// Values that a label or a category has at most.
const MOST_VALUES: usize = 200;

/// Words of a cell on average from which it is text, whatever its column is called, and where the column is called so.
const WORDS: f64 = 3.0;
const WORDS_OF_TITLE: f64 = 1.2;

/// The share of rows whose label a column tells from which the column says the label in other words.
const TOLD: f64 = 0.97;

/// More columns beside the text than this are not proposed: nobody looks at each of them, and they outweigh the text.
const MOST_BESIDE: usize = 200;

/// What a column is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    /// What is predicted.
    Label,
    /// What the encoder reads.
    Text,
    /// A number beside the text.
    Number,
    /// One of few values beside the text.
    Category,
    /// Nothing, and why.
    LeftOut(String),
}

impl Role {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Text => "text",
            Self::Number => "number",
            Self::Category => "category",
            Self::LeftOut(_) => "left out",
        }
    }
}

/// A column and what it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// What stands in it.
    pub facts: Facts,
    /// What it is for.
    pub role: Role,
}

/// Columns that may be the label, the likeliest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidates {
    /// Their names.
    pub names: Vec<String>,
    /// Whether nobody need be asked.
    pub clear: bool,
}

/// Which columns may be the label.
pub fn label_candidates(columns: &[Facts]) -> Candidates {
    let rank = |facts: &Facts| {
        let name = facts.name.to_lowercase();
        LABELS.iter().position(|label| *label == name).unwrap_or(LABELS.len())
    };
    let may_be = |facts: &&Facts| {
        let values = facts.distinct();
        (2..=MOST_VALUES).contains(&values)
            && values * LEAST_ROWS_A_CLASS <= facts.filled
            && (facts.words < 2.0 * WORDS || rank(facts) < LABELS.len())
            && !tells_time(&facts.name)
            && !names_an_id(&facts.name)
    };
    let mut found: Vec<&Facts> = columns.iter().filter(may_be).collect();
    // Of equals the last one: labels are put behind what is labelled.
    found.sort_by_key(|facts| (rank(facts), std::cmp::Reverse(facts.place)));
    let certain = found.iter().filter(|facts| rank(facts) < CERTAIN).count();
    Candidates {
        clear: found.len() == 1 || certain == 1,
        names: found.iter().map(|f| f.name.clone()).collect(),
    }
}

/// What every column is for, where `label` is the label and `texts`, if any are named, are the texts.
pub fn roles(sample: &Sample, columns: Vec<Facts>, label: &str, texts: &[String]) -> Vec<Column> {
    let of_label = columns.iter().find(|facts| facts.name == label).map_or(0, |facts| facts.place);
    let is_text = |facts: &Facts| match texts {
        [] => reads_as_text(facts),
        named => named.contains(&facts.name),
    };
    let mut roles: Vec<Role> = columns
        .iter()
        .map(|facts| match facts {
            _ if facts.name == label => Role::Label,
            _ if is_text(facts) => Role::Text,
            _ => beside(sample, facts, of_label),
        })
        .collect();
    if !roles.contains(&Role::Text)
        && let Some(longest) = longest(&columns, &roles)
    {
        roles[longest] = Role::Text;
    }
    let beside = |role: &&mut Role| matches!(role, Role::Number | Role::Category);
    let count = roles.iter_mut().filter(beside).count();
    if count > MOST_BESIDE {
        let why = format!(
            "one of {} columns beside the text; name those that matter under [features]",
            grouped(count)
        );
        roles.iter_mut().filter(beside).for_each(|role| *role = Role::LeftOut(why.clone()));
    }
    columns.into_iter().zip(roles).map(|(facts, role)| Column { facts, role }).collect()
}

fn reads_as_text(facts: &Facts) -> bool {
    let named = TEXTS.contains(&facts.name.to_lowercase().as_str());
    let varied = facts.distinct() * 5 >= facts.filled && facts.distinct() > 2;
    !facts.numbers
        && varied
        && facts.addresses < 0.5
        && !tells_time(&facts.name)
        && (facts.words >= WORDS || named && facts.words >= WORDS_OF_TITLE || facts.name == "text")
}

/// What a column is that is neither label nor text.
fn beside(sample: &Sample, facts: &Facts, label: usize) -> Role {
    let left_out = |why: &str| Role::LeftOut(why.to_owned());
    if facts.filled * 2 < sample.rows.len() {
        return left_out("most of its cells are empty");
    }
    if facts.distinct() == 1 {
        return left_out("the same in every row");
    }
    if tells_time(&facts.name) {
        return left_out("tells when a row was made; the report says whether labels change with it");
    }
    if facts.addresses >= 0.5 {
        return left_out("addresses");
    }
    let code = facts.words < 1.1 && facts.digits > 0.5 && !facts.numbers;
    if names_an_id(&facts.name) || facts.differs() && (code || counts_rows(sample, facts)) {
        return left_out("names the row");
    }
    let told = told(sample, facts.place, label);
    if told >= TOLD {
        return Role::LeftOut(format!(
            "tells the label of {:.0} % of the rows: is it known before?",
            100.0 * told
        ));
    }
    match facts {
        _ if facts.numbers => Role::Number,
        _ if facts.lists || facts.distinct() <= MOST_VALUES && facts.distinct() * 3 <= facts.filled => {
            Role::Category
        }
        _ => left_out("too many values for a category, too short for a text"),
    }
}

fn names_an_id(name: &str) -> bool {
    let name = name.to_lowercase();
    ["id", "uuid", "guid", "key", "index", "nr", "no", ""].contains(&name.as_str())
        || ["_id", "_nr", "_no", "_key", "-id", " id"].iter().any(|end| name.ends_with(end))
}

/// Whether the numbers of a column go up by one from row to row.
fn counts_rows(sample: &Sample, facts: &Facts) -> bool {
    let number = |row: &Vec<String>| row[facts.place].parse::<i64>().ok();
    facts.numbers
        && sample.rows.windows(2).all(|pair| match (number(&pair[0]), number(&pair[1])) {
            (Some(a), Some(b)) => a.checked_add(1) == Some(b),
            _ => false,
        })
}

/// The share of the rows whose label is that of most other rows with the same value of a column; of rows with a value that no other
/// row has, none.
fn told(sample: &Sample, column: usize, label: usize) -> f64 {
    let mut of_value: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for row in &sample.rows {
        *of_value.entry(&row[column]).or_default().entry(&row[label]).or_default() += 1;
    }
    let told = sample.rows.iter().filter(|row| {
        let labels = &of_value[row[column].as_str()];
        let own = labels[row[label].as_str()] - 1;
        let others = labels.iter().filter(|(name, _)| **name != row[label]).map(|(_, rows)| *rows).max();
        own > others.unwrap_or(0)
    });
    told.count() as f64 / sample.rows.len().max(1) as f64
}

/// The column with the most words that may be read, where none reads as text.
fn longest(columns: &[Facts], roles: &[Role]) -> Option<usize> {
    let readable = |&place: &usize| {
        let facts = &columns[place];
        roles[place] != Role::Label
            && !facts.numbers
            && facts.distinct() > 2
            && facts.addresses < 0.5
            && facts.digits < 0.9
    };
    (0..columns.len()).filter(readable).max_by(|&a, &b| columns[a].words.total_cmp(&columns[b].words))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of rows of cells under `columns`.
    fn sample(columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Sample {
        let columns = columns.iter().map(|c| (*c).to_owned()).collect();
        Sample { columns, rows: rows.collect(), whole: true, notes: Vec::new() }
    }

    fn tickets() -> Sample {
        let kinds = ["invoice", "login", "delivery"];
        let row = |i: usize| {
            vec![
                format!("{}", 1000 + i),
                format!("2024-03-{:02}", i % 28 + 1),
                format!("My {} is wrong in case {i} again", kinds[i % 3]),
                format!("{}", 20 + i * 7 % 50),
                ["web", "mail", "phone", "shop"][i / 2 % 4].to_owned(),
                format!("C{}", i % 3),
                format!("user{i}@example.org"),
                kinds[i % 3].to_owned(),
            ]
        };
        let columns = ["ticket_id", "created_at", "text", "age", "channel", "code", "contact", "category"];
        sample(&columns, (0..60).map(row))
    }

    #[test]
    fn each_column_gets_what_it_is_for_and_why() {
        let tickets = tickets();
        let facts = Facts::of(&tickets);
        let candidates = label_candidates(&facts);
        assert_eq!((candidates.names[0].as_str(), candidates.clear), ("category", true));
        let columns = roles(&tickets, facts, "category", &[]);
        let role = |name: &str| columns.iter().find(|c| c.facts.name == name).unwrap().role.clone();
        assert_eq!(role("text"), Role::Text);
        assert_eq!(role("age"), Role::Number);
        assert_eq!(role("channel"), Role::Category);
        assert_eq!(role("category"), Role::Label);
        for (name, why) in [
            ("ticket_id", "names the row"),
            ("created_at", "tells when"),
            ("code", "tells the label of 100 %"),
            ("contact", "addresses"),
        ] {
            assert!(matches!(role(name), Role::LeftOut(said) if said.starts_with(why)), "{name}");
        }
    }

    #[test]
    fn several_columns_that_may_be_the_label_are_asked_about() {
        let row =
            |i: usize| vec![format!("a text of some words {i}"), format!("{}", i % 2), format!("{}", i % 3)];
        let facts = Facts::of(&sample(&["text", "urgent", "team"], (0..40).map(row)));
        let candidates = label_candidates(&facts);
        assert_eq!(
            (candidates.names, candidates.clear),
            (vec!["team".to_owned(), "urgent".to_owned()], false)
        );
    }

    #[test]
    fn of_hundreds_of_columns_beside_the_text_none_is_taken() {
        for (beside, taken) in [(MOST_BESIDE, true), (MOST_BESIDE + 1, false)] {
            let mut names: Vec<String> = (0..beside).map(|i| format!("c{i}")).collect();
            names.extend(["text".to_owned(), "label".to_owned()]);
            let row = |i: usize| {
                let mut cells: Vec<String> = (0..beside).map(|c| format!("{}", (i * 7 + c) % 11)).collect();
                cells.extend([format!("a text of some words {i}"), format!("{}", i % 2)]);
                cells
            };
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let rows = sample(&names, (0..40).map(row));
            let columns = roles(&rows, Facts::of(&rows), "label", &[]);
            assert_eq!(columns[0].role == Role::Number, taken);
            assert!(taken || matches!(&columns[0].role, Role::LeftOut(why) if why.contains("one of 201 ")));
            assert_eq!(columns[beside].role, Role::Text);
        }
    }

    #[test]
    fn single_words_are_text_where_nothing_else_is() {
        let row =
            |i: usize| vec![format!("word{}", ["a", "b"][i % 2].repeat(i)), ["x", "y"][i % 2].to_owned()];
        let words = sample(&["what", "label"], (0..40).map(row));
        let columns = roles(&words, Facts::of(&words), "label", &[]);
        assert_eq!(columns[0].role, Role::Text);
    }

    #[test]
    fn what_is_told_is_told_by_other_rows() {
        let labels = ["a", "a", "b", "b"];
        let rows = labels
            .iter()
            .enumerate()
            .map(|(i, label)| vec![format!("{i}"), (*label).to_owned(), (*label).to_owned()]);
        let rows = sample(&["unique", "same", "label"], rows);
        assert_eq!((told(&rows, 0, 2), told(&rows, 1, 2)), (0.0, 1.0));
    }
}
