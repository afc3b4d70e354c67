//! Tables as people have them: one test for each kind of trouble, each on the real program.

use serde_json::Value;

use crate::project::{Finished, Project, stage};

const THINGS: [&str; 6] = ["bread", "soup", "a song", "the drum", "a ball", "the net"];
const LABELS: [&str; 3] = ["kitchen", "music", "ballgames"];

/// Twelve rows of a text and a label, lines of `text,label`; no two texts are alike.
fn rows() -> Vec<[String; 2]> {
    let row =
        |i: usize| [format!("Find {} number {i} with friends", THINGS[i % 6]), LABELS[i % 6 / 2].into()];
    (0..12).map(row).collect()
}

fn project(content: impl AsRef<[u8]>, data: &str, more: &str) -> Project {
    let project = Project::empty();
    project.write(
        "pipeline.toml",
        format!("name = \"t\"\n[data]\nfiles = [\"a.csv\"]\ntext_fields = [\"text\"]\n{data}\n[label]\ncolumn = \"label\"\n{more}"),
    );
    project.write("a.csv", content);
    project
}

/// The summary of `pipeline embed`, and what it said.
fn embedded(project: &Project) -> (Value, Finished) {
    let said = project.good(&["embed"]);
    (stage(&project.json(&["embed"]), "embed")["summary"].clone(), said)
}

fn used(project: &Project) -> u64 {
    embedded(project).0["rows_used"].as_u64().unwrap()
}

/// The values of a column, as `pipeline validate` counts them.
fn values(project: &Project, column: &str) -> Value {
    let found = project.run(&["validate", "--json"]);
    let found: Value = serde_json::from_str(&found.out()).unwrap();
    let columns = found["columns"].as_array().unwrap();
    columns.iter().find(|c| c["column"] == column).unwrap_or_else(|| panic!("{columns:?}")).clone()
}

fn lines(row: impl Fn(&[String; 2]) -> String) -> String {
    rows().iter().map(|r| row(r) + "\n").collect()
}

#[test]
fn what_the_config_does_not_name_refuses_nothing() {
    let plain = |[text, label]: &[String; 2]| format!("{text},{label}");
    for (what, content) in [
        ("cells dropped at the end", format!("text,label,notes,more\n{}", lines(plain))),
        ("a header with one more", format!("text,label,\n{}", lines(plain))),
        ("rows with one more", format!("text,label\n{}", lines(|r| format!("{},", plain(r))))),
        (
            "columns of one name",
            format!("text,label,Notes,notes,notes\n{}", lines(|r| format!("{},x,y,z", plain(r)))),
        ),
        ("a NUL", format!("text,label\n{}", lines(plain)).replacen("Find", "Fi\0nd", 1)),
        ("sep=", format!("sep=;\ntext;label\n{}", lines(|[t, l]| format!("{t};{l}")))),
        ("semicolons", format!("text;label\n{}", lines(|[t, l]| format!("{t}, or not;{l}")))),
        ("tabs", format!("text\tlabel\n{}", lines(|[t, l]| format!("{t}, or; not\t{l}")))),
        (
            "numbered rows",
            format!(
                "text,label\n{}",
                rows().iter().enumerate().map(|(i, r)| format!("{i},{}\n", plain(r))).collect::<String>()
            ),
        ),
        ("carriage returns", format!("text,label\n{}", lines(plain)).replace('\n', "\r")),
    ] {
        assert_eq!(used(&project(&content, "", "")), 12, "{what}");
    }
    // Of columns that the config names there must be one.
    let twice = project(format!("text,label,Text,TEXT\n{}", lines(plain)), "", "");
    assert_eq!(used(&twice), 12, "the one that is spelled so");
    let twice = project(format!("TEXT,label,Text\n{}", lines(plain)), "", "").run(&["embed"]);
    assert_eq!(twice.code(), 4);
    assert!(twice.err().contains("names `text` twice"), "{}", twice.err());
}

