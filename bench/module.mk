# SPDX-License-Identifier: MIT
# Benchmarks.
#   bench-hosted   time of each kind of fault on the simulated machine
#   bench-kernel   instructions an operation: Quire's kernel against Debian's
#                  Linux, both in QEMU under -icount
#   bench-io       the same for files on a 9P share and on a disk, and MiB/s
#   bench-swap     the same for memory swapped to a disk
#   bench-swapdev  MiB a second through the simulated machine's swap devices
#   bench-reclaim  reclaim policies against each other and the optimum

BENCHES += bench-hosted bench-kernel bench-io bench-swap bench-swapdev \
	bench-reclaim
BENCH_OUT := $(B)/bench
BENCH_ARCHS := x86_64 armv7 armv6

define bench_arch
BENCH_$(1) := $(BENCH_OUT)/$(1)
$(BENCH_OUT)/$(1)/pfbench: bench/kernel/pfbench.c bench/kernel/clock.h \
		bench/kernel/rows.h
	@mkdir -p $$(@D)
	$$(Q)$$(USER_CC_$(1)) -std=gnu17 $$(WARN) -O2 -static -o $$@ $$<

# Once a build tree: Linux does not change.
$(BENCH_OUT)/$(1)/linux.txt: bench/linux.sh $(BENCH_OUT)/$(1)/pfbench
	$$(Q)bench/linux.sh $(1) $(BENCH_OUT)/$(1)/pfbench $(BENCH_OUT)/$(1) || \
		echo "bench: going on without Linux's figures"

.PHONY: bench-kernel-$(1) bench-linux-$(1)
bench-linux-$(1): $(BENCH_OUT)/$(1)/linux.txt
bench-kernel-$(1): $(BENCH_OUT)/$(1)/pfbench $$(KERNEL_IMAGE_$(1)) \
		$(BENCH_OUT)/$(1)/linux.txt
	bench/quire.sh $(1) $$(KERNEL_IMAGE_$(1)) $(BENCH_OUT)/$(1)/pfbench \
		$(BENCH_OUT)/$(1)
	@echo "$(1); Linux: $$$$(cat $(BENCH_OUT)/$(1)/linux.version 2>/dev/null ||\
		echo none)"
	-@bench/table.sh $(BENCH_OUT)/$(1) $$(BENCH_TITLES_$(1))
endef
$(foreach a,$(BENCH_ARCHS),$(eval $(call bench_arch,$(a))))
bench-kernel: $(ARCHS:%=bench-kernel-%)
# What linux.txt and linux-other.txt are (bench/linux.sh).
BENCH_TITLES_x86_64 := '(defaults)' '(mit. off)'
BENCH_TITLES_armv7  := '(512 MiB)' '(1 GiB)'
BENCH_TITLES_armv6  := '(raspi0)'

# On x86-64 only: 9P and disk are the same code on ARM.  $(1) is io or swap.
BENCH_IO := $(BENCH_OUT)/io
define bench_io
$(BENCH_IO)/$(1)bench: bench/kernel/$(1)bench.c bench/kernel/clock.h \
		bench/kernel/rows.h bench/kernel/spans.h
	@mkdir -p $$(@D)
	$$(Q)$$(USER_CC_x86_64) -std=gnu17 $$(WARN) -O2 -static -o $$@ $$<
# Once a build tree: Linux does not change.
$(BENCH_IO)/linux-$(1).txt: bench/io.sh $(BENCH_IO)/$(1)bench
	$$(Q)bench/io.sh linux $(BENCH_IO)/$(1)bench $(BENCH_IO) || \
		echo "bench: going on without Linux's figures"
.PHONY: bench-$(1)
bench-$(1): $(BENCH_IO)/$(1)bench $(B)/bin/quire $(KERNEL_IMAGE) \
		$(BENCH_IO)/linux-$(1).txt
	bench/io.sh quire $(BENCH_IO)/$(1)bench $(BENCH_IO) $(B)/bin/quire
	@echo "Linux: $$$$(cat $(BENCH_IO)/linux-io.version 2>/dev/null || echo none)"
	-@bench/io_table.sh $(BENCH_IO) $(1)
endef
$(eval $(call bench_io,io))
$(eval $(call bench_io,swap))

