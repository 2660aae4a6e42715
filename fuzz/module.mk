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
# Page-table formats that the target ops is also built for: build/fuzz-F/ops.
$(foreach f,$(OTHER_FORMATS),$(eval $(call format_variant,fuzz,$(f))))

FUZZ_TARGETS := elf json $(if $(wildcard kernel/fs/9p_parse.c),p9) ops
# What each links besides its own file.
FUZZ_SRC_elf  := cmd/elf.c kernel/elf.c
FUZZ_SRC_json := cmd/json.c cmd/report.c cmd/board.c
FUZZ_SRC_p9   := kernel/fs/9p_parse.c
FUZZ_SRC_ops  := $(SIM_SRC) $(SIM_MMU_x86_64)
# Long streams from the start.
FUZZ_ARGS_ops := -len_control=0 -max_len=1604

define fuzz_objects
$(B)/$(1)/%.o: %.c VERSION
	@mkdir -p $$(@D)
	$$(Q)$(CLANG) $(HOSTED_CFLAGS) $$(VARIANT_FLAGS_$(1)) -Ikernel/include \
		-DQUIRE_VERSION='"$(VERSION)"' -c $$< -o $$@
endef
$(foreach v,fuzz $(OTHER_FORMATS:%=fuzz-%),$(eval $(call fuzz_objects,$(v))))
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

# ops once more for each format; the same corpus.
define fuzz_format
FUZZ_OBJ_$(1) := $$(patsubst %.c,$(B)/fuzz-$(1)/%.o,fuzz/ops.c $$(SIM_SRC) \
	$$(SIM_MMU_$(1)))
$(B)/fuzz-$(1)/ops: $$(FUZZ_OBJ_$(1)) $(B)/fuzz-$(1)/libcore.a
	$$(Q)$$(CLANG) $$(SIM_LDFLAGS_fuzz) -pthread -o $$@ $$^
-include $$(FUZZ_OBJ_$(1):.o=.d)

.PHONY: fuzz-ops-$(1)
fuzz-ops-$(1): $(B)/fuzz-$(1)/ops
	@mkdir -p $(B)/fuzz/new/ops
	$(B)/fuzz-$(1)/ops -max_total_time=$(FUZZ_SECONDS) -timeout=20 \
		$(FUZZ_ARGS_ops) -print_final_stats=1 \
		-artifact_prefix=$(B)/fuzz-$(1)/ops- \
		$(B)/fuzz/new/ops fuzz/corpus/ops
FUZZES += fuzz-ops-$(1)
endef
$(foreach f,$(OTHER_FORMATS),$(eval $(call fuzz_format,$(f))))
FUZZ_BINS := $(FUZZ_TARGETS:%=$(B)/fuzz/%) $(OTHER_FORMATS:%=$(B)/fuzz-%/ops)

SUITES += fuzz
SUITE_fuzz := fuzz/replay.sh $(FUZZ_BINS)
SUITE_DEPS_fuzz := $(FUZZ_BINS)
