# pgrekey - see `make help`.
#
# Variables a packager may set: CC CFLAGS CPPFLAGS LDFLAGS PREFIX DESTDIR
# PKG_CONFIG. Ours are kept apart and come first, so that yours win. WERROR=1
# makes warnings errors, V=1 shows whole commands and the output of tests that
# pass, B is the folder for everything that is built.

B ?= build
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
PKG_CONFIG ?= pkg-config
PYTHON := /usr/bin/python3

VERSION := 0.1.0

# -- what is built, from what ---------------------------------------------

# release, asan (with ubsan), tsan, coverage: each in its own folder.
FLAVOUR ?= release
O := $(B)/$(FLAVOUR)

src := $(wildcard src/*/*.c)
main := src/cli/main.c
lib_obj := $(patsubst %.c,$(O)/%.o,$(filter-out $(main),$(src)))
main_obj := $(patsubst %.c,$(O)/%.o,$(main))

# One program per unit test. Where one includes the fake database, what is in
# tests/fake comes before the library and takes its place.
unit_src := $(wildcard tests/unit/test_*.c)
unit := $(patsubst tests/unit/%.c,$(O)/tests/%,$(unit_src))
fake_src := $(wildcard tests/fake/*.c)
fake_unit := $(shell grep -lE '"(fake/|torture)' $(unit_src))
fake_obj := $(patsubst tests/%.c,$(O)/tests/%.o,$(fake_src))
# Programs that drive the modules from shell and Python tests.
tool_src := $(wildcard tests/tools/*.c)
tool := $(patsubst tests/tools/%.c,$(O)/tests/%,$(tool_src))

# Lazily, so that `make deps` and `make help` work before the libraries are
# there.
pkg_cflags = $(shell $(PKG_CONFIG) --cflags libpq libcrypto inih)
pkg_libs = $(shell $(PKG_CONFIG) --libs libpq libcrypto inih)
cmocka_cflags = $(shell $(PKG_CONFIG) --cflags cmocka)
cmocka_libs = $(shell $(PKG_CONFIG) --libs cmocka)

WARN := -Wall -Wextra -Wconversion -Wshadow -Wcast-qual -Wwrite-strings \
	-Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef -Wvla \
	-Wredundant-decls $(if $(WERROR),-Werror)
HARD := -fstack-protector-strong -fPIE -fvisibility=hidden -fno-common
HARD_LD := -pie -Wl,-z,relro,-z,now

# Fortified unless the user chose a level, or no optimisation at all.
san_release := $(if $(findstring _FORTIFY_SOURCE,$(CFLAGS) $(CPPFLAGS))$(filter \
	-O0,$(CFLAGS)),,-D_FORTIFY_SOURCE=2)
san_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -DTEST_BUILD
san_tsan := -O1 -g -fsanitize=thread -DTEST_BUILD
san_coverage := -O0 -g --coverage -DTEST_BUILD
SAN := $(san_$(FLAVOUR))

cppflags = -std=c11 -D_GNU_SOURCE -Iinclude -include include/banned.h
all_cflags = $(cppflags) $(WARN) $(HARD) $(pkg_cflags) $(CFLAGS) $(SAN) \
	$(CPPFLAGS) -pthread
all_ldflags = $(HARD_LD) $(CFLAGS) $(SAN) $(LDFLAGS) -pthread

say = $(if $(V),,@echo '  $(1)	$@' &&)

.PHONY: all
all: $(O)/pgrekey ## the program, in build/release/pgrekey

$(O)/pgrekey: $(main_obj) $(O)/libpgrekey.a
	$(call say,LINK) $(CC) $(all_ldflags) -o $@ $^ $(pkg_libs)

$(O)/libpgrekey.a: $(lib_obj) $(O)/objects
	@rm -f $@ && $(AR) rcs $@ $(lib_obj)

# The version is known to one object only, or each release would rebuild all.
$(O)/src/base/version.o $(O)/src/base/version.tidy: private version := \
	-DPGREKEY_VERSION='"$(VERSION)"'

$(O)/%.o: %.c Makefile $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(all_cflags) $(version) -MMD -MP -c -o $@ $<

define compile_test
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(all_cflags) $(cmocka_cflags) -Itests -MMD -MP \
		-c -o $@ $<
endef

$(O)/tests/%.o: tests/unit/%.c Makefile $(O)/flags
	$(compile_test)
$(O)/tests/%.o: tests/tools/%.c Makefile $(O)/flags
	$(compile_test)
$(O)/tests/fake/%.o: tests/fake/%.c Makefile $(O)/flags
	$(compile_test)

$(O)/tests/%: $(O)/tests/%.o $(fake_obj) $(O)/libpgrekey.a
	$(call say,LINK) $(CC) $(all_ldflags) -o $@ $(filter-out \
		$(if $(filter tests/unit/$*.c,$(fake_unit)),,$(fake_obj)),$^) \
		$(cmocka_libs) $(pkg_libs)

.SECONDARY: $(addsuffix .o,$(unit) $(tool)) $(fake_obj)

$(tool): $(O)/tests/%: $(O)/tests/%.o $(O)/libpgrekey.a
	$(call say,LINK) $(CC) $(all_ldflags) -o $@ $^ $(pkg_libs)

# Other flags or another compiler rebuild what was built with the old ones,
# and the library forgets sources that are gone.
stamp = @mkdir -p $(@D) && printf '%s\n' '$(subst ','\'',$(1))' >$@.new && \
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(O)/flags: force
	$(call stamp,$(CC) $(all_cflags) $(all_ldflags))
$(O)/objects: force
	$(call stamp,$(lib_obj))
.PHONY: force
force:

# -- tests ----------------------------------------------------------------

# A build of its own for each, with all the cores it may have.
sub = +@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j2)
# How much a table grows depends on who gets the cores.
alone := tests/db/test_growth.py
# They fill a disk, and have the kernel ignore packets.
root := $(addprefix tests/torture/test_,faults.py silence.py)
# They sleep most of the time: one of them runs beside two of the others.
waits := $(addprefix tests/db/test_,throttle.py faults.py pooler.py status.py \
	proof.py) tests/torture/test_silence.py
run = @scripts/run-tests.py -b $(B) $(addprefix -a ,$(alone)) \
	$(addprefix -r ,$(root)) $(addprefix -w ,$(waits)) $(if $(V),-v)

# FLAVOUR:PATH of the unit tests in flavour 1.
units = $(patsubst $(O)/%,$(1):$(B)/$(1)/%,$(unit))
# Those that take long come first, so that nobody waits for one at the end.
long := $(addprefix tests/db/test_,\
	rotate_live.py rotate_schema.py plans.py memory.py)
db := $(long) $(filter-out $(long),$(wildcard tests/db/test_*.py))
program := $(db) $(wildcard tests/cli/test_*.py tests/interop/test_*.py)
torture := $(addprefix tests/torture/test_,silence.py proxy.py echo.py \
	kills.py faults.py)
torture += $(filter-out $(torture),$(wildcard tests/torture/test_*.py))
# Only a test build has fail points.
named := tests/torture/test_fail_points.py
torture_suites := $(addprefix asan:,$(named)) \
	$(addprefix release:,$(filter-out $(named),$(torture)))
python := $(program) $(filter-out $(torture) $(program),\
	$(wildcard tests/*/test_*.py))
