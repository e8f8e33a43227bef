# `make` prints the list of targets. Everything is installed into .venv, nothing outside this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
# One thread each: small networks are no faster with more.
TEST := OMP_NUM_THREADS=1 $(BIN)/pytest --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup dist demo test test-fast test-all test-gpu lint format docs architecture notebooks method-table \
	train dream evaluate explain predict studio tensorboard bench clean

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED)  ## install into .venv

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v < (3, 15) and "deepdream needs Python 3.11 to 3.14; this is %d.%d. Try: make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

dist: setup  ## build the sdist and the wheel into dist/ and check them
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

demo: setup  ## dream with the bundled models, then train and evaluate, dream and explain a new one; minutes on a CPU
	$(BIN)/python dream.py dream=gordic dream.width=480 output=outputs/demo/places_china.png
	$(BIN)/python dream.py ckpt=box dream.width=480 output=outputs/demo/rooms_china.png
	$(BIN)/python train.py experiment=demo
	$(BIN)/python dream.py ckpt=last image=flower output=outputs/demo/vivid_flower.png
	$(BIN)/python dream.py ckpt=last dream.layers=[layer2] output=outputs/demo/vivid_layer2.png
	$(BIN)/python dream.py ckpt=last dream=gordic dream.layers=[layer4] output=outputs/demo/gordic_layer4.png
	$(BIN)/python dream.py ckpt=last dream=inceptionism dream.layers=[layer2] output=outputs/demo/inceptionism_layer2.png
	$(BIN)/python explain.py ckpt=last image=data/rooms/Images/library/library_0121.png methods=[gradcam,saliency]
	@echo
	@echo 'Written: dreams of the two bundled models; a trained model with its metrics and plots; four dreams of its layers;'
	@echo 'an explanation of one of its predictions.'
	@echo '  open outputs/demo                       the dreams: three models, three presets, three layers'
	@echo '  open data/rooms/Images                  the training images (synthetic rooms)'
	@echo '  . $(BIN)/activate'
	@echo '  tensorboard --logdir outputs            curves, confusion matrix, dreams'
	@echo '  python dream.py image=PHOTO             your own photo, with the bundled model; ckpt=last for the trained one'

test-fast: setup  ## unit tests only: about 80 seconds on 2 cores
	$(TEST) -n 2 -m 'not slow and not medium and not gpu'

# Three at a time even on two cores: some wait for commands.
test: setup  ## every test but the slow ones: about 11 minutes on 2 cores
	$(TEST) -n 3

test-all: setup  ## every test, the slow ones too
	$(TEST) -n 3 -m ''

test-gpu: setup  ## the GPU tests; needs a GPU
	$(BIN)/pytest -m gpu

lint: setup  ## check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: setup  ## fix style: imports, layout, what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup  ## build the documentation site into build/site; then: python -m http.server -d build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

architecture: setup  ## redraw docs/images/architecture.svg from the imports
	$(BIN)/python tools/architecture.py

notebooks: setup  ## run the notebooks of docs/notebooks again and keep their outputs small
	$(BIN)/python tools/notebooks.py $(ARGS)

method-table: setup  ## write the attribution methods into docs/understanding.md
	$(BIN)/python tools/method_table.py

train: setup  ## python train.py; make train ARGS="model=resnet50"
	$(BIN)/python train.py $(ARGS)

dream: setup  ## python dream.py; make dream ARGS="dream.layers=[layer4]"
	$(BIN)/python dream.py $(ARGS)

predict: setup  ## python predict.py; make predict ARGS="images=FOLDER ckpt=last"
	$(BIN)/python predict.py $(ARGS)

evaluate: setup  ## python evaluate.py; make evaluate ARGS="ckpt=PATH"
	$(BIN)/python evaluate.py $(ARGS)

explain: setup  ## python explain.py; make explain ARGS="image=photo.jpg"
	$(BIN)/python explain.py $(ARGS)

studio: setup  ## python studio.py; make studio ARGS="photo.jpg ckpt=last"
	$(BIN)/python studio.py $(ARGS)

tensorboard: setup  ## show all runs under outputs/ and multirun/ in the browser
	$(BIN)/tensorboard --logdir_spec outputs:outputs,multirun:multirun

bench: setup  ## run the benchmarks; make bench ARGS=--quick
	@for script in $(filter-out benchmarks/measuring.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script $(ARGS) || exit 1; done

clean:  ## remove caches and build files; runs, data and .venv stay
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
