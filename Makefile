# `make` alone prints this help. Everything is installed into .venv, nothing outside this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
# Tests run side by side, one thread each: small networks do not gain from more.
TEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-gpu lint format train dream evaluate explain tensorboard bench clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED)  ## install into .venv

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v < (3, 14) and "deepdream needs Python 3.11 to 3.13; this is %d.%d. Try: make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup  ## dream at once from the network in the box; then train one, evaluate it, dream from it: minutes on a CPU
	$(BIN)/python dream.py output=outputs/demo/box_china.png
	$(BIN)/python train.py experiment=demo
	$(BIN)/python evaluate.py
	$(BIN)/python dream.py ckpt=last image=flower output=outputs/demo/vivid_flower.png
	$(BIN)/python dream.py ckpt=last dream.layers=[layer2] output=outputs/demo/vivid_layer2.png
	$(BIN)/python dream.py ckpt=last dream=gordic dream.layers=[layer4] output=outputs/demo/gordic_layer4.png
	$(BIN)/python dream.py ckpt=last dream=inceptionism dream.layers=[layer2] output=outputs/demo/inceptionism_layer2.png
	$(BIN)/python explain.py ckpt=last image=data/rooms/Images/library/library_0121.png methods=[gradcam,saliency]
	@echo
	@echo 'Written: a dream of the network in the box; a network of your own, its figures, four dreams of what its layers see,'
	@echo 'and why it calls a library one.'
	@echo '  open outputs/demo                       the dreams: two networks, three presets, three layers'
	@echo '  open data/rooms/Images                  what it was trained on'
	@echo '  . $(BIN)/activate'
	@echo '  tensorboard --logdir outputs            curves, confusion matrix, dreams'
	@echo '  python dream.py image=PHOTO             your own photo, with the network in the box; ckpt=last for yours'

test: setup  ## every quick test
	$(TEST)

test-gpu: setup  ## the tests of what only a GPU does, on a GPU
	$(BIN)/pytest -m gpu

test-all: setup  ## every test, the slow ones too
	$(TEST) -m ''

lint: setup  ## style, types, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: setup  ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

train: setup  ## python train.py; make train ARGS="model=resnet50"
	$(BIN)/python train.py $(ARGS)

dream: setup  ## python dream.py; make dream ARGS="dream.layers=[layer4]"
	$(BIN)/python dream.py $(ARGS)

evaluate: setup  ## python evaluate.py; make evaluate ARGS="ckpt=PATH"
	$(BIN)/python evaluate.py $(ARGS)

explain: setup  ## python explain.py; make explain ARGS="image=photo.jpg"
	$(BIN)/python explain.py $(ARGS)

tensorboard: setup  ## all runs under outputs/ and multirun/ in the browser
	$(BIN)/tensorboard --logdir_spec outputs:outputs,multirun:multirun

bench: setup  ## measure each claim of speed
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script $(ARGS) || exit 1; done

clean:  ## remove what tests and builds leave; runs, data and .venv stay
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
