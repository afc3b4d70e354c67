//! Every setting that decides what is learned moves what is answered, by the program itself on a small project. A key that is
//! neither here nor among the exceptions fails the test, and so does one without effect.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::project::Project;

/// Head of the base, what else is set there, and the switch with a value.
type Switch = (&'static str, &'static [(&'static str, &'static str)], &'static str, &'static str);

const VARIANTS: &[(&str, &str)] = &[("augment.synonyms.variants", "2")];
const EDA: &[(&str, &str)] = &[("augment.eda.variants", "2")];
/// On the way there "the" becomes the names of both languages, and back nothing is left to be changed.
const BACK: &[(&str, &str)] = &[
    ("augment.back_translation.command", "[\"sh\", \"-c\", \"sed s/the/$0/g\", \"{from}{to}\"]"),
    ("augment.back_translation.through", "[\"a\"]"),
];
const MIXUP: &[(&str, &str)] = &[("augment.mixup.ratio", "1.0")];
const SMOTE: &[(&str, &str)] = &[("augment.smote.kind", "\"smote\"")];
const BORDERLINE: &[(&str, &str)] = &[("augment.smote.kind", "\"borderline\"")];
const ENSEMBLE: &[(&str, &str)] = &[("train.ensemble.heads", "[\"kernel\", \"prototypes\"]")];
const TASK: &[(&str, &str)] = &[("train.tasks", "[{ column = \"season\", weight = 0.3 }]")];

const TUNED: &[(&str, &str)] = &[("train.encoder", "\"top-1\""), ("train.tuning.epochs", "2")];
const LORA: &[(&str, &str)] = &[("train.encoder", "\"lora\""), ("train.tuning.epochs", "2")];

const STACKED: &[(&str, &str)] = &[
    ("train.encoder", "\"top-1\""),
    ("train.tuning.epochs", "2"),
    ("train.ensemble.heads", "[\"kernel\", \"prototypes\"]"),
];

