# SPDX-License-Identifier: MIT
# Quire's build.  Everything goes to build/.  Each folder has a module.mk that
# adds its own rules; this file has what they share.
#
# Variants of the core, each a folder under build/:
#   lib      release: what `make install` puts in place
#   sim      hosted, with -DQUIRE_DEBUG, _INJECT and _TRACE: tests
#   asan     sim with Address- and UndefinedBehaviorSanitizer
#   tsan     sim with ThreadSanitizer (clang)
#   fast     hosted, release: benchmarks
#   kernel   the reference kernel's copy, with its inlined host functions

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
SHELL := /bin/bash

B      := build
FORMAT ?= x86_64
CC     ?= gcc
ifeq ($(origin CC),default)
CC     := gcc
endif
CLANG  ?= clang

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wconversion -Werror
# What mm/ and arch/ are compiled with, wherever they run.
CORE_CFLAGS := -std=c17 $(WARN) -O2 -g -ffreestanding -fno-strict-aliasing \
	-fno-common -ffunction-sections -MMD -MP
CORE_INC := -Iinclude -Imm/internal -Iarch/x86/include
HOSTED_CFLAGS := -std=gnu17 $(WARN) -O2 -g -fno-strict-aliasing -pthread -MMD -MP \
	-Iinclude -Imm/internal -Iarch/x86/include -I.

CORE_SRC := $(wildcard mm/*.c) $(wildcard arch/x86/*.c)

VARIANT_CC_lib      := $(CC)
VARIANT_CFLAGS_lib  :=
VARIANT_CC_sim      := $(CC)
VARIANT_CFLAGS_sim  := -DQUIRE_DEBUG -DQUIRE_INJECT -DQUIRE_TRACE
VARIANT_CC_asan     := $(CC)
VARIANT_CFLAGS_asan := $(VARIANT_CFLAGS_sim) -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
VARIANT_CC_tsan     := $(CLANG)
VARIANT_CFLAGS_tsan := $(VARIANT_CFLAGS_sim) -fsanitize=thread -O1
VARIANT_CC_fast     := $(CC)
VARIANT_CFLAGS_fast :=

# $(call core_variant,NAME): objects and an archive of the core.
define core_variant
CORE_OBJ_$(1) := $$(CORE_SRC:%.c=$(B)/$(1)/%.o)
$(B)/$(1)/mm/%.o: mm/%.c
	@mkdir -p $$(@D)
	$$(Q)$$(VARIANT_CC_$(1)) $$(CORE_CFLAGS) $$(CORE_INC) $$(VARIANT_CFLAGS_$(1)) -c $$< -o $$@
$(B)/$(1)/arch/%.o: arch/%.c
	@mkdir -p $$(@D)
	$$(Q)$$(VARIANT_CC_$(1)) $$(CORE_CFLAGS) $$(CORE_INC) $$(VARIANT_CFLAGS_$(1)) -c $$< -o $$@
$(B)/$(1)/libcore.a: $$(CORE_OBJ_$(1))
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
-include $$(CORE_OBJ_$(1):.o=.d)
endef
Q ?= @
$(foreach v,lib sim asan tsan fast,$(eval $(call core_variant,$(v))))

MODULES := $(wildcard */module.mk)
include $(MODULES)

.PHONY: all clean
all: $(ALL_TARGETS)
clean:
	rm -rf $(B)
