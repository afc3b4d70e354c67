//! A saved model as it is written in another form, and what every form asks of it first.

use pipeline_encoder::{Arithmetic, Precision};

use super::error::ExportError;
use super::function::Function;
use super::target::Target;
use crate::config::Config;
use crate::evaluate::Aim;
use crate::heads::HeadError;
use crate::inputs::{InputEncoder, SHAPE, TabularInputs, TfIdf};
use crate::model::{
    Calibration, EncoderCard, ModelCard, ModelFiles, load_calibration, load_card, load_inputs, load_tensors,
};

/// A saved model. Its head's weights are read when a form asks for them.
pub struct Subject {
    /// Its files.
    pub files: ModelFiles,
    /// What it says of itself.
    pub card: ModelCard,
    /// What its probabilities are brought to mean what they say by, where it was evaluated.
    pub calibration: Option<Calibration>,
    inputs: InputEncoder,
}

/// The columns of the tabular inputs, by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    /// Names of the numeric features, and behind them of what is counted in each text, where it is.
    pub numeric: Vec<String>,
    /// Whether the shape of the texts is among them.
    pub text_shape: bool,
    /// Names of the categorical features.
    pub categorical: Vec<String>,
    /// How they become inputs.
    pub inputs: TabularInputs,
}

impl Columns {
    /// A name for each tabular input: the column, or the column and its value, `None` for any that is not known.
    pub fn names(&self) -> Vec<(&str, Option<Option<&str>>)> {
        let numeric = self.numeric.iter().map(|name| (name.as_str(), None));
        let categorical = self.categorical.iter().zip(&self.inputs.categories).flat_map(|(name, known)| {
            let known = known.iter().map(|value| Some(value.as_str())).chain([None]);
            known.map(move |value| (name.as_str(), Some(value)))
        });
        numeric.chain(categorical).collect()
    }
}

/// How the probabilities of a row become its answer, where that is not the likeliest class.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerRule {
    /// The class with the greatest probability over its divisor; a class with a divisor of 0 is never answered.
    Divisors(Vec<f64>),
    /// The class of the least expected cost: of each true class (outer) what each answer (inner) costs.
    Costs(Vec<Vec<f64>>),
}

impl Subject {
    /// The model with these files.
    ///
    /// # Errors
    /// A file is missing, damaged, or of another training.
    pub fn load(files: ModelFiles) -> Result<Self, ExportError> {
        let card = load_card(&files)?;
        let calibration = load_calibration(&files, &card)?;
        let inputs = load_inputs(&files, &card)?;
        Ok(Self { files, card, calibration, inputs })
    }

    /// Name of the model: the config's.
    pub fn name(&self) -> &str {
        &self.card.config.name
    }

    /// The config of the training.
    pub fn config(&self) -> &Config {
        &self.card.config
    }

    /// What logits are divided by, so that their softmax is the calibrated probabilities; 1 where nothing was calibrated.
    pub fn temperature(&self) -> f32 {
        self.calibration.as_ref().map_or(1.0, |calibration| calibration.temperature as f32)
    }

    /// The text fields with what their embeddings are multiplied by, in the order of the head's inputs.
    pub fn fields(&self) -> Vec<(String, f32)> {
        let weights = self.card.config.field_weights();
        let fields = self.card.config.encoded_fields().into_iter().enumerate();
        fields.map(|(i, field)| (field, weights.get(i).copied().unwrap_or(1.0))).collect()
    }

    /// The tabular inputs.
    ///
    /// # Errors
    /// They are not those of the config.
    pub fn columns(&self) -> Result<Columns, ExportError> {
        let (features, inputs) = (&self.card.config.features, self.inputs.tabular_inputs());
        let (mut numeric, categorical) = (features.numeric.clone(), features.categorical.clone());
        if features.text_shape {
            let of = |(field, _)| SHAPE.map(|counted| format!("{field}: {counted}"));
            numeric.extend(self.fields().into_iter().flat_map(of));
        }
        if inputs.numeric.len() != numeric.len() || inputs.categories.len() != categorical.len() {
            let reason = "it has other features than the config in model.json".into();
            return Err(ExportError::File { path: self.files.inputs(), reason });
        }
        Ok(Columns { numeric, text_shape: features.text_shape, categorical, inputs })
    }

