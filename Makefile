# pgrekey - see `make help`.
#
# Variables a packager may set: CC CFLAGS CPPFLAGS LDFLAGS PREFIX DESTDIR.
# Ours are kept apart and come first, so that yours win. WERROR=1 makes
# warnings errors; B is the folder for everything that is built.

B ?= build
CC ?= cc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
PKG_CONFIG ?= pkg-config

VERSION := 0.1.0

# -- what is built, from what ---------------------------------------------

FLAVOUR ?= release
O := $(B)/$(FLAVOUR)

src := $(wildcard src/*/*.c)
main := src/cli/main.c
lib_obj := $(patsubst %.c,$(O)/%.o,$(filter-out $(main),$(src)))
main_obj := $(patsubst %.c,$(O)/%.o,$(main))

unit_src := $(wildcard tests/unit/test_*.c)
unit := $(patsubst tests/unit/%.c,$(O)/tests/%,$(unit_src))
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

san_release := -D_FORTIFY_SOURCE=2
san_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -DARENA_MALLOC -DTEST_BUILD
san_tsan := -O1 -g -fsanitize=thread -DTEST_BUILD
san_coverage := -O0 -g --coverage -DTEST_BUILD
SAN := $(san_$(FLAVOUR))
ifneq ($(FLAVOUR),release)
override CFLAGS := $(filter-out -O%,$(CFLAGS))
endif

all_cflags = -std=c11 -D_GNU_SOURCE -Iinclude $(WARN) $(HARD) \
	$(pkg_cflags) $(CFLAGS) $(SAN) $(CPPFLAGS) -pthread
all_ldflags = $(HARD_LD) $(SAN) $(LDFLAGS) -pthread

.PHONY: all
all: $(O)/pgrekey ## the program, in build/release/pgrekey

$(O)/pgrekey: $(main_obj) $(O)/libpgrekey.a
	$(CC) $(all_ldflags) -o $@ $^ $(pkg_libs)

$(O)/libpgrekey.a: $(lib_obj)
	@rm -f $@
	@$(AR) rcs $@ $^

# The version is known to one object only, or each release would rebuild all.
$(O)/src/cli/main.o: CPPFLAGS += -DPGREKEY_VERSION='"$(VERSION)"'

$(O)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(all_cflags) -MMD -MP -c -o $@ $<

$(O)/tests/%.o: tests/unit/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(all_cflags) $(cmocka_cflags) -Itests -MMD -MP -c -o $@ $<

$(O)/tests/%: $(O)/tests/%.o $(O)/libpgrekey.a
	$(CC) $(all_ldflags) -o $@ $^ $(cmocka_libs) $(pkg_libs)

.PHONY: unit
unit: $(unit) ## build and run the unit tests of one FLAVOUR
	@set -e; for t in $(unit); do echo "$$t"; $$t; done

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(B)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | \
		expand -t 14

-include $(shell find $(O) -name '*.d' 2>/dev/null)
