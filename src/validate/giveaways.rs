//! Single columns and words that tell the class: label leakage that no column rule can see.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::evaluate::Giveaway;
use crate::table::{Dataset, normalise};

/// Balanced accuracy of one column alone from which it gives the class away.
const COLUMN: f64 = 0.9;

/// A word gives a class away when nearly all rows with it are of the class …
const WORD_PRECISION: f64 = 0.98;

/// … it stands in this share of the class's rows …
const WORD_RECALL: f64 = 0.8;

/// … and in this many rows at least.
const WORD_ROWS: usize = 20;

/// Columns and words that alone tell the class. `learn` are the rows learned from, `check` others to check on.
pub fn giveaways(dataset: &Dataset, learn: &[usize], check: &[usize]) -> Vec<Giveaway> {
    let mut found = Vec::new();
    for (feature, name) in dataset.numeric.iter().enumerate() {
        let value = |row: usize| dataset.rows[row].cells.numeric[feature];
        let mut known: Vec<f32> = learn.iter().filter_map(|&row| value(row)).collect();
        known.sort_by(f32::total_cmp);
        let edges: Vec<f32> = (1..10).filter_map(|i| known.get(i * known.len() / 10).copied()).collect();
        let bin = |row: usize| {
            value(row).map_or(String::new(), |v| edges.iter().filter(|e| v >= **e).count().to_string())
        };
        found.extend(column(dataset, name, learn, check, bin));
    }
    for (feature, name) in dataset.categorical.iter().enumerate() {
        let value = |row: usize| dataset.rows[row].cells.categories[feature].join("\n");
        found.extend(column(dataset, name, learn, check, value));
    }
    found.extend(words(dataset, learn));
    found
}

/// The column, if guessing the commonest class of each of its values does well on other rows.
fn column(
    dataset: &Dataset,
    name: &str,
    learn: &[usize],
    check: &[usize],
    value: impl Fn(usize) -> String,
) -> Option<Giveaway> {
    let classes = dataset.classes.len();
    let mut counts: HashMap<String, Vec<usize>> = HashMap::new();
    for &row in learn {
        counts.entry(value(row)).or_insert_with(|| vec![0; classes])[dataset.rows[row].class] += 1;
    }
    let guess: HashMap<String, usize> =
        counts.into_iter().filter_map(|(v, n)| Some((v, (0..classes).max_by_key(|&c| n[c])?))).collect();
    let mut rows = vec![(0usize, 0usize); classes];
    for &row in check {
        let class = dataset.rows[row].class;
        rows[class].0 += 1;
        rows[class].1 += usize::from(guess.get(&value(row)) == Some(&class));
    }
    let recalls: Vec<f64> = rows.iter().filter(|r| r.0 > 0).map(|r| r.1 as f64 / r.0 as f64).collect();
    let balanced = recalls.iter().sum::<f64>() / recalls.len().max(1) as f64;
    (balanced >= COLUMN).then(|| Giveaway {
        what: format!("column `{name}`"),
        how: format!("alone it has {:.1} % balanced accuracy on rows not learned from", 100.0 * balanced),
    })
}

/// Words that stand in much of one class and hardly in another.
fn words(dataset: &Dataset, rows: &[usize]) -> Vec<Giveaway> {
    let mut class_rows = vec![0usize; dataset.classes.len()];
    let mut having: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for &row in rows {
        let row = &dataset.rows[row];
        class_rows[row.class] += 1;
        let text = normalise(&row.cells.texts.join(" "));
        for word in text.split(' ').filter(|w| !w.is_empty()).collect::<BTreeSet<_>>() {
            having.entry(word.to_owned()).or_insert_with(|| vec![0; dataset.classes.len()])[row.class] += 1;
        }
    }
    let mut found = Vec::new();
    for (word, counts) in having {
        let total: usize = counts.iter().sum();
        for (class, &of_class) in counts.iter().enumerate() {
            let precise = of_class as f64 >= WORD_PRECISION * total as f64;
            if total >= WORD_ROWS && precise && of_class as f64 >= WORD_RECALL * class_rows[class] as f64 {
                let how = format!(
                    "{of_class} of the {total} rows with it are {}, {} of the class's rows have it",
                    dataset.classes[class],
                    format_args!("{:.0} %", 100.0 * of_class as f64 / class_rows[class] as f64)
                );
                found.push(Giveaway { what: format!("word \"{word}\""), how });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Cells, Row};

    /// 100 rows of two classes; `word` stands in the texts of the second.
    fn dataset(
        word: &str,
        number: impl Fn(usize) -> f32,
        category: impl Fn(usize) -> &'static str,
    ) -> Dataset {
        let row = |i: usize| Row {
            file: 0,
            line: i as u64,
            cells: Cells {
                texts: vec![if i % 2 == 1 { format!("a ball {word}") } else { "a ball".into() }],
                numeric: vec![Some(number(i))],
                categories: vec![vec![category(i).to_owned()]],
            },
            class: i % 2,
            title: i.to_string(),
            in_test_files: false,
            range: None,
            tasks: vec![],
        };
        Dataset {
            files: vec!["a.csv".into()],
            text_fields: vec!["text".into()],
            classes: vec!["small".into(), "large".into()],
            numeric: vec!["age".into()],
            categorical: vec!["size".into()],
            tasks: vec![],
            rows: (0..100).map(row).collect(),
        }
    }

    fn found(dataset: &Dataset) -> Vec<String> {
        let (learn, check): (Vec<usize>, Vec<usize>) = (0..100).partition(|r| r / 2 % 5 > 0);
        giveaways(dataset, &learn, &check).into_iter().map(|g| g.what).collect()
    }

    #[test]
    fn what_tells_the_class_is_named_and_nothing_else() {
        let innocent = |i: usize| (i / 2 % 7) as f32;
        assert_eq!(found(&dataset("ball", innocent, |_| "x")), [""; 0]);
        assert_eq!(found(&dataset("adults", innocent, |_| "x")), ["word \"adults\""]);
        let age = |i: usize| if i % 2 == 1 { 30.0 + i as f32 } else { 3.0 };
        assert_eq!(found(&dataset("ball", age, |_| "x")), ["column `age`"]);
        let size = |i: usize| ["s", "l"][i % 2];
        assert_eq!(found(&dataset("ball", innocent, size)), ["column `size`"]);
    }
}
