# One environment in .venv; every target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO = $(firstword $(wildcard captures/dhcp-unknown-mac-bridge.pcap*))

.PHONY: demo setup test check accept accuracy bench clean

demo: $(STAMP)  ## analyse a shipped capture of a broken network: report here, HTML in demo/
	@mkdir -p demo
	@$(BIN)/pcapdx analyze hostA:bridge=$(DEMO)
	@$(BIN)/pcapdx analyze hostA:bridge=$(DEMO) --format html -o demo/report.html
	@echo "the same as a page: demo/report.html"

setup: $(STAMP)  ## make the environment and install everything

$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "apt install python3-venv, then again"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: atheris 2>/dev/null \
	  || echo "no atheris for this Python: fuzzing is skipped"
	@touch $(STAMP)

test: $(STAMP) check  ## every check: format, lint, types, import contracts, tests

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	PCAPDX_BOUNDSCHECK=1 $(BIN)/pytest -q tests/sieve/test_twins.py
	$(BIN)/pytest -n 2 --dist loadgroup

accept: $(STAMP)  ## rewrite the generated files: golden reports, tables in READMEs, JSON schema
	$(BIN)/pytest --accept -q tests/test_generated.py tests/test_reports.py

accuracy: $(STAMP)  ## the accuracy table over the labelled captures
	$(BIN)/python -m captures.accuracy

bench: $(STAMP)  ## the benchmark table (minutes; makes a capture of 1.3 GB)
	$(BIN)/python -m benchmarks.run

clean:
	rm -rf $(VENV) demo benchmarks/data
