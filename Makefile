# rouse: the targets people use. meson does the work in build/; this file only names it.
BUILD  := build
BENCH  := build-bench
FUZZ   := build-fuzz
PREFIX ?= /usr/local
FUZZ_SECONDS    ?= 180
TORTURE_SECONDS ?= 600

.PHONY: build demo check test bench fuzz torture install uninstall setup clean help
build:
	@tools/setup.sh missing build
	@tools/build.sh $(BUILD)

help:
	@echo 'make            builds $(BUILD)/rouse, $(BUILD)/rouse-shim, $(BUILD)/librouse.so and librouse.a'
	@echo 'make demo       installs what is missing, builds, and tells the main job as a story that checks itself'
	@echo 'make check      installs what is missing, builds with gcc and clang, runs every test, also under sanitizers'
	@echo 'make test       builds with gcc and runs every test once'
	@echo 'make bench      installs what is missing, measures beside floors: a table, and $(BENCH)/bench.json; [ARGS=--help]'
	@echo 'make fuzz       feeds each decoder hostile input for [FUZZ_SECONDS=180]; what breaks one is kept in $(FUZZ)/kept'
	@echo 'make torture    every fault of the file system, power cuts, kill -9, threads, with random seeds for [TORTURE_SECONDS=600]'
	@echo 'make setup      installs what make check needs'
	@echo 'make install    [PREFIX=/usr/local] [DESTDIR=]; make uninstall takes it away again'
	@echo 'make clean      removes what was built'

setup:
	@tools/setup.sh check

demo:
	@tools/setup.sh demo
	@tools/build.sh $(BUILD)
	@demo/demo.sh $(BUILD)

check:
	@tools/setup.sh check
	@python3 tools/check.py

test:
	@tools/setup.sh missing check
	@python3 tools/check.py --only gcc

# Warnings are make check's business: the optimiser sees some that are none.
bench:
	@tools/setup.sh bench
	@[ -e $(BENCH)/build.ninja ] || meson setup $(BENCH) -Dbuildtype=release -Dwerror=false >$(BENCH).tmp 2>&1 || { cat $(BENCH).tmp; exit 1; }
	@ninja -C $(BENCH) bench >$(BENCH)/build.log 2>&1 || { tail -n 40 $(BENCH)/build.log; exit 1; }
	@bench/run --build $(BENCH) $(ARGS)

fuzz:
	@tools/setup.sh check
	@[ -e $(FUZZ)/build.ninja ] || CC=clang meson setup $(FUZZ) -Dfuzz=true -Db_sanitize=address,undefined -Doptimization=1 -Dwerror=false >$(FUZZ).tmp 2>&1 || { cat $(FUZZ).tmp; exit 1; }
	@rm -f $(FUZZ).tmp
	@ninja -C $(FUZZ) >$(FUZZ)/build.log 2>&1 || { tail -n 40 $(FUZZ)/build.log; exit 1; }
	@ROUSE_VECTORS="$${ROUSE_VECTORS-../shared/vectors}" python3 tests/fuzz/run.py --seconds $(FUZZ_SECONDS) --keep $(FUZZ)/kept $$(find $(FUZZ)/tests/fuzz -type f -name 'fuzz_*' -perm -100 | sort)

torture:
	@tools/setup.sh missing check
	@tools/build.sh $(BUILD)
	@ninja -C $(BUILD) torture >$(BUILD)/torture.log 2>&1 || { tail -n 40 $(BUILD)/torture.log; exit 1; }
	@python3 tests/torture/run.py --build $(BUILD) --seconds $(TORTURE_SECONDS)

install:
	@tools/setup.sh missing build
	@tools/install.sh $(BUILD) '$(PREFIX)' '$(DESTDIR)'

uninstall:
	@tools/install.sh --remove $(BUILD)

clean:
	rm -rf $(BUILD) build-check $(BENCH) $(FUZZ)
