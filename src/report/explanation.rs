//! Why a row has its label, for a terminal.

use crate::model::{Explanation, Neighbour, Part, Share};

/// Words and columns that are told on each side.
const TOLD: usize = 6;

/// Characters of a training row's text.
const SHOWN: usize = 60;

/// The words and columns for the class and against it, the fields, the nearest rows of the training and how unusual the row is: a line
/// each.
pub fn explanation_text(why: &Explanation) -> String {
    let mut text = format!(
        "why {} (log-odds {:+.2}; of a row without words and columns {:+.2})\n",
        why.class, why.log_odds, why.log_odds_of_nothing
    );
    let ranked = why.ranked();
    let list = |parts: Vec<(&str, Share)>| {
        let told = parts.iter().take(TOLD).map(|(name, share)| format!("{name} {}", value(*share)));
        told.collect::<Vec<_>>().join(", ")
    };
    let against: Vec<_> = ranked.iter().rev().copied().filter(|(_, share)| share.value < 0.0).collect();
    let pro: Vec<_> = ranked.into_iter().filter(|(_, share)| share.value > 0.0).collect();
    let named = |parts: &[Part]| list(parts.iter().map(|part| (part.name.as_str(), part.share)).collect());
    let fields = if why.fields.len() + why.columns.len() > 1 { named(&why.fields) } else { String::new() };
    let nearest = why.nearest.iter().flatten().map(neighbour).collect::<Vec<_>>().join(", ");
    let unusual = why.as_unusual.map(|share| {
        format!("{:.0} of 100 rows like those of the training are as far from the others", 100.0 * share)
    });
    let lines = [
        ("for", list(pro)),
        ("against", list(against)),
        ("fields", fields),
        ("columns", named(&why.columns)),
        ("nearest", nearest),
        ("unusual", unusual.unwrap_or_default()),
    ];
    for (name, told) in lines.into_iter().filter(|(_, told)| !told.is_empty()) {
        text += &format!("  {name:<8} {told}\n");
    }
    text
}

fn value(share: Share) -> String {
    match share.standard_error {
        0.0 => format!("{:+.2}", share.value),
        error => format!("{:+.2} ± {error:.2}", share.value),
    }
}

fn neighbour(Neighbour { place, label, cosine, text }: &Neighbour) -> String {
    let text = text.as_ref().map(|text| {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown: String = line.chars().take(SHOWN).collect();
        format!(" {shown:?}{}", if line.chars().count() > SHOWN { "…" } else { "" })
    });
    format!("{place} {label} {cosine:.2}{}", text.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Word;

    #[test]
    fn what_says_most_comes_first_on_either_side() {
        let share = |value, standard_error| Share { value, standard_error };
        let word =
            |text: &str, share| Word { field: "text".into(), text: text.into(), start: 0, end: 1, share };
        let why = Explanation {
            class: "billing".into(),
            log_odds: 2.0,
            log_odds_of_nothing: -0.5,
            exact: false,
            fields: vec![Part { name: "text".into(), share: share(2.0, 0.1) }],
            columns: vec![Part { name: "cost".into(), share: share(0.5, 0.0) }],
            words: vec![word("My", share(-0.25, 0.05)), word("invoice", share(2.25, 0.125))],
            as_unusual: Some(0.34),
            nearest: Some(vec![Neighbour {
                place: "a.csv:2".into(),
                label: "billing".into(),
                cosine: 0.81,
                text: Some("a\nbill ".repeat(20)),
            }]),
        };
        let lines: Vec<String> = explanation_text(&why).lines().map(str::to_owned).collect();
        assert_eq!(lines[0], "why billing (log-odds +2.00; of a row without words and columns -0.50)");
        assert_eq!(lines[1], "  for      invoice +2.25 ± 0.12, cost +0.50");
        assert_eq!(lines[2], "  against  My -0.25 ± 0.05");
        assert_eq!(lines[3], "  fields   text +2.00 ± 0.10");
        assert_eq!(lines[4], "  columns  cost +0.50");
        assert!(lines[5].starts_with("  nearest  a.csv:2 billing 0.81 \"a bill a bill"), "{}", lines[5]);
        assert!(lines[5].ends_with("\"…"), "{}", lines[5]);
        assert_eq!(
            lines[6],
            "  unusual  34 of 100 rows like those of the training are as far from the others"
        );
    }
}
