# SPDX-License-Identifier: GPL-2.0
# What is measured; included from the Makefile. See bench/README.md.

BENCH_PROGRAMS := $(addprefix $(BUILD)/bench/,burst contact flood xdp)
COUNTS ?=
DENSITY ?=

$(BUILD)/bench:
	@mkdir -p $@

$(BUILD)/bench/%: bench/%.c $(SKELETONS) | $(BUILD)/bench
	$(call msg,BENCH,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $< $(LIBS) -o $@

$(BUILD)/bench/%.bpf.o: bench/%.bpf.c vmlinux.h $(wildcard bpf/*.h) $(HEADERS) | $(BUILD)/bench
	$(call msg,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/bench/flood run-lint: $(BUILD)/bench/flood.skel.h

-include $(wildcard $(BUILD)/bench/*.d)

.PHONY: bench bench-programs
bench-programs: all $(TEMPLATE) $(DEBIAN) $(BENCH_PROGRAMS)

bench: deps ## measure; COUNTS="20 60" DENSITY="basic=500 debian=50" for other numbers
	$(Q)$(MAKE) bench-programs
	$(Q)bench/test_statistics
	$(Q)$(BUILD)/bench/xdp -l 0 -o $(BUILD)/bench/xdp-0.json
	$(Q)$(BUILD)/bench/xdp -l 1000 -o $(BUILD)/bench/xdp.json
	$(Q)$(BUILD)/bench/xdp -l 60000 -f 1000000 -o $(BUILD)/bench/xdp-60000.json
	$(Q)BUILD=$(BUILD) SKEP_TEMPLATE=$(TEMPLATE) bench/latency $(COUNTS)
	$(Q)BIND=daemon OUT=$(BUILD)/bench/daemon BUILD=$(BUILD) SKEP_TEMPLATE=$(TEMPLATE) bench/first
	$(Q)BUILD=$(BUILD) SKEP_TEMPLATE=$(TEMPLATE) bench/first -d $(BUILD)/bench/daemon/first.json
	$(Q)BUILD=$(BUILD) SKEP_TEMPLATE=$(TEMPLATE) bench/settle
	$(Q)BUILD=$(BUILD) SKEP_TEMPLATE=$(TEMPLATE) bench/port
	$(Q)BUILD=$(BUILD) SKEP_TEMPLATE=$(TEMPLATE) bench/budget
	$(Q)BUILD=$(BUILD) SKEP_TEMPLATE=$(TEMPLATE) bench/scale
	$(Q)BUILD=$(BUILD) SKEP_TEMPLATE=$(TEMPLATE) bench/sweep -r 2000
	$(Q)BUILD=$(BUILD) bench/density $(DENSITY)
