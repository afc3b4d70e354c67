//! The config: what is refused, and how it says so.

use serde_json::{Value, json};

use crate::project::{CONFIG, Project, ran};

/// Exit code and message of `pipeline status` with the config changed.
fn refusal(from: &str, to: &str) -> String {
    let project = Project::small();
    project.configure(from, to);
    let finished = project.run(&["status"]);
    format!("exit {}\n{}", finished.code(), finished.err().trim_end())
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    insta::assert_snapshot!(refusal("hidden = [16]", "hiden = [16]"));
}

#[test]
fn the_label_cannot_be_an_input() {
    insta::assert_snapshot!(refusal("[\"title\", \"how_to_play\"]", "[\"title\", \"age_min\"]"));
}

#[test]
fn a_dry_run_looks_whether_the_columns_are_there() {
    let project = Project::small();
    project.configure("numeric = [\"duration_mins\"]", "numeric = [\"duration_min\"]");
    let refused = project.run(&["build", "--dry-run"]);
    assert_eq!(refused.code(), 4);
    assert!(
        refused.err().contains("lacks `duration_min` (did you mean `duration_mins`?)"),
        "{}",
        refused.err()
    );
}

#[test]
fn a_value_out_of_range_is_named() {
    insta::assert_snapshot!(refusal("train = 0.6", "train = 0.9"));
}

#[test]
fn a_missing_config_says_where_to_look() {
    let project = Project::empty();
    let finished = project.run(&["build", "--config", "nowhere.toml"]);
    insta::assert_snapshot!(format!("exit {}\n{}", finished.code(), finished.err().trim_end()));
}

#[test]
fn an_unknown_encoder_says_what_can_be_named() {
    let project = Project::small();
    let finished = project.run(&["embed", "--model", "no-such-encoder"]);
    assert_eq!(finished.code(), 5);
    assert!(finished.err().contains("there is no encoder `no-such-encoder`"), "{}", finished.err());
    assert!(finished.err().contains("make setup"), "{}", finished.err());
}

#[test]
fn a_hub_encoder_without_network_says_what_to_do() {
    let project = Project::small();
    let cache = tempfile::tempdir().unwrap();
    let mut command = project.command(&["embed", "--model", "sentence-transformers/all-MiniLM-L12-v2"]);
    for proxy in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        command.env(proxy, "http://127.0.0.1:9");
    }
    command.env("RUSTBERT_CACHE", cache.path()).env("PIPELINE_CACHE", cache.path());
    let finished = crate::project::Finished(command.output().unwrap());
    assert_eq!(finished.code(), 5, "{}", finished.err());
    let error = finished.err();
    assert!(error.contains("cannot get the encoder `sentence-transformers/all-MiniLM-L12-v2`"), "{error}");
    assert!(error.contains("check the name and the network"), "{error}");
    assert!(!error.contains("panicked"), "{error}");
}

#[test]
fn a_damaged_encoder_folder_is_named() {
    let project = Project::small();
    project.write("model/modules.json", "[]");
    let finished = project.run(&["embed", "--model", "model"]);
    assert_eq!(finished.code(), 5);
    assert!(finished.err().contains("config.json"), "{}", finished.err());
}

#[test]
fn a_limit_beyond_the_encoder_is_refused() {
    let project = Project::small();
    project.configure("[split]", "[encoder]\nmax_tokens = 9000\n[split]");
    let finished = project.run(&["status"]);
    assert_eq!(finished.code(), 5);
    assert!(finished.err().contains("encoder.max_tokens = 9000"), "{}", finished.err());
}

#[test]
fn a_bad_value_ends_with_3_and_names_its_key_and_what_it_may_be() {
    for (section, said) in [
        ("[gates]\ntest_accuracy = nan", "gates.test_accuracy is NaN, but must be in [-1, 1]"),
        ("[gates]\nloss_gap = inf", "gates.loss_gap is inf, but must be in [0, 1000]"),
        (
            "[gates]\nrows = 9223372036854775807",
            "gates.rows is 9223372036854775807, but must be a whole number in",
        ),
        (
            "[augment.eda]\nvariants = 9223372036854775807",
            "augment.eda.variants is 9223372036854775807, but must be",
        ),
        (
            "[features.field_weights]\ntitle = 1e308",
            "features.field_weights.title is 1e308, but must be in [0, 1000]",
        ),
        ("[validate.range]\nage_min = [0, nan]", "validate.range.age_min[1] is NaN, but must be in"),
        ("[encoder]\nworkers = -1", "encoder.workers must be a whole number in [1, 1024]"),
        ("[tune]\nfolds = \"\"", "tune.folds must be a whole number in [2, 1000]"),
        (
            "[tune.space]\n\"train.dropout\" = { low = 0, high = inf }",
            "tune.space.train.dropout.high is inf, but must be",
        ),
        ("[encoder]\nmodel = []", "the key is encoder.model"),
    ] {
        let project = Project::empty();
        project.write("pipeline.toml", format!("{CONFIG}\n{section}\n"));
        for command in ["status", "build"] {
            let finished = project.run(&[command]);
            assert_eq!(finished.code(), 3, "{section}: {}", finished.err());
            assert!(finished.err().contains(said), "{section}: {}", finished.err());
        }
    }
}

#[test]
fn a_number_of_the_wrong_kind_is_told_what_it_may_be() {
    insta::assert_snapshot!(refusal("batch_size = 32", "batch_size = -32"));
}

#[test]
fn mending_a_bad_number_mends_the_project() {
    let project = Project::small();
    // A head that needs no libtorch.
    project.use_head("kernel", "");
    project.good(&["build", "--quiet"]);
    let good = project.read("pipeline.toml");
    project.write("pipeline.toml", format!("{good}\n[gates]\ntest_accuracy = nan\n"));
    assert_eq!(project.run(&["build"]).code(), 3);
    project.write("pipeline.toml", &good);
    assert_eq!(ran(&project.json(&["build"])), [""; 0]);

    // As programs left it that let NaN pass: JSON has null for it, which no program reads as a number.
    let change = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut value = serde_json::from_str(&project.read(name)).unwrap();
        change(&mut value);
        project.write(name, serde_json::to_string_pretty(&value).unwrap());
    };
    let card = "data/models/small/model.json";
    change(card, &|card| card["config"]["train"]["dropout"] = Value::Null);
    let output = pipeline::store::Output::of(&project.path(card)).unwrap();
    change("data/.pipeline/small/train.json", &|manifest| manifest["outputs"][card] = json!(output));
    change("data/.pipeline/small/evaluate.json", &|manifest| {
        manifest["inputs"][card] = json!(output.blake3);
        manifest["config"]["train"]["dropout"] = Value::Null;
        manifest["summary"]["gates"][0]["limit"] = Value::Null;
    });
    let why = project.good(&["build", "--dry-run"]).out();
    assert!(why.contains("its output data/models/small/model.json cannot be read"), "{why}");
    assert!(why.contains("config train.dropout changed (unset → "), "{why}");
    assert_eq!(ran(&project.json(&["build"])), ["train", "evaluate"]);
    assert_eq!(ran(&project.json(&["build"])), [""; 0]);
    project.good(&["predict", "--text", "Build a pillow fort"]);
}
