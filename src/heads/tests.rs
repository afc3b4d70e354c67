//! Heads by their recipes, and files that are not what they should be.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::*;

fn blocks() -> Vec<Block> {
    let block = |width, kind| Block { width, kind, weight: 1.0, ..Block::default() };
    vec![block(2, BlockKind::Classes), block(1, BlockKind::Values)]
}

/// Two classes on a line, and where a row lies as a value.
fn line(rows: usize) -> (Vec<f32>, Vec<f32>) {
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let x = ((row * 37) % rows) as f32 / rows as f32 - 0.5;
        let right = f32::from(u8::from(x > 0.0));
        inputs.extend([x, (row as f32).sin()]);
        targets.extend([1.0 - right, right, x]);
    }
    (inputs, targets)
}

fn read(shape: &HeadShape, path: &Path) -> Result<Box<dyn Head>, HeadError> {
    load(shape, Tensors::read(path)?, None)
}

fn fit_on(
    recipe: &Recipe,
    (inputs, targets): &(Vec<f32>, Vec<f32>),
    networks: Option<&dyn Networks>,
) -> Result<Fitted, HeadError> {
    let rows = Rows { inputs, terms: None, targets, groups: None, distances: None };
    let data = FitData {
        inputs: 2,
        embedding_dims: 1,
        blocks: &blocks(),
        class_weights: vec![1.0, 1.0],
        train: rows,
        validation: rows,
        seed: 1,
    };
    fit(recipe, &data, networks, &mut |_| ControlFlow::Continue(()))
}

fn recipes() -> Vec<Recipe> {
    let kernel = KernelSettings {
        exact_rows: 1000,
        landmarks: 1000,
        gamma: None,
        ridge: None,
        feature_weight: None,
        term_weight: None,
        all_rows: false,
    };
    let trees = TreeSettings { depth: 3, learning_rate: 0.3, columns: 1.0, rows: 1.0 };
    let ensemble = Recipe::Ensemble {
        recipes: vec![Recipe::Kernel(kernel.clone()), Recipe::Logistic],
        stacked: true,
        sees: None,
    };
    vec![
        Recipe::Kernel(kernel),
        Recipe::Neighbours(NeighbourSettings { prototypes: false, nearest: None }),
        Recipe::Neighbours(NeighbourSettings { prototypes: true, nearest: None }),
        Recipe::Trees(trees),
        Recipe::Logistic,
        ensemble,
    ]
}

#[test]
fn every_head_but_a_network_is_fitted_saved_loaded_and_asked_by_threads() {
    let rows = line(200);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head.safetensors");
    for recipe in recipes() {
        let fitted = fit_on(&recipe, &rows, None).unwrap();
        let logits = fitted.head.logits(&rows.0, None).unwrap();
        let right = logits.chunks(3).zip(rows.1.chunks(3)).filter(|(l, t)| (l[1] > l[0]) == (t[1] > 0.5));
        assert!(right.count() > 180, "{recipe:?}");
        fitted.head.save(&path).unwrap();
        let shape = serde_json::to_string(&fitted.shape).unwrap();
        let loaded: Arc<dyn Head> = Arc::from(read(&serde_json::from_str(&shape).unwrap(), &path).unwrap());
        let asked = [0, 1].map(|_| {
            let (head, inputs) = (Arc::clone(&loaded), rows.0.clone());
            std::thread::spawn(move || head.logits(&inputs, None).unwrap())
        });
        asked.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), logits, "{recipe:?}"));
        assert!(matches!(loaded.logits(&[0.5], None), Err(HeadError::Shape(_))), "{recipe:?}");
    }
}

