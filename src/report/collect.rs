//! Candidates, for a terminal: what the gate says, what was accepted, what they are worth.

use super::table::Table;
use crate::collect::{ACCEPTED, Accepted, Answered, Pair, Review, Scraped, Stop};
use crate::counting::{counted, grouped};
use crate::evaluate::{Estimate, Figure, Worth, signed};

/// Pages without a row that are listed, and hosts that were left alone.
const PAGES_LISTED: usize = 12;

/// Candidates that are listed.
const LISTED: usize = 12;

/// More classes than this have no line each.
const CLASSES_SHOWN: usize = 20;

/// A line a file, how often each reason was found, how varied the accepted ones are, and some of those that did not pass.
pub fn review_text(review: &Review) -> String {
    let mut table = Table::new(["", "candidates", "accepted", "doubtful", "refused"]);
    for batch in &review.batches {
        let counts = [batch.candidates, batch.accepted, batch.doubtful, batch.refused].map(grouped);
        table.push([batch.file.display().to_string()].into_iter().chain(counts));
    }
    let mut text = format!("{}\n{table}", review.name);
    let mut reasons: Vec<_> = review.reasons.iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    if !reasons.is_empty() {
        let said: Vec<String> =
            reasons.iter().map(|(code, count)| format!("{code} {}", grouped(**count))).collect();
        text += &format!("\nfound: {}\n", said.join(", "));
    }
    for skipped in &review.skipped {
        text += &format!("not checked: {}; {}\n", skipped.check, skipped.why);
    }
    if let Some(distance) = review.diversity.figures.nearest_distance {
        let [_, pairs, _] = review.diversity.figures.distinct;
        text += &format!(
            "those that pass: mean distance to the nearest {distance:.3}, different pairs of words {pairs:.3}\n"
        );
    }
    if let Some(fall) = &review.diversity.fall {
        text += &format!(
            "warning: the later ones are less varied than the first ({:.3} after {:.3}, p = {:.3}); whatever writes them repeats \
             itself\n",
            fall.last, fall.first, fall.p
        );
    }
    let others: Vec<_> = review.candidates.iter().filter(|candidate| candidate.verdict != ACCEPTED).collect();
    for candidate in others.iter().take(LISTED) {
        text += &format!(
            "\n{}:{} {} ({}) {}\n  {}\n",
            candidate.file.display(),
            candidate.line,
            candidate.verdict,
            if candidate.class.is_empty() { "no class" } else { &candidate.class },
            candidate.text,
            candidate.reasons.join("\n  ")
        );
    }
    if others.len() > LISTED {
        text += &format!("\n… and {}\n", counted(others.len() - LISTED, "more", "more"));
    }
    text
}

/// Who answered and how far they agree, whom to ask next, and what is as good as labelled.
pub fn answered_text(answered: &Answered) -> String {
    let mut text = format!(
        "task {}: {} of {} labelled by {}\n",
        answered.task,
        grouped(answered.answered),
        counted(answered.rows, "row", "rows"),
        counted(answered.annotators.len(), "person", "people")
    );
    let mut table = Table::new(["", "answers", "as the others say", "95 % interval"]);
    for of in &answered.annotators {
        let (share, interval) = of.accuracy.map_or(("".into(), "".into()), |e| {
            (format!("{:.3}", e.value), format!("{:.3} – {:.3}", e.low, e.high))
        });
        table.push([of.name.clone(), grouped(of.answers), share, interval]);
    }
    text += &format!("\n{table}");
    if !answered.pairs.is_empty() {
        let mut table = Table::new(["", "rows", "same class", "95 % interval", "Cohen's κ"]);
        for Pair { names: [first, second], rows, same, kappa } in &answered.pairs {
            let interval = format!("{:.3} – {:.3}", same.low, same.high);
            let names = format!("{first} and {second}");
            table.push([
                names,
                grouped(*rows),
                format!("{:.3}", same.value),
                interval,
                format!("{kappa:.3}"),
            ]);
        }
        text += &format!("\n{table}");
    }
    for ask in &answered.again {
        text += &format!("\nask {} about {} next (unsettled by {:.2} nats)", ask.who, ask.id, ask.entropy);
    }
    for fault in &answered.faults {
        text += &format!("\nnot counted: {fault}");
    }
    text += &match &answered.file {
        Some(file) => format!(
            "\n{} as good as certain: {}; `pipeline collect review` says which pass the gate\n",
            counted(answered.sure, "row is", "rows are"),
            file.display()
        ),
        None => "\nno row is as good as certain yet\n".into(),
    };
    text
}

/// What was accepted, and what still waits.
pub fn accepted_text(accepted: &Accepted) -> String {
    let mut text = String::new();
    for (kind, count) in &accepted.added {
        text += &format!("{} added: {kind}\n", counted(*count, "row was", "rows were"));
    }
    if accepted.added.is_empty() {
        text += "no row was added\n";
    }
    if accepted.waiting > 0 {
        text += &format!(
            "{} and still waits; `pipeline collect accept --doubtful` takes what is left\n",
            counted(accepted.waiting, "is doubtful", "are doubtful")
        );
    }
    let refused = counted(accepted.refused, "was refused", "were refused");
    text + &format!("{refused}; all are kept with their reasons in {}\n", accepted.done.display())
}

