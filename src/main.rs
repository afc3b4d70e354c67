//! `pipeline`: see the library.

fn main() -> std::process::ExitCode {
    pipeline::cli::main(None)
}
