//! Every key with every kind of bad value. A key that is missing here fails a test, and so does a number without bounds.

use std::path::Path;
use std::sync::LazyLock;

use toml::{Table, Value};

use super::number::Number;
use super::*;

/// Every key that there is but `label.column`, those that are not set by default with a value; no two numbers of a section
/// are alike, so that bounds that look at another field are found.
const EVERY: &str = r#"
name = "t"
seed = 7
[data]
files = ["a.csv"]
test_files = ["b.csv"]
text_fields = ["title", "how"]
join_text = false
title = "title"
delimiter = ","
encoding = "utf-8"
missing = ["NA"]
max_rejected_share = 0.05
[label]
normalise = false
weight = "trust"
passes = "soft"
[label.range]
min = "age_min"
max = "age_max"
classes = [{ name = "low", below = 3.5 }, { name = "high" }]
[features]
numeric = ["minutes"]
categorical = ["cost"]
field_weights = { title = 2.0 }
text_shape = true
terms = true
min_count = 5
[encoder]
model = "m"
second = "n"
max_tokens = 128
precision = "f32"
backend = "native"
workers = 2
[split]
train = 0.7
validation = 0.2
test = 0.1
exact_rows = 5000
near_duplicate_cosine = 0.95
given_test_duplicates = "drop"
group = "author"
[augment.synonyms]
variants = 1
fields = ["title"]
swap_share = 0.25
cosine_min = -1.0
cosine_max = 0.99
protect = ["word"]
[augment.eda]
variants = 2
deletion = 0.1
swap = 0.2
[augment.back_translation]
through = ["spa"]
from = "eng"
command = ["translate", "{from}-{to}"]
url = "https://example.org/translate"
models = "opus-{from}-{to}"
[augment.mixup]
ratio = 0.6
lambda = 0.7
alpha = 0.4
between_classes = true
[augment.smote]
kind = "smote"
k = 3
m = 10
[collect]
use = ["generated"]
teach_only = ["generated", "scraped"]
[collect.gate]
near_duplicate_cosine = 0.91
held_out_cosine = 0.87
refuse_below = 0.06
doubtful_below = 0.26
personal = "refuse"
language = false
unsafe_content = false
[collect.model]
base_url = "http://127.0.0.1:1/v1"
name = "m"
key_env = "KEY"
timeout_s = 33.0
retries = 7
max_tokens = 900
temperature = 1.1
concurrency = 9
most_requests = 70
most_tokens = 80000
most_cost = 3.5
prompt_price = 0.15
answer_price = 0.65
[collect.generate]
task = "Write."
rows = 310
rows_per_request = 4
examples = 13
fields = [{ name = "title", what = "a name", min_chars = 8, max_chars = 88 }]
attributes = { season = ["winter"] }
classes = [{ name = "low", what = "for the young", avoid = ["young"], cells = { age_min = "1" }, share = 2.5 }]
cells = { cost = "free" }
[collect.paraphrase]
each = 14
rows = 320
avoid = ["x"]
[collect.scrape]
pages = ["https://example.org/a"]
lists = ["pages.txt"]
sitemaps = ["https://example.org/sitemap.xml"]
archives = ["crawl.warc.gz"]
agent = "reader"
contact = "https://example.org/reader"
allow_hosts = ["127.0.0.1:8000"]
timeout_s = 31.0
most_bytes = 1000000
requests_per_second = 0.5
hosts_at_once = 3
most_pages = 500
most_pages_a_host = 50
depth = 2
follow = ["/a/"]
skip = ["/b/"]
robots_sitemaps = true
columns = { title = { from = ["title"], join = ", ", replace = [{ pattern = "a", with = "b" }], number = "first", required = true } }
constants = { cost = "free" }
css = { price = { selector = ".price", attribute = "content", take = "all" } }
[train]
head = "network"
encoder = "frozen"
nearest = 15
range_weight = 0.3
class_weights = true
hidden = [16]
dropout = 0.4
batch_norm = true
output = "coral"
members = 3
member_folds = true
epochs = 12
batch_size = 32
learning_rate = 1e-3
weight_decay = 1e-4
patience = 4
min_delta = 0.002
schedule = "cosine"
warmup = 0.11
focal_gamma = 2.0
label_smoothing = 0.12
balanced_sampling = true
noise = 0.13
manifold_mixup = 0.14
averaging = "swa"
ema_decay = 0.9
swa_from = 6
curriculum = 1
[train.kernel]
exact_rows = 1000
landmarks = 500
gamma = 0.5
ridge = 0.6
feature_weight = 0.7
term_weight = 0.8
[train.tuning]
pairs = 40
head_epochs = 2
epochs = 3
patience = 7
batch_size = 8
learning_rate = 1e-4
head_learning_rate = 1e-2
layer_decay = 0.8
warm_up = 0.15
weight_decay = 0.02
dropout = 0.16
rank = 5
alpha = 17.0
[train.trees]
depth = 4
learning_rate = 0.05
columns = 0.06
rows = 0.7
[train.ensemble]
heads = ["kernel", "knn"]
frozen = ["kernel"]
stacked = true
[[train.tasks]]
column = "season"
weight = 0.35
[train.plateau]
factor = 0.5
patience = 2
min_learning_rate = 1e-5
[evaluate]
folds = 4
repeats = 2
baselines = ["majority", "tfidf"]
explain = 2
decision = "auto"
costs = { low = { high = 5.0 } }
[gates]
preset = "production"
test_accuracy = 0.8
test_accuracy_half_width = 0.05
class_f1 = 0.6
loss_gap = 0.2
validation_accuracy_deviation = 0.03
rows = 100
test_rows = 10
[validate]
near_duplicate_fields = ["title"]
near_duplicate_cosine = 0.9
max_near_duplicate_share = 0.1
unique_titles = true
min_class_rows = 5
names_label = ["x+"]
allowed = { cost = ["free"] }
range = { minutes = [1.0, 60.0] }
suspects = 20
second_labels = ["c.csv"]
passes = ["p.csv"]
[tune]
trials = 8
folds = 3
metric = "accuracy"
[tune.space]
"train.dropout" = { low = 0.1, high = 0.5, log = true, whole = false }
"train.epochs" = [1, 2]
"train.hidden" = [[16], [8, 8]]
"features.field_weights" = [{ title = 3.0 }]
"#;

