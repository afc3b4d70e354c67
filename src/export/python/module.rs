//! `model.py`: of each kind of head one function, those that are needed.

use std::path::Path;

use npyz::WriterBuilder;

use crate::export::error::ExportError;
use crate::export::function::{Function, Network};
use crate::export::row_inputs::{IMPORTS, code};
use crate::export::staging::Staging;
use crate::export::subject::{Columns, Subject};
use crate::heads::{Output, PRIOR_VOTES};
use crate::store::StoreError;

/// The module in the making: the functions that its head needs, each once.
#[derive(Default)]
pub struct Module {
    functions: Vec<&'static str>,
}

impl Module {
    fn need(&mut self, function: &'static str) {
        if !self.functions.contains(&function) {
            self.functions.push(function);
        }
    }

    /// Write the weights of `function`, their names with `prefix` in front; the expression that answers the rows `x` and their
    /// `terms`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn head(
        &mut self,
        function: &Function,
        prefix: &str,
        staging: &mut Staging,
    ) -> Result<String, ExportError> {
        let mut save = |name: &str, sizes: &[usize], values: &[f32]| -> Result<(), ExportError> {
            staging.write(&format!("weights/{prefix}{name}.npy"), &npy(sizes, values)?)
        };
        match function {
            Function::Linear(head) => {
                save("weights", &[head.bias.len(), head.inputs], &head.weights)?;
                save("bias", &[head.bias.len()], &head.bias)?;
                self.need(include_str!("linear.py"));
                Ok(format!("linear(x, terms, {prefix:?})"))
            }
            Function::Kernel(head) => {
                let (width, classes) = (head.scale.len(), head.bias.len());
                save("scale", &[width], &head.scale)?;
                save("landmarks", &[head.count, width], &head.landmarks)?;
                save("weights", &[head.count, classes], &head.weights)?;
                save("bias", &[classes], &head.bias)?;
                if head.terms > 0 {
                    save("term_weights", &[head.terms, classes], &head.term_weights)?;
                }
                self.need(include_str!("kernel.py"));
                Ok(format!("kernel(x, terms, {prefix:?})"))
            }
            Function::Neighbours(head) => {
                let (width, classes) = (head.scale.len(), head.bias.len());
                save("scale", &[width], &head.scale)?;
                save("rows", &[head.count, width], &head.rows)?;
                save("answers", &[head.count, classes], &head.answers)?;
                save("prior", &[classes], &head.prior)?;
                save("bias", &[classes], &head.bias)?;
                self.need(include_str!("neighbours.py"));
                let (nearest, width) = (head.nearest, head.width);
                Ok(format!("neighbours(x, terms, {prefix:?}, {nearest}, {width}, {PRIOR_VOTES})"))
            }
            Function::Network(Network { members, layers, output, thresholds }) => {
                for (i, layer) in layers.iter().enumerate() {
                    let sizes = [*members, layer.inputs, layer.units];
                    save(&format!("layer{i}.weights"), &sizes, &layer.weights)?;
                    save(&format!("layer{i}.bias"), &[*members, 1, layer.units], &layer.bias)?;
                }
                self.need(include_str!("network.py"));
                let logs = match output {
                    Output::Softmax => "log_softmax",
                    Output::Coral => {
                        let count = thresholds.len().checked_div(*members).unwrap_or(0);
                        save("thresholds", &[*members, 1, count], thresholds)?;
                        self.need(include_str!("coral.py"));
                        "coral"
                    }
                    Output::Corn => {
                        self.need(include_str!("corn.py"));
                        "corn"
                    }
                };
                Ok(format!("network(x, terms, {prefix:?}, {}, {logs})", layers.len()))
            }
            Function::Ensemble(heads) => {
                let parts = heads.iter().enumerate().map(|(i, (weight, head))| {
                    let own = self.head(head, &format!("{prefix}{i}."), staging)?;
                    Ok(format!("{weight} * log_softmax({own})"))
                });
                Ok(parts.collect::<Result<Vec<_>, ExportError>>()?.join(" + "))
            }
        }
    }

    /// The module with the head `head`, an expression.
    pub fn text(&self, subject: &Subject, columns: &Columns, head: &str) -> String {
        let name = subject.name().replace(['\\', '"'], "_");
        let version = env!("CARGO_PKG_VERSION");
        let before = format!(
            "\"\"\"The head of {name} in NumPy, written by pipeline {version}.\n{USE}\"\"\"\n{IMPORTS}\n"
        );
        let logits = format!("def logits(x, terms):\n    return {head}\n");
        let mut parts = vec![include_str!("softmax.py")];
        parts.extend(&self.functions);
        let columns = code(subject, columns);
        parts.extend([&logits, &columns, include_str!("answer.py")]);
        before + &parts.join("\n\n")
    }
}

const USE: &str = r#"
    python model.py ENCODER "A text" ...    answers texts by sentence-transformers with ENCODER, a folder or a hub name
    import model                            model.answer(embeddings, rows) needs NumPy alone
"#;

/// An `.npy` file of any dimensions.
fn npy(sizes: &[usize], values: &[f32]) -> Result<Vec<u8>, ExportError> {
    let mut bytes = Vec::new();
    let sizes: Vec<u64> = sizes.iter().map(|&size| size as u64).collect();
    let writer = npyz::WriteOptions::new().default_dtype().shape(&sizes).writer(&mut bytes).begin_nd();
    let written = writer.and_then(|mut writer| {
        writer.extend(values.iter().copied())?;
        writer.finish()
    });
    written.map_err(StoreError::of("write", Path::new("weights")))?;
    Ok(bytes)
}
