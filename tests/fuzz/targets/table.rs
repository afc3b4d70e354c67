//! Raw files in each of their formats, as `build` and as `predict` read them.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use pipeline::config::Config;
use pipeline::progress::Silent;
use pipeline::table::{self, NewTable, Stated, Wanted};

use crate::target::{Outcome, Target, digest};

const DELIMITED: &[&str] = &[
    "\"",
    "\"\"",
    ",",
    ";",
    "\t",
    "|",
    "\r\n",
    "\r",
    "\n\n",
    "sep=;\n",
    "\u{feff}",
    "\0",
    "\u{2028}",
    "NaN",
    "1,5",
    "['a', \"b\"]",
    "text",
    "x_label",
    "\u{fffd}",
    "1e400",
];
const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    "\"",
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "1e400",
    "{}\n",
    "[[[[",
    "\n",
    "{\"text\":",
    "\"label\":",
];
const XML: &[&str] = &[
    "<",
    ">",
    "/>",
    "&amp;",
    "&#0;",
    "&#xffffffff;",
    "<c r=\"",
    "<row r=\"1048577\">",
    "t=\"s\"",
    "<v>",
    "</v>",
    "A1",
    "XFD1048576",
    "ZZZZZZ99999999999",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "number-columns-repeated=\"16384\"",
    "number-rows-repeated=\"1048576\"",
    "ref=\"A1:XFD1048576\"",
];

const TABLE: Target =
    Target { name: "", file: "", longest: 20_000, seeds: &[], words: DELIMITED, read: table_file };

/// Delimited text.
pub const CSV: Target = Target { name: "csv", file: "input.csv", ..TABLE };
/// The same, packed.
pub const GZIP: Target = Target { name: "gzip", file: "input.tsv.gz", words: &[], ..TABLE };
/// Objects, a line each.
pub const JSON_LINES: Target = Target { name: "json_lines", file: "input.jsonl", words: JSON, ..TABLE };
/// Parquet.
pub const PARQUET: Target = Target {
    name: "parquet",
    file: "input.parquet",
    seeds: &["formats/tickets.parquet", "formats/types.parquet"],
    words: &["PAR1"],
    ..TABLE
};
/// Arrow's file.
pub const ARROW: Target = Target {
    name: "arrow",
    file: "input.arrow",
    seeds: &["formats/tickets.arrow", "formats/types.arrow"],
    words: &["ARROW1", "\0\0"],
    ..TABLE
};
/// Arrow's stream.
pub const ARROW_STREAM: Target = Target {
    name: "arrow_stream",
    file: "input.arrows",
    seeds: &["formats/tickets.arrows"],
    words: &["\0\0"],
    ..TABLE
};
/// A spreadsheet.
pub const XLSX: Target = Target {
    name: "xlsx",
    file: "input.xlsx",
    seeds: &["formats/tickets.xlsx"],
    words: &["PK\u{3}\u{4}", "xl/worksheets/sheet1.xml"],
    ..TABLE
};
/// Another kind of spreadsheet.
pub const ODS: Target = Target {
    name: "ods",
    file: "input.ods",
    seeds: &["formats/tickets.ods"],
    words: &["PK\u{3}\u{4}"],
    ..TABLE
};
/// The sheet in a spreadsheet, which the checksums of its container keep from being changed there.
pub const SHEET: Target = Target { name: "sheet", file: "sheet.xml", words: XML, read: sheet, ..TABLE };
/// A raw file with its labels, as `build` reads it.
pub const DATASET: Target = Target { name: "dataset", file: "input.csv", read: dataset, ..TABLE };

fn table_file(path: &Path, _: &[u8]) -> Outcome {
    let named = table::read_named(path, Stated::default()).map_err(|e| format!("{e} {:?}", e.hint()))?;
    let rows = named.iter().map(|row| (row.line, &row.values));
    let first = digest(rows.collect::<Vec<_>>());
    let names = |name: &str| vec![name.to_owned()];
    let (texts, numeric, categorical, missing) =
        (names("text"), names("minutes"), names("category"), names("NA"));
    let wanted = Wanted {
        texts: &texts,
        join_text: true,
        numeric: &numeric,
        categorical: &categorical,
        missing: &missing,
    };
    let said = |e: table::TableError| format!("{e} {:?}", e.hint());
    let table = NewTable::open(path, path, Stated::default(), &wanted).map_err(said)?;
    let rows = table.rows().map_err(said)?.map(|row| row.map(|row| (row.line, row.input, row.cells)));
    let rows = rows.collect::<Result<Vec<_>, _>>().map_err(said)?;
    assert_eq!(rows.len(), named.len(), "both ways of reading see the same rows");
    Ok(format!("{first} {}", digest((table.names(), table.notes(), rows))))
}