# Not under the sanitizers: their memory is their own, plans the server's, and
# what is about the server more than about threads and memory takes too long.
san := $(filter-out $(addprefix tests/db/test_,growth.py memory.py plans.py \
	faults.py pooler.py connect.py throttle.py check.py check_refusals.py \
	discover.py ci_examples.py),$(program))
san_suites = $(foreach f,asan tsan,$(addprefix $(f):,$(san)) $(call units,$(f)))

.PHONY: programs
programs: all $(unit) $(tool)

.PHONY: unit
unit: $(unit) ## build and run the unit tests of one FLAVOUR
	$(run) $(call units,$(FLAVOUR))

.PHONY: check
check: deps ## every test there is, with and without sanitizers
	$(sub) programs
	$(sub) san-programs
	$(sub) compilers
	$(run) $(torture_suites) $(addprefix release:,$(python)) \
		$(call units,release) $(san_suites)

# The slice of it that is part of check differs in numbers only. SEED=
# repeats the dice of a run. More at a time: most of them wait.
.PHONY: torture
torture: export TORTURE = full
torture: deps ## live writers, kills, cut lines, faults: a quarter of an hour
	$(sub) programs
	$(sub) FLAVOUR=asan programs
	$(run) -j 3 -v -t 3600 $(torture_suites)

.PHONY: torture-long
torture-long: export TORTURE = long
torture-long: deps ## the same for hours
	$(sub) programs
	$(sub) FLAVOUR=asan programs
	$(run) -j 3 -v -t 43200 $(torture_suites)

.PHONY: mutants
mutants: deps ## break the program in known ways: does a test notice?
	@$(PYTHON) tests/torture/mutants.py

.PHONY: check-db
check-db: deps ## the tests that need a database
	$(sub) programs
	$(run) $(addprefix release:,$(db))

.PHONY: check-san
check-san: deps ## under AddressSanitizer with UBSan, and ThreadSanitizer
	$(sub) san-programs
	$(run) $(san_suites)

.PHONY: san-programs
san-programs:
	$(sub) FLAVOUR=asan programs
	$(sub) FLAVOUR=tsan programs

.PHONY: compilers
compilers: ## compile with gcc and with clang, warnings are errors
	$(sub) B=$(B)/gcc CC=gcc WERROR=1 programs
	$(sub) B=$(B)/clang CC=clang WERROR=1 programs

