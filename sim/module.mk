# SPDX-License-Identifier: MIT
# The simulated machine, once for each hosted variant of the core:
# build/VARIANT/libsim.a.  A program on it links, in this order,
# $(call sim_libs,VARIANT), with $(SIM_LDFLAGS_VARIANT) and -pthread.

# Of the MMUs, only the variant's own page-table format is built in.
SIM_SRC := $(filter-out sim/mmu_%.c,$(wildcard sim/*.c))
SIM_MMU_x86_64   := sim/mmu_x86_64.c sim/mmu_x86.c
SIM_MMU_i386     := sim/mmu_i386.c sim/mmu_x86.c
SIM_MMU_i386_pae := sim/mmu_i386_pae.c sim/mmu_x86.c
SIM_MMU_arm      := sim/mmu_arm.c sim/mmu_arm_host.c
SIM_VARIANTS := sim asan tsan fast explain
SIM_VARIANTS += $(call variant_formats,$(SIM_VARIANTS))
SIM_LDFLAGS_asan := -fsanitize=address,undefined
SIM_LDFLAGS_tsan := -fsanitize=thread
$(foreach f,$(OTHER_FORMATS),\
	$(eval SIM_LDFLAGS_asan-$(f) := $(SIM_LDFLAGS_asan)) \
	$(eval SIM_LDFLAGS_tsan-$(f) := $(SIM_LDFLAGS_tsan)))
sim_libs = $(B)/$(1)/libsim.a $(B)/$(1)/libcore.a

# Swap on what the host has (sim/swap/): an archive of its own, since it needs
# libraries.  A program that names one of these devices has
# $(call sim_swap_lib,VARIANT) before $(call sim_libs,VARIANT), and
# $(SIM_SWAP_LIBS) at the end.
SIM_SWAP_SRC := $(wildcard sim/swap/*.c)
SIM_SWAP_LIBS := -luring -lzstd -llz4 -lnbd
sim_swap_lib = $(B)/$(1)/libsimswap.a

define sim_variant
SIM_OBJ_$(1) := $$(patsubst %.c,$(B)/$(1)/%.o,$$(SIM_SRC) \
	$$(SIM_MMU_$$(VARIANT_FORMAT_$(1))))
$(B)/$(1)/sim/%.o: sim/%.c
	@mkdir -p $$(@D)
	$$(Q)$$(VARIANT_CC_$(1)) $$(HOSTED_CFLAGS) $$(VARIANT_FLAGS_$(1)) -c $$< -o $$@
$(B)/$(1)/libsim.a: $$(SIM_OBJ_$(1))
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
SIM_SWAP_OBJ_$(1) := $$(SIM_SWAP_SRC:%.c=$(B)/$(1)/%.o)
$(B)/$(1)/libsimswap.a: $$(SIM_SWAP_OBJ_$(1))
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
-include $$(SIM_OBJ_$(1):.o=.d) $$(SIM_SWAP_OBJ_$(1):.o=.d)
endef
$(foreach v,$(SIM_VARIANTS),$(eval $(call sim_variant,$(v))))
