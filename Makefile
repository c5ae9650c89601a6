# `make help` lists the targets. Everything happens in .venv; the only things needed are Python 3.11 or 3.12 and make.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
	if $$p -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then echo $$p; break; fi; done)
BIN := .venv/bin
STAMP := .venv/installed
# A machine with an NVIDIA card takes the published build of torch ("===" shuts out builds with a local version).
TORCH := $(shell if command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null 2>&1; then echo 'torch===2.13.0'; else cat requirements/torch.txt; fi)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
WORKERS ?= 2
SIZE ?= small

.PHONY: help setup demo studies up test check fix bench compose-check lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

$(STAMP): pyproject.toml requirements/dev.lock requirements/torch.txt
	@test -n "$(PYTHON)" || { echo "batchlab needs Python 3.11 or 3.12 on the PATH (or: make PYTHON=/path/to/python3.12)" >&2; exit 1; }
	@echo "setting up .venv with $$($(PYTHON) --version): a few minutes the first time"
	$(PYTHON) -m venv --clear .venv
	$(PIP) install --no-deps --require-hashes -r requirements/dev.lock
	$(PIP) install '$(TORCH)' -c <(sed -nE 's/^([A-Za-z0-9_.-]+==[^ ;]+).*/\1/p' requirements/dev.lock)
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP) ## make .venv with the `batchlab` command

demo: setup ## run the textbook experiment on an embedded lab and show its result
	$(BIN)/batchlab demo

studies: setup ## run every study in its small size (SIZE=, ONLY=a,b); plots and index.html under figures/studies
	$(BIN)/batchlab studies run --size $(SIZE) $(if $(ONLY),--only $(ONLY))

up: setup ## serve an embedded lab until Ctrl-C
	$(BIN)/batchlab up

test: setup ## all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

check: setup ## lint, types, import directions, migrations; writes nothing
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check --no-cache .
	$(BIN)/mypy --cache-dir=/dev/null
	$(BIN)/lint-imports --no-cache
	$(BIN)/batchlab migrate --check

fix: setup ## format and mend what can be mended by a tool
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## measure side by side with peers; writes benchmarks/results
	@test -x .venv/peers/bin/python || $(BIN)/python -m venv .venv/peers
	.venv/peers/bin/python -m pip --quiet --disable-pip-version-check install -r benchmarks/requirements.txt
	$(BIN)/python -m benchmarks

compose-check: setup ## build and run the deployment with Docker, with failures in mid-run
	$(BIN)/python tests/compose/check.py

lock: ## resolve the locks anew (needs uv)
	requirements/compile

clean: ## remove what `make` made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis figures
