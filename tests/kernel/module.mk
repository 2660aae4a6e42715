# SPDX-License-Identifier: MIT
# Programs that test the kernel from the inside, and the script that boots it
# for each of them.

KERNEL_TESTS := faults signals process smp files pipes procfs writeback blkdev \
	durability race_files sharing devices swap swap_stress other_mm
KERNEL_TEST_BIN := $(KERNEL_TESTS:%=$(B)/tests/kernel/%)

KERNEL_TEST_DEPS := tests/kernel/check.h tests/kernel/cpu.h \
	tests/kernel/durability.h
KERNEL_TEST_CFLAGS := -std=gnu17 $(WARN) -O1 -static -pthread

$(B)/tests/kernel/%: tests/kernel/%.c $(KERNEL_TEST_DEPS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_TEST_CFLAGS) -o $@ $<

# The same for ARM: armhf with 64-bit times and offsets, armel with 32-bit ones.
KERNEL_TEST_FLAGS_armv7 := -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
define kernel_test_arm
KERNEL_TEST_BIN_$(1) := $$(KERNEL_TESTS:%=$(B)/tests/kernel-$(1)/%) \
	$(B)/tests/kernel-$(1)/abi $(B)/tests/kernel-$(1)/aborts \
	$(B)/tests/kernel-$(1)/vfp
$(B)/tests/kernel-$(1)/%: tests/kernel/arm/%.c tests/kernel/check.h
	@mkdir -p $$(@D)
	$$(Q)$$(USER_CC_$(1)) $$(KERNEL_TEST_CFLAGS) $$(KERNEL_TEST_FLAGS_$(1)) -o $$@ $$<
$(B)/tests/kernel-$(1)/%: tests/kernel/%.c $$(KERNEL_TEST_DEPS)
	@mkdir -p $$(@D)
	$$(Q)$$(USER_CC_$(1)) $$(KERNEL_TEST_CFLAGS) $$(KERNEL_TEST_FLAGS_$(1)) -o $$@ $$<
endef
$(foreach a,armv7 armv6,$(eval $(call kernel_test_arm,$(a))))

# The decoder of what comes from outside the machine, on the host.
$(B)/tests/kernel/p9_host: tests/kernel/p9_host.c kernel/fs/9p_parse.c \
		kernel/include/p9.h tests/kernel/check.h
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(WARN) -O1 -g -fsanitize=address,undefined \
		-fno-sanitize-recover=undefined -Ikernel/include -o $@ \
		tests/kernel/p9_host.c kernel/fs/9p_parse.c
KERNEL_TEST_BIN += $(B)/tests/kernel/p9_host

# Compressed memory, on the host, against Debian's LZ4 library (whose header has
# the name of ours).
ZRAM_SRC := tests/kernel/zram_host.c kernel/dev/zram.c kernel/dev/zpool.c \
	kernel/dev/lz4.c
$(B)/tests/kernel/zram_host: $(ZRAM_SRC) kernel/include/zram.h \
		kernel/include/lz4.h kernel/include/sync.h tests/kernel/check.h
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(WARN) -O1 -g -fsanitize=address,undefined \
		-fno-sanitize-recover=undefined -iquote kernel/include \
		-Ikernel/x86/include -Iinclude -o $@ $(ZRAM_SRC) -llz4
KERNEL_TEST_BIN += $(B)/tests/kernel/zram_host

# What looks from the host at a file that a program in the machine writes.
$(B)/tests/kernel/durability_host: tests/kernel/durability_host.c \
		tests/kernel/durability.h
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(WARN) -O2 -o $@ $<

SUITES += kernel
SUITE_kernel := tests/kernel/run.sh $(B)/bin/quire $(B)/tests/kernel
SUITE_DEPS_kernel := $(B)/bin/quire $(KERNEL_IMAGE) $(KERNEL_TEST_BIN)
SUITE_LIMIT_kernel := 1800

SUITES += $(ARM_ARCHS:%=kernel-%)
define kernel_suite_arm
SUITE_kernel-$(1) := tests/kernel/run_arm.sh $(1) $(B)/bin/quire $(B)
SUITE_DEPS_kernel-$(1) := $(B)/bin/quire $(KERNEL_IMAGE_$(1)) \
	$(KERNEL_TEST_BIN_armv7) $(KERNEL_TEST_BIN_armv6) \
	$(B)/tests/kernel/writeback \
	$(B)/debian-$(if $(filter armv7,$(1)),armhf,armel).made
SUITE_LIMIT_kernel-$(1) := 1800
.PHONY: test-kernel-$(1)
test-kernel-$(1): $$(SUITE_DEPS_kernel-$(1))
	$$(SUITE_kernel-$(1))
