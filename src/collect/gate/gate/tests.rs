//! The gate as a whole.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::collect::gate::candidate::Probabilities;
use crate::collect::gate::personal::PersonalAction;
use crate::collect::gate::schema::WordLimits;
use crate::progress::Silent;

fn own(of: &[&str]) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
}

fn texts(title: &str, steps: &str) -> Columns {
    [("title", title), ("steps", steps)].map(|(name, text)| (name.to_owned(), own(&[text]))).into()
}

fn candidate(title: &str, steps: &str) -> Candidate {
    Candidate { texts: texts(title, steps), values: Columns::new(), class: 0 }
}

fn known() -> Vec<Columns> {
    vec![
        texts(
            "Boats in the bath",
            "Fill the bath with warm water and let the boats race from one end to the other.",
        ),
        texts(
            "What is missing?",
            "Lay the blanket on the grass and put three toys under it. Which one is missing?",
        ),
    ]
}

fn settings() -> GateSettings {
    let schema = SchemaSettings {
        texts: own(&["title", "steps"]),
        words: [("steps".to_owned(), WordLimits { least: 3, most: 40 })].into(),
        ..SchemaSettings::default()
    };
    let alike = AlikeSettings { unique_fields: own(&["title"]), ..AlikeSettings::default() };
    let personal = PersonalSettings { action: PersonalAction::Remove, ..PersonalSettings::default() };
    GateSettings { schema, alike, personal, ..GateSettings::default() }
}

fn classes() -> Vec<String> {
    own(&["Toddler (0-3)", "Teen+ (11+)"])
}

fn codes(verdict: &Verdict) -> Vec<&'static str> {
    verdict.reasons.iter().map(Reason::code).collect()
}

/// Vectors at these angles, in degrees.
fn circle(angles: &[f32]) -> Vec<f32> {
    angles.iter().flat_map(|angle| [angle.to_radians().cos(), angle.to_radians().sin()]).collect()
}

#[test]
fn every_reason_is_found_and_each_row_has_its_verdict() {
    let (rows, held) = (known(), vec![texts("Paper fish", "Fold the paper and cut a fish out of it.")]);
    let (known_vectors, held_vectors) = (circle(&[0.0, 90.0]), circle(&[180.0]));
    let against = Against {
        known: Reference {
            texts: &rows,
            vectors: Some(Vectors::new(&known_vectors, 2, "known row").unwrap()),
        },
        held_out: Reference {
            texts: &held,
            vectors: Some(Vectors::new(&held_vectors, 2, "held-out row").unwrap()),
        },
    };
    let gate = Gate::new(&classes(), settings(), against).unwrap();
    let candidates = [
        candidate("Sock hunt", "Hide ten socks in the room and find them before the song is over."),
        candidate("Sock race", "Write to jo@club.org, then run with a sock on your head around the table."),
        candidate("BOATS, in the bath!", "Smoke weed."),
        candidate("For teens", "Hide and seek in the dark, with a torch that nobody may switch on."),
        candidate("Paper Fish", "Fold the paper, and cut: a fish out of it"),
        candidate("Sock hunt", "Let somebody hide a few things and look for all of them together."),
        candidate(
            "Decke",
            "Legt die Decke auf die Wiese und versteckt drei Spielsachen darunter. Welche fehlt jetzt?",
        ),
        candidate("Doubt", "Walk backwards through the hall while the others clap a rhythm for you."),
    ];
    // 20 degrees are a cosine of 0.940, 25 of 0.906, 27 of 0.891, 29 of 0.875.
    let vectors = circle(&[40.0, 300.0, 0.0, 207.0, 180.0, 60.0, 330.0, 240.0]);
    let probabilities =
        [[0.9, 0.1]; 6].into_iter().flatten().chain([0.01, 0.99, 0.2, 0.8]).collect::<Vec<_>>();
    let batch = Batch {
        candidates: &candidates,
        vectors: Some(Vectors::new(&vectors, 2, "candidate").unwrap()),
        probabilities: Some(Probabilities { values: &probabilities, classes: 2 }),
    };
    let judged = gate.judge(batch, &Silent).unwrap();
    let found: Vec<Vec<&str>> = judged.verdicts.iter().map(codes).collect();
    assert_eq!(
        found,
        [
            vec![],
            vec!["personal-removed"],
            vec!["too-short", "unsafe", "same-field", "alike"],
            vec!["names-label", "alike"],
            vec!["same-text", "same-field", "alike"],
            vec!["same-field", "alike"],
            vec!["language", "opinion"],
            vec!["doubtful"],
        ]
    );
    let accepted: Vec<bool> = judged.verdicts.iter().map(|verdict| verdict.accepted).collect();
    assert_eq!(accepted, [true, true, false, false, false, false, false, true]);
    assert!(judged.verdicts[7].is_doubtful() && !judged.verdicts[0].is_doubtful());
    let cleaned = judged.verdicts[1].texts.as_ref().unwrap();
    assert_eq!(
        cleaned["steps"],
        ["Write to email address, then run with a sock on your head around the table."]
    );
    let strict =
        Reason::Alike { among: Among::HeldOut, row: 0, cosine: 27f64.to_radians().cos(), limit: 0.88 };
    assert_eq!(judged.verdicts[3].reasons[1].to_string(), strict.to_string());
    assert_eq!(judged.counts()["alike"], 4);
    assert_eq!(judged.skipped, []);
    let json = serde_json::to_string(&judged).unwrap();
    assert_eq!(serde_json::from_str::<Judged>(&json).unwrap(), judged);
}