fn dataset(path: &Path, _: &[u8]) -> Outcome {
    const CONFIG: &str = "name = \"a\"\n[data]\nfiles = [\"input.csv\"]\ntext_fields = [\"text\"]\nmax_rejected_share = 1\n\
                          [label]\ncolumn = \"label\"\n[features]\nnumeric = [\"minutes\"]\ncategorical = [\"category\"]\n";
    let config = Config::parse(CONFIG, Path::new("pipeline.toml")).expect("the config is one");
    let project = path.parent().expect("the file is in a folder");
    let said = |e: table::TableError| format!("{e} {:?}", e.hint());
    let (dataset, report) = table::read(&config, project, &Silent).map_err(said)?;
    table::check_rejects(&config, &report, Path::new("rejects.csv")).map_err(said)?;
    table::check_classes(&dataset).map_err(said)?;
    Ok(digest((dataset, report)))
}

/// The bytes as the sheet of a workbook whose other parts are sound.
fn sheet(path: &Path, bytes: &[u8]) -> Outcome {
    const PARTS: [(&str, &str); 4] = [
        (
            "[Content_Types].xml",
            "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"><Default Extension=\"xml\" \
             ContentType=\"application/xml\"/></Types>",
        ),
        (
            "xl/workbook.xml",
            "<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" \
             xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><sheets><sheet name=\"a\" sheetId=\"1\" \
             r:id=\"rId1\"/></sheets></workbook>",
        ),
        (
            "xl/_rels/workbook.xml.rels",
            "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" \
             Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\" \
             Target=\"worksheets/sheet1.xml\"/></Relationships>",
        ),
        (
            "xl/sharedStrings.xml",
            "<sst xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><si><t>text</t></si><si><t>b</t></si></sst>",
        ),
    ];
    let parts = PARTS.into_iter().map(|(name, text)| (name, text.as_bytes()));
    let workbook = path.with_file_name("input.xlsx");
    stored(&workbook, parts.chain([("xl/worksheets/sheet1.xml", bytes)]));
    table_file(&workbook, bytes)
}

/// A ZIP archive of uncompressed parts (PKWARE's APPNOTE.TXT, 4.3).
fn stored<'a>(path: &Path, parts: impl Iterator<Item = (&'a str, &'a [u8])>) {
    let (mut archive, mut directory, mut count) = (Vec::<u8>::new(), Vec::<u8>::new(), 0u16);
    for (name, bytes) in parts {
        let mut checksum = flate2::Crc::new();
        checksum.update(bytes);
        let length = (bytes.len() as u32).to_le_bytes();
        let mut entry = vec![20u8, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        entry.extend(checksum.sum().to_le_bytes().into_iter().chain(length).chain(length));
        entry.extend((name.len() as u16).to_le_bytes().into_iter().chain([0u8, 0]));
        directory.extend(b"PK\x01\x02\x14\x00".iter().chain(&entry).chain(&[0u8; 10]));
        directory.extend((archive.len() as u32).to_le_bytes().iter().chain(name.as_bytes()));
        archive.extend(b"PK\x03\x04".iter().chain(&entry).chain(name.as_bytes()).chain(bytes));
        count += 1;
    }
    let (begins, length) = (archive.len() as u32, directory.len() as u32);
    archive.extend(directory);
    let counts = [count.to_le_bytes(), count.to_le_bytes()].concat();
    let ends = [begins, length].map(u32::to_le_bytes);
    let end: [&[u8]; 5] = [b"PK\x05\x06\0\0\0\0", &counts, &ends[1], &ends[0], &[0, 0]];
    archive.extend(end.concat());
    File::create(path).and_then(|mut file| file.write_all(&archive)).unwrap();
}
