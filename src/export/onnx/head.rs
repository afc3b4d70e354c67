//! Heads as graphs: from an input row, `batch × inputs`, and its words and letters to logits, `batch × classes`.

use super::bert::turned;
use super::graph::{Attribute, Graph, Kind};
use super::terms::Terms;
use crate::export::function::{Function, Kernel, Linear, Neighbours, Network};
use crate::heads::{Output, PRIOR_VOTES};

const LAST: Attribute<'_> = Attribute::Int("axis", -1);

/// Input rows as values of the graph.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// `batch × inputs`.
    pub x: &'a str,
    /// Their words and letters, where the head sees them.
    pub terms: Option<&'a Terms>,
}

/// The logits of `function` on `rows`; weights are named with `prefix` in front.
pub fn logits(graph: &mut Graph, function: &Function, rows: Rows<'_>, prefix: &str) -> String {
    let x = rows.x;
    match function {
        Function::Linear(head) => linear(graph, head, x, prefix),
        Function::Kernel(head) => {
            let answer = kernel(graph, head, x, prefix);
            let Some(terms) = rows.terms.filter(|_| head.terms > 0) else { return answer };
            let weights = graph.floats(
                &format!("{prefix}term_weights"),
                &[head.terms, head.bias.len()],
                &head.term_weights,
            );
            let of_terms = terms.product(graph, &weights);
            graph.node("Add", &[&answer, &of_terms], &[])
        }
        Function::Neighbours(head) => neighbours(graph, head, x, prefix),
        Function::Network(head) => network(graph, head, x, prefix),
        Function::Ensemble(heads) => {
            let parts = heads.iter().enumerate().map(|(i, (weight, head))| {
                let own = logits(graph, head, rows, &format!("{prefix}{i}."));
                let logs = graph.node("LogSoftmax", &[&own], &[LAST]);
                let weight = graph.number(*weight);
                graph.node("Mul", &[&logs, &weight], &[])
            });
            let parts: Vec<String> = parts.collect();
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            graph.node("Sum", &parts, &[])
        }
    }
}

fn linear(graph: &mut Graph, head: &Linear, x: &str, prefix: &str) -> String {
    let Linear { inputs, weights, bias } = head;
    let weights =
        graph.floats(&format!("{prefix}weights"), &[*inputs, bias.len()], &turned(weights, *inputs));
    let bias = graph.floats(&format!("{prefix}bias"), &[bias.len()], bias);
    let product = graph.node("MatMul", &[x, &weights], &[]);
    graph.node("Add", &[&product, &bias], &[])
}

/// ‖a - b‖² = ‖a‖² + ‖b‖² - 2 a·b, with the landmarks' half of it computed here, in double precision. The rows are moved so that
/// the landmarks' mean is the origin: the lengths are then no greater than they must be, and little is lost in the difference.
fn kernel(graph: &mut Graph, head: &Kernel, x: &str, prefix: &str) -> String {
    let Kernel { scale, landmarks, count, weights, bias, .. } = head;
    let width = scale.len();
    let mut mean = vec![0.0f64; width];
    for landmark in landmarks.chunks_exact(width) {
        mean.iter_mut().zip(landmark).for_each(|(sum, &v)| *sum += f64::from(v) / *count as f64);
    }
    let moved = landmarks.chunks_exact(width).flat_map(|row| row.iter().zip(&mean));
    let moved: Vec<f32> = moved.map(|(&v, m)| (f64::from(v) - m) as f32).collect();
    let lengths: Vec<f32> = moved
        .chunks_exact(width)
        .map(|row| row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() as f32)
        .collect();
    let mean: Vec<f32> = mean.into_iter().map(|v| v as f32).collect();
    let name = |part: &str| format!("{prefix}{part}");
    let scale = graph.floats(&name("scale"), &[width], scale);
    let mean = graph.floats(&name("mean"), &[width], &mean);
    let landmarks = graph.floats(&name("landmarks"), &[width, *count], &turned(&moved, width));
    let lengths = graph.floats(&name("lengths"), &[*count], &lengths);
    let outputs = bias.len();
    let weights = graph.floats(&name("weights"), &[*count, outputs], weights);
    let bias = graph.floats(&name("bias"), &[outputs], bias);

    let scaled = graph.node("Mul", &[x, &scale], &[]);
    let rows = graph.node("Sub", &[&scaled, &mean], &[]);
    let own = graph.node("Mul", &[&rows, &rows], &[]);
    let axis = graph.integers(&[-1]);
    let own = graph.node("ReduceSum", &[&own, &axis], &[Attribute::Int("keepdims", 1)]);
    let products = graph.node("MatMul", &[&rows, &landmarks], &[]);
    let two = graph.number(2.0);
    let products = graph.node("Mul", &[&products, &two], &[]);
    let sum = graph.node("Add", &[&own, &lengths], &[]);
    // ‖b‖² + ‖a‖² - 2 a·b, turned round for the exponent; a distance is never below 0.
    let minus = graph.node("Sub", &[&products, &sum], &[]);
    let zero = graph.number(0.0);
    let minus = graph.node("Min", &[&minus, &zero], &[]);
    let kernel = graph.node("Exp", &[&minus], &[]);
    let product = graph.node("MatMul", &[&kernel, &weights], &[]);
    graph.node("Add", &[&product, &bias], &[])
}