.PHONY: coverage
coverage: deps ## which lines and branches the tests reach, per file
	$(sub) CC=gcc FLAVOUR=coverage programs
	@find $(B)/coverage -name '*.gcda' -delete
	$(run) $(addprefix coverage:,$(program)) $(call units,coverage)
	@scripts/coverage.py $(B)/coverage

# -- lint -----------------------------------------------------------------

c_files := $(wildcard include/*.h src/*/*.[ch] tests/*.h tests/*/*.[ch])
scripts := $(wildcard scripts/*.sh tests/*/*.sh) .ci/run
py_files := $(wildcard scripts/*.py tests/*/*.py)
tidy := $(patsubst $(O)/%.o,$(O)/%.tidy,$(lib_obj) $(main_obj) $(fake_obj)) \
	$(addsuffix .tidy,$(unit) $(tool))
lints := layers format tidy words docs shell man python

.PHONY: lint
lint: deps ## everything about the source that a program can check
	$(sub) programs
	$(sub) -k $(addprefix lint-,$(lints))

.PHONY: $(addprefix lint-,$(lints))
lint-layers:
	@tests/lint/layers.py
lint-format:
	@clang-format --dry-run -Werror $(c_files)
lint-tidy: $(tidy)
lint-words:
	@tests/lint/words.py
lint-docs: $(O)/pgrekey $(tool)
	@tests/lint/docs.py $(O)
lint-shell:
	@shellcheck $(scripts)
lint-man:
	@mandoc -T lint -W warning docs/pgrekey.1
lint-python:
	@$(PYTHON) -m pyflakes $(py_files)

# What was clean stays so until the file, or a header it includes, changes.
define run_tidy
	@echo '  TIDY	$<'
	@clang-tidy --quiet $< -- $(all_cflags) $(version) $(cmocka_cflags) \
		-Itests 2>$@.log || { cat $@.log; exit 1; }
	@touch $@
endef
$(O)/src/%.tidy: src/%.c $(O)/src/%.o .clang-tidy
	$(run_tidy)
$(O)/tests/%.tidy: tests/unit/%.c $(O)/tests/%.o tests/.clang-tidy .clang-tidy
	$(run_tidy)
$(O)/tests/%.tidy: tests/tools/%.c $(O)/tests/%.o tests/.clang-tidy .clang-tidy
	$(run_tidy)
$(O)/tests/fake/%.tidy: tests/fake/%.c $(O)/tests/fake/%.o tests/.clang-tidy .clang-tidy
	$(run_tidy)

.PHONY: format
format: ## clang-format in place
	@clang-format -i $(c_files)

# -- the rest -------------------------------------------------------------

.PHONY: deps
deps: ## install what is missing to build and test (Debian, Ubuntu)
	@scripts/deps.sh check

.PHONY: demo
demo: ## rotate a throw-away database; ROWS=1000000 for a large one
	@scripts/deps.sh demo
	$(sub) all
	@PGREKEY_BUILD=$(O) $(PYTHON) tests/demo/demo.py

.PHONY: bench-verify
bench-verify: deps ## verify against psql's COPY; ROWS=1000000 ROUNDS=5
	$(sub) all
	@PGREKEY_BUILD=$(O) $(PYTHON) tests/bench/verify.py

.PHONY: bench-latency
bench-latency: deps ## an application's latency beside rotate; ROUNDS=1 for a look
	$(sub) all
	@PGREKEY_BUILD=$(O) $(PYTHON) tests/bench/latency.py

.PHONY: bench
bench: deps ## the tables of docs/performance.md; ROWS=100000 for quick ones
	$(sub) programs
	@PGREKEY_BUILD=$(O) $(PYTHON) tests/bench/rotate.py

.PHONY: bench-scaling
bench-scaling: deps ## workers, TCP, a slow line; ROWS=500000 ROUNDS=3
	$(sub) programs
	@PGREKEY_BUILD=$(O) $(PYTHON) tests/bench/scaling.py

.PHONY: million
million: deps ## rotate and read back a million values; ROWS=1000000
	$(sub) all
	@PGREKEY_BUILD=$(O) $(PYTHON) tests/bench/million.py

man := $(wildcard docs/*.1)

.PHONY: install
install: all ## program, man page and sample configuration, under PREFIX
	install -D -m 755 $(O)/pgrekey $(DESTDIR)$(PREFIX)/bin/pgrekey
	install -D -m 644 conf/pgrekey.ini \
		$(DESTDIR)$(PREFIX)/share/doc/pgrekey/pgrekey.ini
	$(if $(man),install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 $(man))

.PHONY: uninstall
uninstall: ## what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/pgrekey
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/pgrekey
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/share/man/man1/,$(notdir $(man)))

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(B)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | \
		expand -t 14

-include $(shell find $(O) -name '*.d' 2>/dev/null)

# Goals of the command line one after the other: `make -j lint check` would
# otherwise mix their output.
ifneq ($(filter lint check% coverage demo million torture% mutants bench%,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif
