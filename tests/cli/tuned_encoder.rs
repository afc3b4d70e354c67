//! An encoder that learns from the training rows: it is part of its model, of every fold its own, and never tuned twice.

use std::fs;

use crate::project::Project;

const TUNED: &str = "encoder = \"top-1\"\ntuning.epochs = 1\n";

fn folders(project: &Project) -> Vec<(String, std::time::SystemTime)> {
    let mut found: Vec<_> = fs::read_dir(project.path("data/embeddings/tuned"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let weights = path.join("encoder/model.safetensors");
            (path.display().to_string(), fs::metadata(weights).unwrap().modified().unwrap())
        })
        .collect();
    found.sort();
    found
}

#[test]
fn a_model_answers_by_the_encoder_that_it_was_trained_with() {
    let project = Project::small();
    project.use_head("logistic", "");
    project.good(&["build", "--quiet"]);
    let ask = ["predict", "--text", "Knit a scarf"];
    let frozen = project.good(&ask).out();
    project.use_head("logistic", TUNED);
    project.good(&["build", "--quiet"]);
    let tuned = project.good(&ask).out();
    assert_ne!(tuned, frozen);
    // Two folds and the whole.
    let made = folders(&project);
    assert_eq!(made.len(), 3);
    // The head anew, the encoders as they are.
    project.use_head("prototypes", TUNED);
    project.good(&["build", "--quiet"]);
    assert_eq!(folders(&project), made);
    project.good(&["runs", "restore", "2"]);
    fs::remove_dir_all(project.path("data/embeddings")).unwrap();
    assert_eq!(project.good(&ask).out(), tuned);
    // Without libtorch.
    let mut bare = project.command(&ask);
    bare.env("LIBTORCH", "/nowhere");
    assert_eq!(String::from_utf8(bare.output().unwrap().stdout).unwrap(), tuned);
    let weights = project.path("data/models/small/encoder/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&weights, bytes).unwrap();
    let error = project.run(&ask).err();
    assert!(error.contains("not the one that the model was trained with"), "{error}");
}

#[test]
fn what_cannot_be_tuned_is_said_by_its_key() {
    let project = Project::small();
    project.use_head("logistic", "encoder = \"top-7\"\n");
    let error = project.run(&["build", "--quiet"]).err();
    assert!(error.contains("train.encoder") && error.contains("6 layers"), "{error}");
    project.use_head("logistic", "encoder = \"half\"\n");
    let error = project.run(&["build", "--quiet"]).err();
    assert!(error.contains("train.encoder") && error.contains("`top-1` to `top-1000`"), "{error}");
    project.use_head("logistic", "tuning.epochs = 3\n");
    let error = project.run(&["build", "--quiet"]).err();
    assert!(error.contains("train.tuning.epochs has no effect with train.encoder = \"frozen\""), "{error}");
}

#[test]
fn a_thorough_build_says_how_long_it_takes_and_what_it_was_worth() {
    let project = Project::small();
    project.use_head("kernel", "");
    let before = project.read("pipeline.toml");
    let done = project.good(&["build", "--thorough"]);
    let (said, told) = (done.out(), project.read("pipeline.toml"));
    let foretold =
        "tuning the encoder (full) for each of 2 folds: up to a minute, and if it is worth it up to";
    assert!(done.err().contains(foretold), "{}", done.err());
    let refused = project.run(&["build", "--thorough", "--hours", "0"]);
    assert!(refused.code() == 2 && refused.err().contains("--hours must be above 0"), "{}", refused.err());
    let line = said.lines().find(|line| line.trim_start().starts_with("log loss")).unwrap();
    assert!(line.split_whitespace().count() >= 8, "{said}");
    match said.contains("it was worth it") {
        true => assert!(told.contains("encoder = \"full\"") && said.contains("now says"), "{said}\n{told}"),
        false => assert!(said.contains("it was not worth it") && told == before, "{said}\n{told}"),
    }
    assert!(said.contains("everything is in data/models/"), "{said}");
    let encoders = folders(&project);
    // Nothing is tuned a second time.
    if told == before {
        project.good(&["build", "--thorough"]);
        assert_eq!(folders(&project), encoders);
    }
    // Frozen, a project has no use for them.
    project.write("pipeline.toml", &before);
    let pruned = project.good(&["cache", "prune"]).out();
    assert!(pruned.contains(&format!("and {} tuned encoders", encoders.len())), "{pruned}");
    assert!(folders(&project).is_empty());
    project.use_head("logistic", TUNED);
    let refused = project.run(&["build", "--thorough"]);
    assert!(
        refused.code() == 3 && refused.err().contains("train.encoder is set already"),
        "{}",
        refused.err()
    );
}

/// As set-up's libtorch has no CUDA; one of the user's may have it, and a GPU.
#[test]
fn a_gpu_is_missed_where_it_was_asked_for_and_the_model_says_where_it_was_trained() {
    let project = Project::small();
    project.use_head("logistic", TUNED);
    let refused = project.run(&["build", "--to", "train", "--device", "graphics"]);
    assert!(refused.code() == 2 && refused.err().contains("none of auto, cpu, cuda"), "{}", refused.err());
    if std::env::var_os("LIBTORCH").is_none_or(|own| own.to_string_lossy().ends_with(".deps/libtorch")) {
        let refused = project.run(&["build", "--to", "train", "--quiet", "--device", "cuda"]);
        let said = refused.err();
        assert_eq!(refused.code(), 5, "{said}");
        assert!(said.contains("--device cuda: the libtorch in /") && said.contains("has no CUDA"), "{said}");
        assert!(said.contains("hint: LIBTORCH names"), "{said}");
    }
    let mut by_variable = project.command(&["build", "--to", "train", "--quiet"]);
    assert!(by_variable.env("PIPELINE_DEVICE", "cpu").output().unwrap().status.success());
    let card: serde_json::Value =
        serde_json::from_str(&project.read("data/models/small/model.json")).unwrap();
    assert_eq!(card["encoders"][0]["device"], "cpu", "{card}");
    assert!(card.get("head_device").is_none());
    // Where it was trained makes nothing stale.
    let fresh = project.good(&["build", "--to", "train", "--device", "auto"]).out();
    assert!(fresh.contains("train: up to date"), "{fresh}");
    // What libtorch has no part in is done, and said to be.
    project.use_head("kernel", "");
    let done = project.good(&["build", "--to", "train", "--device", "cuda"]);
    assert!(done.err().contains("--device decided nothing"), "{}", done.err());
    project.use_head("network", "epochs = 2\n");
    project.good(&["build", "--to", "train", "--device", "cpu"]);
    let card: serde_json::Value =
        serde_json::from_str(&project.read("data/models/small/model.json")).unwrap();
    assert_eq!(card["head_device"], "cpu", "{card}");
}
