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

PACKAGES := libbpf libelf zlib lxc libseccomp libmnl libevent libconfuse jansson
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla-larger-than=65536
ifeq ($(findstring clang,$(CC)),clang)
WARNINGS := $(filter-out -Wvla-larger-than=65536,$(WARNINGS))
endif
CFLAGS   ?= -O2 -g
SANITIZE ?=
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(WARNINGS) $(SANITIZE) \
	-Iinclude -Iuser -Ibpf -I$(BUILD) $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
SKEPCTL_LIBS := $(shell pkg-config --libs libbpf libconfuse jansson ncurses 2>/dev/null)
BPF_CFLAGS := -g -O2 -Wall -Wextra -Werror -target bpf -mcpu=v3 -I. -Iinclude -Ibpf

# ---- files -----------------------------------------------------------------

BPF_OBJECTS := uplink port
SKELETONS   := $(BPF_OBJECTS:%=$(BUILD)/%.skel.h)
HEADERS     := $(wildcard include/skep/*.h)

# The pure core: no system calls, tested without root.
CORE    := prefix config config_policy config_pool config_replace config_template config_text config_uplink config_value \
	histogram mac pace permutation places pool probe request sweep waiting world
SHELL_D := adopt allocator bind cgroup change check check_limits commands confine container_lxc container_prepare control \
	control_reload control_request cpu datapath datapath_flow datapath_idle datapath_maps datapath_policy \
	datapath_ranges datapath_sweep expire farm farm_paths files filter idmap keeper keepers \
	link links listing log message netns notify nursery offer plumb plumb_batch plumb_open preparer privileges refill reflect reload report settle sockets stage stop \
	panic report_flows report_hosts control_notices sweeper sweeper_run verified wire would
SKEPD_OBJECTS   := $(patsubst %,$(BUILD)/user/%.o,skepd $(CORE) $(SHELL_D))
SKEPCTL_OBJECTS := $(patsubst %,$(BUILD)/user/%.o,skepctl client show table top top_screen \
	top_view template files idmap panic \
	prefix config config_policy config_pool config_replace config_template config_text config_uplink config_value)
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

# As liblxc calls it.
SECCOMP_ARCH := $(subst aarch64,arm64,$(shell uname -m))

$(BUILD)/seccomp.inc: user/seccomp.policy | $(BUILD)
	$(call msg,GEN,$@)
	$(Q)sed '/^#/d; /^$$/d; s/@ARCH@/$(SECCOMP_ARCH)/; s/.*/"&\\n"/' $< > $@

$(BUILD)/seccomp_calls.inc: user/seccomp.calls | $(BUILD)
	$(call msg,GEN,$@)
	$(Q)sed '/^#/d; /^$$/d; s/^\([a-z0-9_]*\)$$/{"\1", ALLOWED},/; s/^\([a-z0-9_]*\) \([A-Z]*\)$$/{"\1", \2},/' $< > $@

$(BUILD)/user/%.o: user/%.c $(SKELETONS) $(BUILD)/seccomp.inc $(BUILD)/seccomp_calls.inc | $(BUILD)/user
	$(call msg,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/skepd: $(SKEPD_OBJECTS)
	$(call msg,LD,$@)
	$(Q)$(CC) $(SANITIZE) $(LDFLAGS) $^ $(LIBS) -o $@

$(BUILD)/skepctl: $(SKEPCTL_OBJECTS)
	$(call msg,LD,$@)
	$(Q)$(CC) $(SANITIZE) $(LDFLAGS) $^ $(SKEPCTL_LIBS) -o $@

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
# By who binds: both, where that may make a difference, or the one that BIND says; those that set it
# themselves are run once. What takes longest comes first.
NET_MODES  := $(or $(BIND),kernel daemon)
NET_LONG   := $(patsubst %,tests/net/test_%.sh,crash faults verify settle_crash soak budget panic)
NET_ONCE   := $(shell grep -lE '^(for )?BIND( in |=)' $(NET_TESTS))
NET_ALIKE  := $(patsubst %,tests/net/test_%.sh,broken_template clean config control dry_run faults import kill limits \
	listens nic older_port prison quarantine second_skepd services skepctl soak stop template_debian top verify)
NET_RUNS   := $(foreach test,$(NET_LONG) $(filter-out $(NET_LONG),$(NET_TESTS)),$(if $(filter $(test),$(NET_ONCE)),$(test),\
	$(foreach mode,$(if $(filter $(test),$(NET_ALIKE)),$(firstword $(NET_MODES)),$(NET_MODES)),'BIND=$(mode) $(test)')))
FUZZERS    := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
TEST_OBJECTS := $(CORE_OBJECTS) $(patsubst %,$(BUILD)/user/%.o,check check_limits confine cpu files log message \
	reload table top_view verified)
TEMPLATE   := $(abspath $(BUILD))/templates/basic
DEBIAN     := $(abspath $(BUILD))/templates/debian

$(BUILD)/tests:
	@mkdir -p $@

TEST_HEADERS := $(wildcard tests/*.h tests/unit/*.h tests/bpf/*.h bpf/*.h user/*.h) $(HEADERS)

$(BUILD)/tests/test_%: tests/unit/test_%.c $(TEST_OBJECTS) $(TEST_HEADERS) | $(BUILD)/tests
	$(call msg,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $< $(TEST_OBJECTS) $(LIBS) -lcmocka -o $@

# The packet tables need nothing of user/.
$(BUILD)/tests/test_filter: USER_OBJECTS := $(patsubst %,$(BUILD)/user/%.o,filter link files log)
$(BUILD)/tests/test_filter: $(patsubst %,$(BUILD)/user/%.o,filter link files log)
PLUMB_TESTS := $(filter $(BUILD)/tests/test_plumb%,$(BPF_TESTS))
$(PLUMB_TESTS): USER_OBJECTS := $(patsubst %,$(BUILD)/user/%.o,plumb plumb_batch plumb_open prefix)
$(PLUMB_TESTS): $(patsubst %,$(BUILD)/user/%.o,plumb plumb_batch plumb_open prefix)
$(BUILD)/tests/test_%: tests/bpf/test_%.c $(SKELETONS) $(TEST_HEADERS) | $(BUILD)/tests
	$(call msg,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $< $(USER_OBJECTS) $(LIBS) -lcmocka -o $@

$(BUILD)/tests/fuzz_%: tests/fuzz/fuzz_%.c $(CORE_OBJECTS) $(TEST_HEADERS) | $(BUILD)/tests
	$(call msg,FUZZ,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $< $(CORE_OBJECTS) $(LIBS) -o $@

# What a template is made from: everything in its directory but its page, and what all share.
template_sources = templates/lib.sh $(shell find templates/$(1) -type f ! -name README.md 2>/dev/null)

$(TEMPLATE): $(call template_sources,basic)
$(DEBIAN): $(call template_sources,debian)
$(TEMPLATE) $(DEBIAN): $(abspath $(BUILD))/templates/%: templates/%/build
	$(call msg,TEMPLATE,$@)
	$(Q)rm -rf $@ && mkdir -p $(dir $@) && $< $@ >/dev/null && touch $@

# On the distribution's kernel, but for what takes a network, an uptime of minutes or a quick machine.
KERNEL_TESTS := $(filter-out $(BUILD)/tests/test_filter $(BUILD)/tests/test_wire $(PLUMB_TESTS) \
	$(BUILD)/tests/test_flows $(BUILD)/tests/test_wake,$(BPF_TESTS))

.PHONY: run-lint run-unit run-bpf run-kernel run-net run-fuzz unit-tests fuzzers
run-lint: $(SKELETONS) $(BUILD)/seccomp.inc $(BUILD)/seccomp_calls.inc
	$(Q)BUILD=$(BUILD) tests/run tests/lint
unit-tests: $(UNIT_TESTS)
run-unit:
	$(Q)$(MAKE) BUILD=$(ASAN_BUILD) SANITIZE="$(ASAN)" unit-tests
	$(Q)tests/run $(UNIT_TESTS:$(BUILD)/%=$(ASAN_BUILD)/%)
run-bpf: $(BPF_TESTS)
	$(Q)tests/run $^
run-kernel: $(KERNEL_TESTS)
	$(Q)BUILD=$(BUILD) tests/run "tests/kernel $^"
fuzzers: $(FUZZERS)
run-fuzz:
	$(Q)$(MAKE) CC=$(CLANG) BUILD=$(FUZZ_BUILD) SANITIZE="$(ASAN) -fsanitize=fuzzer-no-link" fuzzers
	$(Q)FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run $(FUZZERS:$(BUILD)/%='tests/fuzz/run $(FUZZ_BUILD)/%')
run-net: all $(TEMPLATE) $(DEBIAN) $(BUILD)/tests/send_frame $(BUILD)/tests/talk $(BUILD)/tests/reply $(BUILD)/tests/escape
	$(Q)SKEP_TEMPLATE=$(TEMPLATE) BUILD=$(BUILD) JOBS=$${JOBS:-3} tests/run $(NET_RUNS)

.PHONY: soak
soak: deps ## half an hour of random use and ill-treatment of 500 containers; as root; SOAK_SECONDS=, SOAK_SEED=
	$(Q)$(MAKE) all $(TEMPLATE)
	$(Q)SKEP_TEMPLATE=$(TEMPLATE) BUILD=$(BUILD) TEST_TIMEOUT=$${TEST_TIMEOUT:-7200} tests/run tests/soak

# They run in containers, too, which have other libraries or none.
$(BUILD)/tests/escape $(BUILD)/tests/send_frame: ALL_CFLAGS += -static

$(BUILD)/tests/%: tests/net/%.c | $(BUILD)/tests
	$(call msg,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $< -o $@

.PHONY: lint unit bpf kernel net fuzz check
lint unit bpf kernel net fuzz: %: run-% ## one tier of the tests
check: DEPS += qemu-system-x86
check: deps ## all tests; as root; BIND=kernel or BIND=daemon: all net tests in this mode
	$(Q)tests/check lint unit bpf kernel fuzz net

.PHONY: demo
demo: deps ## the main job in a lab, and what happened; as root; KEEP=1 leaves it running
	$(Q)$(MAKE) all $(TEMPLATE)
	$(Q)KEEP=$(KEEP) BUILD=$(BUILD) tests/demo

include bench/bench.mk

# ---- packages --------------------------------------------------------------

# Debian 12 has lxc-dev for liblxc-dev. farpd is for a test, and not to answer for anybody as a service.
DEPS := gcc make pkg-config clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev liblxc-dev libseccomp-dev libmnl-dev \
	libevent-dev libconfuse-dev libjansson-dev libncurses-dev libcmocka-dev liblxc-common busybox-static \
	clang-format clang-tidy libclang-rt-dev shellcheck mandoc git \
	iproute2 util-linux procps ethtool jq curl telnet arping nmap farpd tcpdump iputils-ping lxc gnuplot-nox \
	debootstrap sshpass strace umoci

.PHONY: deps
deps: ## install the Debian packages that are missing; as root
	$(Q)missing=; for p in $(DEPS); do \
		[ "$$p" != liblxc-dev ] || ! dpkg-query -W lxc-dev >/dev/null 2>&1 || continue; \
		dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; \
	done; \
	if [ -n "$$missing" ]; then \
		echo "  DEPS    $$missing"; \
		apt-get update -qq && \
		if ! apt-cache show liblxc-dev >/dev/null 2>&1; then \
			missing=$$(echo "$$missing" | sed 's/liblxc-dev/lxc-dev/'); \
		fi && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null && \
		case "$$missing " in *" farpd "*) systemctl --quiet disable --now farpd 2>/dev/null || :;; esac; \
	fi

# ---- installation ----------------------------------------------------------

UNITDIR ?= /lib/systemd/system
.PHONY: install
install: all ## install to DESTDIR and PREFIX
	$(Q)install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man7 \
		$(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/skep \
		$(DESTDIR)/etc/skep $(DESTDIR)$(UNITDIR) $(DESTDIR)/usr/lib/sysusers.d
	$(Q)install -m 755 $(BUILD)/skepd $(BUILD)/skepctl $(DESTDIR)$(PREFIX)/sbin
	$(Q)install -m 644 user/skep.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5
	$(Q)install -m 644 user/skep-security.7 $(DESTDIR)$(PREFIX)/share/man/man7
	$(Q)install -m 644 user/skepd.8 user/skepctl.8 $(DESTDIR)$(PREFIX)/share/man/man8
	$(Q)install -m 644 user/skep.conf $(DESTDIR)/etc/skep/skep.conf.example
	$(Q)install -m 644 user/skep.sysusers $(DESTDIR)/usr/lib/sysusers.d/skep.conf
	$(Q)sed 's|@PREFIX@|$(PREFIX)|g' user/skepd.service > $(DESTDIR)$(UNITDIR)/skepd.service
	$(Q)cp -a --no-preserve=ownership templates $(DESTDIR)$(PREFIX)/share/skep/
	@echo "installed; next: groupadd --system skep (or systemd-sysusers), skepctl template build basic,"
	@echo "and write /etc/skep/skep.conf from /etc/skep/skep.conf.example"

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z ]*:.*## / {printf "  %-22s %s\n", $$1, $$2}' Makefile bench/bench.mk
	@echo "  V=1 shows the commands, BUILD=DIR builds elsewhere, CC=clang uses clang"

.PHONY: clean
clean: ## remove what was built
	$(Q)rm -rf $(BUILD) $(BUILD)-*