/// Tables whose keys are names of the data's, or of other keys.
const MAPS: [&str; 11] = [
    "features.field_weights",
    "evaluate.costs",
    "validate.allowed",
    "validate.range",
    "tune.space",
    "collect.generate.attributes",
    "collect.generate.classes[0].cells",
    "collect.generate.cells",
    "collect.scrape.columns",
    "collect.scrape.constants",
    "collect.scrape.css",
];

/// Bad in nearly every place …
const BAD: [&str; 6] = ["nan", "inf", "-inf", "-1", "9223372036854775807", "1e308"];

/// … but not in these.
const LEGITIMATE: [(&str, &str); 8] = [
    ("seed", "9223372036854775807"),
    ("label.range.classes[0].below", "-1"),
    ("augment.synonyms.cosine_min", "-1"),
    ("augment.synonyms.cosine_max", "-1"),
    ("gates.test_accuracy", "-1"),
    ("gates.class_f1", "-1"),
    ("validate.range.minutes[0]", "-1"),
    ("validate.range.minutes[1]", "-1"),
];

/// Of the wrong kind for a number.
const WRONG: [&str; 4] = ["\"\"", "[]", "{}", "true"];

/// What every number may be.
static BOUNDS: LazyLock<Vec<Number>> = LazyLock::new(|| Config::least().numbers());

fn every() -> Table {
    EVERY.parse().unwrap()
}

fn parsed(table: &Table) -> Result<Config, String> {
    let text = toml::to_string(table).unwrap();
    Config::read(&text, Path::new("p.toml")).map_err(|e| e.to_string())
}

fn value(text: &str) -> Value {
    format!("x = {text}").parse::<Table>().unwrap().remove("x").unwrap()
}

