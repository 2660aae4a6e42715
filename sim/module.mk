# SPDX-License-Identifier: MIT
# The simulated machine, once for each hosted variant of the core:
# build/VARIANT/libsim.a.  A program on it links, in this order,
# $(call sim_libs,VARIANT), with $(SIM_LDFLAGS_VARIANT) and -pthread.

SIM_SRC := $(wildcard sim/*.c)
SIM_VARIANTS := sim asan tsan fast
SIM_LDFLAGS_asan := -fsanitize=address,undefined
SIM_LDFLAGS_tsan := -fsanitize=thread
sim_libs = $(B)/$(1)/libsim.a $(B)/$(1)/libcore.a

define sim_variant
SIM_OBJ_$(1) := $$(SIM_SRC:%.c=$(B)/$(1)/%.o)
$(B)/$(1)/sim/%.o: sim/%.c
	@mkdir -p $$(@D)
	$$(Q)$$(VARIANT_CC_$(1)) $$(HOSTED_CFLAGS) $$(VARIANT_CFLAGS_$(1)) -c $$< -o $$@
$(B)/$(1)/libsim.a: $$(SIM_OBJ_$(1))
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
-include $$(SIM_OBJ_$(1):.o=.d)
endef
$(foreach v,$(SIM_VARIANTS),$(eval $(call sim_variant,$(v))))
