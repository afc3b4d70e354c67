//! What a finished model is worth on labelled rows, a screenful.

use super::table::Table;
use super::terminal::{FIGURES, classes, plain};
use crate::counting::counted;
use crate::evaluate::{Expected, Metrics, SIGNIFICANT, Scored, signed};

/// Confusions shown.
const SHOWN: usize = 5;

/// Figures beside those that were to be expected, classes, confusions, and how the rows differ from those learned from.
pub fn scored_text(s: &Scored) -> String {
    let count = s.metrics.per_class.len();
    let here = counted(s.metrics.rows, "row", "rows");
    let mut header = vec![String::new(), here, "95 % interval".into()];
    let expected = s.expected.as_ref();
    header.extend(expected.into_iter().flat_map(|e| {
        [format!("{} ({})", e.rows, counted(e.metrics.rows, "row", "rows")), "95 % interval".into()]
    }));
    let mut table = Table::new(header);
    for figure in FIGURES {
        let cells = |metrics: &Metrics| plain(metrics.of(figure), figure.range(count));
        let there = expected.map(|e| cells(&e.metrics)).into_iter().flatten();
        table.push([figure.label().to_owned()].into_iter().chain(cells(&s.metrics)).chain(there));
    }
    let files: Vec<String> = s.files.iter().map(|file| file.display().to_string()).collect();
    let mut text = format!(
        "model {} on {}\n\n{table}\n{}",
        s.name,
        files.join(", "),
        classes((&s.metrics, "these rows"))
    );
    text += &confusions(&s.metrics);
    let mut differences: String = expected.map(differences).unwrap_or_default();
    if let Some(texts) = s.texts.filter(|texts| texts.is_found()) {
        differences += &format!(
            "  ! the texts are of another kind than those of training: a classifier tells which of the two a text is from with an area \
             under the ROC curve of {:.2} (p = {:.1e})\n",
            texts.auc, texts.p
        );
    }
    if !differences.is_empty() {
        text += &format!("\n{differences}");
    }
    text
}

/// The most frequent confusions.
fn confusions(metrics: &Metrics) -> String {
    let class = |place: usize| metrics.per_class[place].class.as_str();
    let mut all: Vec<(usize, usize, usize)> = Vec::new();
    for (truth, row) in metrics.confusion.iter().enumerate() {
        let wrong = row.iter().enumerate().filter(|&(predicted, &rows)| predicted != truth && rows > 0);
        all.extend(wrong.map(|(predicted, &rows)| (rows, truth, predicted)));
    }
    if all.is_empty() {
        return String::new();
    }
    all.sort_by_key(|&(rows, ..)| std::cmp::Reverse(rows));
    let mut table = Table::new(["confused", "as", "rows"]);
    for &(rows, truth, predicted) in all.iter().take(SHOWN) {
        table.push([class(truth).to_owned(), class(predicted).to_owned(), rows.to_string()]);
    }
    format!("\n{table}")
}

fn differences(e: &Expected) -> String {
    let mut text = String::new();
    if e.accuracy_p < SIGNIFICANT {
        let (what, difference) =
            (if e.accuracy_difference < 0.0 { "worse" } else { "better" }, signed(e.accuracy_difference));
        text += &format!(
            "  ! these rows are answered {what} than the model's own: accuracy {difference} (p = {:.1e})\n",
            e.accuracy_p
        );
    }
    if e.shares_p < SIGNIFICANT {
        let (class, there, here) = &e.share;
        text += &format!(
            "  ! the classes have other shares than in training: {class} {:.0} % instead of {:.0} % (p = {:.1e}); `pipeline predict \
             --priors` answers for other shares\n",
            100.0 * here,
            100.0 * there,
            e.shares_p
        );
    }
    text
}