const SWITCHES: &[Switch] = &[
    ("kernel", &[], "seed", "7"),
    ("kernel", &[], "data.text_fields", "[\"title\"]"),
    ("kernel", &[], "data.join_text", "true"),
    ("kernel", &[], "data.title", "\"season\""),
    ("kernel", &[("features.numeric", "[]")], "label.weight", "\"duration_mins\""),
    ("knn", &[("features.numeric", "[]")], "label.weight", "\"duration_mins\""),
    ("prototypes", &[("features.numeric", "[]")], "label.weight", "\"duration_mins\""),
    ("logistic", &[("features.numeric", "[]")], "label.weight", "\"duration_mins\""),
    ("trees", &[("features.numeric", "[]")], "label.weight", "\"duration_mins\""),
    ("network", &[("features.numeric", "[]")], "label.weight", "\"duration_mins\""),
    ("kernel", &[], "features.numeric", "[]"),
    ("kernel", &[], "features.categorical", "[\"season\"]"),
    ("kernel", &[], "features.field_weights", "{ title = 5.0 }"),
    ("kernel", &[], "features.text_shape", "false"),
    ("kernel", &[], "features.min_count", "1"),
    ("kernel", &[], "encoder.max_tokens", "8"),
    ("kernel", &[], "split", "{ train = 0.3, validation = 0.2, test = 0.5 }"),
    ("kernel", &[], "split", "{ train = 0.6, validation = 0.3, test = 0.1 }"),
    ("kernel", &[], "split.near_duplicate_cosine", "0.5"),
    ("kernel", &[], "train.head", "\"logistic\""),
    ("kernel", &[], "train.class_weights", "true"),
    ("kernel", &[], "train.range_weight", "0.0"),
    ("kernel", &[], "train.tasks", "[{ column = \"season\" }]"),
    ("kernel", &[], "train.kernel.gamma", "3.0"),
    ("kernel", &[], "train.kernel.ridge", "30.0"),
    ("kernel", &[], "train.kernel.feature_weight", "1.0"),
    ("kernel", &[], "train.kernel.term_weight", "5.0"),
    ("kernel", &[], "train.kernel.exact_rows", "20"),
    ("kernel", &[("train.kernel.exact_rows", "20")], "train.kernel.landmarks", "10"),
    ("knn", &[], "train.nearest", "2"),
    ("knn", &[], "train.class_weights", "true"),
    ("prototypes", &[], "train.class_weights", "true"),
    ("logistic", &[], "train.class_weights", "true"),
    ("trees", &[], "train.class_weights", "true"),
    ("trees", &[], "train.trees.depth", "1"),
    ("trees", &[], "train.trees.learning_rate", "0.3"),
    ("trees", &[], "train.trees.columns", "0.5"),
    ("trees", &[], "train.trees.rows", "0.5"),
    ("ensemble", ENSEMBLE, "train.ensemble.heads", "[\"knn\", \"prototypes\"]"),
    ("ensemble", ENSEMBLE, "train.ensemble.stacked", "false"),
    ("kernel", &[], "split.group", "\"season\""),
    ("logistic", &[], "train.encoder", "\"top-1\""),
    ("ensemble", STACKED, "train.ensemble.frozen", "[\"kernel\"]"),
    ("logistic", TUNED, "train.tuning.pairs", "20"),
    ("logistic", TUNED, "train.tuning.head_epochs", "3"),
    ("logistic", TUNED, "train.tuning.epochs", "1"),
    ("logistic", TUNED, "train.tuning.batch_size", "8"),
    ("logistic", TUNED, "train.tuning.learning_rate", "0.0005"),
    ("logistic", TUNED, "train.tuning.head_learning_rate", "0.02"),
    (
        "logistic",
        &[("train.encoder", "\"top-2\""), ("train.tuning.epochs", "2")],
        "train.tuning.layer_decay",
        "0.3",
    ),
    ("logistic", TUNED, "train.tuning.warm_up", "0.6"),
    ("logistic", TUNED, "train.tuning.weight_decay", "5.0"),
    ("logistic", TUNED, "train.tuning.dropout", "0.4"),
    ("logistic", LORA, "train.tuning.rank", "2"),
    ("logistic", LORA, "train.tuning.alpha", "64.0"),
    ("network", VARIANTS, "augment.synonyms.variants", "1"),
    ("network", VARIANTS, "augment.synonyms.fields", "[\"title\"]"),
    ("network", VARIANTS, "augment.synonyms.swap_share", "0.9"),
    ("network", VARIANTS, "augment.synonyms.cosine_min", "0.98"),
    ("network", VARIANTS, "augment.synonyms.cosine_max", "0.95"),
    (
        "network",
        VARIANTS,
        "augment.synonyms.protect",
        "[\"make\", \"put\", \"take\", \"around\", \"room\", \"house\", \"walk\"]",
    ),
    ("network", EDA, "augment.eda.variants", "1"),
    ("network", EDA, "augment.eda.deletion", "0.4"),
    ("network", EDA, "augment.eda.swap", "0.4"),
    ("kernel", &[], "augment.synonyms.variants", "1"),
    ("network", BACK, "augment.back_translation.through", "[\"an\"]"),
    ("kernel", BACK, "augment.back_translation.through", "[\"an\"]"),
    ("network", BACK, "augment.back_translation.from", "\"this\""),
    ("network", BACK, "augment.back_translation.command", "[\"sed\", \"s/and/or/g\"]"),
    ("network", MIXUP, "augment.mixup.ratio", "0.5"),
    ("network", MIXUP, "augment.mixup.lambda", "0.5"),
    ("network", MIXUP, "augment.mixup.alpha", "0.4"),
    ("network", MIXUP, "augment.mixup.between_classes", "true"),
    ("network", &[], "augment.smote.kind", "\"smote\""),
    ("network", SMOTE, "augment.smote.k", "1"),
    ("network", BORDERLINE, "augment.smote.m", "3"),
    ("network", &[], "train.class_weights", "true"),
    ("network", &[], "train.range_weight", "3.0"),
    ("network", TASK, "train.tasks", "[{ column = \"season\", weight = 3.0 }]"),
    ("network", &[], "train.hidden", "[8]"),
    ("network", &[], "train.dropout", "0.1"),
    ("network", &[], "train.batch_norm", "false"),
    ("network", &[], "train.output", "\"coral\""),
    ("network", &[], "train.members", "3"),
    ("network", &[("train.members", "3")], "train.member_folds", "true"),
    ("network", &[], "train.epochs", "3"),
    ("network", &[], "train.batch_size", "8"),
    ("network", &[], "train.learning_rate", "0.001"),
    ("network", &[], "train.weight_decay", "0.5"),
    ("network", &[("train.epochs", "40"), ("train.min_delta", "0.05")], "train.patience", "1"),
    ("network", &[("train.epochs", "40"), ("train.patience", "2")], "train.min_delta", "1.0"),
    ("network", &[], "train.schedule", "\"one-cycle\""),
    ("network", &[("train.schedule", "\"cosine\"")], "train.warmup", "0.6"),
    ("network", &[], "train.focal_gamma", "3.0"),
    ("network", &[], "train.label_smoothing", "0.5"),
    ("network", &[], "train.balanced_sampling", "true"),
    ("network", &[], "train.noise", "0.5"),
    ("network", &[], "train.manifold_mixup", "1.0"),
    ("network", &[], "train.averaging", "\"ema\""),
    ("network", &[("train.averaging", "\"ema\"")], "train.ema_decay", "0.5"),
    ("network", &[("train.averaging", "\"swa\"")], "train.swa_from", "2"),
    ("network", &[], "train.curriculum", "3"),
    ("network", PLATEAU, "train.plateau.factor", "0.1"),
    ("network", PLATEAU, "train.plateau.patience", "5"),
    ("network", PLATEAU, "train.plateau.min_learning_rate", "0.02"),
];

