# Universe. Two targets matter to a newcomer: demo and test. Both set up what
# they need; both need root, since containers, mounts and network namespaces
# are root's to make.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BUILD   := .build
BUNDLE  := $(BUILD)/bundle
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
GO      := go
TOOLS   := $(GO) tool -modfile=.ci/tools/go.mod
# ST1005, ST1008: a sentence may end with a full stop, a test helper may return the error first

.PHONY: help
help: ## show what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install the Debian packages that are missing (root)
	@.ci/setup

.PHONY: build
build: ## build dcos and universe into .build/bin
	@mkdir -p $(BUILD)/bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BUILD)/bin/ ./cli/dcos ./cli/universe

.PHONY: bundle
bundle: setup ## build the pinned containerd, its shim, runc and CNI plugins into .build/bundle
	@runtime/bundle/build.sh $(BUNDLE)
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o $(BUNDLE)/universe-output ./runtime/runner/output/universe-output

.PHONY: demo
demo: setup bundle build ## Spark on two agents, end to end; leaves nothing behind (root)
	@examples/demo.sh

.PHONY: dev
dev: setup bundle build ## a cluster on this machine until Ctrl-C (root)
	$(BUILD)/bin/universe dev --dir $(BUILD)/dev --bundle $(BUNDLE) --agents 2

.PHONY: test
test: setup bundle build check-hosts lint ## everything: rules, units, real containers, the demo in short (root)
	$(GO) test -timeout 20m ./...
	@examples/demo.sh --short

.PHONY: packages-test
packages-test: setup bundle ## Kafka and Cassandra on real containers, for minutes (root)
	CI=true $(GO) test ./cli/universe -run 'TestPackages_' -packages -count 1 -v -timeout 60m

.PHONY: lint
lint: ## formatting, vet and the pinned linters
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not gofmt'ed:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(TOOLS) staticcheck -checks inherit,-ST1005,-ST1008 ./...

.PHONY: check-hosts
check-hosts: ## no file or commit names a package registry's host
	@.ci/check-hosts

.PHONY: bench
bench: bundle ## all figures of docs/benchmarks.md; bench-ROOM for those of one room
	@.ci/bench all

.PHONY: bench-sched bench-runner bench-registry bench-resolver bench-search bench-install bench-cli
bench-sched bench-runner bench-registry bench-resolver bench-search bench-install bench-cli: bench-%: bundle
	@.ci/bench $*

.PHONY: race
race: ## unit tests under the race detector
	$(GO) test -race -timeout 20m ./...

.PHONY: sim
sim: ## the simulator over SEEDS random seeds (default 500); nightly SEEDS=10000
	$(GO) test ./runtime/sim -run TestSeeds -count 1 -timeout 2h -seeds $(or $(SEEDS),500)

.PHONY: clean
clean: ## remove what was built, and what a killed cluster left running
	@if [ -x $(BUILD)/bin/universe ] && [ -d $(BUILD)/dev ]; then $(BUILD)/bin/universe dev --clean --dir $(BUILD)/dev; fi
	rm -rf $(BUILD)
