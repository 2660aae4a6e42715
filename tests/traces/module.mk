# SPDX-License-Identifier: MIT
# The page traces of bench/traces: the recorder, the optimum, the files.
$(B)/tests/traces/traces: tests/traces/test_traces.c bench/traces/trace.c \
		bench/traces/trace.h
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(WARN) -O2 -g -I. -o $@ $(filter %.c,$^)

SUITES += traces
SUITE_traces := $(B)/tests/traces/traces $(TRACE_RECORD) $(PAGE_TRACES)
SUITE_DEPS_traces := $(B)/tests/traces/traces $(TRACE_RECORD)
