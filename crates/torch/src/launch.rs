//! `pipeline-torch`: finds libtorch and becomes the program that links it.

fn main() -> std::process::ExitCode {
    pipeline::cli::launch_torch()
}
