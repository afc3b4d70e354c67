//! The config: what is refused, and how it says so.

use crate::project::Project;

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
