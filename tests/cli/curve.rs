//! Curve: what more rows were worth, and what still more would be.

use std::fs;

use crate::project::Project;

#[test]
fn parts_of_the_rows_teach_and_the_same_rows_judge() {
    let project = Project::small();
    project.use_head("kernel", "");
    let found = project.json(&["curve", "--quiet"]);
    let split = project.csv("data/splits/small.csv");
    let outside = split.iter().filter(|row| row["part"] != "test").count();
    assert_eq!(found["rows"], outside);
    let points = found["points"].as_array().unwrap();
    let shares: Vec<f64> = points.iter().map(|point| point["share"].as_f64().unwrap()).collect();
    assert!(shares.is_sorted() && *shares.last().unwrap() == 1.0, "{shares:?}");
    assert!(shares[0] > 0.1, "of so few rows a tenth says nothing: {shares:?}");
    for point in points {
        let (share, rows) = (point["share"].as_f64().unwrap(), point["rows"].as_f64().unwrap());
        // Two folds of a repeat teach half of the rows each; every class has a row at least.
        let wanted = share * outside as f64 / 2.0;
        assert!((wanted - 1.0..wanted + 10.0).contains(&rows), "{share}: {rows}");
    }
    // All rows are those of the evaluation.
    project.good(&["build", "--quiet"]);
    let metrics: serde_json::Value =
        serde_json::from_str(&project.read("data/models/small/metrics.json")).unwrap();
    let whole = &metrics["cross_validation"]["models"][0]["mean"]["macro_f1"]["value"];
    assert_eq!(&points.last().unwrap()["figures"]["macro_f1"]["value"], whole);

    let kept = || fs::read_dir(project.path("data/.pipeline/trials")).unwrap().count();
    assert_eq!(kept(), points.len());
    let more = project.good(&["curve", "--more", "40", "--quiet"]).out();
    assert_eq!(kept(), points.len(), "what was measured is not measured again");
    let said =
        if points.len() < 3 { "too few rows to say" } else { "40 more rows like these would be worth" };
    assert!(more.contains(said), "{more}");
    // The report has it; neither that nor another makes anything stale, or a run of the same model.
    let report = || project.read("data/models/small/report.html");
    assert!(report().contains(said) && report().matches("id=\"curve\"").count() == 1);
    project.good(&["curve", "--more", "20", "--quiet"]);
    assert!(!report().contains("40 more rows"), "the curve before is gone");
    let status = project.good(&["status"]).out();
    assert!(!status.contains("stale"), "{status}");
    project.good(&["build", "--quiet"]);
    assert_eq!(project.json(&["runs"])["runs"].as_array().map(Vec::len), Some(1));
    for beyond in ["0", "1000"] {
        let refused = project.run(&["curve", "--more", beyond]);
        assert_eq!(refused.code(), 2);
        assert!(refused.err().contains(&format!("ask for 1 to {outside}")), "{}", refused.err());
    }
}
