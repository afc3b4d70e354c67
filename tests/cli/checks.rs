//! Validate: what is found, where it is left, and how it ends.

use serde_json::Value;

use crate::project::{HEADER, Project};

const DEMANDS: &str = r#"
[validate]
unique_titles = true
min_class_rows = 1
max_near_duplicate_share = 0.01
names_label = ['\d+-year-old']
[validate.allowed]
season = ["any", "spring", "summer", "autumn", "winter"]
[validate.range]
duration_mins = [2, 600]
"#;

fn project() -> Project {
    let project = Project::small();
    project.configure("hidden = [16]", &format!("hidden = [16]\n{DEMANDS}"));
    project
}

fn report(project: &Project) -> Value {
    serde_json::from_str(&project.read("data/validation/small.json")).unwrap()
}

#[test]
fn clean_data_passes_and_is_described() {
    let project = project();
    let out = project.good(&["validate"]).out();
    assert!(out.contains("Preschool (4-6)") && out.contains("errors: 0"), "{out}");
    let report = report(&project);
    assert_eq!(report["errors"].as_array().unwrap().len(), 0);
    assert_eq!(report["suspects"], Value::Null, "no model has been trained");
    let classes =
        report["classes"].as_array().unwrap().iter().map(|c| c["rows"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(report["rows"]["used"], classes);
    let columns: Vec<&str> =
        report["columns"].as_array().unwrap().iter().map(|c| c["column"].as_str().unwrap()).collect();
    assert_eq!(columns.len(), 12, "also those that the config does not name: {columns:?}");
}

#[test]
fn each_fault_is_found_and_ends_the_run_with_4() {
    let project = project();
    let rows = [
        "Repeated title,8,10,20,x,free,indoor,any,[],\"Sort the buttons by size, then by colour, and count each heap.\",2,none",
        "repeated TITLE!,8,10,20,x,free,indoor,any,[],\"Walk to the pond and look for frogspawn among the reeds.\",2,none",
        "Twin one,8,10,20,x,free,indoor,any,[],Stretch a rope between two trees and hang a sheet over it to make a tent.,2,none",
        "Twin one!,8,10,20,x,low,indoor,any,[],Stretch a rope between two trees and hang a sheet over it to make a tent.,2,none",
        "Monsoon walk,8,10,20,x,free,outdoor,monsoon,[],Go out in boots.,2,none",
        "Very long,8,10,6000,x,free,outdoor,any,[],Keep going for days.,2,none",
        "Backwards,10,8,20,x,free,outdoor,any,[],Keep going.,2,none",
        "Named,3,4,20,x,free,indoor,any,[],My 3-year-old asks for it.,2,none",
    ];
    project.write("data/raw/faults.csv", format!("{HEADER}\n{}\n", rows.join("\n")));
    let finished = project.run(&["validate", "--json"]);
    assert_eq!(finished.code(), 4, "{}", finished.err());
    let printed: Value = serde_json::from_str(&finished.out()).unwrap();
    assert_eq!(printed, report(&project));
    let errors: Vec<&str> =
        printed["errors"].as_array().unwrap().iter().map(|e| e.as_str().unwrap()).collect();
    for expected in [
        "data/raw/faults.csv:3: has the title of data/raw/faults.csv:2",
        "data/raw/faults.csv:6: season = \"monsoon\": `monsoon` is none of any, spring",
        "data/raw/faults.csv:7: duration_mins = \"6000\": is not a number between 2 and 600",
        "data/raw/faults.csv:8: age_min = \"10\": is above age_max = 8",
        "% of the rows have a neighbour at cosine ≥ 0.92",
    ] {
        assert!(errors.iter().any(|e| e.contains(expected)), "{expected}: {errors:#?}");
    }
    let pairs = printed["near_duplicates"][0]["pairs"].as_array().unwrap();
    assert!(
        pairs.contains(&serde_json::json!(["data/raw/faults.csv:4", "data/raw/faults.csv:5"])),
        "{pairs:?}"
    );
    assert_eq!(printed["label_mentions"]["first"][0], "data/raw/faults.csv:9 how_to_play: 3-year-old");
}

const WEATHER: [&str; 16] = [
    "Heavy rain is expected over the hills tonight",
    "A cold front brings snow by the weekend",
    "Sunny spells with a light breeze from the west",
    "Fog will clear by noon along the coast",
    "Thunderstorms may flood the lower valley",
    "Frost on the roads early tomorrow",
    "The hurricane has weakened to a tropical storm",
    "Clouds thicken from the north in the afternoon",
    "Temperatures climb above thirty degrees",
    "Drizzle turns to sleet after dark",
    "A dry and windy day on the islands",
    "Humidity stays high until the monsoon ends",
    "Hail damaged orchards in the south",
    "The drought is likely to last all summer",
    "Gales are forecast for the channel",
    "Mild air keeps the nights free of frost",
];

const COOKING: [&str; 16] = [
    "Fry the onions in butter until golden",
    "Knead the dough for ten minutes and let it rise",
    "Simmer the lentils with cumin and a bay leaf",
    "Whisk the egg whites to stiff peaks",
    "Roast the peppers and peel off the skin",
    "Season the soup with salt and lemon",
    "Bake the bread in a very hot oven",
    "Chop the parsley and stir it into the sauce",
    "Marinate the chicken overnight in yoghurt",
    "Melt the chocolate over a pan of water",
    "Drain the pasta and keep a cup of the water",
    "Grate the cheese over the potatoes",
    "Steam the dumplings for twelve minutes",
    "Blend the chickpeas with garlic and tahini",
    "Sear the steak on both sides and let it rest",
    "Fold the berries into the batter",
];

#[test]
fn a_planted_wrong_label_comes_first() {
    let project = Project::empty();
    project.write(
        "pipeline.toml",
        "name = \"small\"\n[data]\nfiles = [\"data.csv\"]\ntext_fields = [\"text\"]\n[label]\ncolumn = \"topic\"\n\
         [split]\ntrain = 0.6\nvalidation = 0.2\ntest = 0.2\n[validate]\nmin_class_rows = 2\n\
         [train]\nhead = \"network\"\nhidden = []\nlearning_rate = 0.05\n",
    );
    let mut rows = String::from("text,topic\nStir the custard so that it does not burn,weather\n");
    for (weather, cooking) in WEATHER.iter().zip(COOKING) {
        rows += &format!("{weather},weather\n{cooking},cooking\n");
    }
    project.write("data.csv", rows);
    project.good(&["build", "--quiet"]);
    let out = project.good(&["validate"]).out();
    let report = report(&project);
    let suspects = report["suspects"].as_array().unwrap();
    assert_eq!(suspects[0]["place"], "data.csv:2", "{suspects:#?}");
    assert_eq!(suspects[0]["likelier"], "cooking");
    assert!(out.contains("Stir the custard"), "{out}");
}

#[test]
fn second_labels_are_compared_and_bad_ones_named() {
    let project = project();
    project.configure(
        "unique_titles = true",
        "unique_titles = true\nsecond_labels = [\"data/annotations/*.csv\"]",
    );
    let rows = project.csv("data/raw/home.csv");
    let mut second = String::from("title,age_min,age_max\n");
    for row in &rows {
        second +=
            &format!("\"{}\",{},{}\n", row["title"].replace('"', "\"\""), row["age_min"], row["age_max"]);
    }
    project.write("data/annotations/second.csv", &second);
    let out = project.good(&["validate"]).out();
    assert!(out.contains(&format!("second labels, {} rows: same class 1.000", rows.len())), "{out}");
    // A settled row: the dataset has the second labeller's class, the file keeps the first one's.
    let settled = format!(
        "title,age_min,age_max,first_age_min,first_age_max\n\"{}\",{},{},16,18\n",
        rows[0]["title"].replace('"', "\"\""),
        rows[0]["age_min"],
        rows[0]["age_max"]
    );
    project.write("data/annotations/second.csv", &settled);
    let out = project.good(&["validate"]).out();
    assert!(out.contains("second labels, 1 row: same class 0.000"), "{out}");
    project.write("data/annotations/second.csv", second + "No such title,1,2\n");
    let finished = project.run(&["validate"]);
    assert_eq!(finished.code(), 4);
    let expected = format!("line {}: no row has the title \"No such title\"", rows.len() + 2);
    assert!(finished.err().contains(&expected), "{}", finished.err());
}

#[test]
fn labelling_passes_are_compared_and_bad_lines_named() {
    let project = project();
    project.configure(
        "unique_titles = true",
        "unique_titles = true\npasses = [\"data/annotations/passes.csv\"]",
    );
    let rows = project.csv("data/raw/home.csv");
    let line = |row: usize, pass: &str, [low, high]: [&str; 2]| {
        format!("\"{}\",{pass},{low},{high}\n", rows[row]["title"].replace('"', "\"\""))
    };
    let mut passes = String::from("title,pass,age_min,age_max\n");
    for row in 0..20 {
        let young = ["1", "2"];
        passes += &line(row, "a", young);
        passes += &line(row, "b", young);
        // The third says a class more of every second row, and has not seen the last.
        if row < 19 {
            passes += &line(row, "late", if row % 2 == 0 { ["4", "6"] } else { young });
        }
    }
    project.write("data/annotations/passes.csv", &passes);
    let out = project.good(&["validate"]).out();
    assert!(out.contains("3 labelling passes, 20 rows: all of one class 0.500"), "{out}");
    assert!(out.contains("a and b") && out.contains("pass late drifts: +0.526 classes"), "{out}");
    let found = project.json(&["validate"]);
    assert_eq!(found["passes"]["pairs"][0]["kappa"]["value"], 1.0);
    for (more, said) in [
        (line(0, "a", ["1", "2"]), "line 61: pass a has labelled"),
        (line(0, "", ["1", "2"]), "line 61: it has no `pass`"),
        ("No such title,a,1,2\n".to_owned(), "line 61: no row has the title"),
    ] {
        project.write("data/annotations/passes.csv", format!("{passes}{more}"));
        let refused = project.run(&["validate"]);
        assert_eq!(refused.code(), 4);
        assert!(refused.err().contains(said), "{}", refused.err());
    }
}
