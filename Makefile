# `make` builds everything and runs what is stale; `make test` runs all tests. Both set up what is missing first.
.PHONY: all setup build run validate test lint status clean

all: run

setup:
	@python3 scripts/setup.py

build: setup
	cargo build --release

run: build
	./target/release/pipeline build

# Checks data/raw and fails on what must be mended.
validate: build
	./target/release/pipeline validate

# One profile, so that the dependencies are built once.
test: setup
	cargo test --release

lint: setup
	cargo fmt --all --check
	cargo clippy --release --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps --document-private-items

status: build
	./target/release/pipeline status

# Everything that the stages made; the embedding cache stays (it is never wrong, and slow to make again).
clean:
	rm -rf data/.pipeline data/augmented data/models data/rejects data/splits
	find data/embeddings -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +
