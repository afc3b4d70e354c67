//! Configs as people write them, good and bad.

use super::*;

const GOOD: &str = r#"
    name = "t"
    [data]
    files = ["a.csv"]
    text_fields = ["title", "how"]
    [label.range]
    min = "age_min"
    max = "age_max"
    classes = [{ name = "low", below = 3.5 }, { name = "high" }]
"#;

fn load(text: &str) -> Result<Config, ConfigError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Config::load(file.path())
}

fn error(text: &str) -> String {
    load(text).unwrap_err().to_string()
}

#[test]
fn defaults_are_those_of_the_default_head() {
    let config = load(GOOD).unwrap();
    assert_eq!(config.train.head, HeadKind::Kernel);
    assert_eq!((config.train.patience, config.train.batch_size), (5, 64));
    assert_eq!(config.title(), None);
    assert_eq!(config.columns(), ["age_min", "age_max", "title", "how"]);
}

#[test]
fn an_unknown_key_names_the_nearest() {
    let message = error(&format!("{GOOD}\n[train]\ndropuot = 0.1"));
    assert!(message.contains("did you mean `dropout`?"), "{message}");
    assert!(message.contains("line 12"), "{message}");
}

#[test]
fn the_label_cannot_be_an_input() {
    for (section, key) in [
        ("numeric = [\"age_min\"]", "features.numeric"),
        ("categorical = [\"age_max\"]", "features.categorical"),
    ] {
        let message = error(&format!("{GOOD}\n[features]\n{section}"));
        assert!(message.contains("label is computed from it") && message.contains(key), "{message}");
    }
    let message = error(&GOOD.replace("\"how\"", "\"age_min\""));
    assert!(message.contains("data.text_fields"), "{message}");
}

#[test]
fn bad_values_are_refused_by_key() {
    for (section, key) in [
        ("[train]\ndropout = 1.5", "train.dropout"),
        ("[train]\nbatch_size = 0", "train.batch_size"),
        ("[split]\ntrain = 0.9", "split"),
        ("[augment.synonyms]\nfields = [\"titel\"]", "did you mean `title`"),
        ("[augment.synonyms]\ncosine_min = 0.9\ncosine_max = 0.8", "augment.synonyms"),
        ("[augment.eda]\ndeletion = 1.0", "augment.eda.deletion"),
        ("[features]\nfield_weights = { titel = 2 }", "did you mean `title`"),
        ("[features]\nfield_weights = { title = -1 }", "features.field_weights"),
        ("[features]\nnumeric = [\"a\", \"A\"]", "second time"),
        ("[features]\nnumeric = [\"Age_Min\"]", "label is computed from it"),
        ("[train]\nbatch_size = 1", "batch normalisation"),
        ("[train]\nmember_folds = true", "train.members of at least 2"),
        ("[train]\nensemble = { heads = [\"kernel\"] }", "two or more different heads"),
        ("[train]\nhead = \"ensemble\"\n[augment.mixup]\nratio = 1", "kernel machine"),
    ] {
        let message = error(&format!("{GOOD}\n{section}"));
        assert!(message.contains(key), "{section}: {message}");
    }
    assert!(error(&GOOD.replace("below = 3.5", "below = 3.5, blow = 1")).contains("below"));
    assert!(error(&GOOD.replace(", below = 3.5", "")).contains("label.range.classes"));
    assert!(error(&GOOD.replace("\"t\"", "\"a/b\"")).contains("name is `a/b`"));
}

#[test]
fn seeds_differ_by_consumer_and_stay_the_same() {
    let config = load(GOOD).unwrap();
    assert_eq!(config.seed_for("split"), config.seed_for("split"));
    assert_ne!(config.seed_for("split"), config.seed_for("fit"));
}
