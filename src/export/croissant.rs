//! The raw tables as Croissant 1.0 (<https://docs.mlcommons.org/croissant/docs/croissant-spec.html>): files with their hashes,
//! and the columns of each with their types.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::error::ExportError;
use super::staging::Staging;
use crate::config::{Config, file_name};
use crate::store::StoreError;
use crate::table::{Sample, files, sample};

/// Name of the file.
pub const CROISSANT: &str = "croissant.json";

/// Rows of a table that tell the types of its columns.
const MOST_ROWS: usize = 100_000;

/// Write `croissant.json` into the folder `place` for the raw files of `config` below `project`; returned are the notes for people.
///
/// # Errors
/// A file cannot be read or is no table, or the description cannot be written.
pub fn write(
    config: &Config,
    project: &Path,
    place: &Path,
    staging: &mut Staging,
) -> Result<Vec<String>, ExportError> {
    let (mut distribution, mut sets, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    let mut taken = BTreeSet::new();
    for file in files(config, project)? {
        let path = project.join(&file);
        let name = file.to_string_lossy().into_owned();
        let Some(format) = format_of(&path) else {
            notes.push(format!("{name} is of a format that Croissant has no records for; it is left out"));
            continue;
        };
        let (sha256, bytes) = hash(&path)?;
        let id = identifier(&name, &mut taken);
        distribution.push(json!({
            "@type": "cr:FileObject",
            "@id": id,
            "name": name,
            "contentUrl": relative(place, &path)?,
            "contentSize": format!("{bytes} B"),
            "encodingFormat": format,
            "sha256": sha256,
        }));
        let table = sample(&path, &file, &config.data.missing, MOST_ROWS)?;
        if !table.whole {
            notes.push(format!("the types of {name} are those of its first {MOST_ROWS} rows"));
        }
        sets.push(record_set([&id, &name], &table, config));
    }
    notes.push("no licence is stated: the project file names none".to_owned());
    let described = json!({
        "@context": context(),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": config.name,
        "description": format!("The raw tables of the project {}.", config.name),
        "distribution": distribution,
        "recordSet": sets,
    });
    staging.write_json(CROISSANT, &described)?;
    Ok(notes)
}

/// The media type of a table that readers of Croissant take records from.
fn format_of(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some("text/csv"),
        "tsv" | "tab" => Some("text/tsv"),
        "jsonl" | "ndjson" => Some("application/jsonlines"),
        "parquet" | "pq" => Some("application/x-parquet"),
        _ => None,
    }
}

/// What stands for a name where there may be no white space, another one for each.
fn identifier(name: &str, taken: &mut BTreeSet<String>) -> String {
    let plain = file_name(name);
    let numbered = (2..).map(|i| format!("{plain}_{i}"));
    let free = std::iter::once(plain.clone()).chain(numbered).find(|id| taken.insert(id.clone()));
    free.unwrap_or(plain)
}

/// The records of the file object `id`, which is called `file`.
fn record_set([id, file]: [&str; 2], table: &Sample, config: &Config) -> Value {
    let set = format!("records/{id}");
    let label = config.label_columns();
    let mut taken = BTreeSet::new();
    let field = |(place, name): (usize, &String)| {
        let cells = || table.rows.iter().map(move |row| row[place].as_str());
        let mut field = json!({
            "@type": "cr:Field",
            "@id": format!("{set}/{}", identifier(name, &mut taken)),
            "name": name,
            "dataType": data_type(cells),
            "source": { "fileObject": { "@id": id }, "extract": { "column": name } },
        });
        if label.contains(&name.as_str()) {
            field["description"] = "The label is read from it.".into();
        }
        field
    };
    let fields: Vec<Value> = table.columns.iter().enumerate().map(field).collect();
    json!({ "@type": "cr:RecordSet", "@id": set, "name": file, "field": fields })
}

/// Whole numbers where no cell is empty, which readers have no integer for.
fn data_type<'a, I: Iterator<Item = &'a str>>(cells: impl Fn() -> I) -> &'static str {
    let filled = || cells().filter(|cell| !cell.is_empty());
    if filled().next().is_none() {
        "sc:Text"
    } else if cells().all(|cell| cell.parse::<i64>().is_ok()) {
        "sc:Integer"
    } else if filled().all(|cell| cell.parse::<f64>().is_ok_and(f64::is_finite)) {
        "sc:Float"
    } else {
        "sc:Text"
    }
}