/// A rate so great that the validation loss rises.
const PLATEAU: &[(&str, &str)] = &[
    ("train.learning_rate", "0.05"),
    ("train.epochs", "25"),
    ("train.patience", "25"),
    ("train.plateau.patience", "0"),
    ("train.averaging", "\"swa\""),
    ("train.swa_from", "1"),
];

/// What moves no answer, and what it does.
const OTHERS: [(&str, &str); 25] = [
    ("name", "where results go"),
    ("data.files", "which rows there are"),
    ("data.test_files", "which rows are test rows"),
    ("data.delimiter", "how files are read: tests/cli/tables.rs"),
    ("data.encoding", "how files are read: tests/cli/tables.rs"),
    ("data.missing", "how cells are read: tests/cli/tables.rs"),
    ("data.max_rejected_share", "when a run stops: tests/cli/input.rs"),
    ("label.column", "what is learned"),
    ("label.normalise", "which labels are one: tests/cli/tables.rs"),
    ("label.passes", "what labelling passes teach: tests/cli/weights.rs"),
    ("label.range.min", "what is learned"),
    ("label.range.max", "what is learned"),
    ("label.range.classes", "what is learned"),
    ("features.terms", "of few rows words may be chosen to weigh nothing: see train.kernel.term_weight"),
    ("augment.back_translation.url", "a server in place of the command: src/augment/translation/server.rs"),
    ("augment.back_translation.models", "Marian models in place of the command: tests/marian.rs"),
    ("encoder.model", "another encoder: tests/cli/hub.rs"),
    ("encoder.second", "another encoder"),
    ("encoder.precision", "speed, up to rounding"),
    ("encoder.backend", "speed, up to rounding"),
    ("encoder.workers", "speed and memory"),
    ("train.tuning.patience", "when a tuning ends; moves answers only where a later epoch is better"),
    (
        "split.exact_rows",
        "how near-duplicates are sought; of few rows the same are found: tests/cli/advice.rs",
    ),
    ("split.given_test_duplicates", "with test files: tests/cli/advice.rs"),
    ("evaluate", "figures and answers: tests/cli/evaluation.rs, tests/cli/decision.rs"),
];

/// Sections of what is reported, not of what is answered; `tune`, `validate` and `collect` have tests of their own.
const REPORTS: [&str; 5] = ["evaluate", "gates", "validate", "tune", "collect"];

const SECTIONS: [&str; 18] = [
    "",
    "data",
    "label",
    "label.range",
    "features",
    "encoder",
    "split",
    "augment.synonyms",
    "augment.eda",
    "augment.back_translation",
    "augment.mixup",
    "augment.smote",
    "train",
    "train.kernel",
    "train.trees",
    "train.tuning",
    "train.ensemble",
    "train.plateau",
];

fn put(table: &mut Table, key: &str, value: &str) {
    let value = format!("x = {value}").parse::<Table>().unwrap().remove("x").unwrap();
    let mut at = table;
    let mut names: Vec<&str> = key.split('.').collect();
    let last = names.pop().unwrap();
    for name in names {
        at = at.entry(name).or_insert_with(|| Table::new().into()).as_table_mut().unwrap();
    }
    at.insert(last.to_owned(), value);
}

