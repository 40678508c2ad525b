# `make demo`, `make test` and the others work from a fresh clone: they make .venv and install what they need.
# To use an environment of your own, see "Plain commands" in README.md.

PYTHON ?= python3
VENV ?= .venv
# PyTorch to install; any version from 2.1 that the OpenMMLab packages support
TORCH ?= torch==2.13.0
# and the torchvision of that version, for classification
TORCHVISION ?= torchvision==0.28.0
# which distribution of the OpenMMLab packages: onedl or openmmlab
STACK ?= onedl

INSTALLED := $(VENV)/.installed-$(STACK)
CLASSIFICATION := $(VENV)/.installed-classification-$(STACK)
EXTRA := $(if $(filter openmmlab,$(STACK)),classification-openmmlab,classification)
PY := $(VENV)/bin/python

.PHONY: demo demo-classification test test-classification lint install clean

demo: $(INSTALLED)
	$(PY) tools/demo.py

# tests on every CPU
test: $(INSTALLED)
	$(PY) -m pytest -n auto --dist worksteal

# the tests that `make test` leaves out where MMPretrain is not installed
test-classification: $(CLASSIFICATION)
	$(PY) -m pytest -n auto --dist worksteal -m mmpretrain

demo-classification: $(CLASSIFICATION)
	$(PY) tools/demo_classification.py

lint: $(INSTALLED)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	PYTHONPATH=tools:tools/analysis_tools:tools/dataset_converters:tests $(VENV)/bin/lint-imports

install: $(INSTALLED)

$(INSTALLED): setup.py pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or later is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing $(TORCH) into $(VENV) ..."
	@$(PY) -m pip install --quiet "$(TORCH)"
	@echo "Installing mmseg_abnn[$(STACK),test] and what it needs ..."
	@$(PY) -m pip install --quiet -e ".[$(STACK),test]"
	@touch $@

$(CLASSIFICATION): $(INSTALLED)
	@echo "Installing $(TORCHVISION) and MMPretrain into $(VENV) ..."
	@$(PY) -m pip install --quiet "$(TORCH)" "$(TORCHVISION)"
	@$(PY) -m pip install --quiet -e ".[$(EXTRA)]"
	@touch $@

clean:
	rm -rf $(VENV) work_dirs data/mini_streets
