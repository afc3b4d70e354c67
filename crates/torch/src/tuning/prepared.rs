//! Rows as the training wants them: texts as places in [`Texts`], those that count for nothing left out.

use pipeline::fine_tuning::{TuningData, TuningError, TuningRows, TuningTask};
use pipeline_encoder::Truncating;
use tch::{Device, Kind, Tensor};

use super::texts::Texts;

/// Training and validation rows.
pub struct Prepared {
    pub texts: Texts,
    pub tasks: Vec<TuningTask>,
    pub train: Part,
    pub validation: Part,
}

/// Rows of one part.
#[derive(Debug, Default)]
pub struct Part {
    /// `rows × fields`.
    texts: Vec<usize>,
    /// `rows × columns`.
    columns: Vec<f32>,
    /// `rows × outputs`.
    targets: Vec<f32>,
    /// Texts, columns and outputs of a row.
    widths: [usize; 3],
    /// What a row counts on average: the most that it counts for a task.
    pub unit: f64,
}

impl Prepared {
    /// Check and tokenise `data`.
    ///
    /// # Errors
    /// The data are not as they should be, or the tokenizer failed.
    pub fn new(data: &TuningData<'_>, tokenizer: &Truncating, vocabulary: i64) -> Result<Self, TuningError> {
        data.check()?;
        let [train, validation] = [data.train, data.validation].map(|rows| counted(data, rows));
        let both: Vec<&str> = [&train, &validation]
            .iter()
            .flat_map(|(rows, _)| rows.iter().flat_map(|row| row.texts))
            .copied()
            .collect();
        let (texts, which) = Texts::new(tokenizer, &both, vocabulary)?;
        let (of_train, of_validation) = which.split_at(train.0.len() * data.fields);
        let part = |(rows, unit): (Vec<Row<'_>>, f64), texts: &[usize]| Part {
            texts: texts.to_vec(),
            columns: rows.iter().flat_map(|row| row.columns).copied().collect(),
            targets: rows.iter().flat_map(|row| row.targets).copied().collect(),
            widths: [data.fields, data.columns, data.outputs()],
            unit,
        };
        let (train, validation) = (part(train, of_train), part(validation, of_validation));
        Ok(Self { texts, tasks: data.tasks.to_vec(), train, validation })
    }
}

/// A row of a part.
struct Row<'a> {
    texts: &'a [&'a str],
    columns: &'a [f32],
    targets: &'a [f32],
}

/// The rows that count, and what one counts on average.
fn counted<'a>(data: &TuningData<'_>, rows: TuningRows<'a>) -> (Vec<Row<'a>>, f64) {
    let (fields, columns, outputs) = (data.fields, data.columns, data.outputs());
    let (mut kept, mut sum) = (Vec::new(), 0.0);
    for row in 0..rows.texts.len() / fields {
        let targets = &rows.targets[row * outputs..(row + 1) * outputs];
        let mut left = targets;
        let mut most = 0.0f64;
        for task in data.tasks {
            let (own, rest) = left.split_at(task.classes);
            left = rest;
            most = most.max(own.iter().map(|&share| f64::from(share)).sum());
        }
        if most > 0.0 {
            sum += most;
            let texts = &rows.texts[row * fields..(row + 1) * fields];
            kept.push(Row { texts, columns: &rows.columns[row * columns..(row + 1) * columns], targets });
        }
    }
    let unit = sum / kept.len().max(1) as f64;
    (kept, unit)
}

impl Part {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.texts.len() / self.widths[0].max(1)
    }

    /// How many of the first texts it takes to have all of the part's.
    pub fn first_texts(&self) -> usize {
        self.texts.iter().max().map_or(0, |last| last + 1)
    }

    /// The texts of some rows.
    pub fn texts_of(&self, rows: &[usize]) -> Vec<usize> {
        let width = self.widths[0];
        rows.iter().flat_map(|&row| &self.texts[row * width..(row + 1) * width]).copied().collect()
    }

    /// Columns and targets of some rows, `[rows, columns]` and `[rows, outputs]`, on `device`, in numbers of `kind`.
    pub fn numbers_of(&self, rows: &[usize], (kind, device): (Kind, Device)) -> (Tensor, Tensor) {
        let take = |all: &[f32], width: usize| {
            let own: Vec<f32> =
                rows.iter().flat_map(|&row| &all[row * width..(row + 1) * width]).copied().collect();
            Tensor::from_slice(&own).view([rows.len() as i64, width as i64]).to_device(device).to_kind(kind)
        };
        (take(&self.columns, self.widths[1]), take(&self.targets, self.widths[2]))
    }

    /// Tokens of the longest text of each row.
    pub fn lengths(&self, texts: &Texts) -> Vec<usize> {
        let longest = |row: &[usize]| row.iter().map(|&text| texts.tokens(text)).max().unwrap_or(0);
        self.texts.chunks_exact(self.widths[0].max(1)).map(longest).collect()
    }

    /// The likeliest of the first `count` classes for each row; `None` where it counts for none of them.
    pub fn classes(&self, count: usize) -> Vec<Option<usize>> {
        let likeliest = |row: &[f32]| {
            let (class, share) = row[..count]
                .iter()
                .enumerate()
                .fold((0, 0.0), |most, (class, &share)| if share > most.1 { (class, share) } else { most });
            (share > 0.0).then_some(class)
        };
        self.targets.chunks_exact(self.widths[2].max(1)).map(likeliest).collect()
    }
}
