# The two commands of the README, and what they are made of. Every target does its own set-up.
.PHONY: docs wheel runtime-cross demo test test-long conformance operators fuzz area setup build bench lint clean

PYTHON := .venv/bin/python

demo: ## real input through the whole path: digits, then ResNet-18
	@scripts/setup.sh demo
	@PYTHONPATH=python $(PYTHON) demo/run.py

test: ## every test that CI runs
	@scripts/setup.sh test
	@scripts/test.sh

test-long: ## the slower sweeps too
	@ACC_TEST_LONG=1 scripts/setup.sh test
	@ACC_TEST_LONG=1 scripts/test.sh

build: ## set up and build, nothing more
	@scripts/setup.sh build

lint: ## formatting and static checks
	@scripts/setup.sh test
	@scripts/lint.sh

conformance: ## the backend tests of onnx: K=softmax for some, OPEN=1 with open sizes, UPDATE=1 to list anew what is refused
	@scripts/setup.sh test
	@PYTHONPATH=python $(PYTHON) test/support/onnx_conformance.py $(if $(K),-k '$(K)') $(if $(OPEN),--open) $(if $(UPDATE),--update)

operators: ## docs/operators.md, the table of operators
	@scripts/setup.sh test
	@PYTHONPATH=python $(PYTHON) scripts/operators_table.py

fuzz: ## N random graphs (1000), float, with open sizes, quantized in turn; SEED= of the first, KIND=quantized for one kind
	@scripts/setup.sh test
	@PYTHONPATH=python $(PYTHON) test/support/fuzz.py $(or $(N),1000) --seed $(or $(SEED),0) $(if $(KIND),--kind $(KIND))

area: ## docs/area.md, area and frequency, five circuits routed anew: SEEDS="1" or one number for each, three by default: hours
	@scripts/setup.sh hardware
	@PYTHONPATH=python $(PYTHON) scripts/area_table.py $(if $(SEEDS),--seeds $(SEEDS))

bench: ## the figures of docs/performance.md
	@scripts/setup.sh demo
	@PYTHONPATH=python $(PYTHON) benchmarks/run.py

runtime-cross: ## the runtime for TRIPLE=aarch64-linux-gnu or riscv64-linux-gnu, in build/runtime-TRIPLE
	@scripts/runtime_cross.sh $(TRIPLE)

wheel: ## wheels for the versions of Python at hand, and the source distribution, in dist/
	@scripts/setup.sh build
	@$(PYTHON) scripts/wheel.py $(if $(PYTHONS),--python $(PYTHONS))

docs: ## the site of the documentation with its references, in build/site
	@scripts/setup.sh build
	@scripts/docs.sh

clean:
	rm -rf build .venv python/acc/_lib