/// What the candidates that pass are worth, and for each class.
pub fn worth_text(worth: &Worth) -> String {
    let [folds, repeats] = worth.folds;
    let mut table = Table::new(["", "without", "95 % interval", "with minus without", "95 % interval"]);
    for figure in [Figure::Accuracy, Figure::MacroF1, Figure::LogLoss] {
        let (e, d) = (worth.without[&figure], worth.difference[&figure]);
        table.push([
            figure.label().to_owned(),
            format!("{:.3}", e.value),
            format!("{:.3} – {:.3}", e.low, e.high),
            signed(d.value),
            format!("{} – {}", signed(d.low), signed(d.high)),
        ]);
    }
    let mut text = format!(
        "{}: {} that pass the gate, {folds} × {repeats} folds of {}\n\n{table}",
        worth.name,
        counted(worth.candidates, "candidate", "candidates"),
        counted(worth.rows, "real row", "real rows")
    );
    if worth.classes.len() <= CLASSES_SHOWN {
        let mut table = Table::new(["F1 of each class", "with minus without", "95 % interval"]);
        for (class, f1) in worth.classes.iter().zip(&worth.class_f1) {
            table.push([
                class.clone(),
                signed(f1.value),
                format!("{} – {}", signed(f1.low), signed(f1.high)),
            ]);
        }
        text += &format!("\n{table}");
    }
    let Estimate { low, high, .. } = worth.difference[&Figure::MacroF1];
    text + match (low > 0.0, high < 0.0) {
        (true, _) => "\nthey help\n",
        (_, true) => "\nthey do harm; do not accept them\n",
        _ => "\nno difference beyond chance\n",
    }
}

/// What became of the pages, why some gave no row, and what is left to do.
pub fn scraped_text(found: &Scraped) -> String {
    let summary = &found.summary;
    let asked = [summary.asked, summary.unchanged, summary.archived, summary.rows].map(grouped);
    let [asked, unchanged, archived, rows] = asked;
    let mut text = format!(
        "asked for {asked} pages and sitemaps, {unchanged} of them as they were before; {archived} read from archives\n"
    );
    text += &format!("rows: {rows}, of which {} in no earlier file\n", grouped(found.new));
    if !summary.refused.is_empty() {
        let said: Vec<String> =
            summary.refused.iter().map(|(name, count)| format!("{name} {}", grouped(*count))).collect();
        text += &format!("no row: {}\n", said.join(", "));
    }
    for page in found.examples.iter().take(PAGES_LISTED) {
        text += &format!("  {}: {}\n", page.url, page.reason);
    }
    for fault in summary.faults.iter().take(PAGES_LISTED) {
        text += &format!("cannot be used: {fault}\n");
    }
    if summary.faults.len() > PAGES_LISTED {
        text += &format!("… and {}\n", counted(summary.faults.len() - PAGES_LISTED, "more", "more"));
    }
    for host in summary.left_alone.iter().take(PAGES_LISTED) {
        let left = counted(host.left, "page is left there", "pages are left there");
        text += &format!("{} was left alone: {}; {left}\n", host.host, host.reason);
    }
    if summary.dropped_links > 0 {
        text += &format!(
            "{} not kept: shaped like traps, or too many\n",
            counted(summary.dropped_links, "link", "links")
        );
    }
    let left = counted(summary.left, "address is left", "addresses are left");
    text += &match summary.stop {
        Stop::Finished => "nothing is left to do\n".to_owned(),
        Stop::Pages => format!("the limit of pages is reached; {left} for the next run\n"),
        Stop::Seconds => format!("the limit of time is reached; {left} for the next run\n"),
        Stop::Interrupted => format!("stopped; {left}, and the next run goes on with them\n"),
    };
    text += &match &found.file {
        Some(file) => {
            let review = format!("{}: `pipeline collect review` says which pass the gate\n", file.display());
            match found.unlabelled {
                0 => review,
                unlabelled => format!(
                    "{review}{} no label: `pipeline collect ask {}` writes a task for people\n",
                    counted(unlabelled, "row has", "rows have"),
                    file.display()
                ),
            }
        }
        None => format!(
            "no row is new, and no file was written; {} says why of each page\n",
            found.record.display()
        ),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::{Diversity, DiversityFigures, REFUSED, Reviewed};
    use std::collections::BTreeMap;

    #[test]
    fn what_waits_and_what_was_refused_is_said() {
        let accepted = Accepted {
            added: BTreeMap::from([("generated", 1_200)]),
            waiting: 1,
            refused: 3,
            done: "data/candidates/t/done".into(),
        };
        let text = accepted_text(&accepted);
        for said in ["1,200 rows were added: generated", "1 is doubtful and still waits", "3 were refused"] {
            assert!(text.contains(said), "{text}");
        }
        let figures = DiversityFigures { nearest_distance: None, distinct: [1.0; 3] };
        let candidate = |verdict| Reviewed {
            file: "data/candidates/t/a.csv".into(),
            line: 2,
            class: "billing".into(),
            text: "Hi".into(),
            verdict,
            reasons: vec!["`text` has 1 words, fewer than 2".into()],
            texts: None,
        };
        let review = Review {
            name: "t".into(),
            batches: vec![],
            reasons: BTreeMap::from([("too-short".into(), 14), ("alike".into(), 20)]),
            skipped: vec![],
            diversity: Diversity { figures, windows: vec![], fall: None },
            candidates: (0..14).map(|_| candidate(REFUSED)).collect(),
        };
        let text = review_text(&review);
        assert!(text.contains("found: alike 20, too-short 14") && text.contains("… and 2 more"), "{text}");
    }
}
