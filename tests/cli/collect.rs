//! Collected rows: the gate, what is accepted, what it may do, and what it is worth.

use std::collections::HashMap;
use std::fs;

use serde_json::{Value, json};

use crate::endpoint::{Asked, endpoint};
use crate::project::Project;

const COLUMNS: &str = "age_min,age_max,title,how_to_play,duration_mins,cost,players,_kind,_origin,_recipe,_date,_licence,_parent";

/// Two classes that a handful of words tell apart.
pub fn project() -> Project {
    let project = Project::empty();
    project.use_head("kernel", "");
    let mut table = String::from("title,how_to_play,age_min,age_max,duration_mins,cost,players\n");
    for row in 0..120 {
        let place = ["garden", "kitchen", "hall", "park", "attic", "cellar"][row % 6];
        let thing = ["spoon", "ribbon", "basket", "pillow", "bucket"][row / 6 % 5];
        table += &match row % 2 {
            0 => format!(
                "Shake {row},Shake the {thing} with the baby in the {place} and listen to it.,1,2,10,free,2\n"
            ),
            _ => format!(
                "Debate {row},Argue before a jury in the {place} about the law of the {thing}.,13,16,60,free,4\n"
            ),
        };
    }
    project.write("data/raw/a.csv", table);
    project
}

fn candidate(title: &str, how: &str, young: bool, kind: &str, parent: &str) -> String {
    let (low, high) = if young { (1, 2) } else { (13, 16) };
    format!(
        "{low},{high},{title},\"{how}\",10,free,2,{kind},a model,recipe,2026-11-27T10:00:00Z,unknown,{parent}\n"
    )
}

