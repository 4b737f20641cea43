# make demo       the whole way on a phantom cohort, with pictures
# make test       format, lint, types, import layers, tests: what CI runs
# make test-slow  the tests that take minutes
# make check      format, lint, types and layers only
# make format     let ruff mend what it can
# make clean      remove the virtual environment and the demo

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   ?= demo

# Without a GPU the CPU build of torch is taken, so that no CUDA package is ever downloaded.
TORCH     := torch==2.13.0
TORCH_CPU := --retries 0 --extra-index-url https://download.pytorch.org/whl/cpu
ifneq ($(shell command -v nvidia-smi 2>/dev/null),)
TORCH_CPU :=
endif
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.PHONY: demo test test-slow check format install develop clean

demo: install
	@$(BIN)/wirsung demo $(DEMO)

test: check
	$(BIN)/pytest -n 2

test-slow: develop
	HYPOTHESIS=explore $(BIN)/pytest -m slow

check: develop
	.ci/guard
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: develop
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(VENV)/installed

develop: $(VENV)/developing

$(VENV)/installed: pyproject.toml Makefile
	@echo "Setting up $(VENV): a minute or two the first time."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3-venv is needed: apt install python3-venv"; exit 2; }
	@$(PIP) install "pip>=25.1"
	@$(PIP) install $(TORCH_CPU) "$(TORCH)"
	@echo "$(TORCH)" > $(VENV)/constraints.txt
	@$(PIP) install -c $(VENV)/constraints.txt -e ".[train]"
	@touch $@

$(VENV)/developing: $(VENV)/installed
	@$(PIP) install -c $(VENV)/constraints.txt --group dev
	@touch $@

clean:
	rm -rf $(VENV) $(DEMO)
