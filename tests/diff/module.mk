# SPDX-License-Identifier: MIT
# Differential tests: one stream of operations on Linux, on the simulated
# machine and on Quire's kernel; see tests/diff/ops.h.
#   make test-diff          the host's Linux against the simulated machine
#   make test-diff-kernel   against the kernel in QEMU

DIFF_SRC := tests/diff/ops.c tests/diff/replay.c

define diff_variant
DIFF_OBJ_$(1) := $$(patsubst tests/diff/%.c,$(B)/$(1)/tests/diff/%.o,\
	$$(DIFF_SRC) tests/diff/replay_sim.c)
$(B)/$(1)/tests/diff/replay_sim: $$(DIFF_OBJ_$(1)) $$(call sim_libs,$(1))
	$$(Q)$$(VARIANT_CC_$(1)) $$(SIM_LDFLAGS_$(1)) -pthread -o $$@ \
		$$(DIFF_OBJ_$(1)) -Wl,--start-group $$(call sim_libs,$(1)) \
		-Wl,--end-group
-include $$(DIFF_OBJ_$(1):.o=.d)
endef
$(foreach v,sim asan,$(eval $(call diff_variant,$(v))))

# Static, not position independent: its segments are where the file says.
$(B)/diff/replay_linux: $(DIFF_SRC) tests/diff/replay_linux.c \
		tests/diff/ops.h tests/diff/replay.h
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(WARN) -O2 -g -static -o $@ \
		$(DIFF_SRC) tests/diff/replay_linux.c

DIFF_BINS := $(B)/diff/replay_linux $(B)/sim/tests/diff/replay_sim
DIFF_KERNEL := $(B)/diff/replay_linux $(B)/bin/quire $(KERNEL_IMAGE)
SUITES += diff diff-asan diff-kernel
SUITE_diff := tests/diff/run.sh linux sim 40 2500
SUITE_DEPS_diff := $(DIFF_BINS)
SUITE_LIMIT_diff := 600
SUITE_diff-asan := VARIANT=asan tests/diff/run.sh linux sim 12 2500 101
SUITE_DEPS_diff-asan := $(B)/diff/replay_linux $(B)/asan/tests/diff/replay_sim
SUITE_LIMIT_diff-asan := 600
SUITE_diff-kernel := tests/diff/run.sh linux kernel 4 2500
SUITE_DEPS_diff-kernel := $(DIFF_KERNEL)
SUITE_LIMIT_diff-kernel := 900

.PHONY: test-diff test-diff-kernel
#: make test-diff       random operations: Linux against the simulated machine
#:                      (test-diff-kernel: against the kernel in QEMU)
test-diff: $(DIFF_BINS)
	$(SUITE_diff)
test-diff-kernel: $(DIFF_KERNEL)
	$(SUITE_diff-kernel)