fn verdicts(found: &Value) -> HashMap<u64, (String, String)> {
    let of = |c: &Value| {
        let reasons = c["reasons"].as_array().unwrap().iter().map(|r| r.as_str().unwrap());
        let said = reasons.collect::<Vec<_>>().join("; ");
        (c["line"].as_u64().unwrap(), (c["verdict"].as_str().unwrap().to_owned(), said))
    };
    found["candidates"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn candidates_are_judged_accepted_and_teach_without_being_held_out() {
    let project = project();
    project.good(&["build", "--to", "split", "--quiet"]);
    let held = project.csv("data/splits/small.csv");
    let raw = project.csv("data/raw/a.csv");
    let test_row = held.iter().position(|row| row["part"] == "test").unwrap();
    let copy = &raw[test_row]["how_to_play"];
    let mut batch = format!("{COLUMNS}\n");
    batch += &candidate(
        "Clap hands",
        "Clap hands with the baby in the barn and wait for a laugh.",
        true,
        "generated",
        "",
    );
    batch += &candidate(
        "Young parliament",
        "Argue before a jury in the barn about the law of the broom.",
        false,
        "generated",
        "",
    );
    batch += &candidate("A copy", copy, test_row % 2 == 0, "generated", "");
    batch += &candidate(
        "A claim",
        "Shake the rattle with the baby in the barn and listen to it.",
        false,
        "generated",
        "",
    );
    batch += &candidate(
        "A mail",
        "Shake the tin with the baby in the shed, and write to me@postbox-of-mine.de about it.",
        true,
        "generated",
        "",
    );
    batch += &candidate(
        "Eine Sprache",
        "Rühre mit dem Kleinen im Topf und höre zu, wie der Löffel dabei leise auf den Boden schlägt und klingt.",
        true,
        "generated",
        "",
    );
    batch += &candidate("Too short", "Shake.", true, "generated", "");
    batch += &candidate(
        "An odd one",
        "Shake the lid with the baby in the loft and listen to it.",
        true,
        "dreamt",
        "",
    );
    project.write("data/candidates/small/one.csv", &batch);

    let found = project.json(&["collect", "review", "--quiet"]);
    let said = verdicts(&found);
    let expect = |line: u64, verdict: &str, why: &str| {
        let (found, reasons) = &said[&line];
        assert!(found == verdict && reasons.contains(why), "line {line}: {found} {reasons}");
    };
    expect(2, "accepted", "");
    expect(3, "accepted", "");
    expect(4, "refused", "held-out row data/raw/a.csv:");
    expect(5, "refused", "it holds \"Toddler (0-3)\" likeliest");
    expect(6, "accepted", "was taken out");
    expect(7, "refused", "its language is deu");
    expect(8, "refused", "fewer than");
    expect(9, "refused", "is no way of collecting");
    assert_eq!(found["batches"][0]["candidates"], 8);
    let text = project.good(&["collect", "review", "--quiet"]).out();
    assert!(text.contains("one.csv") && text.contains("refused"), "{text}");

    let worth = project.json(&["collect", "worth", "--quiet"]);
    assert_eq!(worth["candidates"], 3);
    assert!(worth["difference"]["macro_f1"]["low"].as_f64().unwrap() <= 0.0, "{worth}");

    let taken = project.json(&["collect", "accept", "--quiet"]);
    assert_eq!((&taken["added"]["generated"], &taken["refused"]), (&3.into(), &5.into()));
    let accepted = project.read("data/collected/small/generated.csv");
    assert!(accepted.contains("Young parliament") && !accepted.contains("postbox-of-mine"), "{accepted}");
    let done = project.csv("data/candidates/small/done/one.csv");
    assert_eq!(done.len(), 8);
    assert!(done.iter().all(|row| !row["how_to_play"].contains("postbox-of-mine")), "{done:?}");
    let nothing = project.run(&["collect", "accept"]);
    assert_eq!(nothing.code(), 5, "{}", nothing.err());
    assert!(nothing.err().contains("no candidates wait"), "{}", nothing.err());

    project.good(&["build", "--quiet"]);
    let dealt = project.csv("data/splits/small.csv");
    assert_eq!(dealt.len(), 123);
    let metrics: Value = serde_json::from_str(&project.read("data/models/small/metrics.json")).unwrap();
    assert_eq!(
        metrics["cross_validation"]["rows"],
        dealt[..120].iter().filter(|r| r["part"] != "test").count()
    );
    // Among those answered in the test part is no collected row.
    let answered = project.csv("data/models/small/predictions.csv");
    assert!(answered.iter().all(|row| !row["file"].contains("collected")), "{:?}", answered[0]);
    // The same rows again are known.
    project.write("data/candidates/small/again.csv", &batch);
    let again = verdicts(&project.json(&["collect", "review", "--quiet"]));
    assert!(
        again[&2].0 == "refused" && again[&2].1.contains("cosine") || again[&2].1.contains("texts are those"),
        "{again:?}"
    );
}

#[test]
fn a_paraphrase_goes_with_the_row_that_it_says_in_other_words() {
    let project = project();
    project.good(&["build", "--to", "split", "--quiet"]);
    let before = project.csv("data/splits/small.csv");
    let raw = project.csv("data/raw/a.csv");
    let content = |row: usize| {
        use pipeline::table::Cells;
        let texts = [raw[row]["title"].clone(), raw[row]["how_to_play"].clone()].to_vec();
        Cells { texts, ..Cells::default() }.content().to_string()
    };
    let mut rows = format!("{COLUMNS}\n");
    let words = ["quilt", "drum", "candle", "ladder", "kettle", "button"];
    for row in 0..60 {
        let how = format!(
            "Once upon a time a {} stood by the {} near number {row}.",
            words[row % 6],
            words[row / 6 % 6]
        );
        rows += &candidate(&format!("Other {row}"), &how, row % 2 == 0, "paraphrased", &content(row));
    }
    rows +=
        &candidate("Orphan", "Nobody knows where this comes from.", true, "paraphrased", "0123456789abcdef");
    project.write("data/collected/small/paraphrased.csv", rows);
    let built = project.run(&["build", "--to", "split"]);
    assert!(
        built.err().contains("1 collected row was made from rows that are not in the data any more"),
        "{}",
        built.err()
    );
    let dealt = project.csv("data/splits/small.csv");
    for row in 0..60 {
        assert_eq!(dealt[row]["part"], before[row]["part"], "real rows stay where they were");
        let (child, parent) = (&dealt[120 + row], &dealt[row]);
        assert_eq!((&child["part"], &child["group"]), (&parent["part"], &parent["group"]), "{row}");
    }
    assert_eq!(dealt[180]["part"], "dropped");
    // With and without them, on the same folds.
    let found = project.json(&["ablate", "best", "paraphrase", "--quiet"]);
    let f1 = |i: usize| found["presets"][i]["figures"]["log_loss"]["value"].as_f64().unwrap();
    assert_eq!(f1(0), f1(1), "all kinds are used by default");
    let refused = project.run(&["ablate", "generated"]);
    assert_eq!(refused.code(), 3);
    assert!(refused.err().contains("there is no generated row"), "{}", refused.err());
    project.configure("[evaluate]", "[collect]\nuse = []\n[evaluate]");
    let without = project.json(&["ablate", "best", "paraphrase", "--quiet"]);
    let f1 = |i: usize| without["presets"][i]["figures"]["log_loss"]["value"].as_f64().unwrap();
    assert_ne!(f1(0), f1(1), "the preset uses them");
}

/// An endpoint that writes `words` into rows of the fields asked for, and what it was asked.
fn writer(words: &'static [&'static str]) -> (String, Asked) {
    endpoint(move |number, prompt| {
        let young = prompt.contains("baby");
        let row = |row: usize| {
            let word = words[(2 * number + row) % words.len()];
            let how = match young {
                true => format!("Shake the {word} with the baby on the porch and listen to it together."),
                false => format!("Argue before a jury on the porch about the law of the {word}."),
            };
            json!({ "title": format!("{word} time {number}"), "how_to_play": how })
        };
        // Now and then a model forgets what was asked for.
        match number % 3 {
            2 => "I would rather not.".to_owned(),
            _ => json!({ "rows": [row(0), row(1)] }).to_string(),
        }
    })
}

const WORDS: &[&str] = &[
    "whisk", "lantern", "feather", "marble", "saucer", "thimble", "anchor", "compass", "violin", "shovel",
    "mitten", "teapot", "hammer", "blanket", "pebble", "trumpet", "ladle", "kite", "scarf", "globe",
];

#[test]
fn a_model_writes_rows_within_its_budget_and_a_run_is_repeated_from_what_was_kept() {
    let project = project();
    let (url, asked) = writer(WORDS);
    let nothing = project.run(&["collect", "generate"]);
    assert_eq!(nothing.code(), 3);
    assert!(nothing.err().contains("collect.model.base_url is not set"), "{}", nothing.err());
    let collect = format!(
        "[collect.model]\nbase_url = \"{url}\"\nname = \"scripted\"\nprompt_price = 1.0\nanswer_price = 2.0\nconcurrency = 2\n\
         [collect.generate]\ntask = \"Write family activities.\"\nrows = 8\nrows_per_request = 2\n\
         cells = {{ duration_mins = \"10\", cost = \"free\", players = \"2\" }}\n\
         [[collect.generate.classes]]\nname = \"Toddler (0-3)\"\nwhat = \"for a baby\"\ncells = {{ age_min = \"1\", age_max = \"2\" }}\n\
         [[collect.generate.classes]]\nname = \"Teen+ (11+)\"\nwhat = \"for teenagers\"\ncells = {{ age_min = \"13\", age_max = \"16\" }}\n\
         [evaluate]"
    );
    project.configure("[evaluate]", &collect);
    let estimate = project.json(&["collect", "generate", "--estimate"]);
    assert_eq!((&estimate["estimate"]["requests"], asked.count()), (&4.into(), 0));
    assert!(estimate["estimate"]["cost"].as_f64().unwrap() > 0.0, "{estimate}");

    let found = project.json(&["collect", "generate", "--quiet"]);
    assert_eq!(found["counts"]["valid"], 8, "{found}");
    assert_eq!(found["file"], "data/candidates/small/generated-1.csv");
    let requests = asked.count();
    assert!(requests >= 5, "the fifth answer had no rows: {requests}");
    let rows = project.csv("data/candidates/small/generated-1.csv");
    assert!(rows.iter().all(|row| row["_kind"] == "generated" && row["_origin"] == "scripted"), "{rows:?}");
    // Each knows the rows that the model was shown, which teach and are not held out.
    let contents: std::collections::HashSet<String> = project
        .csv("data/raw/a.csv")
        .iter()
        .zip(project.csv("data/splits/small.csv"))
        .filter(|(_, dealt)| dealt["part"] == "train")
        .map(|(row, _)| {
            let texts = vec![row["title"].clone(), row["how_to_play"].clone()];
            pipeline::table::Cells { texts, ..Default::default() }.content().to_string()
        })
        .collect();
    for row in &rows {
        let shown: Vec<&str> = row["_shown"].split(' ').collect();
        assert!(shown.len() == 3 && shown.iter().all(|hash| contents.contains(*hash)), "{row:?}");
    }
    assert!(rows.iter().any(|row| row["age_min"] == "13") && rows.iter().any(|row| row["age_min"] == "1"));
    // A run that was killed before its file was written: the same answers, without the endpoint.
    fs::rename(project.path("data/candidates/small/generated-1.csv"), project.path("before.csv")).unwrap();
    let again = project.json(&["collect", "generate", "--quiet"]);
    assert!(again["counts"]["from_kept"].as_u64().unwrap() >= 4, "{again}");
    let text = |rows: &[HashMap<String, String>]| {
        rows.iter().map(|row| row["how_to_play"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(text(&project.csv("data/candidates/small/generated-1.csv"))[..6], text(&rows)[..6]);
    // The next run asks for other rows; a budget ends it.
    project.configure("concurrency = 2", "concurrency = 1\nmost_requests = 2");
    let short = project.run(&["collect", "generate", "--quiet", "--json"]);
    assert_eq!(short.code(), 1, "{}", short.err());
    let short: Value = serde_json::from_str(&short.out()).unwrap();
    assert!(
        short["ended"].as_str().unwrap().contains("limit")
            && short["file"] == "data/candidates/small/generated-2.csv",
        "{short}"
    );

    // A model may be asked for some of the classes alone.
    let whole = project.read("pipeline.toml");
    let (before, rest) = whole.rsplit_once("[[collect.generate.classes]]").unwrap();
    let (_, after) = rest.split_once("[evaluate]").unwrap();
    project.write("pipeline.toml", format!("{before}[evaluate]{after}"));
    project.good(&["collect", "generate", "--estimate"]);
    project.write("pipeline.toml", whole);

    let review = project.json(&["collect", "review", "--quiet"]);
    let passed =
        review["batches"].as_array().unwrap().iter().map(|b| b["accepted"].as_u64().unwrap()).sum::<u64>();
    assert!(passed >= 6, "{review}");
    project.good(&["collect", "accept", "--quiet"]);
    assert_eq!(project.csv("data/collected/small/generated.csv").len() as u64, passed);
    let ablated = project.json(&["ablate", "real-only", "generated", "--quiet"]);
    assert_ne!(
        ablated["presets"][0]["figures"]["log_loss"]["value"],
        ablated["presets"][1]["figures"]["log_loss"]["value"]
    );
}

#[test]
fn rows_are_said_in_other_words_and_know_their_parents() {
    let project = project();
    let (url, _) = writer(WORDS);
    project.configure(
        "[evaluate]",
        &format!("[collect.model]\nbase_url = \"{url}\"\nname = \"scripted\"\n[collect.paraphrase]\nrows = 6\n[evaluate]"),
    );
    let found = project.json(&["collect", "paraphrase", "--quiet"]);
    assert_eq!(found["counts"]["valid"], 6, "{found}");
    let rows = project.csv("data/candidates/small/paraphrased-1.csv");
    let raw = project.csv("data/raw/a.csv");
    let dealt = project.csv("data/splits/small.csv");
    for row in &rows {
        let parent = (0..raw.len()).find(|&row_of| {
            let texts = [raw[row_of]["title"].clone(), raw[row_of]["how_to_play"].clone()].to_vec();
            pipeline::table::Cells { texts, ..Default::default() }.content().to_string() == row["_parent"]
        });
        let parent = parent.expect("a row of the data");
        assert_eq!(dealt[parent]["part"], "train");
        assert_eq!((&row["age_min"], &row["cost"]), (&raw[parent]["age_min"], &raw[parent]["cost"]));
    }
}

#[test]
fn people_label_rows_and_what_they_say_is_merged() {
    let project = Project::empty();
    let mut table = String::from("text,label\n");
    for row in 0..60 {
        let topic = ["invoice", "login", "parcel"][row % 3];
        table += &format!("Something about the {topic} of number {row} is wrong.,{topic}\n");
    }
    project.write("data/raw/a.csv", table);
    project.write(
        "pipeline.toml",
        "name = \"small\"\ndata = { files = [\"data/raw/*.csv\"], text_fields = [\"text\"] }\nlabel.column = \"label\"\nevaluate.folds = 2\n\
         [collect.gate]\nnear_duplicate_cosine = 1.01\nheld_out_cosine = 1.01\n",
    );
    let topics: Vec<&str> = (0..30).map(|row| ["invoice", "login", "parcel"][row * 7 % 3]).collect();
    let new: String = topics
        .iter()
        .enumerate()
        .map(|(i, topic)| format!("Please look at my {topic} from yesterday ({i}).\n"))
        .collect();
    project.write("new.csv", format!("text\n{new}Please look at my login from yesterday (1).\n,\n"));
    let task = project.json(&["collect", "ask", "new.csv", "-n", "25"]);
    assert_eq!((&task["task"], &task["rows"]), (&1.into(), &25.into()));
    let rows = project.csv("data/annotation/small/task-1/task.csv");
    assert!(project.read("data/annotation/small/task-1/label-studio.xml").contains("parcel"));
    let truth =
        |text: &str| ["invoice", "login", "parcel"].into_iter().find(|topic| text.contains(topic)).unwrap();
    let mut faulty = String::new();
    for (person, wrong) in [("ada", 13), ("ben", 11), ("eve", 2)] {
        // Ada and Ben err now and then, Eve every second time.
        let mut filled = String::from("id,label\n");
        for (i, row) in rows.iter().enumerate() {
            let label = if i % wrong == wrong - 1 { "login" } else { truth(&row["text"]) };
            filled += &format!("{},{label}\n", row["id"]);
        }
        if person == "eve" {
            faulty = format!("{filled}{},lunch\n", rows[0]["id"]);
        } else {
            project.write(&format!("{person}.csv"), filled);
        }
    }
    project.write("eve.csv", faulty);
    let found = project.json(&["collect", "answers", "ada.csv", "ben.csv", "eve.csv"]);
    assert_eq!(found["answered"], 25);
    let names: Vec<&str> =
        found["annotators"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ada", "ben", "eve"]);
    let accuracy = |i: usize| found["annotators"][i]["accuracy"]["value"].as_f64().unwrap();
    assert!(accuracy(0) > accuracy(2) && accuracy(1) > accuracy(2), "{found}");
    assert_eq!(found["pairs"].as_array().unwrap().len(), 3);
    assert!(found["faults"][0].as_str().unwrap().contains("lunch"), "{found}");
    let labelled = project.csv("data/candidates/small/labelled-1.csv");
    assert!(labelled.len() >= 20 && found["sure"] == labelled.len(), "{found}");
    let right = labelled.iter().filter(|row| row["label"] == truth(&row["text"])).count();
    assert!(right + 1 >= labelled.len(), "{right} of {}", labelled.len());
    let text = project.good(&["collect", "answers", "ada.csv", "ben.csv", "eve.csv"]).out();
    assert!(text.contains("labelled by 3 people") && text.contains("ada and ben"), "{text}");
    project.good(&["collect", "accept", "--quiet", "--doubtful"]);
    project.good(&["build", "--to", "split", "--quiet"]);
    // Labelled by people, they are rows like any others: some are held out.
    let dealt = project.csv("data/splits/small.csv");
    let parts: std::collections::HashSet<&str> =
        dealt.iter().filter(|row| row["file"].contains("collected")).map(|row| &*row["part"]).collect();
    assert!(parts.contains("train") && parts.len() > 1, "{parts:?}");
    for (args, code, said) in [
        (&["collect", "ask", "data/raw/none.csv"][..], 4, "none.csv"),
        (&["collect", "answers", "new.csv"], 4, "no answer counts"),
        (&["collect", "answers", "ada.csv", "--of-task", "9"], 5, "no task 9"),
    ] {
        let refused = project.run(args);
        assert!(refused.err().contains(said), "{args:?}: {}", refused.err());
        assert_eq!(refused.code(), code, "{args:?}: {}", refused.err());
    }
}

#[test]
fn texts_go_through_spanish_and_back() {
    let paths = std::env::var_os("PATH").unwrap();
    let installed = std::env::split_paths(&paths).any(|folder| folder.join("apertium").is_file());
    let project = Project::small();
    project.use_head("kernel", "");
    if !installed {
        let refused = project.run(&["ablate", "best", "back-translation"]);
        assert!(refused.err().contains("there is no program `apertium`"), "{}", refused.err());
        eprintln!("left out: apertium is not installed");
        return;
    }
    project.configure("[train]", "[augment.back_translation]\nthrough = [\"spa\"]\n[train]");
    project.good(&["augment", "--quiet"]);
    let variants = project.read("data/augmented/small/variants.jsonl");
    let variants: Vec<Value> = variants.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(variants.len() > 5, "{}", variants.len());
    let dealt = project.csv("data/splits/small.csv");
    for variant in &variants {
        assert_eq!(dealt[variant["parent"].as_u64().unwrap() as usize]["part"], "train");
        let cosines: Vec<f64> =
            variant["cosines"].as_array().unwrap().iter().map(|c| c.as_f64().unwrap()).collect();
        assert!(cosines.iter().any(|cosine| (0.85..0.999).contains(cosine)), "{variant}");
    }
    project.configure("[augment.back_translation]\nthrough = [\"spa\"]\n", "");
    let found = project.json(&["ablate", "best", "back-translation", "--quiet"]);
    let loss = |i: usize| found["presets"][i]["figures"]["log_loss"]["value"].as_f64().unwrap();
    assert_ne!(loss(0), loss(1));
    // Another translator that is not there.
    project.configure(
        "[train]",
        "[augment.back_translation]\nthrough = [\"spa\"]\ncommand = [\"no-such-translator\"]\n[train]",
    );
    let refused = project.run(&["augment"]);
    assert!(
        refused.err().contains("the translator `no-such-translator` cannot be started"),
        "{}",
        refused.err()
    );
}