/// A step from a table or list to what is in it.
#[derive(Clone)]
enum Step {
    Key(String),
    Place(usize),
}

/// All values below `of`, tables and lists too, with the steps there.
fn places(of: &Value, steps: &[Step], found: &mut Vec<(Vec<Step>, Value)>) {
    let inner: Vec<(Step, &Value)> = match of {
        Value::Table(table) => table.iter().map(|(key, inner)| (Step::Key(key.clone()), inner)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(i, inner)| (Step::Place(i), inner)).collect(),
        _ => Vec::new(),
    };
    for (step, inner) in inner {
        let steps = [steps, &[step]].concat();
        found.push((steps.clone(), inner.clone()));
        places(inner, &steps, found);
    }
}

fn all_places() -> Vec<(Vec<Step>, Value)> {
    let mut found = Vec::new();
    places(&every().into(), &[], &mut found);
    found
}

fn dotted(steps: &[Step]) -> String {
    let mut key = String::new();
    for step in steps {
        match step {
            Step::Key(name) if key.is_empty() => key = name.clone(),
            Step::Key(name) => key += &format!(".{name}"),
            Step::Place(i) => key += &format!("[{i}]"),
        }
    }
    key
}

/// All keys with `new` in one place.
fn with(steps: &[Step], new: Value) -> Table {
    let mut whole = Value::Table(every());
    let mut at = &mut whole;
    for step in steps {
        at = match step {
            Step::Key(name) => at.get_mut(name).unwrap(),
            Step::Place(i) => at.get_mut(i).unwrap(),
        };
    }
    *at = new;
    let Value::Table(table) = whole else { unreachable!("the place is in the table") };
    table
}

fn amount(value: &Value) -> Option<Amount> {
    match value {
        Value::Integer(value) => Some(Amount::Whole(*value)),
        Value::Float(value) => Some(Amount::Real(*value)),
        _ => None,
    }
}

fn number_of(key: &str) -> Option<&'static Number> {
    // What is tried for a key is bound as the key is.
    let tuned = key.strip_prefix("tune.space.").map(|key| {
        let key = key.strip_suffix(".low").or(key.strip_suffix(".high")).unwrap_or(key);
        // The first place is that of the choice.
        match key.find('[').zip(key.find(']')) {
            Some((from, to)) => format!("{}{}", &key[..from], &key[to + 1..]),
            None => key.to_owned(),
        }
    });
    let key = tuned.as_deref().unwrap_or(key);
    BOUNDS.iter().find(|number| number.speaks_of(key))
}

#[test]
fn every_key_is_walked() {
    assert_eq!(parsed(&every()).map(|_| ()), Ok(()));
    let mut tables = vec![(Vec::new(), Value::Table(every()))];
    // Of a list of tables, the first has every key.
    let first = |steps: &[Step]| steps.iter().all(|step| !matches!(step, Step::Place(1..)));
    tables.extend(all_places().into_iter().filter(|(steps, value)| value.is_table() && first(steps)));
    let mut checked = 0;
    for (steps, table) in tables {
        let (key, Value::Table(mut table)) = (dotted(&steps), table) else { unreachable!("tables") };
        let mut here: Vec<String> = table.keys().cloned().collect();
        table.insert("no-such-key".into(), Value::Integer(1));
        let error = parsed(&if steps.is_empty() { table } else { with(&steps, table.into()) });
        let unknown =
            error.err().and_then(|e| Some(e.split_once("unknown field `no-such-key`")?.1.to_owned()));
        let Some(expected) = unknown else {
            assert!(MAPS.iter().any(|map| key.starts_with(map)), "{key} takes any key; is it a map?");
            continue;
        };
        let line = expected.lines().next().unwrap();
        let mut known: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        if key == "label" {
            known.retain(|name| *name != "column");
        }
        here.sort();
        known.sort_unstable();
        assert_eq!(here, known, "the keys of {key} in this test, and those that there are");
        checked += 1;
    }
    assert!(checked > 18);
}