endef
$(foreach a,$(ARM_ARCHS),$(eval $(call kernel_suite_arm,$(a))))

# Files: durability, races, and programs that live by mapped files.
SUITES += kernel-programs $(ARCHS:%=kernel-files-%)
SUITE_kernel-programs := tests/kernel/run_programs.sh $(B)/bin/quire
SUITE_DEPS_kernel-programs := $(B)/bin/quire $(KERNEL_IMAGE)
SUITE_LIMIT_kernel-programs := 1800
KERNEL_TEST_BIN_x86_64 := $(KERNEL_TEST_BIN)
define kernel_files_suite
SUITE_kernel-files-$(1) := tests/kernel/run_files.sh $(1) $(B)/bin/quire $(B)
SUITE_DEPS_kernel-files-$(1) := $(B)/bin/quire $(KERNEL_IMAGE_$(1)) \
	$(B)/tests/kernel/durability_host $(KERNEL_TEST_BIN_$(1))
SUITE_LIMIT_kernel-files-$(1) := 1800
endef
$(foreach a,$(ARCHS),$(eval $(call kernel_files_suite,$(a))))
# Swap: less memory than the programs have.
SUITES += kernel-swapon
SUITE_kernel-swapon := tests/kernel/run_swapon.sh x86_64 $(B)/bin/quire $(B)
SUITE_DEPS_kernel-swapon := $(B)/bin/quire $(KERNEL_IMAGE) \
	$(B)/tests/kernel/swap
SUITE_LIMIT_kernel-swapon := 1800

.PHONY: test-files test-programs
#: make test-files      mapped files in QEMU: killed programs, races; for minutes
#:                      with FILES_TEST_SECONDS=N FILES_TEST_ROUNDS=N
#: make test-programs   programs that live by mapped files, in QEMU
test-files: $(foreach a,$(ARCHS),$(SUITE_DEPS_kernel-files-$(a)))
	set -e; for a in $(ARCHS); do \
		tests/kernel/run_files.sh $$a $(B)/bin/quire $(B); done
test-programs: $(SUITE_DEPS_kernel-programs)
	$(SUITE_kernel-programs)

# Memory short: a writer and verifier of more than there is, and programs.
SUITES += $(ARCHS:%=kernel-swap-%) kernel-swap-programs
define kernel_swap_suite
SUITE_kernel-swap-$(1) := tests/kernel/run_swap.sh $(1) $(B)/bin/quire $(B)
SUITE_DEPS_kernel-swap-$(1) := $(B)/bin/quire $(KERNEL_IMAGE_$(1)) \
	$(KERNEL_TEST_BIN_$(1))
SUITE_LIMIT_kernel-swap-$(1) := 1800
endef
$(foreach a,$(ARCHS),$(eval $(call kernel_swap_suite,$(a))))
SUITE_kernel-swap-programs := tests/kernel/run_swap_programs.sh $(B)/bin/quire
SUITE_DEPS_kernel-swap-programs := $(B)/bin/quire $(KERNEL_IMAGE)
SUITE_LIMIT_kernel-swap-programs := 1800
.PHONY: test-swap test-swap-programs
#: make test-swap       more memory than there is, in QEMU; for minutes with
#:                      SWAP_TEST_SECONDS=N
#: make test-swap-programs  sort, python3 and sqlite3 of 200 to 300 MB in 64 MiB
test-swap: $(foreach a,$(ARCHS),$(SUITE_DEPS_kernel-swap-$(a)))
	set -e; for a in $(ARCHS); do \
		tests/kernel/run_swap.sh $$a $(B)/bin/quire $(B); done
test-swap-programs: $(SUITE_DEPS_kernel-swap-programs)
	$(SUITE_kernel-swap-programs) full

# The board that has no virtio.
ifneq ($(filter armv6,$(ARM_ARCHS)),)
SUITES += kernel-raspi0
SUITE_kernel-raspi0 := tests/kernel/run_raspi0.sh $(KERNEL_IMAGE_armv6) \
	$(B)/tests/kernel-armv6 $(B)/debian-armel
SUITE_DEPS_kernel-raspi0 := $(KERNEL_IMAGE_armv6) $(KERNEL_TEST_BIN_armv6) \
	$(B)/debian-armel.made
.PHONY: test-kernel-raspi0
test-kernel-raspi0: $(SUITE_DEPS_kernel-raspi0)
	$(SUITE_kernel-raspi0)
endif

.PHONY: test-kernel
#: make test-kernel     programs that test the kernel from the inside, in QEMU
#:                      (test-kernel-armv7, test-kernel-armv6: on ARM)
test-kernel: $(SUITE_DEPS_kernel)
	$(SUITE_kernel)
