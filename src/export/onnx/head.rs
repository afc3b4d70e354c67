//! Heads as graphs: from an input row, `batch × inputs`, to logits, `batch × classes`.

use super::bert::turned;
use super::graph::{Attribute, Graph};
use crate::export::function::{Function, Kernel, Linear, Network};
use crate::heads::Output;

const LAST: Attribute<'_> = Attribute::Int("axis", -1);

/// The logits of `function` on the rows `x`; weights are named with `prefix` in front.
pub fn logits(graph: &mut Graph, function: &Function, x: &str, prefix: &str) -> String {
    match function {
        Function::Linear(head) => linear(graph, head, x, prefix),
        Function::Kernel(head) => kernel(graph, head, x, prefix),
        Function::Network(head) => network(graph, head, x, prefix),
        Function::Ensemble(heads) => {
            let parts = heads.iter().enumerate().map(|(i, (weight, head))| {
                let own = logits(graph, head, x, &format!("{prefix}{i}."));
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
    let Kernel { scale, landmarks, count, weights, bias } = head;
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
