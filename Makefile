# `make` builds everything and runs what is stale; `make test` runs all tests. Both set up what is missing first.
# `make slim` is `make` without libtorch. `make install` puts the programs under PREFIX (docs/install.md).
.PHONY: all setup build run slim validate test test-all lint deny docs figures status dist wheel bundle soak install uninstall clean

all: run

setup:
	@python3 scripts/setup.py

build: setup
	cargo build --release

run: build
	./target/release/pipeline build

# No libtorch: an eighth of the download, and half of the compiling.
slim:
	@python3 scripts/setup.py --without-torch
	cargo build --release -p pipeline
	./target/release/pipeline build

# Checks data/raw and fails on what must be mended.
validate: build
	./target/release/pipeline validate

# One profile, so that the dependencies are built once.
test: setup
	cargo test --release

# What `make test` leaves out: the server by real clients and the report in Chromium, every engine with faults, the wheel, the bundle, faults of a build.
test-all: test build
	tests/server/run target/release/pipeline data/models/activities
	tests/report/run data/models/activities/report.html
	tests/integrations/run target/release/pipeline data/models/activities spark dask ray lance
	tests/faults/run target/release/pipeline --points 2 --kills 10
	scripts/wheel --quick
	python/tests/run target/wheels/pipeline-*.whl target/release/pipeline
	scripts/release --without-torch
	scripts/bundle data/models/activities
	tests/bundle target/dist/activities.tar.gz

lint: setup
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps --document-private-items

# Licences, sources and bans of all that is linked in (deny.toml).
deny:
	@python3 scripts/setup.py --deny
	.deps/cargo-deny/bin/cargo-deny --locked check licenses bans sources

# docs/ as a book in target/book.
docs:
	@python3 scripts/setup.py --book
	.deps/mdbook/bin/mdbook build
	@echo "the book is target/book/index.html"

# Every figure that the documents state, measured anew and put in its place: hours (scripts/figures --list).
figures: setup
	scripts/figures

status: build
	./target/release/pipeline status

# What `make install` copies, in target/dist: `pipeline` linked statically, both programs stripped.
# TORCH=no leaves pipeline-torch and libtorch out.
PREFIX ?= /usr/local
export PREFIX DESTDIR
without_torch = $(if $(filter no,$(TORCH)),--without-torch)

dist:
	@python3 scripts/setup.py $(without_torch)
	scripts/release $(without_torch)

install: dist
	@scripts/install $(without_torch)

uninstall:
	@scripts/install --uninstall

# The wheel for Python, in target/wheels; it needs no libtorch.
wheel:
	@python3 scripts/setup.py --without-torch
	scripts/wheel

# Program, model, encoder and licences in one tar, in target/dist.
bundle:
	@python3 scripts/setup.py --without-torch
	scripts/release --without-torch
	scripts/bundle data/models/activities

# A million requests to `pipeline serve`, some of them bad; SOAK_SECONDS of changed bytes for each reader of them, two readers at a time;
# every system call of a build made to fail, and a thousand builds killed: hours.
SOAK_SECONDS ?= 1200
soak: build
	tests/server/run target/release/pipeline data/models/activities 1000000
	FUZZ_SECONDS=$(SOAK_SECONDS) FUZZ_SEED=$$(date +%s) cargo test --release --test fuzz -- --test-threads=2 --nocapture
	tests/faults/run target/release/pipeline

# Everything that the stages made; the embedding cache stays (it is never wrong, and slow to make again).
clean:
	rm -rf data/.pipeline data/augmented data/models data/rejects data/splits
	find data/embeddings -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +
