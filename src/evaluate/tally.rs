//! Answered rows counted as far as figures are made of them: what costs rows + classes where a table of classes costs classes².

/// How one row was answered, or a row that was not seen might be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub weight: f64,
    pub truth: usize,
    pub predicted: usize,
    pub confidence: f64,
    pub loss: f64,
    pub brier: f64,
}

/// Weights of answered rows, by class and in all.
pub(super) struct Tally {
    /// Right ones of each class.
    hits: Vec<f64>,
    /// Rows of each class.
    support: Vec<f64>,
    /// Rows that each class was said of.
    predicted: Vec<f64>,
    /// All.
    rows: f64,
    /// Times the distance between the class and what was said, and its square.
    distance: [f64; 2],
}

impl Tally {
    pub fn of<'a>(classes: usize, rows: impl Iterator<Item = &'a Answered>) -> Self {
        let none = || vec![0.0; classes];
        let mut tally =
            Self { hits: none(), support: none(), predicted: none(), rows: 0.0, distance: [0.0; 2] };
        for &Answered { weight, truth, predicted, .. } in rows {
            if truth == predicted {
                tally.hits[truth] += weight;
            }
            tally.support[truth] += weight;
            tally.predicted[predicted] += weight;
            tally.rows += weight;
            let distance = truth.abs_diff(predicted) as f64;
            tally.distance[0] += weight * distance;
            tally.distance[1] += weight * distance.powi(2);
        }
        tally
    }

    /// Precision, recall and F1 of a class.
    pub fn class_scores(&self, class: usize) -> [f64; 3] {
        let [hits, support, predicted] =
            [&self.hits, &self.support, &self.predicted].map(|values| values[class]);
        [share(hits, predicted), share(hits, support), share(2.0 * hits, predicted + support)]
    }

    /// Mean over the classes that have rows.
    pub fn over_supported(
        &self,
        supported: &[bool],
        weight: impl Fn(f64) -> f64,
        score: impl Fn([f64; 3]) -> f64,
    ) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for class in (0..self.support.len()).filter(|&class| supported[class]) {
            let weight = weight(self.support[class]);
            sum += weight * score(self.class_scores(class));
            weights += weight;
        }
        if weights > 0.0 { sum / weights } else { 0.0 }
    }

    /// Mean distance between the class and what was said.
    pub fn class_error(&self) -> f64 {
        share(self.distance[0], self.rows)
    }

    /// Matthews' correlation coefficient of any number of classes (Gorodkin 2004).
    pub fn mcc(&self) -> f64 {
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let spread = |values: &[f64]| (self.rows * self.rows - product(values, values)).max(0.0);
        let scale = (spread(&self.predicted) * spread(&self.support)).sqrt();
        let hits: f64 = self.hits.iter().sum();
        if scale > 0.0 { (hits * self.rows - product(&self.support, &self.predicted)) / scale } else { 0.0 }
    }

    /// Cohen's κ with weights that grow with the square of the distance (Cohen 1968).
    pub fn quadratic_kappa(&self) -> f64 {
        // Σ (i - j)² sᵢ pⱼ, of which i² and j² are sums of their own.
        let moment = |values: &[f64], power: i32| {
            values.iter().enumerate().map(|(class, weight)| (class as f64).powi(power) * weight).sum::<f64>()
        };
        let [of_truth, of_predicted] =
            [&self.support, &self.predicted].map(|values| [0, 1, 2].map(|power| moment(values, power)));
        let far = of_truth[2] * of_predicted[0] - 2.0 * of_truth[1] * of_predicted[1]
            + of_truth[0] * of_predicted[2];
        let expected = far / self.rows.max(f64::MIN_POSITIVE);
        if expected > 0.0 { 1.0 - self.distance[1] / expected } else { 0.0 }
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}
