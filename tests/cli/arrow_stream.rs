//! `predict --arrow-stream` and `embed --arrow-stream`: what an engine gives a worker comes back answered, batch for batch.

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Int8Type};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Schema};
use serde_json::Value;

use crate::project::{Finished, Project};

/// Rows of a project's file, with an id of another type, and a row without text.
fn rows(project: &Project) -> RecordBatch {
    let all = project.csv("data/raw/home.csv");
    let column = |name: &str| -> ArrayRef {
        let values = all.iter().map(|row| Some(row[name].clone())).chain([None]);
        Arc::new(values.collect::<StringArray>())
    };
    let ids: ArrayRef = Arc::new((0..=all.len() as i64).collect::<Int64Array>());
    let columns = ["title", "how_to_play", "duration_mins", "cost"].map(|name| (name, column(name), true));
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().chain([("id", ids, false)])).unwrap()
}

/// Batches of these sizes, the last with the rest.
fn parted(all: &RecordBatch, sizes: &[usize]) -> Vec<RecordBatch> {
    let (mut parts, mut from) = (Vec::new(), 0);
    for &size in sizes {
        parts.push(all.slice(from, size));
        from += size;
    }
    parts.push(all.slice(from, all.num_rows() - from));
    parts
}

fn stream(schema: &Schema, batches: &[RecordBatch]) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.into_inner().unwrap()
}

fn answered(project: &Project, args: &[&str], input: Vec<u8>) -> Finished {
    let mut command = project.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feed = std::thread::spawn(move || _ = stdin.write_all(&input));
    let done = child.wait_with_output().unwrap();
    feed.join().unwrap();
    Finished(done)
}

fn batches(done: &Finished) -> Vec<RecordBatch> {
    assert_eq!(done.code(), 0, "{}", done.err());
    StreamReader::try_new(&done.0.stdout[..], None).unwrap().map(Result::unwrap).collect()
}

fn joined(batches: &[RecordBatch]) -> RecordBatch {
    arrow_select::concat::concat_batches(&batches[0].schema(), batches).unwrap()
}

