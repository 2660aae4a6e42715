# SPDX-License-Identifier: MIT
# Differential tests: one stream of operations on Linux, on the simulated
# machine and on Quire's kernel; see tests/diff/ops.h.
#   make test-diff          the host's Linux against the simulated machine
#   make test-diff-kernel   against the kernel in QEMU
# Formats of 32 bits: against an i386 program on the host's Linux.

DIFF_SRC := tests/diff/ops.c tests/diff/replay.c tests/diff/shadow.c

define diff_variant
DIFF_OBJ_$(1) := $$(patsubst tests/diff/%.c,$(B)/$(1)/tests/diff/%.o,\
	$$(DIFF_SRC) tests/diff/replay_sim.c)
$(B)/$(1)/tests/diff/replay_sim: $$(DIFF_OBJ_$(1)) $$(call sim_libs,$(1))
	$$(Q)$$(VARIANT_CC_$(1)) $$(SIM_LDFLAGS_$(1)) -pthread -o $$@ \
		$$(DIFF_OBJ_$(1)) -Wl,--start-group $$(call sim_libs,$(1)) \
		-Wl,--end-group
-include $$(DIFF_OBJ_$(1):.o=.d)
endef
$(foreach v,sim asan $(OTHER_FORMATS:%=sim-%) $(OTHER_FORMATS:%=asan-%),\
	$(eval $(call diff_variant,$(v))))

# Static, not position independent: its segments are where the file says.
$(B)/diff/replay_linux:      DIFF_CC = $(CC)
$(B)/diff/replay_linux-i386: DIFF_CC = i686-linux-gnu-gcc
$(B)/diff/replay_linux-arm:  DIFF_CC = arm-linux-gnueabi-gcc -marm
$(addprefix $(B)/diff/,replay_linux replay_linux-i386 replay_linux-arm): \
		$(DIFF_SRC) tests/diff/replay_linux.c $(wildcard tests/diff/*.h)
	@mkdir -p $(@D)
	$(Q)$(DIFF_CC) -std=gnu17 $(WARN) -O2 -g -static -o $@ \
		$(DIFF_SRC) tests/diff/replay_linux.c

DIFF_BINS := $(B)/diff/replay_linux $(B)/sim/tests/diff/replay_sim
DIFF_KERNEL := $(B)/diff/replay_linux $(B)/bin/quire $(KERNEL_IMAGE)
SUITES += diff diff-asan diff-kernel diff-swap diff-swap-kernel
SUITE_diff := tests/diff/run.sh linux sim 40 2500
SUITE_DEPS_diff := $(DIFF_BINS)
SUITE_LIMIT_diff := 1200
SUITE_diff-asan := VARIANT=asan tests/diff/run.sh linux sim 12 2500 101
SUITE_DEPS_diff-asan := $(B)/diff/replay_linux $(B)/asan/tests/diff/replay_sim
SUITE_LIMIT_diff-asan := 1200
SUITE_diff-kernel := tests/diff/run.sh linux kernel 4 2500
SUITE_DEPS_diff-kernel := $(DIFF_KERNEL)
SUITE_LIMIT_diff-kernel := 1800

# The same with memory short.
SUITE_diff-swap := QDIFF_SWAP=1 VARIANT=asan tests/diff/run.sh linux sim 16 2500
SUITE_DEPS_diff-swap := $(B)/diff/replay_linux $(B)/asan/tests/diff/replay_sim
SUITE_LIMIT_diff-swap := 1200
SUITE_diff-swap-kernel := QDIFF_SWAP=1 tests/diff/run.sh linux kernel 2 2500
SUITE_DEPS_diff-swap-kernel := $(DIFF_KERNEL)
SUITE_LIMIT_diff-swap-kernel := 1800

# The format without NX is compared without fetches: the host's Linux has it.
DIFF_ENV_i386 := QDIFF_NO_EXEC=1
define diff_suites
SUITES += diff-$(1) diff-asan-$(1) diff-swap-$(1)
SUITE_diff-swap-$(1) := QDIFF_SWAP=1 $(DIFF_ENV_$(1)) VARIANT=sim-$(1) \
	tests/diff/run.sh linux-i386 sim 6 2500
SUITE_DEPS_diff-swap-$(1) := $(B)/diff/replay_linux-i386 \
	$(B)/sim-$(1)/tests/diff/replay_sim
SUITE_LIMIT_diff-swap-$(1) := 1200
SUITE_diff-$(1) := $(DIFF_ENV_$(1)) VARIANT=sim-$(1) \
	tests/diff/run.sh linux-i386 sim 20 2500
SUITE_DEPS_diff-$(1) := $(B)/diff/replay_linux-i386 \
	$(B)/sim-$(1)/tests/diff/replay_sim
SUITE_LIMIT_diff-$(1) := 1200
SUITE_diff-asan-$(1) := $(DIFF_ENV_$(1)) VARIANT=asan-$(1) \
	tests/diff/run.sh linux-i386 sim 3 2500 101
SUITE_DEPS_diff-asan-$(1) := $(B)/diff/replay_linux-i386 \
	$(B)/asan-$(1)/tests/diff/replay_sim
SUITE_LIMIT_diff-asan-$(1) := 1200
endef
$(foreach f,$(OTHER_FORMATS),$(eval $(call diff_suites,$(f))))

# ARM's kernels.  QEMU's ARMv6 processor says that its cache has aliases, and
# no Linux here has that: the simulated one is the reference.
SUITES += diff-kernel-armv7 diff-kernel-armv6
DIFF_ARM := $(B)/diff/replay_linux-i386 $(B)/diff/replay_linux-arm $(B)/bin/quire
SUITE_diff-kernel-armv7 := tests/diff/run.sh linux-i386 kernel-armv7 6 2500
SUITE_DEPS_diff-kernel-armv7 := $(DIFF_ARM) $(KERNEL_IMAGE_armv7)
SUITE_LIMIT_diff-kernel-armv7 := 1800
SUITE_diff-kernel-armv6 := QDIFF_SEEDS_ONLY=1 QDIFF_COLOURS=4 VARIANT=sim-arm \
	tests/diff/run.sh sim kernel-armv6 6 2500
SUITE_DEPS_diff-kernel-armv6 := $(DIFF_ARM) $(KERNEL_IMAGE_armv6) \
	$(B)/sim-arm/tests/diff/replay_sim
SUITE_LIMIT_diff-kernel-armv6 := 1800

.PHONY: test-diff test-diff-kernel
#: make test-diff       random operations: Linux against the simulated machine
#:                      (test-diff-kernel: against the kernel in QEMU)
test-diff: $(DIFF_BINS)
	$(SUITE_diff)
test-diff-kernel: $(DIFF_KERNEL)
	$(SUITE_diff-kernel)
