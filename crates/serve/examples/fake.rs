//! Serves a fake model, for the tests of clients and of the page: `fake [ADDRESS] [KEYS]`.

#[path = "../tests/fake/mod.rs"]
mod fake;

use std::process::ExitCode;

use pipeline_serve::{Log, ServeSettings, Server, quiet_panics};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let settings = ServeSettings {
        address: match address.parse() {
            Ok(address) => address,
            Err(error) => {
                eprintln!("{address}: {error}");
                return ExitCode::from(2);
            }
        },
        keys: args.next().map(Into::into),
        ..ServeSettings::default()
    };
    let log = Log::new(Box::new(std::io::stderr()));
    quiet_panics(log.clone());
    let sources: Vec<Box<dyn pipeline_serve::outside::Source>> =
        vec![Box::new(fake::model::source("hash")), Box::new(fake::model::EncoderSource)];
    match Server::bind(settings, sources, log).and_then(|server| server.run(true)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(hint) = error.hint() {
                eprintln!("  hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}