/// In double precision: a vote is the exponential of a difference of distances over a width that may be small, and single precision
/// would have other rows among the nearest.
fn neighbours(graph: &mut Graph, head: &Neighbours, x: &str, prefix: &str) -> String {
    let Neighbours { scale, rows, count, answers, prior, bias, nearest, width } = head;
    let (inputs, classes) = (scale.len(), bias.len());
    let name = |part: &str| format!("{prefix}{part}");
    let exactly = [Attribute::Int("to", Kind::Double as i64)];
    let double = |graph: &mut Graph, value: &str| graph.node("Cast", &[value], &exactly);
    let scale = graph.floats(&name("scale"), &[inputs], scale);
    let rows = graph.floats(&name("rows"), &[inputs, *count], &turned(rows, inputs));
    let answers = graph.floats(&name("answers"), &[*count, classes], answers);
    let prior = graph.floats(&name("prior"), &[classes], prior);
    let bias = graph.floats(&name("bias"), &[classes], bias);
    let [x, scale, rows, answers, prior] = [x, &scale, &rows, &answers, &prior].map(|v| double(graph, v));

    let x = graph.node("Mul", &[&x, &scale], &[]);
    let keep = Attribute::Int("keepdims", 1);
    let (first, last) = (graph.integers(&[0]), graph.integers(&[-1]));
    let squares = graph.node("Mul", &[&x, &x], &[]);
    let own = graph.node("ReduceSum", &[&squares, &last], &[keep]);
    let squares = graph.node("Mul", &[&rows, &rows], &[]);
    let lengths = graph.node("ReduceSum", &[&squares, &first], &[keep]);
    let products = graph.node("MatMul", &[&x, &rows], &[]);
    let products = graph.node("Add", &[&products, &products], &[]);
    let sum = graph.node("Add", &[&own, &lengths], &[]);
    let distances = graph.node("Sub", &[&sum, &products], &[]);
    let least = graph.node("ReduceMin", &[&distances], &[Attribute::Ints("axes", &[-1]), keep]);
    let beyond = graph.node("Sub", &[&least, &distances], &[]);
    let most = graph.integers(&[*nearest as i64]);
    let [values, places] = graph.top(&beyond, &most);
    let width = graph.number(*width as f32);
    let width = double(graph, &width);
    let votes = graph.node("Div", &[&values, &width], &[]);
    let votes = graph.node("Exp", &[&votes], &[]);
    let middle = graph.integers(&[1]);
    let votes = graph.node("Unsqueeze", &[&votes, &middle], &[]);
    let answers = graph.node("Gather", &[&answers, &places], &[Attribute::Int("axis", 0)]);
    let votes = graph.node("MatMul", &[&votes, &answers], &[]);
    let votes = graph.node("Squeeze", &[&votes, &middle], &[]);
    let all = graph.node("ReduceSum", &[&votes, &last], &[keep]);
    let [none, least] = [PRIOR_VOTES as f32, 1e-6].map(|value| graph.number(value));
    let [none, least] = [none, least].map(|value| double(graph, &value));
    let votes = graph.node("Add", &[&votes, &prior], &[]);
    let all = graph.node("Add", &[&all, &none], &[]);
    let shares = graph.node("Div", &[&votes, &all], &[]);
    let shares = graph.node("Max", &[&shares, &least], &[]);
    let logs = graph.node("Log", &[&shares], &[]);
    let logs = graph.node("Cast", &[&logs], &[Attribute::Int("to", Kind::Float as i64)]);
    graph.node("Add", &[&logs, &bias], &[])
}

