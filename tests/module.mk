# SPDX-License-Identifier: MIT
# The tests.  Unit and scenario tests run on the simulated machine, in three
# builds: plain (with the contract checker), under Address- and
# UndefinedBehaviorSanitizer, and under ThreadSanitizer.
#   make test-unit test-asan test-tsan   each prints "N passed, N failed"
#   build/sim/tests/unit.bin -v NAME       runs single tests

UNIT_SRC := tests/harness/harness.c $(wildcard tests/unit/*.c)
UNIT_VARIANTS := sim asan tsan

define unit_variant
UNIT_OBJ_$(1) := $$(UNIT_SRC:%.c=$(B)/$(1)/%.o)
$(B)/$(1)/tests/%.o: tests/%.c
	@mkdir -p $$(@D)
	$$(Q)$$(VARIANT_CC_$(1)) $$(HOSTED_CFLAGS) $$(VARIANT_FLAGS_$(1)) -c $$< -o $$@
$(B)/$(1)/tests/unit.bin: $$(UNIT_OBJ_$(1)) $$(call sim_libs,$(1))
	$$(Q)$$(VARIANT_CC_$(1)) $$(SIM_LDFLAGS_$(1)) -pthread -o $$@ \
		$$(UNIT_OBJ_$(1)) $$(call sim_libs,$(1))
-include $$(UNIT_OBJ_$(1):.o=.d)
endef
$(foreach v,$(UNIT_VARIANTS),$(eval $(call unit_variant,$(v))))

SUITES += unit asan tsan
SUITE_unit := $(B)/sim/tests/unit.bin
SUITE_DEPS_unit := $(B)/sim/tests/unit.bin
SUITE_LIMIT_unit := 600
SUITE_asan := QUIRE_INJECT_STRIDE=3 $(B)/asan/tests/unit.bin
SUITE_DEPS_asan := $(B)/asan/tests/unit.bin
SUITE_LIMIT_asan := 900
SUITE_tsan := QUIRE_INJECT_STRIDE=17 TSAN_OPTIONS=halt_on_error=0:exitcode=66 \
	$(B)/tsan/tests/unit.bin
SUITE_DEPS_tsan := $(B)/tsan/tests/unit.bin
SUITE_LIMIT_tsan := 900

.PHONY: test-unit test-asan test-tsan
#: make test-unit       unit tests on the simulated machine (also test-asan,
#:                      test-tsan)
test-unit: $(SUITE_DEPS_unit)
	$(SUITE_unit)
test-asan: $(SUITE_DEPS_asan)
	$(SUITE_asan)
test-tsan: $(SUITE_DEPS_tsan)
	$(SUITE_tsan)

include $(sort $(wildcard tests/*/module.mk))
