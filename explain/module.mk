# SPDX-License-Identifier: MIT
# What `quire explain` runs: build/bin/../lib/quire/explain-FORMAT, one program
# for each page-table format, on the instrumented variant of the core.

EXPLAIN_SRC := $(filter-out explain/tables_%.c explain/scenarios_%.c,\
	$(wildcard explain/*.c))
EXPLAIN_OWN_x86_64   := explain/tables_x86.c explain/scenarios_x86.c
EXPLAIN_OWN_i386     := $(EXPLAIN_OWN_x86_64)
EXPLAIN_OWN_i386_pae := $(EXPLAIN_OWN_x86_64)
EXPLAIN_OWN_arm      := explain/tables_arm.c explain/scenarios_arm.c
EXPLAIN_FORMATS := x86_64 i386 i386_pae arm
EXPLAIN_ARCHES := x86_64 i386 i386-pae armv7 armv6
explain_program = $(B)/explain/explain-$(1)

# $(call explain_format,FORMAT,VARIANT)
define explain_format
EXPLAIN_OBJ_$(1) := $$(patsubst %.c,$(B)/$(2)/%.o,$$(EXPLAIN_SRC) \
	$$(EXPLAIN_OWN_$(1))) $(B)/$(2)/explain/return.o
$(B)/$(2)/explain/%.o: explain/%.c
	@mkdir -p $$(@D)
	$$(Q)$$(VARIANT_CC_$(2)) $$(HOSTED_CFLAGS) -D_GNU_SOURCE -fno-pie \
		$$(VARIANT_FLAGS_$(2)) -c $$< -o $$@
$(B)/$(2)/explain/return.o: explain/return.S
	@mkdir -p $$(@D)
	$$(Q)$$(VARIANT_CC_$(2)) -c $$< -o $$@
$(call explain_program,$(1)): $$(EXPLAIN_OBJ_$(1)) $(B)/$(2)/libsim.a \
		$(B)/$(2)/libcore.a $(B)/cmd/libcmd.a
	@mkdir -p $$(@D)
	$$(Q)$$(VARIANT_CC_$(2)) -no-pie -pthread -o $$@ \
		-Wl,--start-group $$^ -Wl,--end-group -ldw -lelf
-include $$(EXPLAIN_OBJ_$(1):.o=.d)
endef
$(foreach f,$(EXPLAIN_FORMATS),$(eval $(call explain_format,$(f),$(if \
	$(filter x86_64,$(f)),explain,explain-$(f)))))

$(B)/explain/entry-armv7 $(B)/explain/entry-armv6: explain/program/arm.S
	@mkdir -p $(@D)
	$(Q)arm-linux-gnueabi-gcc -nostdlib -static -Wl,-Ttext=0x10000000 \
		-Wl,--build-id=none -o $@ $<
# The program of `quire explain entry`, far from where any kernel code is.
$(B)/explain/entry-x86_64: explain/program/x86_64.S
	@mkdir -p $(@D)
	$(Q)gcc -nostdlib -static -Wl,-Ttext=0x10000000 -Wl,--build-id=none \
		-o $@ $<

EXPLAIN_PROGRAMS := $(foreach f,$(EXPLAIN_FORMATS),$(call explain_program,$(f)))
EXPLAIN_PROGRAMS += $(CAN_BUILD:%=$(B)/explain/entry-%)
ALL_TARGETS += $(EXPLAIN_PROGRAMS)