/// `members × batch × …` all the way, and the logarithm of the members' mean probability at its end.
fn network(graph: &mut Graph, head: &Network, x: &str, prefix: &str) -> String {
    let Network { members, layers, output, thresholds } = head;
    let first = graph.integers(&[0]);
    let mut x = graph.node("Unsqueeze", &[x, &first], &[]);
    for (i, layer) in layers.iter().enumerate() {
        if i > 0 {
            x = graph.node("Relu", &[&x], &[]);
        }
        let sizes = [*members, layer.inputs, layer.units];
        let weights = graph.floats(&format!("{prefix}layer{i}.weights"), &sizes, &layer.weights);
        let bias = graph.floats(&format!("{prefix}layer{i}.bias"), &[*members, 1, layer.units], &layer.bias);
        let product = graph.node("MatMul", &[&x, &weights], &[]);
        x = graph.node("Add", &[&product, &bias], &[]);
    }
    let logs = match output {
        Output::Softmax => graph.node("LogSoftmax", &[&x], &[LAST]),
        Output::Coral => {
            let count = thresholds.len().checked_div(*members).unwrap_or(0);
            let steps = graph.floats(&format!("{prefix}thresholds"), &[*members, 1, count], thresholds);
            let odds = graph.node("Sub", &[&x, &steps], &[]);
            coral(graph, &odds)
        }
        Output::Corn => corn(graph, &x),
    };
    let over_members = [Attribute::Ints("axes", &[0]), Attribute::Int("keepdims", 0)];
    let sum = graph.node("ReduceLogSumExp", &[&logs], &over_members);
    let count = graph.number((*members as f32).ln());
    graph.node("Sub", &[&sum, &count], &[])
}

/// A column of `value` before or behind the last axis of three.
fn padded(graph: &mut Graph, x: &str, before: bool, value: f32) -> String {
    let [first, last] = if before { [1, 0] } else { [0, 1] };
    let places = graph.integers(&[0, 0, first, 0, 0, last]);
    let value = graph.number(value);
    graph.node("Pad", &[x, &places, &value], &[])
}

/// Log probabilities of the classes of CORAL's log odds to lie beyond each threshold.
fn coral(graph: &mut Graph, odds: &str) -> String {
    let beyond = graph.node("Sigmoid", &[odds], &[]);
    let above = padded(graph, &beyond, true, 1.0);
    let below = padded(graph, &beyond, false, 0.0);
    let share = graph.node("Sub", &[&above, &below], &[]);
    let least = graph.number(1e-7);
    let share = graph.node("Max", &[&share, &least], &[]);
    graph.node("Log", &[&share], &[])
}

/// Log probabilities of the classes of CORN's log odds to pass each threshold once the one before is passed.
fn corn(graph: &mut Graph, scores: &str) -> String {
    let turned = graph.node("Neg", &[scores], &[]);
    // log σ(x) = -softplus(-x)
    let log_sigmoid = |graph: &mut Graph, of_minus: &str| {
        let softplus = graph.node("Softplus", &[of_minus], &[]);
        graph.node("Neg", &[&softplus], &[])
    };
    let passes = log_sigmoid(graph, &turned);
    let stops = log_sigmoid(graph, scores);
    let axis = graph.integer(2);
    let passed = graph.node("CumSum", &[&passes, &axis], &[]);
    let passed = padded(graph, &passed, true, 0.0);
    let stopped = padded(graph, &stops, false, 0.0);
    graph.node("Add", &[&passed, &stopped], &[])
}
