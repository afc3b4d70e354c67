//! A model beside a language model, for a terminal.

use super::table::Table;
use crate::collect::AgainstModel;
use crate::counting::{counted, grouped, money};
use crate::evaluate::{Estimate, signed};

/// Figures of both with their differences, McNemar's test, seconds and cost.
pub fn against_text(c: &AgainstModel) -> String {
    let header = ["", &c.first, "95 % interval", &c.second, "95 % interval", "difference", "95 % interval"];
    let mut table = Table::new(header);
    let plain = |e: &Estimate| [format!("{:.3}", e.value), format!("{:.3} – {:.3}", e.low, e.high)];
    let with_sign = |e: &Estimate| [signed(e.value), format!("{} – {}", signed(e.low), signed(e.high))];
    for (figure, difference) in &c.difference {
        let sides = c.figures.iter().filter_map(|side| side.get(figure)).flat_map(plain);
        table.push([figure.label().to_owned()].into_iter().chain(sides).chain(with_sign(difference)));
    }
    let seconds = |s: Option<f64>| s.map_or_else(|| "kept from before".to_owned(), |s| format!("{s:.1} s"));
    let cost = c.cost_per_1000.map_or_else(|| "no prices are set".to_owned(), money);
    let blank = String::new;
    let row = |name: &str, own: String, theirs: String| {
        [name.to_owned(), own, blank(), theirs, blank(), blank(), blank()]
    };
    let [own, theirs] = c.seconds_per_1000;
    table.push(row("1,000 rows take", seconds(own), seconds(theirs)));
    table.push(row("1,000 rows cost", "0".to_owned(), cost));
    let mut text = format!(
        "{} of {}; {} was shown {} beside each\n{table}",
        counted(c.rows, "test row", "test rows"),
        grouped(c.of),
        c.second,
        match c.examples {
            0 => "no row of the training".to_owned(),
            count => format!("the {} most like it", counted(count, "training row", "training rows")),
        }
    );
    text += &format!(
        "  {} right in {} alone, {} in {} alone, McNemar p = {:.3}\n",
        c.mcnemar.only_first, c.first, c.mcnemar.only_second, c.second, c.mcnemar.p
    );
    let about = if c.tokens_estimated { "about " } else { "" };
    text += &format!(
        "  {} {} asked now, {} at once; all answers took {about}{} tokens of prompts and {about}{} of answers\n",
        counted(c.asked, "request", "requests"),
        if c.asked == 1 { "was" } else { "were" },
        c.concurrency,
        grouped(c.tokens.prompt as usize),
        grouped(c.tokens.completion as usize)
    );
    if !c.unanswered.is_empty() {
        let reasons: Vec<String> =
            c.unanswered.iter().map(|(why, rows)| format!("{} {}", grouped(*rows), why.name())).collect();
        text += &format!(
            "  {} had no label ({}); {} counted as {}\n",
            counted(c.unanswered.values().sum(), "row", "rows"),
            reasons.join(", "),
            if c.unanswered.values().sum::<usize>() == 1 { "it" } else { "they" },
            c.fallback
        );
    }
    if let Some(ended) = &c.ended {
        text += &format!("  {ended}\n");
    }
    text
}