#[test]
fn rows_come_back_with_answers_however_they_are_parted() {
    let project = Project::small();
    project.use_head("kernel", "");
    project.good(&["build", "--quiet"]);
    let all = rows(&project);
    let ask = |batches: &[RecordBatch], more: &[&str]| {
        let args = [&["predict", "--arrow-stream"], more].concat();
        answered(&project, &args, stream(&all.schema(), batches))
    };
    let parts = parted(&all, &[5, 0, 1]);
    let found = batches(&ask(&parts, &["--embeddings"]));
    let sizes = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>();
    assert_eq!(sizes(&found), sizes(&parts));
    let whole = joined(&found);
    assert_eq!(whole, joined(&batches(&ask(std::slice::from_ref(&all), &["--embeddings"]))));
    // The caller's columns as they came.
    for (place, field) in all.schema().fields().iter().enumerate() {
        assert_eq!(whole.schema().field(place).data_type(), field.data_type());
        assert_eq!(whole.column(place), all.column(place));
    }
    // The labels are those of `predict`; the row without text has its reason.
    let last = all.num_rows() - 1;
    let said: Vec<Value> = {
        let mut lines = String::new();
        for row in 0..last {
            let cell = |place: usize| all.column(place).as_string::<i32>().value(row);
            let names = ["title", "how_to_play", "duration_mins", "cost"];
            let object: serde_json::Map<_, _> =
                names.iter().enumerate().map(|(i, name)| ((*name).to_owned(), cell(i).into())).collect();
            lines += &format!("{}\n", Value::Object(object));
        }
        project.write("rows.jsonl", lines);
        let text = project.good(&["predict", "rows.jsonl", "--only", "--json"]).out();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let labels = whole.column_by_name("label").unwrap().as_string::<i32>();
    for (row, said) in said.iter().enumerate() {
        assert_eq!(labels.value(row), said["label"], "row {row}");
    }
    let reasons = whole.column_by_name("reason").unwrap().as_string::<i32>();
    assert_eq!(reasons.value(last), "no text in title, how_to_play");
    // Lists that Spark takes.
    let vectors = whole.column_by_name("title embedding").unwrap();
    assert!(matches!(vectors.data_type(), DataType::List(item) if *item.data_type() == DataType::Float32));
    assert_eq!(vectors.as_list::<i32>().value(0).len(), 384);

    // Why, in the words of `predict --explain`, whatever batch a row stands in.
    let few = parted(&all.slice(0, 3), &[1]);
    let explained = batches(&ask(&few, &["--explain", "--explain-samples", "4"]));
    assert_eq!(sizes(&explained), [1, 2]);
    let explained = joined(&explained);
    let because = explained.column_by_name("because").unwrap().as_string::<i32>();
    let lines: Vec<String> =
        fs::read_to_string(project.path("rows.jsonl")).unwrap().lines().take(3).map(str::to_owned).collect();
    project.write("few.jsonl", lines.join("\n"));
    let same = ["predict", "few.jsonl", "--explain", "--explain-samples", "4", "-o"];
    project.good(&[&same[..], &["why.csv"]].concat());
    for (row, said) in project.csv("why.csv").iter().enumerate() {
        assert_eq!(because.value(row), said["because"], "row {row}");
        assert_eq!(because.value(row).matches("; ").count(), 4, "{}", because.value(row));
    }
    assert!(whole.column_by_name("because").is_none());

    // A stream that is none, that is cut off, or that lacks the texts.
    let whole = stream(&all.schema(), &parts);
    for (input, said) in [
        (b"title,how_to_play\na,b\n".to_vec(), "standard input is no Arrow stream"),
        (whole[..whole.len() / 2].to_vec(), "standard input: "),
        (stream(&Schema::empty(), &[]), "the model reads the text columns title, how_to_play"),
    ] {
        let done = answered(&project, &["predict", "--arrow-stream"], input);
        assert_eq!(done.code(), 4, "{}", done.err());
        assert!(done.err().contains(said), "{}", done.err());
    }
    assert_eq!(project.run(&["predict", "--arrow-stream", "rows.jsonl"]).code(), 2);
    // Who takes no answers is no success: rows would be lost.
    let mut command = project.command(&["predict", "--arrow-stream"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    let _ = child.stdin.take().unwrap().write_all(&whole);
    assert!(!child.wait().unwrap().success());
}

#[test]
fn a_column_is_embedded_without_a_project() {
    let project = Project::empty();
    let texts: ArrayRef =
        Arc::new(StringArray::from(vec![Some("a text"), None, Some("another"), Some("a text")]));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
    let batch = RecordBatch::try_from_iter_with_nullable([("id", ids, false), ("t", texts, true)]).unwrap();
    let embed = |more: &[&str]| {
        let args = [&["embed", "--arrow-stream"], more].concat();
        answered(&project, &args, stream(&batch.schema(), std::slice::from_ref(&batch)))
    };
    let found = batches(&embed(&["--column", "t"]));
    let vectors = found[0].column_by_name("embedding").unwrap().as_list::<i32>();
    let vector = |row: usize| vectors.value(row).as_primitive::<Float32Type>().values().to_vec();
    assert!(arrow_array::Array::is_null(vectors, 1) && vector(0) == vector(3) && vector(0) != vector(2));
    assert!((vector(0).iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-4);

    let half = batches(&embed(&["--column", "t", "--vectors", "f16", "--as", "v"]));
    let half = half[0].column_by_name("v").unwrap().as_list::<i32>().value(0);
    let bytes = batches(&embed(&["--column", "t", "--vectors", "int8"]));
    let bytes = bytes[0].column_by_name("embedding").unwrap().as_list::<i32>().value(0);
    for (place, value) in vector(0).into_iter().enumerate() {
        assert!((half.as_primitive::<Float16Type>().value(place).to_f32() - value).abs() < 1e-3);
        assert!(
            (f32::from(bytes.as_primitive::<Int8Type>().value(place)) / 127.0 - value).abs()
                < 0.5 / 127.0 + 1e-6
        );
    }
    let wrong = |more: &[&str], said: &str| {
        let done = embed(more);
        assert_eq!(done.code(), 2, "{}", done.err());
        assert!(done.err().contains(said), "{}", done.err());
    };
    wrong(&["--column", "text"], "--column text: the stream has id, t");
    wrong(&["--column", "t", "--as", "id"], "--as id: the stream has such a column");
    wrong(&[], "--column");
}