/// SHA-256 of a file, hex, and its bytes.
fn hash(path: &Path) -> Result<(String, u64), ExportError> {
    let fail = StoreError::of("read", path);
    let mut file = File::open(path).map_err(&fail)?;
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    let mut part = vec![0; 1 << 16];
    loop {
        match file.read(&mut part) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&part[..count]);
                bytes += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(fail(error).into()),
        }
    }
    Ok((hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect(), bytes))
}

/// The way from the folder `from` to the file `to`, with `/` between.
fn relative(from: &Path, to: &Path) -> Result<String, ExportError> {
    let whole = |path: &Path| std::path::absolute(path).map_err(StoreError::of("find", path));
    let (from, to) = (normal(&whole(from)?), normal(&whole(to)?));
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_owned(), from.len() - same);
    Ok(up.chain(to[same..].iter().cloned()).collect::<Vec<_>>().join("/"))
}

/// The names along a path, `..` taken back.
fn normal(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for part in PathBuf::from(path).components() {
        match part {
            Component::ParentDir => {
                names.pop();
            }
            Component::Normal(name) => names.push(name.to_string_lossy().into_owned()),
            _ => {}
        }
    }
    names
}

/// The context that the specification recommends.
fn context() -> Value {
    let mut context = Map::new();
    context.insert("@language".into(), "en".into());
    context.insert("@vocab".into(), "https://schema.org/".into());
    for (key, of) in [
        ("citeAs", "citeAs"),
        ("column", "column"),
        ("conformsTo", "dct:conformsTo"),
        ("cr", "http://mlcommons.org/croissant/"),
        ("dct", "http://purl.org/dc/terms/"),
        ("equivalentProperty", "equivalentProperty"),
        ("extract", "extract"),
        ("field", "field"),
        ("fileObject", "fileObject"),
        ("fileProperty", "fileProperty"),
        ("fileSet", "fileSet"),
        ("format", "format"),
        ("includes", "includes"),
        ("isLiveDataset", "isLiveDataset"),
        ("jsonPath", "jsonPath"),
        ("key", "key"),
        ("md5", "md5"),
        ("parentField", "parentField"),
        ("path", "path"),
        ("rai", "http://mlcommons.org/croissant/RAI/"),
        ("recordSet", "recordSet"),
        ("references", "references"),
        ("regex", "regex"),
        ("repeated", "repeated"),
        ("replace", "replace"),
        ("samplingRate", "samplingRate"),
        ("sc", "https://schema.org/"),
        ("separator", "separator"),
        ("source", "source"),
        ("subField", "subField"),
        ("transform", "transform"),
    ] {
        let of = match of.contains(':') {
            true => of.to_owned(),
            false => format!("cr:{of}"),
        };
        context.insert(key.into(), of.into());
    }
    let typed = |id: &str, kind: &str| json!({ "@id": id, "@type": kind });
    context.insert("data".into(), typed("cr:data", "@json"));
    context.insert("examples".into(), typed("cr:examples", "@json"));
    context.insert("dataType".into(), typed("cr:dataType", "@vocab"));
    context.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_what_all_cells_are() {
        let of = |cells: &[&'static str]| {
            let cells = cells.to_vec();
            data_type(move || cells.clone().into_iter())
        };
        assert_eq!(of(&["1", "-2"]), "sc:Integer");
        assert_eq!(of(&["1", ""]), "sc:Float");
        assert_eq!(of(&["1.5", "2"]), "sc:Float");
        assert_eq!(of(&["1,5", "2"]), "sc:Text");
        assert_eq!(of(&["", ""]), "sc:Text");
        assert_eq!(of(&["NaN"]), "sc:Text");
    }

    #[test]
    fn identifiers_have_no_white_space_and_are_different() {
        let mut taken = BTreeSet::new();
        let ids = ["a b.csv", "a_b_csv", "a/b.csv"].map(|name| identifier(name, &mut taken));
        assert_eq!(ids, ["a_b_csv", "a_b_csv_2", "a_b_csv_3"]);
    }

    #[test]
    fn a_way_goes_up_and_down() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to)).unwrap();
        assert_eq!(way("/p/out", "/p/data/raw/a.csv"), "../data/raw/a.csv");
        assert_eq!(way("/p/./x/../out", "/p/out/a.csv"), "a.csv");
    }
}