# hosted, and hosted-FORMAT for each other format.
define bench_hosted
$(BENCH_OUT)/hosted$(2): bench/hosted.c $(call sim_libs,$(1))
	@mkdir -p $$(@D)
	$$(Q)$$(VARIANT_CC_$(1)) $$(HOSTED_CFLAGS) $$(VARIANT_FLAGS_$(1)) \
		-MF $$@.d -o $$@ $$< -Wl,--start-group $(call sim_libs,$(1)) \
		-Wl,--end-group
-include $(BENCH_OUT)/hosted$(2).d
endef
$(eval $(call bench_hosted,fast))
$(foreach f,$(OTHER_FORMATS),$(eval $(call bench_hosted,fast-$(f),-$(f))))
BENCH_HOSTED := $(BENCH_OUT)/hosted $(OTHER_FORMATS:%=$(BENCH_OUT)/hosted-%)

.PHONY: bench-hosted bench-kernel
#: make bench-hosted    ns a fault on the simulated machine (in make bench)
#: make bench-kernel    instructions, Quire against Linux (in make bench; also
#:                      bench-kernel-x86_64, -armv7, -armv6)
#: make bench-io        the same for files: mapped, read, written, synced
#: make bench-swap      the same for pages swapped out and in
bench-hosted: $(BENCH_HOSTED)
	@for p in $^; do echo "-- $$p"; $$p || exit 1; done

# The core as in a kernel, but with its direct map where a process can have it.
VARIANT_CC_path := $(CC)
VARIANT_CFLAGS_path := -mgeneral-regs-only -fno-pic -fno-pie \
	-fcf-protection=none -fno-stack-protector \
	-DQUIRE_DIRECT_MAP_BASE=0x200000000000ul \
	-DQUIRE_HOST_INLINE='"bench/path_host.h"' -I.
$(eval $(call core_variant,path))
$(BENCH_OUT)/path: bench/path.c bench/path_host.h $(B)/path/libcore.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOSTED_CFLAGS) $(VARIANT_FLAGS_path) -no-pie -MF $@.d \
		-o $@ $< $(B)/path/libcore.a
-include $(BENCH_OUT)/path.d
BENCHES += bench-path
.PHONY: bench-path
#: make bench-path      instructions of a fault alone, from do_page_fault on
bench-path: $(BENCH_OUT)/path
	$(BENCH_OUT)/path

# Page traces of real programs, and what makes them (bench/traces/record.sh).
PAGE_TRACES := $(sort $(wildcard bench/traces/*.trace.xz))
TRACE_RECORD := $(BENCH_OUT)/record
$(TRACE_RECORD): bench/traces/record.c bench/traces/trace.h
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(WARN) -O2 -g -o $@ $<
.PHONY: record-traces
#: make record-traces   records bench/traces anew (package valgrind; minutes)
record-traces: $(TRACE_RECORD)
	bench/traces/record.sh $(TRACE_RECORD)

$(BENCH_OUT)/reclaim: bench/reclaim.c bench/traces/trace.c bench/traces/trace.h \
		examples/clock_policy.c $(call sim_libs,fast)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOSTED_CFLAGS) $(VARIANT_FLAGS_fast) -o $@ \
		bench/reclaim.c bench/traces/trace.c examples/clock_policy.c \
		-Wl,--start-group $(call sim_libs,fast) -Wl,--end-group
.PHONY: bench-reclaim
#: make bench-reclaim   pages read again by each reclaim policy, on traces of
#:                      real programs, beside the optimum
bench-reclaim: $(BENCH_OUT)/reclaim
	$(BENCH_OUT)/reclaim $(PAGE_TRACES)

$(BENCH_OUT)/swapdev: bench/swapdev.c $(call sim_swap_lib,fast) \
		$(call sim_libs,fast)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOSTED_CFLAGS) $(VARIANT_FLAGS_fast) -o $@ $< \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		$(SIM_SWAP_LIBS)
.PHONY: bench-swapdev
#: make bench-swapdev   MiB a second through compressed memory, a file, NBD
bench-swapdev: $(BENCH_OUT)/swapdev
	nbdkit -U - memory 128M --run \
		'$(BENCH_OUT)/swapdev $(BENCH_OUT)/swap.tmp "$$uri"'
