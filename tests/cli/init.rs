//! `pipeline init`: a table to a project file that the other commands can use.

use std::fs;

use crate::project::Project;

/// A folder without a project file.
fn bare() -> Project {
    let project = Project::empty();
    fs::remove_file(project.path("pipeline.toml")).unwrap();
    project
}

/// Tickets of three kinds, as a spreadsheet of a land with decimal commas writes them.
pub fn tickets(rows: usize) -> String {
    let of_kind = [
        (
            "Billing",
            [
                "was charged twice for the order",
                "needs an invoice with the new address",
                "wants the refund of the fee",
            ],
        ),
        (
            "Access",
            [
                "cannot log in with the new password",
                "is locked out of the account",
                "gets no code on the phone",
            ],
        ),
        (
            "delivery",
            [
                "waits for the parcel since last week",
                "got a broken box at the door",
                "wants it sent to the office",
            ],
        ),
    ];
    let mut text = "ticket_id;created_at;subject;minutes;channel;category\n".to_owned();
    for i in 0..rows {
        let (team, texts) = of_kind[i % 3];
        let channel = ["mail", "phone", "web", "shop"][i * 7 % 4];
        text += &format!(
            "{};2024-03-{:02};Customer {i} {};{},{};{channel};{team}\n",
            7000 + i * 3,
            i % 28 + 1,
            texts[i / 3 % 3],
            5 + i * 11 % 37,
            i % 10
        );
    }
    text
}

#[test]
fn a_table_becomes_a_project_that_is_built() {
    let project = bare();
    project.write("tickets.csv", tickets(90));
    let shown = project.good(&["init"]).out();
    for line in [
        "ticket_id   left out  names the row",
        "created_at  left out  tells when",
        "subject     text      ",
        "minutes     number    ",
        "channel     category  4 values",
        "category    label     3 values: Access 33 %, Billing 33 %, delivery 33 %",
        "subject: Customer ",
        "Next: pipeline build\n",
    ] {
        assert!(shown.contains(line), "{line:?} in {shown}");
    }
    insta::assert_snapshot!(project.read("pipeline.toml"));
    project.good(&["build", "--quiet"]);
    let answer = project.good(&["predict", "--text", "I cannot log in, the password is wrong"]).out();
    assert!(answer.contains("Access"), "{answer}");
}

#[test]
fn several_files_of_one_kind_are_one_dataset() {
    let project = bare();
    let all = tickets(90);
    let (header, rows) = all.split_once('\n').unwrap();
    let half = rows.match_indices('\n').nth(44).unwrap().0 + 1;
    project.write("data/raw/a.csv", format!("{header}\n{}", &rows[..half]));
    project.write("data/raw/b.csv", format!("{header}\n{}", &rows[half..]));
    let found = project.json(&["init"]);
    assert_eq!(found["rows"], 90);
    let folder = project.path("").canonicalize().unwrap();
    let name = folder.file_name().unwrap().to_string_lossy().replace('.', "_");
    assert!(project.read("pipeline.toml").contains(&format!("name = \"{name}\"")));
    assert!(project.read("pipeline.toml").contains(r#"files = ["data/raw/a.csv", "data/raw/b.csv"]"#));
    project.write("data/raw/c.csv", "other,columns\n1,2\n");
    let refused = project.run(&["init", "--force"]);
    assert_eq!(refused.code(), 4);
    assert!(
        refused.err().contains("data/raw/a.csv and data/raw/c.csv have different columns"),
        "{}",
        refused.err()
    );
}

#[test]
fn what_is_not_clear_is_asked_for_by_an_option() {
    let project = bare();
    let rows = (0..40).map(|i| format!("some words of row {i},{},{}\n", i % 2, ["x", "y", "z"][i % 3]));
    project.write("t.csv", format!("what,urgent,team\n{}", rows.collect::<String>()));
    let refused = project.run(&["init", "t.csv"]);
    assert_eq!(refused.code(), 2);
    assert!(
        refused.err().contains("the label may be `team`, `urgent`; --label names it"),
        "{}",
        refused.err()
    );
    assert!(!project.path("pipeline.toml").exists());
    let refused = project.run(&["init", "t.csv", "--label", "teem"]);
    assert!(refused.err().contains("no column `teem` (did you mean `team`?)"), "{}", refused.err());
    project.good(&["init", "t.csv", "--label", "urgent"]);
    assert!(project.read("pipeline.toml").contains("column = \"urgent\""));
    let refused = project.run(&["init", "t.csv", "--yes"]);
    assert_eq!(refused.code(), 2);
    assert!(refused.err().contains("is there already; --force writes over it"), "{}", refused.err());
    project.good(&["init", "t.csv", "--yes", "--force", "--name", "other"]);
    let config = project.read("pipeline.toml");
    assert!(config.contains("column = \"team\"") && config.contains("name = \"other\""), "{config}");
}

#[test]
fn bad_tables_leave_no_project_file() {
    let project = bare();
    project.write("one.csv", format!("text,label\n{}", "some words here,x\n".repeat(30)));
    project.write("empty.csv", "");
    project.write("header.csv", "text,label\n");
    project.write("binary.csv", [0x50, 0x4b, 3, 4, 0, 0, 0, 255, 254, 0, 0, 1].repeat(40));
    project.write(
        "numbers.csv",
        format!("a,label\n{}", (0..40).map(|i| format!("{i},{}\n", i % 2)).collect::<String>()),
    );
    for (file, code, said) in [
        ("one.csv", 2, "no column has few values that come back"),
        ("empty.csv", 4, "is empty"),
        ("header.csv", 4, "has no rows"),
        ("binary.csv", 4, "binary.csv"),
        ("numbers.csv", 4, "no column of numbers.csv reads as text"),
        ("nowhere.csv", 4, "cannot read nowhere.csv"),
    ] {
        let refused = project.run(&["init", file]);
        assert_eq!(refused.code(), code, "{file}: {}{}", refused.out(), refused.err());
        assert!(refused.err().contains(said), "{file}: {}", refused.err());
        assert!(!project.path("pipeline.toml").exists(), "{file}");
    }
    let nothing = bare();
    let refused = nothing.run(&["init"]);
    assert!(refused.err().contains("there is no table in "), "{}", refused.err());
}

#[test]
fn a_given_test_file_and_alike_labels_are_written_down() {
    let project = bare();
    project.write("train.csv", tickets(60).replace("Access", "access").replacen("access", "Access", 7));
    project.write("test [1].csv", tickets(30));
    project.good(&["init", "train.csv", "--test", "test [1].csv"]);
    let config = project.read("pipeline.toml");
    assert!(config.contains("test_files = [\"test [[]1[]].csv\"]"), "{config}");
    assert!(config.contains("normalise = true"), "{config}");
    let status = project.run(&["status"]);
    assert_eq!(status.code(), 0, "{}", status.err());
}
