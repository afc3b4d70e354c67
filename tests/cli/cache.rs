//! What is computed, when, and what survives a kill.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use pipeline::embed::{Embeddings, read_npy};
use pipeline::store::user_cache;
use serde_json::Value;

use crate::project::{Finished, HEADER, Project, stage};

fn computed(project: &Project) -> u64 {
    stage(&project.json(&["embed"]), "embed")["summary"]["computed"].as_u64().unwrap()
}

#[test]
fn a_changed_cell_re_embeds_one_text_only() {
    let project = Project::small();
    assert!(computed(&project) > 100);
    let file = project.read("data/raw/sport.csv");
    let (head, rest) = file.split_once('\n').unwrap();
    let (row, rest) = rest.split_once('\n').unwrap();
    let title = row.split(',').next().unwrap();
    project.write(
        "data/raw/sport.csv",
        format!("{head}\n{}\n{rest}", row.replacen(title, "An altogether new title", 1)),
    );
    assert_eq!(computed(&project), 1);
    // Another token limit is another key for every text.
    project.configure("[split]", "[encoder]\nmax_tokens = 12\n[split]");
    assert!(computed(&project) > 100);
    project.configure("max_tokens = 12", "max_tokens = 256");
    assert_eq!(computed(&project), 0);
}

/// The same weights once more, cutting texts after 12 tokens, stand for another encoder.
#[test]
fn a_second_encoder_stands_beside_the_first() {
    let project = Project::small();
    project.good(&["embed"]);
    let width = |name: &str| read_npy(&project.path(&format!("data/embeddings/small/{name}.npy"))).unwrap();
    let alone = width("title");
    let (first, second) = (user_cache().join("all-MiniLM-L6-v2"), project.path("short"));
    fs::create_dir(&second).unwrap();
    for file in ["1_Pooling", "config.json", "model.safetensors", "modules.json", "tokenizer.json"] {
        std::os::unix::fs::symlink(first.join(file), second.join(file)).unwrap();
    }
    project.write("short/sentence_bert_config.json", r#"{"max_seq_length": 12}"#);
    project.configure("[split]", "[encoder]\nsecond = \"short\"\n[split]");
    let dry = project.good(&["build", "--dry-run"]).out();
    assert!(dry.contains("encoder.second changed"), "{dry}");
    project.good(&["build", "--quiet"]);
    let both = width("title");
    assert_eq!((alone.dims, both.dims, both.rows()), (384, 768, alone.rows()));
    for row in 0..both.rows() {
        assert_eq!(both.row(row)[..384], *alone.row(row));
    }
    // A short text is the same to both, a long one is not.
    let steps = width("how_to_play");
    let same = |of: &Embeddings| (0..of.rows()).filter(|&r| of.row(r)[..384] == of.row(r)[384..]).count();
    assert!(same(&both) > both.rows() / 2 && same(&steps) == 0, "{} {}", same(&both), same(&steps));

    let card: Value = serde_json::from_str(&project.read("data/models/small/model.json")).unwrap();
    assert_eq!(card["encoders"][1]["model"], "short");
    project.good(&["predict", "--text", "Shake the rattle"]);
    let given = project.run(&["predict", "--text", "Shake the rattle", "--encoder", "short"]);
    assert!(given.err().contains("the model has 2 encoders, --encoder names 1"), "{}", given.err());
    project.write("short/sentence_bert_config.json", r#"{"max_seq_length": 14}"#);
    let changed = project.run(&["predict", "--text", "Shake the rattle"]);
    assert_eq!(changed.code(), 5, "{}", changed.err());
    assert!(project.good(&["status"]).out().contains("the encoder"));
}

/// A project with enough text to keep the encoder busy for some seconds.
fn large() -> Project {
    let project = Project::empty();
    // One worker, so that it lasts on a large machine too.
    project.configure("[split]", "[encoder]\nworkers = 1\n[split]");
    let sentence =
        "Walk to the end of the garden and count the steps. Come back another way and compare both numbers. ";
    let row = |i: usize| {
        format!(
            "Walk {i},{},20,x,free,outdoor,any,[],Round {i}. {},2,none\n",
            ["1,2", "12,14"][i % 2],
            sentence.repeat(4)
        )
    };
    project.write("data/raw/a.csv", format!("{HEADER}\n{}", (0..400).map(row).collect::<String>()));
    project
}

fn start(project: &Project) -> Child {
    project.command(&["embed"]).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Wait until several batches have been committed to the cache.
fn wait_for_work(project: &Project, child: &mut Child) {
    let path = project.path("data/embeddings/cache.redb");
    let begin = Instant::now();
    let (mut last, mut changes) = (None, 0);
    while begin.elapsed() < Duration::from_secs(60) {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be stopped");
        let changed = fs::metadata(&path).and_then(|m| m.modified()).ok();
        if changed != last {
            (last, changes) = (changed, changes + 1);
        }
        // The file is made, and its empty table committed, in fewer changes than this.
        if changes > 12 {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("no work was seen in the cache");
}

fn signal(child: &Child, name: &str) {
    let done = std::process::Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(done.success());
}

#[test]
fn a_killed_run_is_resumed_and_gives_the_same_vectors() {
    let project = large();
    let mut child = start(&project);
    wait_for_work(&project, &mut child);
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    assert!(!project.path("data/embeddings/small").join("how_to_play.npy").exists());
    let resumed = computed(&project);
    assert!(resumed < 800, "nothing of the killed run was kept");
    assert!(resumed > 0, "the run was over before it was killed");
    let undisturbed = large();
    assert_eq!(computed(&undisturbed), 800);
    let vectors = |p: &Project| {
        pipeline::embed::read_npy(&p.path("data/embeddings/small/how_to_play.npy")).unwrap().values
    };
    let (ours, theirs) = (vectors(&project), vectors(&undisturbed));
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() <= 1e-5));
}

#[test]
fn an_interrupt_keeps_what_is_done_and_says_how_to_go_on() {
    let project = large();
    let mut child = start(&project);
    wait_for_work(&project, &mut child);
    signal(&child, "-INT");
    let finished = Finished(child.wait_with_output().unwrap());
    assert_eq!(finished.code(), 130, "{}", finished.err());
    assert!(finished.err().contains("run the same command to go on"), "{}", finished.err());
    assert!(computed(&project) < 800);
}

#[test]
fn two_runs_at_once_do_not_meet() {
    let project = large();
    let mut child = start(&project);
    wait_for_work(&project, &mut child);
    let second = project.run(&["embed"]);
    assert_eq!(second.code(), 6);
    let expected = format!("another run (process {}) is working", child.id());
    assert!(second.err().contains(&expected), "{}", second.err());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(computed(&project) > 0, "the lock went with its owner");
}

#[test]
fn a_deleted_cache_is_made_again() {
    let project = Project::small();
    project.good(&["augment"]);
    fs::remove_file(project.path("data/embeddings/cache.redb")).unwrap();
    project.configure("variants = 1", "variants = 1\ncosine_min = 0.8");
    project.good(&["augment"]);
}

#[test]
fn a_disk_that_changes_entries_changes_no_result() {
    let project = Project::small();
    project.good(&["embed", "--quiet"]);
    let matrix = "data/embeddings/small/how_to_play.npy";
    let right = fs::read(project.path(matrix)).unwrap();
    let path = project.path("data/embeddings/cache.redb");
    let whole = fs::read(&path).unwrap();
    // The first bytes of an embedding's last number stand in the file as they are: flip a bit of every one that is found.
    let last = &right[right.len() - 4 * 384..];
    // The store keeps pages that it has no more use for, too.
    let mut flipped = whole.clone();
    let places = whole.windows(64).enumerate().filter(|(_, bytes)| **bytes == last[..64]);
    places.for_each(|(at, _)| flipped[at + 9] ^= 4);
    assert_ne!(flipped, whole, "the embedding in the cache");
    fs::write(&path, flipped).unwrap();
    fs::remove_file(project.path(matrix)).unwrap();
    let done = project.good(&["embed"]);
    assert!(done.err().contains("1 entry is damaged in the embedding cache"), "{}", done.err());
    assert_eq!(fs::read(project.path(matrix)).unwrap(), right);
}

#[test]
fn the_cache_says_what_it_holds_and_gives_it_up() {
    let project = Project::small();
    project.good(&["embed", "--quiet"]);
    let found = project.json(&["cache"]);
    let embeddings = found["embeddings"].as_u64().unwrap();
    assert!(embeddings > 100, "{found}");
    let first = &found["places"][0];
    assert_eq!((&first["path"], &first["files"]), (&"data/embeddings/cache.redb".into(), &1.into()));
    assert!(first["bytes"].as_u64().unwrap() > 4 * 384 * embeddings, "{found}");
    assert!(project.good(&["cache"]).out().contains("data/embeddings/cache.redb"));
    let whole = serde_json::json!({ "entries": embeddings, "removed": 0 });
    assert_eq!(project.json(&["cache", "verify"]), whole);
    let pruned = project.json(&["cache", "prune"]);
    assert_eq!(
        (&pruned["entries"], &pruned["removed"]),
        (&whole["entries"], &whole["removed"]),
        "all is of the rows"
    );
    assert_eq!(pruned["tuned_encoders_removed"], 0);
    // Some rows go: so do their embeddings, and nothing of the others is computed again.
    fs::remove_file(project.path("data/raw/sport.csv")).unwrap();
    let pruned = project.json(&["cache", "prune"]);
    assert!(pruned["removed"].as_u64().unwrap() > 20, "{pruned}");
    assert_eq!(computed(&project), 0);
}

#[test]
fn nobody_reads_what_is_said_and_the_work_is_done() {
    let project = Project::small();
    let run = |line: &str| project.shell(line).env("PIPELINE", crate::project::program()).output().unwrap();
    for errors in ["2>&-", "2>/dev/full"] {
        let done = run(&format!("\"$PIPELINE\" embed --force {errors}"));
        assert_eq!(done.status.code(), Some(0), "{errors}: {}", String::from_utf8_lossy(&done.stderr));
        // An error is its code, too, when it cannot be told.
        let done = run(&format!("\"$PIPELINE\" predict --text x --model nowhere {errors}"));
        assert_eq!(done.status.code(), Some(5), "{errors}");
    }
}

#[test]
fn files_are_for_those_whom_the_umask_lets_read_them() {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::small();
    let mode = || {
        fs::metadata(project.path("data/embeddings/small/title.npy")).unwrap().permissions().mode() & 0o777
    };
    for (umask, expected) in [("077", 0o600), ("022", 0o644), ("002", 0o664)] {
        let line = format!("umask {umask}; \"$PIPELINE\" embed --force --quiet");
        let done = project.shell(&line).env("PIPELINE", crate::project::program()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(mode(), expected, "umask {umask}");
    }
}
