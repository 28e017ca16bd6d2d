# KetaMech: `make demo` runs the main job, `make test` the tests. Each sets itself up: Python 3.11+ and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check docs setup lock clean help app screenshots fuzz-app fuzz survive sbom audit

help:  ## Say what can be typed
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(READY)  ## Six published scenarios, the scorecard and a report to open
	$(BIN)/ketamech demo runs/demo

test: $(READY)  ## The whole test suite
	$(BIN)/python -m pytest

app: $(READY)  ## The page: how does ketamine work, live
	$(BIN)/ketamech app

screenshots: $(READY)  ## Pictures of the page for the documentation (needs Chromium)
	$(BIN)/ketamech app --pictures docs/pictures

fuzz-app: $(READY)  ## 10,000 odd requests at the page's API
	KETAMECH_FUZZ_CASES=10000 $(BIN)/python -m pytest tests/app/test_fuzz.py -s --timeout=7200

fuzz: $(READY)  ## So many mangled files at everything that is read: make fuzz RUNS=100000
	$(BIN)/python tests/fuzz/fuzz.py --runs $(or $(RUNS),20000)

survive: $(READY)  ## 200 kills of a toy job and 200 of a real cohort, and a cluster on loopback
	KETAMECH_KILLS=200 $(BIN)/python -m pytest tests/survive

sbom: $(READY)  ## What is installed with KetaMech, as CycloneDX from the lock: build/sbom.json (needs cyclonedx-bom)
	mkdir -p build && cyclonedx-py requirements requirements.lock --output-file build/sbom.json

audit:  ## Known weaknesses of what the lock pins (needs pip-audit; fails where no advisory service answers)
	pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict --progress-spinner off

check: $(READY)  ## Format, lint, types and tests
	BIN=$(BIN) scripts/check

docs: $(READY)  ## The site: open build/site/index.html; notebooks are run, a broken link fails
	$(BIN)/python -m sphinx -q -W --keep-going docs build/site
	@echo "Open build/site/index.html"

setup: $(READY)  ## Only install

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3,11) <= sys.version_info[:2] < (3,14) else "KetaMech needs Python 3.11 to 3.13; type: make demo PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

lock:  ## Write requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --extra build --generate-hashes \
	  --no-header --no-emit-index-url --output-file requirements.lock pyproject.toml

clean:  ## Remove what was made
	rm -rf $(VENV) runs build docs/made .pytest_cache .mypy_cache .ruff_cache
