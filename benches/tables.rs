//! Reading of dirty tables: `cargo bench --bench tables`, or `cargo bench --bench tables -- 16` for files up to 16 MB.
//!
//! Seconds per megabyte of ten shapes, each from 1 to 64 MB: what is linear has the same in every column.

use std::path::Path;
use std::time::Instant;

use pipeline::config::Config;
use pipeline::progress::Silent;
use pipeline::table;

const CONFIG: &str =
    "name = \"t\"\n[data]\nfiles = [\"a.csv\"]\ntext_fields = [\"text\"]\n[label]\ncolumn = \"label\"\n";

/// Line `i` of a shape.
type Line = fn(usize) -> String;

const SHAPES: [(&str, Line); 10] = [
    ("plain rows", |i| format!("Find the drum number {i} and sing with friends,music\n")),
    ("a quote in every line: x\"y,\"z", |_| "x\"y,\"z\n".into()),
    ("a quote opened in every line", |i| format!("\"Find the drum number {i},music\n")),
    ("quotes in pairs only", |i| format!("\"\"\"\"Find \"\"the drum\"\" {i},\"\"\"music\"\"\"\n")),
    ("quoted cells of several lines", |i| {
        format!("\"Find the drum\nnumber {i}\n\nand \"\"sing\"\"\",music\n")
    }),
    ("carriage returns", |i| format!("Find the drum number {i},music\r")),
    ("cells dropped and too many", |i| {
        format!("Find the drum number {i}{}\n", ["", ",music", ",music,,,", ",a,b,c"][i % 4])
    }),
    ("blank lines and rows of commas", |i| format!("{}\n", ["", ",,,", "   ", "Sing,music"][i % 4])),
    ("NULs and bytes that are not UTF-8", |i| {
        format!("Find{} the dr\u{f8ff}m {i} é,music\n", if i % 20 == 0 { "\0" } else { "" })
    }),
    ("one long cell", |i| if i == 0 { "\"Find".into() } else { " the drum\n".into() }),
];

fn content(line: Line, bytes: usize) -> Vec<u8> {
    let mut text = String::from("text,label\n");
    for i in 0.. {
        text += &line(i);
        if text.len() >= bytes {
            break;
        }
    }
    // A private letter stands for a byte that is not UTF-8.
    let mut content = Vec::with_capacity(text.len());
    for part in text.split_inclusive('\u{f8ff}') {
        let plain = part.strip_suffix('\u{f8ff}');
        content.extend(plain.unwrap_or(part).bytes());
        content.extend(plain.map(|_| 0xfc));
    }
    content
}

fn seconds(config: &Config, folder: &Path) -> (f64, usize) {
    let begin = Instant::now();
    let (dataset, report) = table::read(config, folder, &Silent).unwrap();
    (begin.elapsed().as_secs_f64(), dataset.rows.len() + report.rejects.len())
}

fn main() {
    let largest = std::env::args().skip(1).find_map(|a| a.parse::<usize>().ok()).unwrap_or(64);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipeline.toml");
    std::fs::write(&path, CONFIG).unwrap();
    let config = Config::load(&path).unwrap();
    let sizes: Vec<usize> = [1, 4, 16, 64].into_iter().filter(|size| *size <= largest).collect();
    let heads: Vec<String> = sizes.iter().map(|size| format!("{size:>6} MB")).collect();
    println!("{:<36}{}   rows of the largest", "seconds per MB", heads.concat());
    for (name, line) in SHAPES {
        let mut cells = String::new();
        let mut rows = 0;
        for &size in &sizes {
            std::fs::write(folder.path().join("a.csv"), content(line, size << 20)).unwrap();
            let (time, read) = seconds(&config, folder.path());
            cells += &format!("{:>9.4}", time / size as f64);
            rows = read;
        }
        println!("{name:<36}{cells}   {rows}");
    }
}
