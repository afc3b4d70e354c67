//! `pipeline compare --llm`: the model beside a language model.

use serde_json::json;

use crate::collect::project;
use crate::endpoint::endpoint;
use crate::project::Project;

/// The row that a prompt asks about.
fn row_of(prompt: &str) -> &str {
    prompt.split("Which label does this entry have?\n").nth(1).unwrap().lines().next().unwrap()
}

fn declare(project: &Project, url: &str, more: &str) {
    let model = format!("[collect.model]\nbase_url = \"{url}\"\nname = \"scripted\"\n{more}\n[evaluate]");
    project.configure("[evaluate]", &model);
}

#[test]
fn both_answer_the_same_test_rows_and_no_test_row_is_an_example() {
    let project = project();
    let nothing = project.run(&["compare", "--llm"]);
    assert_eq!(nothing.code(), 3);
    assert!(nothing.err().contains("collect.model.base_url is not set"), "{}", nothing.err());
    // It is right but for every fourth row, of which one has no label.
    let (url, asked) = endpoint(|_, prompt| {
        let young = row_of(prompt).contains("baby") != row_of(prompt).contains("kitchen");
        match row_of(prompt).contains("attic") {
            true => "I would rather not.".to_owned(),
            false => json!({ "label": if young { "Toddler (0-3)" } else { "Teen+ (11+)" } }).to_string(),
        }
    });
    declare(&project, &url, "prompt_price = 1.0\nanswer_price = 2.0\nconcurrency = 2");
    let estimate = project.good(&["compare", "--llm", "--estimate", "--quiet"]);
    assert!(estimate.out().starts_with("at most 24 requests, "), "{}", estimate.out());
    assert_eq!(asked.count(), 0);
    let found = project.json(&["compare", "--llm", "--quiet"]);
    assert_eq!((&found["rows"], &found["of"], asked.count()), (&24.into(), &24.into(), 24), "{found}");

    let (raw, dealt) = (project.csv("data/raw/a.csv"), project.csv("data/splits/small.csv"));
    let titles = |part: &str| {
        let of = raw.iter().zip(&dealt).filter(|(_, dealt)| (dealt["part"] == "test") == (part == "test"));
        of.map(|(row, _)| format!("\"title\":\"{}\"", row["title"])).collect::<Vec<_>>()
    };
    let (test, known) = (titles("test"), titles("known"));
    for prompt in asked.prompts() {
        let (examples, row) = prompt.split_once("Which label does this entry have?").unwrap();
        assert!(test.iter().any(|title| row.contains(title)), "{prompt}");
        assert!(!test.iter().any(|title| examples.contains(title)), "{prompt}");
        assert_eq!(known.iter().filter(|title| examples.contains(*title)).count(), 8, "{prompt}");
        assert!(prompt.contains("- \"Toddler (0-3)\": the middle of age_min and age_max is below 3.5\n"));
        // It sees what the model sees, and not what gives the class away.
        assert!(row.contains("\"cost\":\"free\"") && !row.contains("age_"), "{row}");
    }
    let rows: Vec<&str> = raw
        .iter()
        .zip(&dealt)
        .filter(|(_, dealt)| dealt["part"] == "test")
        .map(|(row, _)| row["how_to_play"].as_str())
        .collect();
    let of = |word: &str| rows.iter().filter(|text| text.contains(word)).count();
    assert_eq!(found["unanswered"]["no-json"], of("attic"), "{found}");
    let fallback = if found["fallback"] == "Toddler (0-3)" { "baby" } else { "jury" };
    let right = rows
        .iter()
        .filter(
            |text| if text.contains("attic") { text.contains(fallback) } else { !text.contains("kitchen") },
        )
        .count();
    let accuracy = found["figures"][1]["accuracy"]["value"].as_f64().unwrap();
    assert!((accuracy - right as f64 / 24.0).abs() < 1e-9, "{found}");
    assert_eq!(found["figures"][0]["accuracy"]["value"], 1.0, "a handful of words tell them apart");
    assert_eq!(found["mcnemar"]["only_first"], 24 - right);
    let difference = &found["difference"]["accuracy"];
    assert!((difference["value"].as_f64().unwrap() - (1.0 - accuracy)).abs() < 1e-9, "{found}");
    assert!(difference["low"].as_f64().unwrap() < difference["value"].as_f64().unwrap());
    assert!(found["difference"].get("log_loss").is_none(), "a language model gives no probabilities");
    // 24 × (100 + 2 × 50) tokens at a millionth.
    assert!((found["cost_per_1000"].as_f64().unwrap() - 0.2).abs() < 1e-9, "{found}");
    assert!(found["seconds_per_1000"].as_array().unwrap().iter().all(|s| s.as_f64().unwrap() > 0.0));

    // What was answered is not asked again, of fewer rows, too.
    let text = project.good(&["compare", "--llm", "--offline", "--rows", "10", "--quiet"]).out();
    assert_eq!(asked.count(), 24);
    assert!(
        text.starts_with(
            "10 test rows of 24; scripted was shown the 8 training rows most like it beside each"
        ),
        "{text}"
    );
    assert!(text.contains("kept from before") && text.contains("McNemar p = "), "{text}");
    let fewer = project.run(&["compare", "--llm", "--offline", "--examples", "2", "--quiet"]);
    assert!(fewer.code() == 1 && fewer.err().contains("has no kept answer"), "{}", fewer.err());
}

#[test]
fn a_budget_ends_it_after_the_rows_before() {
    let project = project();
    let (url, asked) = endpoint(|_, _| json!({ "label": "Teen+ (11+)" }).to_string());
    declare(&project, &url, "most_requests = 6");
    let found = project.json(&["compare", "--llm", "--quiet"]);
    assert_eq!((&found["rows"], asked.count()), (&6.into(), 6));
    assert!(found["ended"].as_str().unwrap().contains("the 6 requests allowed are used"), "{found}");
    assert_eq!(found["cost_per_1000"], serde_json::Value::Null);
}
