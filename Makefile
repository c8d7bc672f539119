# SPDX-License-Identifier: GPL-2.0
# skep: `make help` lists the targets.

PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= gcc
CLANG   ?= clang
BPFTOOL ?= bpftool
BUILD   ?= build
V       ?= 0

ifeq ($(V),1)
Q   :=
msg  =
else
Q   := @
msg  = @printf '  %-8s %s\n' '$(1)' '$(2)'
MAKEFLAGS += --no-print-directory
endif

.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

# ---- flags -----------------------------------------------------------------

PACKAGES := libbpf libelf zlib lxc libmnl libevent libconfuse jansson
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla-larger-than=65536
ifeq ($(findstring clang,$(CC)),clang)
WARNINGS := $(filter-out -Wvla-larger-than=65536,$(WARNINGS))
endif
CFLAGS   ?= -O2 -g
SANITIZE ?=
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(WARNINGS) $(SANITIZE) \
	-Iinclude -Iuser -Ibpf -I$(BUILD) $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
BPF_CFLAGS := -g -O2 -Wall -Wextra -Werror -target bpf -mcpu=v3 -I. -Iinclude -Ibpf

# ---- files -----------------------------------------------------------------

BPF_OBJECTS := uplink port
SKELETONS   := $(BPF_OBJECTS:%=$(BUILD)/%.skel.h)
HEADERS     := $(wildcard include/skep/*.h)

# The pure core: no system calls, tested without root.
CORE    := prefix config config_template config_text config_uplink config_value mac pool request
SHELL_D := allocator bind cgroup check container_lxc control datapath files idmap keeper keepers \
	link log message notify plumb refill report
SKEPD_OBJECTS   := $(patsubst %,$(BUILD)/user/%.o,skepd $(CORE) $(SHELL_D))
SKEPCTL_OBJECTS := $(patsubst %,$(BUILD)/user/%.o,skepctl client table template files \
	prefix config config_template config_text config_uplink config_value)
CORE_OBJECTS    := $(patsubst %,$(BUILD)/user/%.o,$(CORE))

.PHONY: all
all: $(BUILD)/skepd $(BUILD)/skepctl ## build skepd and skepctl

# ---- kernel side -----------------------------------------------------------

$(BUILD)/%.bpf.o: bpf/%.bpf.c vmlinux.h $(wildcard bpf/*.h) $(HEADERS) | $(BUILD)
	$(call msg,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< > $@

# ---- user side -------------------------------------------------------------

$(BUILD)/seccomp.inc: user/seccomp.policy | $(BUILD)
	$(call msg,GEN,$@)
	$(Q)sed 's/.*/"&\\n"/' $< > $@

$(BUILD)/user/%.o: user/%.c $(SKELETONS) $(BUILD)/seccomp.inc | $(BUILD)/user
	$(call msg,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/skepd: $(SKEPD_OBJECTS)
	$(call msg,LD,$@)
	$(Q)$(CC) $(SANITIZE) $(LDFLAGS) $^ $(LIBS) -o $@

$(BUILD)/skepctl: $(SKEPCTL_OBJECTS)
	$(call msg,LD,$@)
	$(Q)$(CC) $(SANITIZE) $(LDFLAGS) $^ -lconfuse -ljansson -o $@

$(BUILD) $(BUILD)/user:
	@mkdir -p $@

-include $(wildcard $(BUILD)/user/*.d)

# ---- tests -----------------------------------------------------------------

# Unit tests and fuzzers run with the sanitizers, the rest on what is installed.
ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ASAN_BUILD := $(BUILD)-asan
FUZZ_BUILD := $(BUILD)-fuzz
FUZZ_SECONDS ?= 5

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
BPF_TESTS  := $(patsubst tests/bpf/%.c,$(BUILD)/tests/%,$(wildcard tests/bpf/test_*.c))
NET_TESTS  := $(sort $(wildcard tests/net/test_*.sh))
FUZZERS    := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
TEST_OBJECTS := $(CORE_OBJECTS) $(patsubst %,$(BUILD)/user/%.o,check files log)
TEMPLATE   := $(abspath $(BUILD))/templates/basic

$(BUILD)/tests:
	@mkdir -p $@

$(BUILD)/tests/test_%: tests/unit/test_%.c $(TEST_OBJECTS) | $(BUILD)/tests
	$(call msg,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $< $(TEST_OBJECTS) $(LIBS) -lcmocka -o $@

$(BUILD)/tests/test_%: tests/bpf/test_%.c $(SKELETONS) $(wildcard tests/bpf/*.h) | $(BUILD)/tests
	$(call msg,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $< $(LIBS) -lcmocka -o $@

$(BUILD)/tests/fuzz_%: tests/fuzz/fuzz_%.c $(CORE_OBJECTS) | $(BUILD)/tests
	$(call msg,FUZZ,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $< $(CORE_OBJECTS) $(LIBS) -o $@

$(TEMPLATE): templates/basic/build $(shell find templates/basic/files -type f 2>/dev/null)
	$(call msg,TEMPLATE,$@)
	$(Q)rm -rf $@ && mkdir -p $(dir $@) && $< $@ >/dev/null && touch $@

.PHONY: run-unit run-bpf run-net run-fuzz
run-unit: $(UNIT_TESTS)
	$(Q)tests/run $^
run-bpf: $(BPF_TESTS)
	$(Q)tests/run $^
run-net: all $(TEMPLATE)
	$(Q)SKEP_TEMPLATE=$(TEMPLATE) BUILD=$(BUILD) tests/run $(NET_TESTS)
run-fuzz: $(FUZZERS)
	$(Q)FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run $(FUZZERS:%=tests/fuzz/run-%)

.PHONY: clean
clean: ## remove what was built
	$(Q)rm -rf $(BUILD) $(ASAN_BUILD) $(FUZZ_BUILD)
