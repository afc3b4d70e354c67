//! Texts far shorter than those of the training: what they say decides, not how short they are.

use std::fmt::Write;

use serde_json::Value;

use crate::project::Project;

const WORDS: [(&str, [&str; 4]); 4] = [
    ("refund", ["refund", "money back", "reimbursement", "repayment"]),
    ("delivery", ["delivery", "parcel", "courier", "shipment"]),
    ("account", ["account", "password", "login", "profile"]),
    ("payment", ["payment", "invoice", "card charge", "bill"]),
];

/// Those of the class `account` are a few words shorter than the others.
const SENTENCES: [[&str; 5]; 2] = [
    [
        "I wrote to you last {d} about the {t} and nobody has answered me since",
        "Could somebody please tell me what is happening with the {t} from last {d}",
        "There is still a problem with my {t} and I have been waiting since {d}",
        "My question about the {t} was passed on last {d} but nothing has come of it",
        "Please have a look at the {t} again because it was wrong last {d} as well",
    ],
    [
        "I wrote to you about the {t} last {d} without answer",
        "Could somebody please tell me about my {t} from {d}",
        "There is still a problem with the {t} since {d}",
        "My question about the {t} was passed on last {d}",
        "Please have a look at the {t} again before {d}",
    ],
];

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Two rows are of one word: what a single row has does not stretch what is believed.
fn data() -> String {
    let mut csv = String::from("text,class\nLogin,account\nDelivery,delivery\n");
    for (class, words) in WORDS {
        for i in 0..60 {
            let sentence = SENTENCES[usize::from(class == "account")][i % 5];
            let text = sentence.replace("{t}", words[i % 4]).replace("{d}", DAYS[(i * 3 + i / 7) % 7]);
            writeln!(csv, "{text},{class}").unwrap();
        }
    }
    csv
}

/// Label and confidence of each of the classes' names, by a head of `kind`.
fn answers(project: &Project, kind: &str, text_shape: bool) -> Vec<(String, f64)> {
    project.write(
        "pipeline.toml",
        format!(
            "name = \"{kind}-{text_shape}\"\n[data]\nfiles = [\"data.csv\"]\ntext_fields = [\"text\"]\n\
             [label]\ncolumn = \"class\"\n[features]\ntext_shape = {text_shape}\n\
             [split]\nnear_duplicate_cosine = 1.0\n[train]\nhead = \"{kind}\"\n[evaluate]\nfolds = 2\nrepeats = 1\n"
        ),
    );
    project.good(&["train", "--quiet"]);
    let texts = WORDS.iter().flat_map(|(class, _)| ["--text", class]);
    let args: Vec<&str> = ["predict", "--json"].into_iter().chain(texts).collect();
    let of = |line: &str| {
        let answer: Value = serde_json::from_str(line).unwrap();
        let label = answer["label"].as_str().unwrap().to_owned();
        let confidence = answer["probabilities"][&label].as_f64().unwrap();
        (label, confidence)
    };
    project.good(&args).out().lines().map(of).collect()
}

#[test]
fn a_single_word_is_labelled_by_what_it_says() {
    let project = Project::empty();
    project.write("data.csv", data());
    for kind in ["kernel", "logistic", "knn", "prototypes", "trees", "network"] {
        let (without, with) = (answers(&project, kind, false), answers(&project, kind, true));
        for (((class, _), without), with) in WORDS.iter().zip(without).zip(with) {
            assert_eq!((&*without.0, &*with.0), (*class, *class), "{kind}: {without:?} {with:?}");
            assert!(with.1 < without.1 + 0.1, "{kind}, {class}: {without:?} {with:?}");
        }
    }
}
