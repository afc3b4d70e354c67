//! The parts of the pipeline that `scripts/bench` runs beside other libraries; each prints seconds.

mod cache;
mod encode;
mod heads;

fn main() {
    // cargo bench passes --bench.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["encode", texts, precision, way, vectors, folder, max_tokens] => {
            encode::run(texts, precision, way, vectors, folder, max_tokens)
        }
        ["heads", members, epochs] => heads::run(members.parse().unwrap(), epochs.parse().unwrap()),
        ["cache", folder, texts] => cache::run(folder.as_ref(), texts.parse().unwrap()),
        _ => eprintln!("run by scripts/bench"),
    }
}
