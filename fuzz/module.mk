# SPDX-License-Identifier: MIT
# Fuzz targets (libFuzzer, with Address- and UndefinedBehaviorSanitizer).
#   make fuzz                each for FUZZ_SECONDS, starting from its corpus
#   build/fuzz/NAME ARGS     one of them, with libFuzzer's options
# `make test` replays the corpora in fuzz/corpus/NAME.

FUZZ_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
VARIANT_CC_fuzz     := $(CLANG)
VARIANT_CFLAGS_fuzz := $(VARIANT_CFLAGS_sim) -fsanitize=fuzzer-no-link \
	$(FUZZ_FLAGS) -O1 -fno-omit-frame-pointer
SIM_LDFLAGS_fuzz    := -fsanitize=fuzzer $(FUZZ_FLAGS)
$(eval $(call core_variant,fuzz))

FUZZ_TARGETS := elf json $(if $(wildcard kernel/fs/9p_parse.c),p9) ops
# What each links besides its own file.
FUZZ_SRC_elf  := cmd/elf.c kernel/elf.c
FUZZ_SRC_json := cmd/json.c cmd/report.c
FUZZ_SRC_p9   := kernel/fs/9p_parse.c
FUZZ_SRC_ops  := $(filter-out sim/mmu_%.c,$(wildcard sim/*.c)) sim/mmu_x86_64.c
# Long streams from the start.
FUZZ_ARGS_ops := -len_control=0 -max_len=1604

$(B)/fuzz/%.o: %.c VERSION
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOSTED_CFLAGS) $(VARIANT_FLAGS_fuzz) -Ikernel/include \
		-DQUIRE_VERSION='"$(VERSION)"' -c $< -o $@
define fuzz_target
FUZZ_OBJ_$(1) := $$(patsubst %.c,$(B)/fuzz/%.o,fuzz/$(1).c $$(FUZZ_SRC_$(1)))
$(B)/fuzz/$(1): $$(FUZZ_OBJ_$(1))
	$$(Q)$$(CLANG) $$(SIM_LDFLAGS_fuzz) -pthread -o $$@ $$^
-include $$(FUZZ_OBJ_$(1):.o=.d)

.PHONY: fuzz-$(1)
fuzz-$(1): $(B)/fuzz/$(1)
	@mkdir -p $(B)/fuzz/new/$(1)
	$(B)/fuzz/$(1) -max_total_time=$(FUZZ_SECONDS) -timeout=20 \
		$(FUZZ_ARGS_$(1)) -print_final_stats=1 -artifact_prefix=$(B)/fuzz/$(1)- \
		$(B)/fuzz/new/$(1) fuzz/corpus/$(1)
FUZZES += fuzz-$(1)
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_target,$(t))))
$(B)/fuzz/ops: $(B)/fuzz/libcore.a

SUITES += fuzz
SUITE_fuzz := fuzz/replay.sh $(FUZZ_TARGETS:%=$(B)/fuzz/%)
SUITE_DEPS_fuzz := $(FUZZ_TARGETS:%=$(B)/fuzz/%)