#[test]
fn encodings_are_found_said_and_set() {
    let russian = |label: &str| {
        let text =
            lines(|[t, _]| format!("Сделай это вместе с друзьями, {},кухня", t.rsplit(' ').nth(2).unwrap()));
        let text =
            format!("text;label\n{}{}", text.replace(",кухня", ";кухня"), "Пой песню под гитару;музыка\n");
        encoding_rs::Encoding::for_label(label.as_bytes()).unwrap().encode(&text).0.into_owned()
    };
    let found = project(russian("windows-1251"), "", "");
    let (_, said) = embedded(&found);
    assert!(said.err().contains("a.csv: read as windows-1251: "), "{}", said.err());
    assert!(said.err().contains("set data.encoding"), "{}", said.err());
    assert_eq!(values(&found, "label")["values"][0][0], "кухня");
    let set = project(russian("koi8-r"), "encoding = \"koi8-r\"", "");
    assert!(!embedded(&set).1.err().contains("read as"));
    assert_eq!(values(&set, "label")["values"][0][0], "кухня");
    let none = project("", "encoding = \"utf-9\"", "").run(&["embed"]);
    assert_eq!(none.code(), 3);
    assert!(none.err().contains("data.encoding") && none.err().contains("\"utf-9\""), "{}", none.err());

    let mut bytes = format!("text,label\n{}Crème brûlée", lines(|[t, l]| format!("{t},{l}"))).into_bytes();
    bytes.extend(b" for se\xf1or\xc3,kitchen\nCaf\xe9,kitchen\n");
    let (summary, said) = embedded(&project(bytes, "", ""));
    assert_eq!(summary["rows_used"], 14);
    assert!(
        said.err().contains("1 cell is not UTF-8 and was read as Windows-1252, in line 15"),
        "{}",
        said.err()
    );
    assert!(
        said.err().contains("2 sequences of bytes are not UTF-8 and were read as U+FFFD"),
        "{}",
        said.err()
    );
}

#[test]
fn a_stray_quote_costs_its_line_under_every_line_end() {
    for end in ["\n", "\r", "\r\n"] {
        let content =
            format!("text,label\n{}\"A quote,kitchen\nLast,music\n", lines(|[t, l]| format!("{t},{l}")));
        let project = project(content.replace('\n', end), "max_rejected_share = 0.5", "");
        assert_eq!(embedded(&project).0["rows_used"], 13, "{end:?}");
        assert_eq!(project.csv("data/rejects/t/rejects.csv")[0]["line"], "14", "{end:?}");
    }
    // Each of these quotes is opened, and none is closed: reading must not look to the end of the file for each.
    let content = format!("text,label\n{}", "x\"y,\"z\n".repeat(100_000));
    let finished = project(content, "", "").run(&["embed"]);
    assert!(finished.err().contains("100,000 of 100,000 rows cannot be used"), "{}", finished.err());
}

#[test]
fn numbers_and_missing_values() {
    let with = |price: &dyn Fn(usize) -> String, delimiter: char| {
        let row = |(i, [t, l]): (usize, [String; 2])| format!("{t}{delimiter}{}{delimiter}{l}\n", price(i));
        let rows: String = rows().into_iter().enumerate().map(row).collect();
        format!("text{delimiter}price{delimiter}label\n{rows}")
    };
    let feature = "[features]\nnumeric = [\"price\"]\n";
    let comma = project(with(&|i| format!("{i},5"), ';'), "", feature);
    assert_eq!(used(&comma), 12);
    let mixed = with(&|i| if i == 3 { "1.25".into() } else { format!("{i},5") }, ';');
    let mixed = project(mixed, "", feature).run(&["embed"]);
    assert!(mixed.err().contains("price = \"0,5\": is not a number"), "{}", mixed.err());
    let unclear = project(with(&|i| format!("{i},500"), ';'), "", feature).run(&["embed"]);
    assert!(unclear.err().contains("may have a decimal comma or grouped digits"), "{}", unclear.err());

    let missing = |i: usize| ["NA", "n/a", "NULL", "nan", "-", "", "7"][i % 7].to_owned();
    assert_eq!(used(&project(with(&missing, ','), "", feature)), 12);
    let none = project(with(&missing, ','), "missing = []", feature).run(&["embed"]);
    assert!(none.err().contains("price = \"NA\": is not a number"), "{}", none.err());
    let huge = project(with(&|_| "3e38".into(), ','), "", feature).run(&["embed"]);
    assert!(huge.err().contains("price = \"3e38\": is too large"), "{}", huge.err());

    let sentinel = with(&|i| if i % 3 == 0 { "99".into() } else { i.to_string() }, ',');
    let (_, said) = embedded(&project(&sentinel, "", feature));
    assert!(
        said.err().contains("warning: price is 99 in 4 of 12 rows and between 1 and 11"),
        "{}",
        said.err()
    );
    assert!(said.err().contains("add \"99\" to data.missing"), "{}", said.err());
    let (_, said) = embedded(&project(sentinel, "missing = [\"99\"]", feature));
    assert!(!said.err().contains("warning"), "{}", said.err());
}

