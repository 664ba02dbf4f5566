# What a person types. `make help` lists it; CMakePresets.json has the builds themselves.

JOBS ?= $(shell nproc)
MODEL ?= smollm2
PROMPT ?=
export MODEL PROMPT

FREEHOLD := build/release/freehold

.PHONY: release chat test asan tsan clang format tidy bench fuzz dependencies developer help

release: dependencies  ## Build build/release/freehold and everything else (the default)
	cmake --preset release
	cmake --build --preset release -j $(JOBS)

chat: dependencies  ## Talk to a model: make chat [PROMPT="Why is the sky blue?"] [MODEL=smollm2]
	@cmake --preset release
	@cmake --build --preset release -j $(JOBS) --target freehold
	@case "$$MODEL" in */*|*.gguf) ;; *) $(FREEHOLD) pull "$$MODEL" ;; esac
	@if [ -n "$$PROMPT" ]; then $(FREEHOLD) run "$$MODEL" "$$PROMPT"; \
	 else $(FREEHOLD) run "$$MODEL"; fi

test: release  ## Build and run every test
	ctest --preset release -j $(JOBS)

asan: dependencies  ## The same under AddressSanitizer and UndefinedBehaviorSanitizer
	cmake --preset asan
	cmake --build --preset asan -j $(JOBS)
	ctest --preset asan -j $(JOBS)

tsan: dependencies  ## The same under ThreadSanitizer
	cmake --preset tsan
	cmake --build --preset tsan -j $(JOBS)
	ctest --preset tsan -j $(JOBS)

clang: developer  ## Build with Clang and run every test
	cmake --preset clang
	cmake --build --preset clang -j $(JOBS)
	ctest --preset clang -j $(JOBS)

SOURCES = $(shell git ls-files '*.cc' '*.h')

format: developer  ## Rewrite every source file in the project's format
	clang-format -i $(SOURCES)

tidy: developer  ## clang-tidy on every source file but the tests, and the checks of tests/tidy
	cmake --preset tidy
	git ls-files 'src/*.cc' 'apps/*.cc' ':!*_test.cc' | xargs -P $(JOBS) -n 4 clang-tidy-19 -p build/tidy --quiet
	python3 tests/tidy/tidy.py .

bench: release  ## Measure MODEL beside the machine's own limits
	$(FREEHOLD) bench "$$MODEL"

FUZZ_SECONDS ?= 60
fuzz: developer  ## Run each fuzzer for FUZZ_SECONDS, starting from its kept corpus
	cmake --preset clang
	cmake --build --preset clang -j $(JOBS)
	@for fuzzer in build/clang/*_fuzz; do \
	  name=$$(basename $$fuzzer _fuzz); found=build/fuzz/$$name; mkdir -p $$found; \
	  $$fuzzer -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$$found/ $$found \
	    fuzz/corpus/$$name || exit 1; \
	done

dependencies:
	@scripts/install_dependencies.sh

developer:
	@scripts/install_dependencies.sh --developer

help:
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | expand -t 10
