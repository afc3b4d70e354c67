//! `pipeline` with libtorch: started by `pipeline` when a stage needs it.

fn main() -> std::process::ExitCode {
    pipeline::cli::main(Some(&pipeline_torch::Torch))
}