#[test]
fn labels_that_are_alike_lists_and_contradictions_are_said() {
    let label = |i: usize, label: &str| match i {
        0 => "Kitchen".to_owned(),
        1 => "kitchen\u{200b}".to_owned(),
        2 => "nan".to_owned(),
        3 => "['music', 'kitchen']".to_owned(),
        _ => label.to_owned(),
    };
    let rows: String =
        rows().iter().enumerate().map(|(i, [t, l])| format!("{t},\"{}\"\n", label(i, l))).collect();
    let content = format!("text,label\n{rows}Find bread number 6 with friends,music\n");
    let (summary, said) = embedded(&project(&content, "", ""));
    assert_eq!(
        (&summary["rows_used"], &summary["unlabelled"], &summary["rejected"]),
        (&12.into(), &1.into(), &0.into())
    );
    for expected in [
        "warning: \"kitchen\" (2 rows), \"Kitchen\" (1 row), \"kitchen\\u{200b}\" (1 row) are classes of their own",
        "label.normalise = true makes them one",
        "warning: the label of 1 row is a list, such as \"['music', 'kitchen']\"",
        "1 row has no label and can teach nothing, listed in data/rejects/t/rejects.csv",
        "warning: 1 row has the text of another row and another label, listed in data/rejects/t/contradictions.csv",
    ] {
        assert!(said.err().contains(expected), "{expected}: {}", said.err());
    }
    let folded = project(&content, "", "normalise = true");
    assert_eq!(used(&folded), 12);
    let contradiction = &folded.csv("data/rejects/t/contradictions.csv")[0];
    assert_eq!((&contradiction["line"][..], &contradiction["label"][..]), ("14", "music"));
    assert_eq!(
        (&contradiction["same_text_as"][..], &contradiction["other_label"][..]),
        ("a.csv:8", "kitchen")
    );
    folded.run(&["build", "--to", "split"]);
    let classes: std::collections::BTreeSet<String> =
        folded.csv("data/splits/t.csv").into_iter().map(|row| row["class"].clone()).collect();
    assert_eq!(
        classes.into_iter().collect::<Vec<_>>(),
        ["['music', 'kitchen']", "ballgames", "kitchen", "music"]
    );
}

#[test]
fn duplicates_are_of_a_named_title_only_and_large_groups_are_said() {
    let row = |i: usize| {
        format!(
            "Help,{} {} in the {},{}\n",
            THINGS[i % 6],
            i * i,
            ["sun", "rain", "snow", "wind"][i % 4],
            LABELS[i % 3]
        )
    };
    let content = format!("subject,text,label\n{}", (0..60).map(row).collect::<String>());
    let of = |title: &str| {
        let project = project(&content, title, "");
        project.configure("[\"text\"]", "[\"subject\", \"text\"]");
        project.configure("[label]", "[split]\nnear_duplicate_cosine = 1.0\n[label]");
        project.run(&["build", "--to", "split"])
    };
    let unnamed = of("");
    assert_eq!(unnamed.code(), 0, "{}", unnamed.err());
    assert!(!unnamed.err().contains("stay in one part"), "{}", unnamed.err());
    let named = of("title = \"subject\"");
    assert!(
        named.err().contains("60 rows (100 %) stay in one part because they have the title \"help\""),
        "{}",
        named.err()
    );
}

#[test]
fn small_classes_keep_the_shares_over_all_rows() {
    let row = |i: usize| format!("{} {i} for the {}th time,c{:02}\n", THINGS[i % 6], i * 7 % 101, i / 5);
    let content = format!("text,label\n{}", (0..200).map(row).collect::<String>());
    let project = project(content, "", "[split]\nnear_duplicate_cosine = 1.0\n");
    let said = project.good(&["build", "--to", "split"]).err();
    let summary = stage(&project.json(&["build", "--to", "split"]), "split")["summary"].clone();
    assert_eq!([&summary["train"], &summary["validation"], &summary["test"]], [160, 20, 20]);
    assert!(!said.contains("are not of the sizes"), "{said}");
}

#[test]
fn a_column_of_any_name_has_its_file() {
    for name in ["Расскажите, пожалуйста, своими словами: ".repeat(6), "question ".repeat(8000)]
    {
        let name = name.trim();
        let project = project(format!("\"{name}\",label\n{}", lines(|[t, l]| format!("{t},{l}"))), "", "");
        project.configure("[\"text\"]", &format!("[{name:?}]"));
        assert_eq!(used(&project), 12);
        project.good(&["build", "--to", "split"]);
    }
}

#[test]
fn one_number_behind_the_label_is_said_once() {
    let project = Project::small();
    project.use_head("kernel", "");
    project.configure("max = \"age_max\"", "max = \"age_min\"");
    let told = project.good(&["build"]).out();
    assert_eq!(told.matches("\n  age_min ").count(), 1, "{told}");
    let answer = project.good(&["predict", "--text", "Shake the rattle", "--format", "csv"]).out();
    let header: Vec<&str> = answer.lines().next().unwrap().split(',').collect();
    assert_eq!(header.iter().filter(|name| **name == "age_min").count(), 1, "{header:?}");
    assert_eq!(answer.lines().nth(1).unwrap().split(',').count(), header.len());
}
