# SPDX-License-Identifier: GPL-2.0
# What is measured; included from the Makefile. See bench/README.md.

BENCH_PROGRAMS := $(BUILD)/bench/contact $(BUILD)/bench/xdp
COUNTS ?=

$(BUILD)/bench:
	@mkdir -p $@

$(BUILD)/bench/%: bench/%.c $(SKELETONS) | $(BUILD)/bench
	$(call msg,BENCH,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $< $(LIBS) -o $@

-include $(wildcard $(BUILD)/bench/*.d)

.PHONY: bench bench-programs
bench-programs: all $(TEMPLATE) $(BENCH_PROGRAMS)

bench: deps ## measure; COUNTS="20 60" for other numbers of containers
	$(Q)$(MAKE) bench-programs
	$(Q)$(BUILD)/bench/xdp -o $(BUILD)/bench/xdp.json
	$(Q)BUILD=$(BUILD) SKEP_TEMPLATE=$(TEMPLATE) bench/latency $(COUNTS)
