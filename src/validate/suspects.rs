//! Rows that look mislabelled, by confident learning (Northcutt, Jiang & Chuang 2021).

use serde::Serialize;

use crate::table::{Dataset, Row, shorten};

/// A row whose label is in doubt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suspect {
    /// Its place in the dataset.
    #[serde(skip)]
    pub row: usize,
    /// `file:line`.
    pub place: String,
    /// Its normalised title, or the beginning of its text where no title is named.
    pub title: String,
    /// The label it has.
    pub label: String,
    /// The label that is likelier.
    pub likelier: String,
    /// Out-of-fold probability of the label it has, in `[0, 1]`.
    pub probability: f64,
    /// Out-of-fold probability of the likelier label, in `[0, 1]`.
    pub likelier_probability: f64,
}

/// Suspects among the rows `among` of `dataset`, most suspect first.
///
/// `probabilities` are out-of-fold, a line for each of `among` and a column a class, row-major: each row's come from a
/// model that has not seen it. A row is suspect when another class is at least as probable as it is on average for the
/// rows labelled with it, and more probable than the row's own label; suspects are ordered by the margin between the two.
pub fn suspects(dataset: &Dataset, among: &[usize], probabilities: &[f32]) -> Vec<Suspect> {
    let classes = dataset.classes.len();
    let of = |line: usize, class: usize| f64::from(probabilities[line * classes + class]);
    let (mut sums, mut counts) = (vec![0.0; classes], vec![0.0; classes]);
    for (line, class) in among.iter().map(|&row| dataset.rows[row].class).enumerate() {
        sums[class] += of(line, class);
        counts[class] += 1.0;
    }
    let threshold =
        |class: usize| if counts[class] > 0.0 { sums[class] / counts[class] } else { f64::INFINITY };
    let mut found: Vec<(f64, Suspect)> = Vec::new();
    for (line, &row) in among.iter().enumerate() {
        let data = &dataset.rows[row];
        let own = of(line, data.class);
        let likelier = (0..classes)
            .filter(|&c| c != data.class && of(line, c) >= threshold(c) && of(line, c) > own)
            .max_by(|&a, &b| of(line, a).total_cmp(&of(line, b)));
        if let Some(class) = likelier {
            let suspect = Suspect {
                row,
                place: dataset.place(row),
                title: shown(data),
                label: dataset.classes[data.class].clone(),
                likelier: dataset.classes[class].clone(),
                probability: own,
                likelier_probability: of(line, class),
            };
            found.push((own - of(line, class), suspect));
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found.into_iter().map(|(_, suspect)| suspect).collect()
}

/// What people know a row by: its title, else the beginning of its text.
fn shown(row: &Row) -> String {
    let text = row.cells.texts.iter().find(|text| !text.is_empty()).map_or("", String::as_str);
    if row.title.is_empty() { shorten(text, 80) } else { row.title.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Cells, ContentHash, Row};

    #[test]
    fn a_confidently_contradicted_label_comes_first() {
        let row = |class| Row {
            file: 0,
            line: 1,
            cells: Cells::default(),
            class,
            title: class.to_string(),
            in_test_files: false,
            range: None,
            weight: 1.0,
            collected: None,
            tasks: vec![],
            group: None,
            record: ContentHash::default(),
        };
        let dataset = Dataset {
            files: vec!["a.csv".into()],
            text_fields: vec![],
            classes: vec!["a".into(), "b".into()],
            numeric: vec![],
            categorical: vec![],
            tasks: vec![],
            rows: [0, 0, 0, 1, 1, 1].map(row).into(),
        };
        // Mean self-confidence: a (0.9 + 0.8 + 0.05) / 3 = 0.583, b (0.9 + 0.45 + 0.6) / 3 = 0.65.
        // Row 2 is b at 0.95 ≥ 0.65: suspect. Row 4 is a at 0.55 < 0.583: merely unsure.
        let probabilities = [0.9, 0.1, 0.8, 0.2, 0.05, 0.95, 0.1, 0.9, 0.55, 0.45, 0.4, 0.6];
        let found = suspects(&dataset, &[0, 1, 2, 3, 4, 5], &probabilities);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].row, found[0].label.as_str(), found[0].likelier.as_str()), (2, "a", "b"));
        // Of rows 1 to 4 alone, in another order: a (0.8 + 0.05) / 2 = 0.425, b (0.9 + 0.45) / 2 = 0.675, so that
        // row 4 is suspect, too: a at 0.55.
        let some = [4, 2, 1, 3];
        let of_some: Vec<f32> = some.iter().flat_map(|&row| probabilities[2 * row..][..2].to_vec()).collect();
        let found = suspects(&dataset, &some, &of_some);
        assert_eq!(found.iter().map(|s| s.row).collect::<Vec<_>>(), [2, 4]);
        assert!(suspects(&dataset, &[], &[]).is_empty());
    }
}
