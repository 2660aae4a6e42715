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

# ------------------------------------------------------------------------ ARM
# Two images of the same sources: ARMv7 (several CPUs) and ARMv6K (one).  The
# raw image is what QEMU's -kernel takes; the ELF has the names for debuggers.
ARM_CROSS  ?= arm-linux-gnueabi-
ARM_CC     := $(ARM_CROSS)gcc
ARM_LD     := $(ARM_CROSS)ld
ARM_OBJCOPY := $(ARM_CROSS)objcopy
ARM_FLAGS_armv7 := -march=armv7-a
ARM_FLAGS_armv6 := -march=armv6k
# Soft float: no floating-point register is touched behind a task's back.
ARM_FLAGS := -marm -msoft-float -fno-pic -fno-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-builtin-printf
ARM_SRC := $(wildcard kernel/*.c kernel/fs/*.c kernel/dev/*.c kernel/arm/*.c)
ARM_SRC := $(filter-out kernel/arm/offsets.c,$(ARM_SRC))
ARM_ASM := $(wildcard kernel/arm/*.S arch/arm/*.S)

# $(call arm_kernel,armv7): build/kernel-armv7/quire.elf and quire.img
define arm_kernel
ARM_OUT_$(1) := $(B)/kernel-$(1)
VARIANT_CC_kernel-$(1) := $(ARM_CC)
VARIANT_CFLAGS_kernel-$(1) := $(ARM_FLAGS) $(ARM_FLAGS_$(1)) -DQUIRE_TRACE \
	-DQUIRE_HOST_INLINE='<quire_host_inline.h>' \
	-idirafter kernel/arm/include -idirafter kernel/include
$(call core_variant,kernel-$(1),arm)
ARM_OBJ_$(1) := $$(ARM_SRC:%.c=$(B)/kernel-$(1)/%.o) \
	$$(ARM_ASM:%.S=$(B)/kernel-$(1)/%.S.o)
ARM_CFLAGS_$(1) := -std=gnu17 $(WARN) -O2 -g -ffreestanding \
	-fno-strict-aliasing -fno-common -ffunction-sections -MMD -MP \
	$(ARM_FLAGS) $(ARM_FLAGS_$(1)) -DQUIRE_TRACE \
	-DQUIRE_HOST_INLINE='<quire_host_inline.h>' \
	-Iinclude $(FORMAT_FLAGS_arm) -Ikernel/include -Ikernel/arm/include \
	-Ikernel -I$(B)/kernel-$(1)
$(B)/kernel-$(1)/kernel/%.o: kernel/%.c
	@mkdir -p $$(@D)
	$$(Q)$(ARM_CC) $$(ARM_CFLAGS_$(1)) -c $$< -o $$@
$(B)/kernel-$(1)/task_offsets.h: kernel/arm/offsets.c
	@mkdir -p $$(@D)
	$$(Q)$(ARM_CC) $$(ARM_CFLAGS_$(1)) -MF $(B)/kernel-$(1)/offsets.d -MT $$@ \
		-S $$< -o $(B)/kernel-$(1)/offsets.s
	$$(Q)sed -n 's/^.*=> \(#define.*\)"$$$$/\1/p' $(B)/kernel-$(1)/offsets.s > $$@
-include $(B)/kernel-$(1)/offsets.d
$(B)/kernel-$(1)/%.S.o: %.S $(B)/kernel-$(1)/task_offsets.h
	@mkdir -p $$(@D)
	$$(Q)$(ARM_CC) $(ARM_FLAGS_$(1)) -marm -msoft-float $(FORMAT_FLAGS_arm) \
		-Ikernel/arm/include -I$(B)/kernel-$(1) -MMD -MP -c $$< -o $$@
$(B)/kernel-$(1)/core.o: $$(CORE_OBJ_kernel-$(1))
	$$(Q)$(ARM_LD) -r -o $$(@D)/core-all.o $$^
	$$(Q)$(ARM_OBJCOPY) --wildcard --keep-global-symbol='quire_*' \
		--keep-global-symbol=do_DataAbort \
		--keep-global-symbol=do_PrefetchAbort \
		--keep-global-symbol='hook_*fault_code' \
		$$(@D)/core-all.o $$@
$(B)/kernel-$(1)/quire.elf: $$(ARM_OBJ_$(1)) $(B)/kernel-$(1)/core.o \
		kernel/arm/linker.ld
	$$(Q)$(ARM_LD) -nostdlib -static -z max-page-size=4096 -z noexecstack \
		--no-warn-rwx-segments --gc-sections -T kernel/arm/linker.ld \
		-o $$@ $$(ARM_OBJ_$(1)) $(B)/kernel-$(1)/core.o \
		$$$$($(ARM_CC) -print-libgcc-file-name)
$(B)/kernel-$(1)/quire.img: $(B)/kernel-$(1)/quire.elf
	$$(Q)$(ARM_OBJCOPY) -O binary $$< $$@
-include $$(ARM_OBJ_$(1):.o=.d)
endef
$(foreach a,armv7 armv6,$(eval $(call arm_kernel,$(a))))

.PHONY: kernel-arm
#: make kernel-arm      builds the reference kernel for ARMv7 and ARMv6
kernel-arm: $(B)/kernel-armv7/quire.img $(B)/kernel-armv6/quire.img
