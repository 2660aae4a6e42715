# SPDX-License-Identifier: MIT
# The tests.  Unit and scenario tests run on the simulated machine, in three
# builds: plain (with the contract checker), under Address- and
# UndefinedBehaviorSanitizer, and under ThreadSanitizer.
#   make test-unit test-asan test-tsan   each prints "N passed, N failed"
#   build/sim/tests/unit.bin -v NAME       runs single tests
#   make test ONLY='unit-arm asan-arm'     those of another format

# One program for each format, of the tests of every format and its own (see
# tests/harness/harness.h).
UNIT_DIRS_x86_64   := x86 x86_64
UNIT_DIRS_i386     := x86 x86_32 i386
UNIT_DIRS_i386_pae := x86 x86_32 i386_pae
UNIT_DIRS_arm      := arm
unit_src = tests/harness/harness.c $(wildcard tests/unit/test_*.c \
	$(UNIT_DIRS_$(1):%=tests/unit/%/test_*.c))
UNIT_BUILDS := sim asan tsan
UNIT_VARIANTS := $(UNIT_BUILDS) \
	$(foreach v,$(UNIT_BUILDS),$(OTHER_FORMATS:%=$(v)-%))

define unit_variant
UNIT_OBJ_$(1) := $$(patsubst %.c,$(B)/$(1)/%.o,\
	$$(call unit_src,$$(VARIANT_FORMAT_$(1))))
$(B)/$(1)/tests/%.o: tests/%.c
	@mkdir -p $$(@D)
	$$(Q)$$(VARIANT_CC_$(1)) $$(HOSTED_CFLAGS) $$(VARIANT_FLAGS_$(1)) \
		-Itests/harness/$$(VARIANT_FORMAT_$(1)) -c $$< -o $$@
$(B)/$(1)/tests/unit.bin: $$(UNIT_OBJ_$(1)) $$(call sim_swap_lib,$(1)) \
		$$(call sim_libs,$(1))
	$$(Q)$$(VARIANT_CC_$(1)) $$(SIM_LDFLAGS_$(1)) -pthread -o $$@ \
		$$(UNIT_OBJ_$(1)) $$(call sim_swap_lib,$(1)) \
		$$(call sim_libs,$(1)) $$(SIM_SWAP_LIBS)
-include $$(UNIT_OBJ_$(1):.o=.d)
endef
$(foreach v,$(UNIT_VARIANTS),$(eval $(call unit_variant,$(v))))

SUITES += unit asan tsan
SUITE_unit := $(B)/sim/tests/unit.bin
SUITE_DEPS_unit := $(B)/sim/tests/unit.bin
SUITE_LIMIT_unit := 1200
SUITE_asan := QUIRE_INJECT_STRIDE=3 $(B)/asan/tests/unit.bin
SUITE_DEPS_asan := $(B)/asan/tests/unit.bin
SUITE_LIMIT_asan := 1800
SUITE_tsan := QUIRE_INJECT_STRIDE=17 TSAN_OPTIONS=halt_on_error=0:exitcode=66 \
	$(B)/tsan/tests/unit.bin
SUITE_DEPS_tsan := $(B)/tsan/tests/unit.bin
SUITE_LIMIT_tsan := 1800

# The other formats.  What threads do to each other is mm/'s and the same for
# all, so ThreadSanitizer gets the tests that race, and no injection.
define unit_suites
SUITES += unit-$(1) asan-$(1) tsan-$(1)
SUITE_unit-$(1) := $(B)/sim-$(1)/tests/unit.bin
SUITE_DEPS_unit-$(1) := $(B)/sim-$(1)/tests/unit.bin
SUITE_LIMIT_unit-$(1) := 1200
SUITE_asan-$(1) := QUIRE_INJECT_STRIDE=7 $(B)/asan-$(1)/tests/unit.bin
SUITE_DEPS_asan-$(1) := $(B)/asan-$(1)/tests/unit.bin
SUITE_LIMIT_asan-$(1) := 1800
SUITE_tsan-$(1) := TSAN_OPTIONS=halt_on_error=0:exitcode=66 \
	$(B)/tsan-$(1)/tests/unit.bin test_races test_stress test_lock test_file_races
SUITE_DEPS_tsan-$(1) := $(B)/tsan-$(1)/tests/unit.bin
SUITE_LIMIT_tsan-$(1) := 1800
endef
$(foreach f,$(OTHER_FORMATS),$(eval $(call unit_suites,$(f))))

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
