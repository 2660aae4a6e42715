# SPDX-License-Identifier: MIT
# Benchmarks.
#   bench-hosted   time of each kind of fault on the simulated machine
#   bench-kernel   instructions an operation: Quire's kernel against Debian's
#                  Linux, both in QEMU under -icount

BENCHES += bench-hosted bench-kernel
BENCH_OUT := $(B)/bench

$(BENCH_OUT)/pfbench: bench/kernel/pfbench.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(WARN) -O2 -static -o $@ $<

# Once a build tree: Linux does not change.
$(BENCH_OUT)/linux-off.txt: bench/linux.sh $(BENCH_OUT)/pfbench
	$(Q)bench/linux.sh $(BENCH_OUT)/pfbench $(BENCH_OUT) || \
		echo "bench: going on without Linux's figures"

BENCH_LIBS := $(B)/fast/libsim.a $(B)/fast/libcore.a
$(BENCH_OUT)/hosted: bench/hosted.c $(BENCH_LIBS)
	@mkdir -p $(@D)
	$(Q)$(VARIANT_CC_fast) $(HOSTED_CFLAGS) $(VARIANT_FLAGS_fast) -MF $@.d -o $@ $< \
		-Wl,--start-group $(BENCH_LIBS) -Wl,--end-group
-include $(BENCH_OUT)/hosted.d

.PHONY: bench-hosted bench-kernel bench-linux
#: make bench-hosted    ns a fault on the simulated machine (in make bench)
#: make bench-kernel    instructions, Quire against Linux (in make bench)
bench-hosted: $(BENCH_OUT)/hosted
	$(BENCH_OUT)/hosted
bench-linux: $(BENCH_OUT)/linux-off.txt
bench-kernel: $(BENCH_OUT)/pfbench $(KERNEL_IMAGE) $(BENCH_OUT)/linux-off.txt
	bench/quire.sh $(KERNEL_IMAGE) $(BENCH_OUT)/pfbench $(BENCH_OUT)
	@echo "Linux: $$(cat $(BENCH_OUT)/linux.version 2>/dev/null || echo none)"
	-@bench/table.sh $(BENCH_OUT)/quire.txt \
		$(BENCH_OUT)/quire-report.txt $(BENCH_OUT)/linux.txt \
		$(BENCH_OUT)/linux-off.txt

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
