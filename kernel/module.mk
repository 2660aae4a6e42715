# SPDX-License-Identifier: MIT
# The reference kernel: its own copy of the core, with its host functions
# inlined, and everything under kernel/, linked to one ELF that QEMU boots.

KERNEL_FLAGS := -mno-red-zone -mgeneral-regs-only -mcmodel=kernel -fno-pic \
	-fno-pie -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -fno-builtin-printf
VARIANT_CC_kernel := $(CC)
VARIANT_CFLAGS_kernel := $(KERNEL_FLAGS) -DQUIRE_TRACE \
	-DQUIRE_DIRECT_MAP_BASE=0xffff888000000000UL \
	-DQUIRE_HOST_INLINE='<quire_host_inline.h>' -idirafter kernel/x86/include \
	-idirafter kernel/include
$(eval $(call core_variant,kernel))

KERNEL_SRC := $(wildcard kernel/*.c kernel/fs/*.c kernel/dev/*.c kernel/x86/*.c)
KERNEL_SRC := $(filter-out kernel/x86/offsets.c,$(KERNEL_SRC))
KERNEL_ASM := kernel/x86/boot.S kernel/x86/entry.S arch/x86/entry.S
KERNEL_OBJ := $(KERNEL_SRC:%.c=$(B)/kernel/%.o) $(KERNEL_ASM:%.S=$(B)/kernel/%.S.o)
KERNEL_CFLAGS := -std=gnu17 $(WARN) -O2 -g -ffreestanding -fno-strict-aliasing \
	-fno-common -ffunction-sections -MMD -MP $(KERNEL_FLAGS) -DQUIRE_TRACE \
	-DQUIRE_HOST_INLINE='<quire_host_inline.h>' \
	-Iinclude $(FORMAT_FLAGS_x86_64) -Ikernel/include -Ikernel/x86/include -Ikernel \
	-I$(B)/kernel

$(B)/kernel/kernel/%.o: kernel/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_CFLAGS) -c $< -o $@

# Offsets of structures that assembly reads.
$(B)/kernel/task_offsets.h: kernel/x86/offsets.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_CFLAGS) -MF $(B)/kernel/offsets.d -MT $@ -S $< -o $(B)/kernel/offsets.s
	$(Q)sed -n 's/^.*=> \(#define.*\)"$$/\1/p' $(B)/kernel/offsets.s > $@
-include $(B)/kernel/offsets.d

$(B)/kernel/%.S.o: %.S $(B)/kernel/task_offsets.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(FORMAT_FLAGS_x86_64) -I$(B)/kernel -MMD -MP -c $< -o $@

# The core as one object whose only global names are the public ones.
$(B)/kernel/core.o: $(CORE_OBJ_kernel)
	$(Q)$(LD) -r -o $(@D)/core-all.o $^
	$(Q)$(OBJCOPY) --wildcard --keep-global-symbol='quire_*' \
		--keep-global-symbol=do_page_fault $(@D)/core-all.o $@

$(KERNEL_IMAGE): $(KERNEL_OBJ) $(B)/kernel/core.o kernel/x86/linker.ld
	$(Q)$(LD) -nostdlib -static -z max-page-size=4096 -z noexecstack \
		--no-warn-rwx-segments --gc-sections \
		-T kernel/x86/linker.ld -o $@ $(KERNEL_OBJ) $(B)/kernel/core.o

-include $(KERNEL_OBJ:.o=.d)

.PHONY: kernel
#: make kernel          builds the reference kernel only
kernel: $(KERNEL_IMAGE)
ALL_TARGETS += $(KERNEL_IMAGE)
