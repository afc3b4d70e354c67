//! `pipeline export` and `pipeline publish`: what is written, what is refused, what is left alone. Whether other programs read it and
//! answer the same is `tests/export/run`'s to say.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::project::Project;

/// A project whose head sees nothing that no form can say, on one text.
fn plain(head: &str) -> Project {
    let project = Project::small();
    project.use_head(head, "");
    project.configure("text_fields = [\"title\", \"how_to_play\"]", "text_fields = [\"how_to_play\"]");
    project.configure(
        "numeric = [\"duration_mins\"]\ncategorical = [\"cost\", \"players\"]",
        "text_shape = false",
    );
    project
}

fn paths(told: &Value) -> Vec<&str> {
    told["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect()
}

#[test]
fn a_linear_head_is_written_in_every_form() {
    let project = plain("logistic");
    project.good(&["build", "--quiet"]);

    let told = project.json(&["export", "--to", "onnx"]);
    assert_eq!(told["folder"], "data/exports/small/onnx");
    let files = paths(&told);
    for name in ["model.onnx", "config.json", "tokenizer.json", "tokenizer_config.json", "README.md"] {
        assert!(files.contains(&name), "{files:?}");
    }
    let read = |name: &str| -> Value { serde_json::from_str(&project.read(name)).unwrap() };
    let config = read("data/exports/small/onnx/config.json");
    assert_eq!(config["architectures"][0], "BertForSequenceClassification");
    assert_eq!(config["id2label"]["1"], "Preschool (4-6)");
    assert_eq!(config["label2id"]["Teen+ (11+)"], 3);
    let tokenizer = read("data/exports/small/onnx/tokenizer.json");
    assert_eq!(tokenizer["truncation"]["max_length"], 256);
    let readme = project.read("data/exports/small/onnx/README.md");
    assert!(readme.contains("text-embeddings-inference"), "{readme}");
    assert!(readme.contains("only the label is answered"), "{readme}");

    let told = project.json(&["export", "--to", "sentence-transformers", "-o", "st"]);
    assert!(paths(&told).contains(&"3_Dense/model.safetensors"), "{told}");
    assert_eq!(read("st/modules.json")[3]["type"], "sentence_transformers.models.Dense");
    assert_eq!(read("st/3_Dense/config.json")["out_features"], 4);
    let told = project.json(&["export", "--to", "sentence-transformers", "-o", "alone", "--encoder-only"]);
    assert_eq!(read("alone/modules.json").as_array().unwrap().len(), 3);
    assert_eq!(told["notes"].as_array().unwrap().len(), 0);

    let told = project.json(&["export", "--to", "python"]);
    assert!(paths(&told).contains(&"weights/bias.npy"), "{told}");
    let module = project.read("data/exports/small/python/model.py");
    assert!(module.contains("def linear(x, terms, of):") && !module.contains("def kernel"), "{module}");

    let printed = project.good(&["export", "--to", "onnx", "--encoder-only", "-o", "encoder"]).out();
    assert!(printed.starts_with("encoder: 10 files, "), "{printed}");
}

#[test]
fn the_card_has_the_figures_of_the_evaluation_and_what_limits_them() {
    let project = plain("logistic");
    project.good(&["build", "--quiet"]);
    project.good(&["export", "--to", "card"]);
    let card = project.read("data/models/small/README.md");
    let metrics: Value = serde_json::from_str(&project.read("data/models/small/metrics.json")).unwrap();
    let accuracy = &metrics["test"]["accuracy"];
    for end in ["value", "low", "high"] {
        assert!(card.contains(&accuracy[end].to_string()), "{end}: {card}");
    }
    for said in ["model-index:", "No licence is stated", "## Limits", "`how_to_play`", "`Teen+ (11+)`"] {
        assert!(card.contains(said), "no {said:?} in {card}");
    }
    // A card that somebody has written is not lost, and the model is what it was.
    project.write("data/models/small/README.md", "mine");
    let refused = project.run(&["export", "--to", "card"]);
    assert_eq!((refused.code(), project.read("data/models/small/README.md").as_str()), (2, "mine"));
    assert!(refused.err().contains("hint: replace it with --force"), "{}", refused.err());
    project.good(&["export", "--to", "card", "--force"]);
    assert_eq!(project.read("data/models/small/README.md"), card);
    assert!(project.good(&["status"]).out().lines().all(|line| line.ends_with("up to date")));

    project.good(&["publish", "out", "--to", "hub"]);
    assert_eq!(project.read("out/README.md"), card);
    let mut names: Vec<String> = fs::read_dir(project.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let expected = ["README.md", "calibration.json", "head.safetensors", "inputs.json", "metrics.json"];
    assert_eq!(names, [&[".gitattributes"], &expected[..], &["model.json"]].concat());
    // Figures of another training are none.
    let other = project.read("out/calibration.json").replace("\"temperature\": ", "\"temperature\": 1");
    project.write("out/calibration.json", other);
    let stale = project.run(&["export", "--to", "card", "--model", "out", "-o", "again"]);
    assert_eq!(stale.code(), 5);
    assert!(stale.err().contains("metrics.json: it is of another training"), "{}", stale.err());
    fs::copy(project.path("data/models/small/calibration.json"), project.path("out/calibration.json"))
        .unwrap();
    // What was prepared answers as the model does.
    let ask =
        |model: &str| project.good(&["predict", "--model", model, "--text", "Roll a ball", "--json"]).out();
    assert_eq!(ask("out"), ask("data/models/small"));
}

#[test]
fn what_a_default_head_sees_beside_the_texts_is_made_in_python() {
    let project = Project::small();
    project.use_head("kernel", "");
    project.good(&["build", "--quiet"]);
    let told = project.json(&["export", "--to", "python"]);
    for name in ["weights/term_weights.npy", "terms.json", "characters.json"] {
        assert!(paths(&told).contains(&name), "no {name} in {told}");
    }
    let module = project.read("data/exports/small/python/model.py");
    assert!(module.contains("def terms(row):") && module.contains("def shape(text):"), "{module}");

    // Several fields, columns, words and letters are inputs of the graph.
    let told = project.json(&["export", "--to", "onnx"]);
    for name in ["inputs.py", "inputs.json", "terms.json", "characters.json"] {
        assert!(paths(&told).contains(&name), "no {name} in {told}");
    }
    let readme = project.read("data/exports/small/onnx/README.md");
    for input in [
        "`title.input_ids`",
        "`how_to_play.input_ids`",
        "1. `duration_mins`\n",
        "1. `title: words`\n",
        "is `free`",
        "`terms.columns`",
    ] {
        assert!(readme.contains(input), "no {input} in {readme}");
    }

    // Neither is there where the head sees neither.
    project.configure("[features]", "[features]\ntext_shape = false");
    project.use_head("knn", "");
    project.good(&["build", "--quiet"]);
    let told = project.json(&["export", "--to", "python", "-o", "knn"]);
    assert!(!paths(&told).contains(&"characters.json"), "{told}");
    let module = project.read("knn/model.py");
    assert!(module.contains("def neighbours(") && !module.contains("def terms("), "{module}");
}

#[test]
fn what_a_form_cannot_say_is_refused_with_its_setting() {
    let project = Project::small();
    let refused = |form: &str, wanted: &str| {
        project.good(&["build", "--quiet"]);
        let refused = project.run(&["export", "--to", form]);
        let said = refused.err();
        assert_eq!(refused.code(), 2, "{said}");
        assert!(said.contains(&format!("cannot be written as {form}")) && said.contains(wanted), "{said}");
        assert!(said.contains("hint: "), "{said}");
        assert!(!project.path(&format!("data/exports/small/{form}")).exists());
    };
    project.use_head("logistic", "");
    refused("sentence-transformers", "sees several texts (data.text_fields)");
    project.configure("text_fields = [\"title\", \"how_to_play\"]", "text_fields = [\"how_to_play\"]");
    refused("sentence-transformers", "counted in the text, too (features.text_shape)");
    project.configure("[features]", "[features]\ntext_shape = false");
    refused("sentence-transformers", "sees columns, too (features.numeric");
    project.use_head("knn", "");
    refused("sentence-transformers", "not linear in the embedding (train.head)");
    project.use_head("trees", "");
    refused("python", "boosted trees (train.head)");
    refused("onnx", "boosted trees (train.head)");
    // The encoder is there whatever the head is.
    project.good(&["export", "--to", "onnx", "--encoder-only", "-o", "encoder"]);
}

#[test]
fn folders_are_left_alone_unless_told() {
    let project = plain("logistic");
    project.good(&["build", "--quiet"]);
    project.write("full/mine.txt", "mine");
    let refused = project.run(&["export", "--to", "python", "-o", "full"]);
    assert_eq!(refused.code(), 2);
    assert!(refused.err().contains("full is there and not empty"), "{}", refused.err());
    assert_eq!(fs::read_dir(project.path("full")).unwrap().count(), 1);
    project.good(&["export", "--to", "python", "-o", "full", "--force"]);
    assert_eq!(project.read("full/mine.txt"), "mine");

    let refused = project.run(&["export", "--to", "python", "-o", "full/mine.txt"]);
    assert_eq!(refused.code(), 1, "{}", refused.err());
    assert!(refused.err().contains("full/mine.txt"), "{}", refused.err());

    // Whoever may write everywhere may write here, too.
    project.write("locked/a", "");
    let locked = project.path("locked");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    let everywhere = fs::write(locked.join("b"), "").is_ok();
    let refused = project.run(&["export", "--to", "python", "-o", "locked/new"]);
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
    if !everywhere {
        assert_eq!(refused.code(), 1);
        assert!(refused.err().contains("cannot write locked"), "{}", refused.err());
    }
}

#[test]
fn what_makes_no_sense_or_is_not_there_is_said() {
    let project = plain("logistic");
    let none = project.run(&["export", "--to", "onnx"]);
    assert_eq!(none.code(), 5, "{}", none.err());
    assert!(none.err().contains("model.json") && none.err().contains("hint: "), "{}", none.err());
    let unknown = project.run(&["export", "--to", "pickle"]);
    assert_eq!(unknown.code(), 2);
    assert!(unknown.err().contains("possible values: onnx, sentence-transformers"), "{}", unknown.err());
    let of_head = project.run(&["export", "--to", "card", "--encoder-only"]);
    assert_eq!(of_head.code(), 2);
    assert!(of_head.err().contains("card is of the head"), "{}", of_head.err());
    // Weights of another training, and others than the card says.
    project.good(&["build", "--quiet"]);
    let head = fs::read(project.path("data/models/small/head.safetensors")).unwrap();
    project.write("data/models/small/head.safetensors", &head[..head.len() - 4]);
    let damaged = project.run(&["export", "--to", "python"]);
    assert_eq!(damaged.code(), 5);
    assert!(damaged.err().contains("head.safetensors"), "{}", damaged.err());
}

#[test]
fn the_raw_tables_are_described_without_a_model() {
    let project = plain("logistic");
    let told = project.json(&["export", "--to", "croissant", "-o", "described"]);
    assert_eq!(paths(&told), ["croissant.json"]);
    let described: Value = serde_json::from_str(&project.read("described/croissant.json")).unwrap();
    let files = described["distribution"].as_array().unwrap();
    assert_eq!(files.len(), 4);
    assert_eq!(files[0]["contentUrl"], "../data/raw/friends.csv");
    assert_eq!(files[0]["sha256"].as_str().unwrap().len(), 64);
    let fields = described["recordSet"][0]["field"].as_array().unwrap();
    let kind = |name: &str| fields.iter().find(|f| f["name"] == name).unwrap()["dataType"].clone();
    assert_eq!([kind("title"), kind("duration_mins")], ["sc:Text", "sc:Integer"]);
    project.write("data/raw/sport.csv", "");
    let refused = project.run(&["export", "--to", "croissant", "-o", "again"]);
    assert_eq!(refused.code(), 4, "{}", refused.err());
}