#[test]
fn every_number_has_bounds_and_they_look_at_its_own_field() {
    let found = parsed(&every()).unwrap().numbers();
    let mut walked = Vec::new();
    for (steps, value) in all_places() {
        let (key, Some(amount)) = (dotted(&steps), amount(&value)) else { continue };
        assert!(number_of(&key).is_some(), "{key} is a number without bounds");
        if !key.starts_with("tune.space") {
            let own = found.iter().find(|number| number.key == key);
            assert_eq!(own.and_then(|number| number.amount), Some(amount), "{key}");
        }
        walked.push(key);
    }
    for number in BOUNDS.iter() {
        assert!(walked.iter().any(|key| number.speaks_of(key)), "there is no key {}", number.key);
    }
}

#[test]
fn a_bad_number_is_refused_with_its_key_value_and_range() {
    for (steps, _) in all_places().into_iter().filter(|(_, value)| amount(value).is_some()) {
        let key = dotted(&steps);
        let bounds = &number_of(&key).unwrap().bounds;
        for text in BAD.into_iter().chain(["0"]) {
            let bad = value(text);
            let result = parsed(&with(&steps, bad.clone()));
            let fits = amount(&bad).is_some_and(|amount| bounds.hold(amount));
            let legitimate = text == "0" || LEGITIMATE.contains(&(&key, text));
            assert!(legitimate || !fits, "{key} may be {text}: is that meant?");
            let Err(error) = result else {
                // Whole numbers stand for others, and the bounds were asked about them as such.
                assert!(fits, "{key} = {text} is not within {bounds} and accepted");
                continue;
            };
            assert!(error.starts_with("p.toml: "), "{error}");
            if fits {
                continue;
            }
            assert!(error.contains(&key), "{key} = {text}: {error}");
            let read = bad.as_float().or(bad.as_integer().map(|whole| whole as f64)).unwrap();
            let values = [amount(&bad).unwrap(), Amount::Real(read)].map(|v| v.to_string());
            let values = values.into_iter().chain([bad.to_string()]).collect::<Vec<_>>();
            assert!(values.iter().any(|v| error.contains(v)), "{key} = {text}: {error}");
            assert!(error.contains(&bounds.to_string()), "{key} = {text}: {error}");
        }
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_with_file_line_and_key() {
    let whole: Vec<&str> = WRONG.into_iter().chain(BAD).chain(["0"]).collect();
    for (steps, present) in all_places() {
        let key = dotted(&steps);
        // The values of an axis are of many kinds; those that do not fit its key are told when it is tried.
        let untyped = key.starts_with("tune.space.");
        for text in &whole {
            let Err(error) = parsed(&with(&steps, value(text))) else {
                let wrong = amount(&present).is_some() && WRONG.contains(text);
                assert!(!wrong || untyped, "{key} = {text} is accepted");
                continue;
            };
            assert!(error.starts_with("p.toml: "), "{key} = {text}: {error}");
            if !error.starts_with("p.toml: TOML parse error at line ") {
                continue;
            }
            // Of an axis, serde sees no more than that it is none.
            let named = if untyped { key.split(['[']).next().unwrap_or(&key) } else { &key };
            let named = named.trim_end_matches(".low").trim_end_matches(".high");
            let named = named.trim_end_matches(".log").trim_end_matches(".whole");
            assert!(error.contains(named), "{key} = {text}: {error}");
            if let (Some(number), false) = (number_of(&key), untyped) {
                let end = format!("{key} must be {}", number.bounds);
                assert!(error.ends_with(&end), "{key} = {text}: {error}");
            }
        }
    }
}

#[test]
fn the_bounds_are_documented() {
    let text = include_str!("../../docs/configuration.md");
    let lines = BOUNDS.iter().map(|Number { key, bounds, .. }| format!("| `{key}` | {bounds} |"));
    let missing: Vec<String> = lines.filter(|line| !text.contains(line)).collect();
    assert!(missing.is_empty(), "docs/configuration.md lacks\n{}", missing.join("\n"));
}