    /// The vocabularies of words and letters, where the head sees them.
    pub fn vocabularies(&self) -> Option<[&TfIdf; 2]> {
        self.inputs.vocabularies()
    }

    /// The head as arithmetic.
    ///
    /// # Errors
    /// It is of a kind that `target` cannot express, it looks at several encoders, or its weights do not fit it.
    pub fn function(&self, target: Target) -> Result<Function, ExportError> {
        self.check_encoders(target)?;
        let mut tensors = load_tensors(&self.files, &self.card)?;
        let function = Function::read(&self.card.head, &mut tensors, target)?;
        let terms = self.vocabularies().map_or(0, |kinds| kinds.iter().map(|kind| kind.idf().len()).sum());
        for (found, expected, what) in [
            (function.inputs(), self.inputs.width(), "inputs"),
            (function.terms(), terms, "words and letter groups"),
        ] {
            if found != expected {
                let reason = format!("it takes {found} {what} a row, and inputs.json makes {expected}");
                return Err(HeadError::Shape(reason).into());
            }
        }
        Ok(function)
    }

    /// Refuse a model of several encoders.
    ///
    /// # Errors
    /// It is one.
    pub fn check_encoders(&self, target: Target) -> Result<(), ExportError> {
        match &self.card.encoders[..] {
            [_] => Ok(()),
            several => Err(ExportError::NotExpressible {
                target,
                reason: format!("it has {} encoders, whose embeddings stand side by side", several.len()),
                setting: "encoder.second",
                instead: "train with one encoder; `pipeline serve` answers with several",
            }),
        }
    }

    /// How `pipeline predict` answers; `None` for the likeliest class.
    pub fn answer_rule(&self) -> Option<AnswerRule> {
        let decision = self.calibration.as_ref()?.decision.as_ref()?;
        match decision.aim {
            Aim::Costs => Some(AnswerRule::Costs(decision.costs.clone())),
            _ if decision.exponent == 0.0 => None,
            _ => {
                let divisor = |share: &f64| if *share > 0.0 { share.powf(decision.exponent) } else { 0.0 };
                Some(AnswerRule::Divisors(decision.shares.iter().map(divisor).collect()))
            }
        }
    }

    /// What of the model no form but its own has, in sentences.
    pub fn left_out(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let others: Vec<&str> = self.card.head.blocks().iter().skip(1).map(|b| b.name.as_str()).collect();
        if !others.is_empty() {
            notes.push(format!("only the label is answered; {} is left out", others.join(", ")));
        }
        match self.answer_rule() {
            None => {}
            Some(AnswerRule::Divisors(divisors)) => {
                let shown: Vec<String> = divisors.iter().map(|divisor| format!("{divisor:.4}")).collect();
                notes.push(format!(
                    "`pipeline predict` answers the class with the greatest probability / divisor, which need not be the \
                     likeliest one; the divisors of the classes: {}",
                    shown.join(", ")
                ));
            }
            Some(AnswerRule::Costs(_)) => notes.push(
                "`pipeline predict` answers the class of the least expected cost (evaluate.costs), which need not be the \
                 likeliest one"
                    .into(),
            ),
        }
        let rounded =
            |encoder: &EncoderCard| encoder.arithmetic.is_some_and(|a| a.precision() != Precision::F32);
        if let Some(encoder) = self.card.encoders.iter().find(|encoder| rounded(encoder)) {
            notes.push(format!(
                "the training's embeddings were computed as {}; in single precision they, and the answers, are slightly others \
                 (encoder.precision = \"f32\" before training makes them the same)",
                encoder.arithmetic.map_or("", Arithmetic::name)
            ));
        }
        if self.calibration.is_none() {
            notes.push("the model was not evaluated, and its probabilities are not calibrated".into());
        }
        notes
    }
}
