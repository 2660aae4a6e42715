# SPDX-License-Identifier: MIT
# Tests of ARM's exception entry on the (emulated) processor itself: a program
# without a kernel, for ARMv7 and for ARMv6.

ARM_CC ?= arm-linux-gnueabi-gcc
ENTRY_CFLAGS := -std=gnu17 $(WARN) -O2 -g -ffreestanding -fno-strict-aliasing \
	-marm -mfloat-abi=soft -fno-stack-protector -fno-pic -static -no-pie -nostdlib \
	-fno-tree-loop-distribute-patterns \
	-Iinclude -Iarch/arm/include -Itests/entry -DQUIRE_UADDR_BITS=32
ENTRY_SRC := $(addprefix arch/arm/,entry.S abort-v6.S abort-v7.S proc.S) \
	tests/entry/start.S tests/entry/main.c
ENTRY_DEPS := $(ENTRY_SRC) $(wildcard arch/arm/include/asm/*.h) \
	tests/entry/entry_host.h tests/entry/linker.ld
ENTRY_BIN := $(B)/tests/entry/v7.elf $(B)/tests/entry/v6.elf

$(B)/tests/entry/v7.elf: ENTRY_FLAGS := -march=armv7-a \
	-Wl,--defsym=RAM_START=0x40000000
$(B)/tests/entry/v6.elf: ENTRY_FLAGS := -march=armv6k \
	-Wl,--defsym=RAM_START=0x80000000
$(ENTRY_BIN): $(ENTRY_DEPS)
	@mkdir -p $(@D)
	$(Q)$(ARM_CC) $(ENTRY_CFLAGS) $(ENTRY_FLAGS) -Wl,-T,tests/entry/linker.ld \
		-Wl,--build-id=none -Wl,--no-warn-rwx-segments -Wl,-z,noexecstack \
		-o $@ $(ENTRY_SRC)

SUITES += arm-entry
SUITE_arm-entry := tests/entry/run.sh $(B)/tests/entry
SUITE_DEPS_arm-entry := $(ENTRY_BIN)
