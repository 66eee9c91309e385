# Penstock's verbs. `make help` lists them. Everything is installed into .venv and built into target/.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
export VIRTUAL_ENV := $(abspath $(VENV))
export OMP_NUM_THREADS ?= 1
# The tests' own narrower choice of what runs: make test PYTEST_ARGS="tests/test_cli.py -k check".
PYTEST_ARGS ?=
CARGO_FLAGS := --workspace --exclude penstock-python --locked

# What the compiled core is made of. Python sources are read where they lie, so they need no build.
RUST_SOURCES := $(shell find crates -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock

.PHONY: help demo test test-rust test-python lint docs bench build clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

demo: build ## build, then write a JSON document with the bundled model (no torch needed)
	@echo; cat examples/order.txt; echo
	@$(BIN)/penstock generate --schema examples/order.schema.json - < examples/order.txt

build: $(VENV)/.core

test: test-rust test-python ## install what the tests need, build, run all tests

test-rust: $(VENV)/.tools
	cargo test $(CARGO_FLAGS) --profile checks

# The lint tools belong to it: a test runs mypy's stubtest.
test-python: $(VENV)/.core $(VENV)/.test $(VENV)/.lint
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.core $(VENV)/.test $(VENV)/.lint ## ruff, mypy, rustfmt, clippy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings

docs: $(VENV)/.core $(VENV)/.test ## run the examples of the documents, check names and paths in them, build the Rust docs
	$(BIN)/python -m pytest tests/test_docs.py tests/test_tidy.py
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_FLAGS) --no-deps

bench: $(VENV)/.core $(VENV)/.test $(VENV)/.bench ## measure masks against the peers (minutes; see benchmarks/METHOD.md)
	$(BIN)/penstock bench masks

clean: ## remove what was built and installed
	rm -rf $(VENV) target python/penstock/_core.abi3.so

# Stamps: each is newer than what it was made from, so that a second run does nothing.

$(BIN)/python: scripts/check_tools.sh
	@python="$$(scripts/check_tools.sh)"; echo "Python: $$python"; "$$python" -m venv $(VENV)
	@touch $@

$(VENV)/.tools: $(BIN)/python
	$(PIP) install --upgrade 'pip>=25.1' 'maturin>=1.9,<2'
	@touch $@

$(VENV)/.core: $(VENV)/.tools $(RUST_SOURCES) pyproject.toml
	@PYTHON=$(BIN)/python scripts/check_tools.sh > /dev/null
	$(BIN)/maturin develop --release --locked --extras tiny
	@touch $@

$(VENV)/.test: $(VENV)/.tools pyproject.toml
	$(PIP) install --group test
	@touch $@

$(VENV)/.lint: $(VENV)/.tools pyproject.toml
	$(PIP) install --group lint
	@touch $@

$(VENV)/.bench: $(VENV)/.tools pyproject.toml
	$(PIP) install --group bench
	@touch $@
