# make train | test | lint | docs | bench | wheel | clean: a bare clone, python3 and make are all it takes.
# ARGS reaches the command:  make train ARGS=train.epochs=5   make test ARGS="-k history"   make test PROCESSES=4

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-in
PROCESSES ?= 2
SHARED := --numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_NO_INPUT = 1
export RAY_USAGE_STATS_ENABLED ?= 0

# An editable installation knows the folders by their absolute path: in a moved or copied clone it is made anew.
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(CURDIR))
$(shell rm -f $(STAMP))
endif

.DEFAULT_GOAL := help
.PHONY: help install train test lint types docs fuzz chaos bench wheel clean

help:
	@echo "make train   hide half of the labels of the embedded digit-scenes, train, and look for them"
	@echo "make test    run the whole test suite"
	@echo "make lint    check style, docstrings, formatting and types"
	@echo "make docs    write the API reference into site/"
	@echo "make fuzz    give every reader damaged and hostile input"
	@echo "make chaos   kill processes and nodes of runs at random moments and compare the runs with undisturbed ones"
	@echo "make bench   run every benchmark"
	@echo "make wheel   write dist/, what cluster.yaml copies to the nodes"
	@echo "make clean   remove .venv and what tools left behind; data/ and runs/ stay"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt setup.py
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; install Python 3.11, 3.12 or 3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else \
	  "make: d2ace needs Python 3.11, 3.12 or 3.13, but $(PYTHON) is %d.%d; try: make PYTHON=python3.12" % v)'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { \
	  rm -rf $(VENV); echo "make: $(PYTHON) cannot make environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "installing into $(VENV) (minutes, the first time)"
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,docs]'
	@echo '$(CURDIR)' > $@

train: $(STAMP)
	@$(BIN)/d2ace demo $(ARGS)

# The whole suite in several processes, each with a Ray of its own; a part of it, with ARGS, in one.
# It starts many more, which share compiled modules, also where the shell says that Python writes none.
test: $(STAMP)
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --durations=20 $(if $(strip $(ARGS)),$(ARGS),$(SHARED))

lint: $(STAMP) types
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy -p d2ace

# Type checkers do not follow setuptools' package-dir: show them the folders as one package.
types:
	@mkdir -p .types/d2ace
	@cp d2ace/__init__.py d2ace/py.typed .types/d2ace/
	@for room in pipeline selectors tune_spaces; do ln -sfn ../../$$room .types/d2ace/$$room; done

docs: $(STAMP)
	@$(BIN)/python docs/make_site.py $(ARGS)

# Damaged and hostile input for every reader: make fuzz ARGS="--cases 20000"   make fuzz ARGS="csv arff --cases 500"
fuzz: $(STAMP)
	@PYTHONPATH=tests/helpers $(BIN)/python -m hostile.soak $(ARGS)

# Kills at random moments, hours of them if wanted: make chaos ARGS="--kills 1000 --seed 3"   make chaos ARGS="--minutes 2"
chaos: $(STAMP)
	@PYTHONPATH=.:tests/helpers:benchmarks $(BIN)/python -m chaos.soak $(ARGS)

bench: $(STAMP)
	@set -e; for script in benchmarks/[!_]*.py; do echo "== $$script"; $(BIN)/python $$script; done

wheel: $(STAMP)
	@rm -rf build dist
	@$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@cp constraints.txt dist/
	@$(BIN)/python -m zipfile -e dist/d2ace-*.whl dist/unpacked

clean:
	rm -rf $(VENV) .types build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