/// Of two inputs one says everything; the second head sees the other.
#[test]
fn a_head_of_an_ensemble_sees_what_it_is_to_see() {
    let (inputs, targets) = line(200);
    // The line, another column, and what stands beside the embedding.
    let whole: Vec<f32> = inputs.chunks(2).flat_map(|row| [row[0], row[1], 0.0]).collect();
    let views = Views { inputs: 3, of_heads: vec![vec![[0, 1], [2, 3]], vec![[1, 3]]] };
    let recipe = Recipe::Ensemble {
        recipes: vec![Recipe::Logistic, Recipe::Logistic],
        stacked: true,
        sees: Some(views),
    };
    let rows = Rows { inputs: &whole, terms: None, targets: &targets, groups: None, distances: None };
    let data = FitData {
        inputs: 3,
        embedding_dims: 2,
        blocks: &blocks(),
        class_weights: vec![1.0, 1.0],
        train: rows,
        validation: rows,
        seed: 1,
    };
    let fitted = fit(&recipe, &data, None, &mut |_| ControlFlow::Continue(())).unwrap();
    let HeadShape::Ensemble(shape) = &fitted.shape else { panic!("{:?}", fitted.shape) };
    assert!(shape.weights[0] > 0.9, "{:?}", shape.weights);
    let logits = fitted.head.logits(&whole, None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head.safetensors");
    fitted.head.save(&path).unwrap();
    assert_eq!(read(&fitted.shape, &path).unwrap().logits(&whole, None).unwrap(), logits);
    // As the first head alone sees it.
    let alone =
        fit_on(&Recipe::Logistic, &(inputs.chunks(2).flat_map(|row| [row[0], 0.0]).collect(), targets), None);
    let alone =
        alone.unwrap().head.logits(&inputs.chunks(2).flat_map(|row| [row[0], 0.0]).collect::<Vec<_>>(), None);
    let mut only_first = shape.clone();
    only_first.weights = vec![1.0, 0.0];
    let first = read(&HeadShape::Ensemble(only_first), &path).unwrap().logits(&whole, None).unwrap();
    let margins = |logits: &[f32]| logits.chunks(3).map(|row| row[1] - row[0]).collect::<Vec<_>>();
    let (first, alone) = (margins(&first), margins(&alone.unwrap()));
    assert!(first.iter().zip(&alone).all(|(a, b)| (a - b).abs() < 1e-3));
    for of_heads in
        [vec![], vec![vec![[0, 1]]], vec![vec![[0, 4]], vec![[1, 3]]], vec![vec![[1, 1]], vec![[1, 3]]]]
    {
        let wrong = EnsembleShape { sees: Some(Views { inputs: 3, of_heads }), ..shape.clone() };
        assert!(matches!(read(&HeadShape::Ensemble(wrong), &path), Err(HeadError::Shape(_))));
    }
}

/// Every second row counts twice, as if it stood there twice.
#[test]
fn a_row_that_counts_twice_teaches_as_two_rows_do() {
    let (inputs, targets) = line(120);
    let counts = |row: usize| 1 + row % 2;
    let times = |of: &[f32], width: usize| -> Vec<f32> {
        of.chunks(width).enumerate().flat_map(|(row, values)| values.repeat(counts(row))).collect()
    };
    let doubled = (times(&inputs, 2), times(&targets, 3));
    let mut weighted = (inputs.clone(), targets);
    for (row, target) in weighted.1.chunks_mut(3).enumerate() {
        target[..2].iter_mut().for_each(|share| *share *= counts(row) as f32);
    }
    let trees = TreeSettings { depth: 3, learning_rate: 0.3, columns: 1.0, rows: 1.0 };
    let prototypes = Recipe::Neighbours(NeighbourSettings { prototypes: true, nearest: None });
    for (recipe, tolerance) in [(Recipe::Logistic, 2e-2), (prototypes, 1e-3), (Recipe::Trees(trees), 0.5)] {
        let [one, two] = [&weighted, &doubled]
            .map(|rows| fit_on(&recipe, rows, None).unwrap().head.logits(&inputs, None).unwrap());
        let differences = one.chunks(3).zip(two.chunks(3)).map(|(a, b)| {
            let label = (a[1] - a[0] - b[1] + b[0]).abs();
            label.max((a[2] - b[2]).abs())
        });
        let most = differences.fold(0.0, f32::max);
        assert!(most < tolerance, "{recipe:?}: {most}");
    }
}

#[test]
fn a_network_without_libtorch_is_refused() {
    let shape = NetworkShape {
        inputs: 2,
        hidden: vec![],
        blocks: blocks(),
        dropout: 0.0,
        batch_norm: false,
        output: Output::Softmax,
        members: 1,
    };
    let network = Recipe::Network { shape: shape.clone(), settings: NetworkSettings::default() };
    let ensemble =
        Recipe::Ensemble { recipes: vec![Recipe::Logistic, network.clone()], stacked: false, sees: None };
    for recipe in [network, ensemble] {
        assert!(matches!(fit_on(&recipe, &line(50), None), Err(HeadError::NeedsTorch)));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head.safetensors");
    Tensors::default().write(&path).unwrap();
    let error = read(&HeadShape::Network(shape.clone()), &path).err().unwrap();
    assert!(error.to_string().contains("train.head"), "{error}");
    // What libtorch would be asked to make is checked against the file first.
    assert!(shape.check(9).is_ok());
    for hostile in [
        NetworkShape { members: 0, ..shape.clone() },
        NetworkShape { hidden: vec![usize::MAX, usize::MAX], ..shape.clone() },
        NetworkShape { blocks: vec![], ..shape.clone() },
        NetworkShape { inputs: 3, ..shape.clone() },
    ] {
        assert!(matches!(hostile.check(9), Err(HeadError::Shape(_))), "{hostile:?}");
    }
}

/// Cards of other sizes than the weights', and of none.
#[test]
fn shapes_that_do_not_fit_the_file_are_errors() {
    let rows = line(60);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head.safetensors");
    for recipe in recipes() {
        let fitted = fit_on(&recipe, &rows, None).unwrap();
        fitted.head.save(&path).unwrap();
        let sound = serde_json::to_string(&fitted.shape).unwrap();
        for (from, to) in [
            ("\"inputs\":2", "\"inputs\":0"),
            ("\"inputs\":2", "\"inputs\":18446744073709551615"),
            ("\"width\":2", "\"width\":3"),
            ("\"width\":1,", "\"width\":18446744073709551615,"),
        ] {
            let shape: HeadShape = serde_json::from_str(&sound.replace(from, to)).unwrap();
            // A tree's inputs are in no tensor, but its questions are.
            let refused = read(&shape, &path).is_err();
            assert!(refused || matches!(shape, HeadShape::Trees(_)), "{recipe:?} {to}");
        }
    }
    let none = HeadShape::Ensemble(EnsembleShape { heads: vec![], weights: vec![], sees: None });
    assert!(matches!(read(&none, &path), Err(HeadError::Shape(_))));
}
