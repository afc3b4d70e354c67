//! `embed FILE -o OUT`: any table to its embeddings, row for row, whole or not at all.

use std::fs::File;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::FileReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use pipeline::embed::read_npy;

use crate::project::Project;

/// More rows than are in memory together; the second has no text, the third cannot be read.
const ROWS: usize = 1100;

fn csv() -> String {
    let bad = "id,text,note\n0,first,\"a, b\"\n1, ,\n2,second,c,d\n".to_owned();
    bad + &(3..ROWS).map(|row| format!("{row},text {},\n", row % 5)).collect::<String>()
}

fn parquet(project: &Project, name: &str) -> Vec<RecordBatch> {
    let file = File::open(project.path(name)).unwrap();
    ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap).collect()
}

fn joined(batches: &[RecordBatch]) -> RecordBatch {
    arrow_select::concat::concat_batches(&batches[0].schema(), batches).unwrap()
}

#[test]
fn every_row_has_its_place_in_every_format() {
    let project = Project::empty();
    project.write("rows.csv", csv());
    let done = project.run(&["embed", "rows.csv", "--column", "text", "-o", "rows.parquet", "--json"]);
    assert_eq!(done.code(), 4, "{}", done.err());
    assert!(done.err().contains("error: line 4: has 4 fields, the header has 3"), "{}", done.err());
    assert!(done.err().contains("1 row could not be used; the others are embedded"), "{}", done.err());
    let said: serde_json::Value = serde_json::from_str(&done.out()).unwrap();
    for (key, value) in
        [("rows", ROWS), ("without_text", 1), ("unreadable", 1), ("truncated", 0), ("dims", 384)]
    {
        assert_eq!(said[key], value, "{key}");
    }
    let whole = joined(&parquet(&project, "rows.parquet"));
    let names: Vec<_> = whole.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(
        (whole.num_rows(), names),
        (ROWS, ["id", "text", "note", "embedding"].map(String::from).to_vec())
    );
    assert_eq!(whole.column(2).as_string::<i32>().value(0), "a, b");
    let vectors = whole.column(3).as_list::<i32>().clone();
    let vector = |row: usize| vectors.value(row).as_primitive::<Float32Type>().values().to_vec();
    let none: Vec<usize> = (0..ROWS).filter(|row| vectors.is_null(*row)).collect();
    assert_eq!(none, [1, 2]);
    assert!(whole.column(0).is_null(2) && !whole.column(0).is_null(1));
    // The same text has the same embedding, in whatever batch; others have others.
    assert!(vector(3) == vector(ROWS - 2) && vector(3) != vector(4) && vector(0) != vector(3));

    // The matrix alone, from a typed table and without a name for the only column.
    project.good(&["embed", "rows.parquet", "--column", "text", "--as", "again", "-o", "again.arrow"]);
    let again = FileReader::try_new(File::open(project.path("again.arrow")).unwrap(), None).unwrap();
    let again = joined(&again.map(Result::unwrap).collect::<Vec<_>>());
    assert_eq!(again.column(4).as_list::<i32>(), &vectors);
    assert_eq!(again.columns()[..4], whole.columns()[..4]);
    project.write("texts.jsonl", "{\"t\": \"first\"}\n{\"t\": null}\n{\"t\": \"text 3\"}\n");
    let said = project.good(&["embed", "texts.jsonl", "-o", "texts.npy"]).out();
    assert!(said.starts_with("3 rows are in texts.npy, 384 values each, in "), "{said}");
    assert!(said.trim_end().ends_with("; 1 without text"), "{said}");
    let matrix = read_npy(&project.path("texts.npy")).unwrap();
    assert_eq!((matrix.rows(), matrix.row(0), matrix.row(2)), (3, &vector(0)[..], &vector(3)[..]));
    assert!(matrix.row(1).iter().all(|value| value.is_nan()));
}

#[test]
fn what_cannot_be_embedded_leaves_no_file() {
    let project = Project::empty();
    project.write("rows.csv", "id,text\n1,a\n");
    project.write("cut.parquet", parquet_without_its_end(&project));
    for (args, code, said) in [
        (&["rows.csv", "-o", "out.csv"][..], 2, "--output out.csv: embeddings are written to .parquet"),
        (&["rows.csv", "-o", "out.parquet"], 2, "--column: name the column of texts; the table has id, text"),
        (
            &["rows.csv", "--column", "tex", "-o", "out.npy"],
            2,
            "--column tex: the table has id, text (did you mean",
        ),
        (
            &["rows.csv", "--column", "text", "--as", "id", "-o", "out.npy"],
            2,
            "--as id: the table has such a column",
        ),
        (
            &["rows.csv", "--column", "text", "--vectors", "int8", "-o", "out.npy"],
            2,
            "--vectors: a matrix of .npy",
        ),
        (&["none.csv", "--column", "text", "-o", "out.npy"], 4, "there is no file none.csv"),
        (&["cut.parquet", "--column", "text", "-o", "out.npy"], 4, "cannot read cut.parquet"),
        (&["rows.csv", "--column", "text", "-o", "none/out.npy"], 1, "cannot write none/out.npy"),
        (&["rows.csv", "--column", "text"], 2, "--output"),
        (&["rows.csv", "--column", "text", "-o", "out.npy", "--arrow-stream"], 2, "cannot be used with"),
        (&["--column", "text"], 2, "required"),
    ] {
        let done = project.run(&[&["embed"], args].concat());
        assert_eq!(done.code(), code, "{args:?}: {}", done.err());
        assert!(done.err().contains(said), "{args:?}: {}", done.err());
    }
    let left: Vec<_> = std::fs::read_dir(project.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    let left = left
        .iter()
        .filter(|name| name.to_string_lossy().contains("out") || name.to_string_lossy().contains("tmp"));
    assert_eq!(left.count(), 0);
}

fn parquet_without_its_end(project: &Project) -> Vec<u8> {
    project.good(&["embed", "rows.csv", "--column", "text", "-o", "whole.parquet"]);
    let mut bytes = std::fs::read(project.path("whole.parquet")).unwrap();
    bytes.truncate(bytes.len() / 2);
    bytes
}