fn base(project: &Project, head: &str, context: &[(&str, &str)]) -> Table {
    let mut table: Table = project.read("pipeline.toml").parse().unwrap();
    table.remove("augment");
    table.remove("train");
    put(&mut table, "train.head", &format!("\"{head}\""));
    if head == "network" {
        for (key, value) in
            [("epochs", "12"), ("hidden", "[16]"), ("batch_size", "32"), ("learning_rate", "0.01")]
        {
            put(&mut table, &format!("train.{key}"), value);
        }
    }
    context.iter().for_each(|(key, value)| put(&mut table, key, value));
    table
}

/// The keys of a section, from what is said of one that there is not.
fn keys(project: &Project, section: &str) -> Vec<String> {
    let mut table = base(project, "kernel", &[]);
    let key = if section.is_empty() { "no-such-key".into() } else { format!("{section}.no-such-key") };
    put(&mut table, &key, "1");
    project.write("odd.toml", toml::to_string(&table).unwrap());
    let refused = project.run(&["status", "--config", "odd.toml"]).err();
    let (_, expected) = refused.split_once("unknown field `no-such-key`, expected").expect("a list of keys");
    let line = expected.lines().next().unwrap();
    line.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_is_a_switch_or_an_exception() {
    let project = Project::small();
    let tables: BTreeSet<&str> = SECTIONS.iter().chain(&REPORTS).copied().chain(["augment"]).collect();
    let mut missing = Vec::new();
    for section in SECTIONS {
        for key in keys(&project, section) {
            let key = if section.is_empty() { key } else { format!("{section}.{key}") };
            let known = SWITCHES
                .iter()
                .any(|(.., switch, _)| *switch == key || key.starts_with(&format!("{switch}.")))
                || OTHERS.iter().any(|(other, _)| *other == key)
                || tables.contains(key.as_str());
            if !known {
                missing.push(key);
            }
        }
    }
    assert!(missing.is_empty(), "no test turns {missing:?}");
}

/// What the saved model answers to some texts.
fn answers(project: &Project, number: usize, mut table: Table) -> Result<String, String> {
    let name = format!("switch{number}");
    table.insert("name".into(), Value::String(name.clone()));
    let config = format!("{name}.toml");
    project.write(&config, toml::to_string(&table).unwrap());
    let built = project.run(&["build", "--to", "train", "--quiet", "--config", &config]);
    if built.code() != 0 {
        return Err(built.err());
    }
    let mut new = String::from("title,how_to_play,season,duration_mins,cost,players\n");
    for (i, text) in ["Shake the rattle", "Night hike by the map", "Knit a scarf", "Build a den of cushions"]
        .iter()
        .enumerate()
    {
        new += &format!("{text},{text} with friends.,any,{},free,2+\n", 10 + 20 * i);
    }
    project.write(&format!("{name}.csv"), new);
    let model = format!("data/models/{name}");
    let answers = project.good(&["predict", &format!("{name}.csv"), "--json", "--model", &model]).out();
    // Some hundred models with encoders of their own are more than many disks hold.
    for left in [model.as_str(), "data/embeddings/tuned"] {
        let _ = std::fs::remove_dir_all(project.path(left));
    }
    Ok(answers)
}

#[test]
fn every_switch_moves_what_is_answered() {
    let project = Project::small();
    // One after the other: runs in one folder wait for each other.
    let mut bases: BTreeMap<String, String> = BTreeMap::new();
    let mut without = Vec::new();
    for (number, (head, context, key, value)) in SWITCHES.iter().enumerate() {
        let of = format!("{head} {context:?}");
        let table = base(&project, head, context);
        if !bases.contains_key(&of) {
            bases.insert(of.clone(), answers(&project, 1000 + number, table.clone()).unwrap());
        }
        let mut turned = table;
        put(&mut turned, key, value);
        let problem = match answers(&project, number, turned) {
            Ok(found) if found == bases[&of] => "no effect".to_owned(),
            Ok(_) => continue,
            Err(refused) => refused,
        };
        without.push(format!("{head}: {key} = {value}: {problem}"));
    }
    assert!(without.is_empty(), "{without:#?}");
}
