//! `pipeline` with libtorch: `pipeline-torch` becomes this program once it has found the libraries.

fn main() -> std::process::ExitCode {
    pipeline::cli::main(Some(&pipeline_torch::Torch))
}
