# `make demo` runs the examples, `make test` runs the tests. Both install into .venv first; Python 3.11 to 3.13 and make are required.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo wheel kernel test test-quick check docs setup lock clean help app bench screenshots fuzz-app fuzz survive sbom audit audit-online

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(READY)  ## Run eight example scenarios, the scorecard and the claims; write runs/demo/index.html
	$(BIN)/ketamech demo runs/demo

test: $(READY)  ## Run all tests, on two processes
	$(BIN)/python -m pytest -n 2

test-quick: $(READY)  ## Run the laws of the model and the law of the runners (under two minutes)
	$(BIN)/python -m pytest -n 2 tests/runners tests/laws/model tests/laws/simulation

app: $(READY)  ## Start the local web page
	$(BIN)/ketamech serve

kernel: $(READY)  ## Store the WebAssembly module of the shipped model, after a change of equations or engine
	$(BIN)/python scripts/package_kernel.py

screenshots: $(READY)  ## Take screenshots of the web page for the documentation (needs Chromium)
	$(BIN)/python -m benchmarks screenshots

bench: $(READY)  ## Measure this engine and others: error and time, written to docs/benchmarks.md
	$(BIN)/python -m benchmarks engines

fuzz-app: $(READY)  ## Send 10,000 unusual requests to the API of the web page
	KETAMECH_FUZZ_CASES=10000 $(BIN)/python -m pytest tests/interfaces/app/test_fuzz.py -s --timeout=7200

fuzz: $(READY)  ## Fuzz every reader with damaged files, e.g. make fuzz RUNS=200000 RESUME=build/fuzz.jsonl
	$(BIN)/python tests/survival/fuzz/fuzz.py --runs $(or $(RUNS),20000) $(if $(RESUME),--resume $(RESUME))

survive: $(READY)  ## Kill a small job and a cohort 200 times each and resume them; test a local cluster
	KETAMECH_KILLS=200 $(BIN)/python -m pytest tests/survival/test_killed_runs.py tests/survival/test_cluster.py tests/survival/test_cluster_ends.py tests/survival/test_checkpoints.py tests/survival/test_stopped_commands.py

sbom: $(READY)  ## Write the bill of materials of the locked dependencies to build/sbom.json (needs cyclonedx-bom)
	mkdir -p build && cyclonedx-py requirements requirements.lock --output-file build/sbom.json

SAFETY_DB := build/advisories/safety_db/insecure_full.json

audit: $(READY) $(if $(ADVISORIES),,$(SAFETY_DB))  ## Compare the locked dependencies with known vulnerabilities (safety-db of 2021), or make audit ADVISORIES=advisory-database/vulns
	$(BIN)/python scripts/audit.py $(or $(ADVISORIES),$(SAFETY_DB))

$(SAFETY_DB): | $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target build/advisories safety-db==2021.7.17

audit-online:  ## Look up known vulnerabilities of the locked dependencies (needs pip-audit; fails if no advisory service answers)
	pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict --progress-spinner off

check: $(READY)  ## Check format, lint, types and tests
	BIN=$(BIN) scripts/check

wheel: $(READY)  ## Build the wheel into dist, with the generated code of the model
	$(BIN)/python scripts/prebuild.py
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

docs: $(READY)  ## Build the documentation into build/site; runs the notebooks and fails on a broken link
	$(BIN)/python -m sphinx -q -W --keep-going docs build/site
	@echo "Open build/site/index.html"

setup: $(READY)  ## Install into .venv

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3,11) <= sys.version_info[:2] < (3,14) else "KetaMech needs Python 3.11 to 3.13; type: make demo PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

lock:  ## Update requirements.lock from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --extra build --generate-hashes \
	  --no-header --no-emit-index-url --output-file requirements.lock pyproject.toml

clean:  ## Remove the environment, results and build files
	rm -rf $(VENV) runs build docs/made .pytest_cache .mypy_cache .ruff_cache
