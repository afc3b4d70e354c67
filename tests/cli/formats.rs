//! One table in every format that is read: the same dataset, model and answers.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::project::Project;

/// A table that openpyxl and odfpy have written, too.
fn original(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats").join(name)).unwrap()
}

fn as_json_lines(csv: &[u8]) -> String {
    let mut reader = csv::Reader::from_reader(csv);
    let header = reader.headers().unwrap().clone();
    let object = |row: csv::StringRecord| {
        let cells = header.iter().zip(row.iter()).map(|(name, cell)| {
            let value = serde_json::from_str(cell).unwrap_or_else(|_| cell.into());
            (name.to_owned(), value)
        });
        serde_json::Value::Object(cells.collect()).to_string() + "\n"
    };
    reader.records().map(|row| object(row.unwrap())).collect()
}

#[test]
fn every_format_gives_the_same_rows_model_and_answers() {
    let project = Project::empty();
    let csv = original("tickets.csv");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&csv).unwrap();
    let tables = [
        ("a.csv", csv.clone()),
        ("a.csv.gz", gzip.finish().unwrap()),
        ("a.csv.zst", compress_to_vec(&csv[..], CompressionLevel::Fastest)),
        ("a.tsv", String::from_utf8(csv.clone()).unwrap().replace(',', "\t").into_bytes()),
        ("a.jsonl", as_json_lines(&csv).into_bytes()),
        ("a.jsonl.zst", compress_to_vec(as_json_lines(&csv).as_bytes(), CompressionLevel::Fastest)),
        ("a.xlsx", original("tickets.xlsx")),
        ("a.ods", original("tickets.ods")),
    ];
    let mut first = None;
    for (name, bytes) in tables {
        project.write(name, bytes);
        let found = project.json(&["init", name, "--force", "--name", "tickets"]);
        project.good(&["build", "--quiet"]);
        let answers = project.good(&["predict", name, "--only", "--format", "csv"]).out();
        let probabilities: Vec<String> =
            answers.lines().map(|line| line.split_once(',').unwrap().1.to_owned()).collect();
        assert_eq!(probabilities.len(), 46, "{name}: {answers}");
        let this = (found["columns"].clone(), found["rows"].clone(), found["classes"].clone(), probabilities);
        let first = first.get_or_insert_with(|| this.clone());
        assert_eq!(this.1, 45, "{name}");
        assert_eq!((&this.0, &this.2, &this.3), (&first.0, &first.2, &first.3), "{name}");
    }
    let told = project.good(&["embed", "--force"]);
    assert!(!told.err().contains("Export"), "{}", told.err());
    let told = project.good(&["init", "a.xlsx", "--force"]).err();
    assert!(told.contains("sheet \"Export\" is read, and no other: Notes"), "{told}");
}

#[test]
fn damaged_files_say_what_they_are() {
    let project = Project::empty();
    let xlsx = original("tickets.xlsx");
    let zst = compress_to_vec(&original("tickets.csv")[..], CompressionLevel::Fastest);
    for (name, bytes, said) in [
        ("cut.xlsx", &xlsx[..xlsx.len() / 2], "cut.xlsx: is no workbook that can be read"),
        ("cut.csv.zst", &zst[..zst.len() / 2], "cannot read cut.csv.zst: the compressed file is damaged"),
        ("empty.jsonl", b"", "empty.jsonl: holds no JSON object"),
        ("empty.ods", b"", "empty.ods: is no workbook that can be read"),
        ("list.jsonl", b"[1, 2]\n", "list.jsonl: holds no JSON object"),
    ] {
        project.write(name, bytes);
        let refused = project.run(&["init", name, "--force"]);
        assert_eq!(refused.code(), 4, "{name}: {}", refused.err());
        assert!(refused.err().contains(said), "{name}: {}", refused.err());
    }
}
