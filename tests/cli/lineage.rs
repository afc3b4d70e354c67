//! Parts and augmented rows: nothing held out has a descendant in training.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::project::{HEADER, Project};

/// Part of each row.
fn parts(project: &Project) -> Vec<String> {
    project.csv("data/splits/small.csv").iter().map(|r| r["part"].clone()).collect()
}

fn variants(project: &Project) -> Vec<Value> {
    project
        .read("data/augmented/small/variants.jsonl")
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

#[test]
fn augmented_rows_descend_from_training_rows_only() {
    let project = Project::small();
    project.configure("ratio = 0.5", "ratio = 3.0\nbetween_classes = true\nalpha = 0.4");
    project.configure("variants = 1", "variants = 3");
    project.good(&["augment"]);
    let parts = parts(&project);
    let variants = variants(&project);
    assert!(variants.len() > 20);
    for variant in &variants {
        assert_eq!(parts[variant["parent"].as_u64().unwrap() as usize], "train");
    }
    let mixed = project.csv("data/augmented/small/mixup.csv");
    assert!(mixed.len() > 50);
    for row in mixed {
        for parent in ["first", "second"] {
            assert_eq!(parts[row[parent].parse::<usize>().unwrap()], "train");
        }
        assert!((0.5..1.0).contains(&row["lambda"].parse::<f64>().unwrap()));
    }
}

#[test]
fn eda_leaves_out_and_exchanges_words_of_training_rows() {
    let project = Project::small();
    project.configure("[augment.synonyms]\nvariants = 1", "[augment.eda]\nvariants = 2");
    project.good(&["augment"]);
    let (parts, variants) = (parts(&project), variants(&project));
    assert!(variants.len() > 20);
    let words = |texts: &[Value]| texts.iter().map(|t| t.as_str().unwrap().split_whitespace().count()).sum();
    let titles: Vec<HashMap<String, String>> = ["friends", "home", "sensory", "sport"]
        .iter()
        .flat_map(|theme| project.csv(&format!("data/raw/{theme}.csv")))
        .collect();
    let mut shorter = 0;
    for variant in &variants {
        let parent = variant["parent"].as_u64().unwrap() as usize;
        assert_eq!(parts[parent], "train");
        let left: usize = words(variant["texts"].as_array().unwrap());
        let title = titles[parent]["title"].split_whitespace().count();
        shorter += usize::from(left < title + titles[parent]["how_to_play"].split_whitespace().count());
    }
    assert!(shorter > variants.len() / 2, "{shorter} of {}", variants.len());
}

#[test]
fn variants_stay_in_the_band_and_off_the_words_of_the_label() {
    let project = Project::small();
    project
        .configure("variants = 1", "variants = 2\ncosine_min = 0.9\ncosine_max = 0.99\nprotect = [\"ball\"]");
    project.good(&["augment"]);
    let titles: Vec<HashMap<String, String>> = ["friends", "home", "sensory", "sport"]
        .iter()
        .flat_map(|theme| project.csv(&format!("data/raw/{theme}.csv")))
        .collect();
    let variants = variants(&project);
    assert!(!variants.is_empty());
    for variant in variants {
        let original = &titles[variant["parent"].as_u64().unwrap() as usize];
        let (texts, cosines) = (variant["texts"].as_array().unwrap(), variant["cosines"].as_array().unwrap());
        assert_eq!(texts.len(), 2);
        let title = texts[0].as_str().unwrap();
        let changed = title != original["title"];
        let cosine = cosines[0].as_f64().unwrap();
        assert!(if changed { (0.9..=0.99).contains(&cosine) } else { cosine > 0.9999 }, "{title}: {cosine}");
        let balls =
            |t: &str| t.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|w| *w == "ball").count();
        assert_eq!(balls(title), balls(&original["title"]), "{title}");
    }
}

#[test]
fn near_duplicates_share_a_part() {
    let project = Project::small();
    let mut planted = format!("{HEADER}\n");
    for i in 0..12 {
        let ages = ["1,2", "5,6", "8,10", "13,16"][i % 4];
        // The same title in another spelling; and twins that only their embeddings tell.
        planted +=
            &format!("\"Twin, No {i}\",{ages},20,x,free,indoor,any,[],First way of the {i} twins.,2,none\n");
        planted += &format!(
            "twin no. {i}!,{ages},20,x,free,indoor,any,[],Quite another way to spend a day {i}.,2,none\n"
        );
        planted += &format!(
            "Harvest the beans of row {i},{ages},20,x,free,indoor,any,[],Pick all the green beans of row {i} and put them in a basket.,2,none\n"
        );
        planted += &format!(
            "Beans to harvest in row {i},{ages},20,x,low,indoor,any,[],Pick all of the green beans of row {i} and put them in the basket.,2,none\n"
        );
    }
    project.write("data/raw/twins.csv", planted);
    project.good(&["augment"]);
    let rows = project.csv("data/splits/small.csv");
    let twins: Vec<&HashMap<String, String>> =
        rows.iter().filter(|r| r["file"].ends_with("twins.csv")).collect();
    assert_eq!(twins.len(), 48);
    for pair in twins.chunks(2) {
        assert_eq!((&pair[0]["group"], &pair[0]["part"]), (&pair[1]["group"], &pair[1]["part"]));
    }
    let mut part_of: HashMap<&str, HashSet<&str>> = HashMap::new();
    for row in &rows {
        part_of.entry(&row["group"]).or_default().insert(&row["part"]);
    }
    assert!(part_of.values().all(|parts| parts.len() == 1), "a group is in two parts");
    let used: HashSet<&str> = rows.iter().map(|r| r["part"].as_str()).collect();
    assert_eq!(used.len(), 3);
}
