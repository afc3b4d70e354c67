//! One table in every format that is read, and its answers in every format that is written: the same rows everywhere.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::DataType;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use pipeline::table::{Packer, Packing};
use serde_json::Value;

use crate::project::{Finished, Project};

/// A table that openpyxl, odfpy and pyarrow (tests/data/formats/make.py) have written, too.
fn original(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats").join(name)).unwrap()
}

fn packed(bytes: &[u8], packing: Packing) -> Vec<u8> {
    let mut packer = Packer::new(Vec::new(), Some(packing)).unwrap();
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn as_json_lines(csv: &[u8]) -> Vec<u8> {
    let mut reader = csv::Reader::from_reader(csv);
    let header = reader.headers().unwrap().clone();
    let object = |row: csv::StringRecord| {
        let cells = header.iter().zip(row.iter()).map(|(name, cell)| {
            let value = serde_json::from_str(cell).unwrap_or_else(|_| cell.into());
            (name.to_owned(), value)
        });
        Value::Object(cells.collect()).to_string() + "\n"
    };
    reader.records().map(|row| object(row.unwrap())).collect::<String>().into_bytes()
}

/// The answers of every test here are those of one model, which takes most of the time.
#[test]
fn formats_in_and_out() {
    let project = Project::empty();
    every_format_gives_the_same_rows_and_answers(&project);
    answers_are_written_as_they_are_asked_for(&project);
    embeddings_are_written_where_there_are_lists(&project);
    what_was_written_is_not_learned_from(&project);
    what_cannot_be_written_is_said(&project);
}

fn every_format_gives_the_same_rows_and_answers(project: &Project) {
    let csv = original("tickets.csv");
    let json = as_json_lines(&csv);
    let tables = [
        ("a.csv", csv.clone()),
        ("a.csv.gz", packed(&csv, Packing::Gzip)),
        ("a.csv.zst", packed(&csv, Packing::Zstd)),
        ("a.tsv", String::from_utf8(csv.clone()).unwrap().replace(',', "\t").into_bytes()),
        ("a.jsonl", json.clone()),
        ("a.jsonl.zst", packed(&json, Packing::Zstd)),
        ("a.xlsx", original("tickets.xlsx")),
        ("a.ods", original("tickets.ods")),
        ("a.arrow", original("tickets.arrow")),
        ("a.arrows", original("tickets.arrows")),
        ("a.arrows.gz", packed(&original("tickets.arrows"), Packing::Gzip)),
        ("a.parquet", original("tickets.parquet")),
        // How it begins tells what it is.
        ("named-otherwise.csv", original("tickets.parquet")),
    ];
    let mut first = None;
    for (name, bytes) in &tables {
        project.write(name, bytes);
        let found = project.json(&["init", name, "--force", "--name", "tickets"]);
        assert_eq!(found["rows"], 45, "{name}");
        let this = (found["columns"].clone(), found["classes"].clone());
        assert_eq!(*first.get_or_insert_with(|| this.clone()), this, "{name}");
    }
    let told = project.good(&["init", "a.xlsx", "--force"]).err();
    assert!(told.contains("sheet \"Export\" is read, and no other: Notes"), "{told}");

    project.good(&["init", "a.parquet", "--force", "--name", "tickets"]);
    project.good(&["build", "--quiet"]);
    let mut first = None;
    let without_lines = |answers: &Finished| -> Vec<String> {
        answers.out().lines().map(|line| line.split_once(',').unwrap().1.to_owned()).collect()
    };
    for (name, _) in &tables {
        let answers = without_lines(&project.good(&["predict", name, "--only", "--format", "csv"]));
        assert_eq!(answers.len(), 46, "{name}");
        assert_eq!(*first.get_or_insert_with(|| answers.clone()), answers, "{name}");
    }
    for name in ["tickets.parquet", "tickets.arrow", "tickets.arrows"] {
        let mut command = project.command(&["predict", "-", "--only", "--format", "csv"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&original(name)).unwrap();
        assert_eq!(Some(without_lines(&Finished(child.wait_with_output().unwrap()))), first, "{name}");
    }
    let told = project.run(&["evaluate", "a.parquet"]).err();
    assert!(told.contains("39 rows with texts that the model has learned from are left out"), "{told}");
}

/// The rows of a file with types.
fn batches(project: &Project, name: &str) -> Vec<RecordBatch> {
    let file = File::open(project.path(name)).unwrap();
    match name.rsplit_once('.').unwrap().1 {
        "parquet" => {
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
            reader.map(Result::unwrap).collect()
        }
        "arrows" => StreamReader::try_new(file, None).unwrap().map(Result::unwrap).collect(),
        _ => FileReader::try_new(file, None).unwrap().map(Result::unwrap).collect(),
    }
}

const TYPED: [&str; 4] = ["answers.parquet", "answers.arrow", "answers.feather", "answers.arrows"];

fn answers_are_written_as_they_are_asked_for(project: &Project) {
    project.good(&["predict", "a.parquet", "-o", "answers.csv"]);
    let csv = project.read("answers.csv");
    let rows = project.csv("answers.csv");
    project.good(&["predict", "a.parquet", "-o", "answers.tsv"]);
    assert_eq!(project.read("answers.tsv").replace('\t', ","), csv);
    for (name, gzip) in [("answers.csv.gz", true), ("answers.csv.zst", false)] {
        project.good(&["predict", "a.parquet", "-o", name]);
        let (file, mut text) = (File::open(project.path(name)).unwrap(), String::new());
        match gzip {
            true => flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap(),
            false => zstd::Decoder::new(file).unwrap().read_to_string(&mut text).unwrap(),
        };
        assert_eq!(text, csv, "{name}");
    }
    project.good(&["predict", "a.parquet", "-o", "answers.jsonl"]);
    assert!(project.read("answers.jsonl").starts_with("{\"line\":1,\"input\":{\"ticket_id\":\"7000\""));

    let check = |name: &str, typed: bool| {
        let batches = batches(project, name);
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 45, "{name}");
        let schema = batches[0].schema();
        let kind = |column: &str| schema.field_with_name(column).unwrap().data_type().clone();
        let given =
            if typed { [DataType::Int64, DataType::Date32] } else { [DataType::Utf8, DataType::Utf8] };
        assert_eq!([kind("ticket_id"), kind("created_at")], given, "{name}");
        assert_eq!([kind("label"), kind("probability")], [DataType::Utf8, DataType::Float64], "{name}");
        assert_eq!(schema.fields().last().unwrap().name(), "reason", "{name}");
        let labels = batches.iter().flat_map(|batch| batch["label"].as_string::<i32>().iter().flatten());
        assert!(labels.eq(rows.iter().map(|row| row["label"].as_str())), "{name}");
        let shares =
            batches.iter().flat_map(|b| b["probability"].as_primitive::<Float64Type>().iter().flatten());
        let expected = rows.iter().map(|row| f64::from(row["probability"].parse::<f32>().unwrap()));
        assert!(shares.eq(expected), "{name}");
    };
    for name in TYPED {
        project.good(&["predict", "a.csv", "-o", name]);
        check(name, false);
        project.good(&["predict", "a.arrows", "-o", name]);
        check(name, true);
    }
    // To a pipe as to a file.
    let piped = project.good(&["predict", "a.arrows", "--format", "parquet"]).0.stdout;
    assert_eq!(piped, fs::read(project.path("answers.parquet")).unwrap());
}

fn embeddings_are_written_where_there_are_lists(project: &Project) {
    project.good(&["predict", "a.csv", "--embeddings", "-o", "vectors.jsonl"]);
    let lines: Vec<Value> =
        project.read("vectors.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for name in ["vectors.parquet", "vectors.arrow"] {
        project.good(&["predict", "a.csv", "--embeddings", "-o", name]);
        let mut lines = lines.iter();
        for batch in batches(project, name) {
            let vectors = batch["embedding"].as_fixed_size_list();
            assert_eq!(vectors.value_length(), 384, "{name}");
            for vector in vectors.iter() {
                let vector: Value =
                    vector.unwrap().as_primitive::<Float32Type>().values().iter().copied().collect();
                assert_eq!(lines.next().unwrap()["embedding"], vector, "{name}");
            }
        }
        assert!(lines.next().is_none(), "{name}");
    }
}

fn what_was_written_is_not_learned_from(project: &Project) {
    project.configure("a.parquet", "a*");
    let read = project.good(&["embed", "--force"]).err();
    for name in
        [&TYPED[..], &["answers.csv", "answers.tsv", "answers.csv.gz", "answers.csv.zst", "answers.jsonl"]]
            .concat()
    {
        assert!(
            read.contains(&format!("{name} is what `pipeline predict` wrote and not read")),
            "{name}: {read}"
        );
    }
    assert!(!read.contains("a.parquet is what"), "{read}");
}

fn what_cannot_be_written_is_said(project: &Project) {
    for (more, said) in [
        (&["-o", "x.xlsx"][..], "such a file is read and not written; what is written: .csv, .tsv, .jsonl"),
        (&["-o", "x.parquet.gz"], "parquet is compressed within; leave the last ending out"),
        (&["-o", "x.parquet", "--format", "csv"], "--format csv and --output x.parquet name two formats"),
        (&["-o", "x.arrow", "--json"], "--format jsonl and --output x.arrow name two formats"),
        (
            &["-o", "x.csv", "--embeddings"],
            "--embeddings: csv has no lists of numbers; Parquet, Arrow and JSON",
        ),
        (&["-o", "x.tsv.gz", "--embeddings"], "--embeddings: tsv has no lists of numbers"),
    ] {
        let refused = project.run(&[&["predict", "a.csv"], more].concat());
        assert_eq!(refused.code(), 2, "{more:?}: {}", refused.err());
        assert!(refused.err().contains(said), "{more:?}: {}", refused.err());
        assert!(!project.path(more[1]).exists(), "{more:?}");
    }
}

#[test]
fn damaged_files_say_what_they_are() {
    let project = Project::empty();
    let (xlsx, parquet, arrow) =
        (original("tickets.xlsx"), original("tickets.parquet"), original("tickets.arrow"));
    let zst = packed(&original("tickets.csv"), Packing::Zstd);
    let schema = StreamReader::try_new(&original("tickets.arrows")[..], None).unwrap().schema();
    let none = ArrowWriter::try_new(Vec::new(), schema, None).unwrap().into_inner().unwrap();
    for (name, bytes, said) in [
        ("cut.xlsx", &xlsx[..xlsx.len() / 2], "cut.xlsx: is no workbook that can be read"),
        ("cut.csv.zst", &zst[..zst.len() / 2], "cannot read cut.csv.zst: the compressed file is damaged"),
        ("empty.jsonl", b"", "empty.jsonl: holds no JSON object"),
        ("empty.ods", b"", "empty.ods: is no workbook that can be read"),
        ("list.jsonl", b"[1, 2]\n", "list.jsonl: holds no JSON object"),
        (
            "cut.parquet",
            &parquet[..parquet.len() / 2],
            "cannot read cut.parquet: it is no Parquet file, or damaged",
        ),
        ("cut.arrow", &arrow[..arrow.len() / 2], "it is no Arrow file, or damaged: it is cut off"),
        ("empty.parquet", b"", "cannot read empty.parquet: it is no Parquet file, or damaged"),
        ("empty.arrow", b"", "cannot read empty.arrow: it is no Arrow file, or damaged"),
        ("text.parquet", b"text,label\na,b\n", "cannot read text.parquet: it is no Parquet file, or damaged"),
        ("text.arrow", b"text,label\na,b\n", "cannot read text.arrow: it is no Arrow file, or damaged"),
        ("old.feather", b"FEA1....", "it is Feather of version 1; write it anew as version 2"),
        ("none.parquet", &none, "none.parquet has no rows"),
    ] {
        project.write(name, bytes);
        let refused = project.run(&["init", name, "--force"]);
        assert_eq!(refused.code(), 4, "{name}: {}", refused.err());
        assert!(refused.err().contains(said), "{name}: {}", refused.err());
    }
}
