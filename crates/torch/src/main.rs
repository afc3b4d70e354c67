//! `pipeline` with libtorch: `pipeline-torch` becomes this program once it has found the libraries.

fn main() -> std::process::ExitCode {
    pipeline::cli::main(Some(&|device| Ok(Box::new(pipeline_torch::Torch::on(device)?))))
}