#[test]
fn of_two_candidates_alike_the_first_accepted_stays() {
    let gate = Gate::new(&classes(), settings(), Against::default()).unwrap();
    let steps = "Hide ten socks in the room and find them.";
    let candidates = [
        candidate("Sock hunt of teens", steps),
        candidate("Sock hunt", steps),
        candidate("sock HUNT", steps),
    ];
    let judged =
        gate.judge(Batch { candidates: &candidates, vectors: None, probabilities: None }, &Silent).unwrap();
    let found: Vec<Vec<&str>> = judged.verdicts.iter().map(codes).collect();
    assert_eq!(found, [vec!["names-label"], vec![], vec!["same-text", "same-field"]]);
    assert_eq!(judged.verdicts[2].reasons[0], Reason::SameText { among: Among::Batch, row: 1 });
}

#[test]
fn what_was_not_checked_is_said() {
    let gate = Gate::new(&classes(), settings(), Against::default()).unwrap();
    let judged = gate.judge(Batch { candidates: &[], vectors: None, probabilities: None }, &Silent).unwrap();
    let skipped: Vec<&str> = judged.skipped.iter().map(|skipped| skipped.check.as_str()).collect();
    assert_eq!(
        skipped,
        [
            "language",
            "opinion",
            "likeness to known rows",
            "likeness to held-out rows",
            "likeness within the batch"
        ]
    );
    assert_eq!(judged.verdicts, []);
}

#[test]
fn inputs_that_do_not_belong_together_are_errors() {
    let rows = known();
    let one = circle(&[0.0]);
    let vectors = Vectors::new(&one, 2, "row").unwrap();
    let reference = Reference { texts: &rows, vectors: Some(vectors) };
    let against = Against { known: reference, held_out: Reference::default() };
    assert!(matches!(
        Gate::new(&classes(), settings(), against).err(),
        Some(GateError::Shape { what: "vectors of known rows", found: 1, wanted: 2 })
    ));
    let gate = Gate::new(&classes(), settings(), Against::default()).unwrap();
    let candidates = [candidate("a", "b"), candidate("c", "d")];
    let batch = Batch { candidates: &candidates, vectors: Some(vectors), probabilities: None };
    assert!(matches!(gate.judge(batch, &Silent), Err(GateError::Shape { found: 1, wanted: 2, .. })));
    let values = [0.5, 0.5];
    let probabilities = Some(Probabilities { values: &values, classes: 2 });
    let batch = Batch { candidates: &candidates, vectors: None, probabilities };
    assert!(matches!(gate.judge(batch, &Silent), Err(GateError::Shape { found: 2, wanted: 4, .. })));
}

#[test]
fn hostile_candidates_are_refused_without_harm() {
    let gate = Gate::new(&classes(), settings(), Against::default()).unwrap();
    let long = "word \u{0}\u{202e}(( ".repeat(20_000);
    let candidates = [
        Candidate { class: usize::MAX, ..Candidate::default() },
        candidate("\u{feff}", &long),
        candidate("🙂", &"🙂".repeat(1000)),
    ];
    let values = [0.5; 6];
    let probabilities = Some(Probabilities { values: &values, classes: 2 });
    let judged =
        gate.judge(Batch { candidates: &candidates, vectors: None, probabilities }, &Silent).unwrap();
    assert!(judged.verdicts.iter().all(|verdict| !verdict.accepted));
    assert_eq!(codes(&judged.verdicts[0]), ["missing-column", "missing-column", "unknown-class"]);
}

#[test]
fn a_stop_is_heard() {
    struct Stops(AtomicUsize);
    impl Progress for Stops {
        fn start(&self, _: &str, _: u64, _: &'static str) {}
        fn advance(&self, _: u64) {}
        fn finish(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn note(&self, _: &str) {}
        fn interrupted(&self) -> bool {
            true
        }
    }
    let gate = Gate::new(&classes(), settings(), Against::default()).unwrap();
    let candidates = [candidate("a", "b")];
    let stops = Stops(AtomicUsize::new(0));
    let judged = gate.judge(Batch { candidates: &candidates, vectors: None, probabilities: None }, &stops);
    assert_eq!((judged, stops.0.into_inner()), (Err(GateError::Interrupted), 1));
}
