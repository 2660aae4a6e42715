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
#   explain  sim with every function of mm/ and arch/ instrumented: `quire explain`
#   kernel   the reference kernel's copy, with its inlined host functions
#
# The core is compiled for one page-table format at a time.  x86_64 is the
# format of the variants above; the others' are named VARIANT-FORMAT, with
# folders of that name (build/sim-arm, build/asan-i386_pae ...).
#
# `make run` and `make test` first install what is missing (scripts/setup.sh)
# and then call make again, so that nothing here may need a compiler before.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
SHELL := /bin/bash

B      := build
VERSION := $(shell cat VERSION)
CC     ?= gcc
ifeq ($(origin CC),default)
CC     := gcc
endif
CLANG  ?= clang
OBJCOPY ?= objcopy

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wconversion -Werror
# What mm/ and arch/ are compiled with, wherever they run.
CORE_CFLAGS := -std=c17 $(WARN) -O2 -g -ffreestanding -fno-strict-aliasing \
	-fno-common -ffunction-sections -MMD -MP
CORE_INC := -Iinclude -Imm/internal -Iarch/generic
HOSTED_CFLAGS := -std=gnu17 $(WARN) -O2 -g -fno-strict-aliasing -pthread -MMD -MP \
	-Iinclude -Imm/internal -Iarch/generic -I.

# Page-table formats: where <asm/...> is found, and the architecture's files.
FORMATS := x86_64 i386 i386_pae arm
FORMAT_FLAGS_x86_64   := -Iarch/x86/format/x86_64 -Iarch/x86/include
FORMAT_FLAGS_i386     := -DQUIRE_UADDR_BITS=32 -Iarch/x86/format/i386 \
	-Iarch/x86/include
FORMAT_FLAGS_i386_pae := -DQUIRE_UADDR_BITS=32 -Iarch/x86/format/i386_pae \
	-Iarch/x86/include
FORMAT_FLAGS_arm      := -DQUIRE_UADDR_BITS=32 -Iarch/arm/include
FORMAT_SRC_x86_64   := $(wildcard arch/x86/*.c)
FORMAT_SRC_i386     := $(FORMAT_SRC_x86_64)
FORMAT_SRC_i386_pae := $(FORMAT_SRC_x86_64)
FORMAT_SRC_arm      := $(wildcard arch/arm/*.c)

MM_SRC := $(wildcard mm/*.c)

VARIANT_CC_lib      := $(CC)
# For kernels as well as processes: any address, no FP registers, no red zone.
VARIANT_CFLAGS_lib  := -fPIE -fvisibility=hidden -mgeneral-regs-only \
	-mno-red-zone -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables
VARIANT_CC_sim      := $(CC)
VARIANT_CFLAGS_sim  := -DQUIRE_DEBUG -DQUIRE_INJECT -DQUIRE_TRACE
VARIANT_CC_asan     := $(CC)
VARIANT_CFLAGS_asan := $(VARIANT_CFLAGS_sim) -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
VARIANT_CC_tsan     := $(CLANG)
VARIANT_CFLAGS_tsan := $(VARIANT_CFLAGS_sim) -fsanitize=thread -O1
VARIANT_CC_fast     := $(CC)
VARIANT_CFLAGS_fast :=
VARIANT_CC_explain     := gcc
VARIANT_CFLAGS_explain := $(VARIANT_CFLAGS_sim) -DQUIRE_EXPLAIN
# VARIANT_CORE_CFLAGS: for mm/ and arch/ alone.  Here: all calls are calls,
# arguments are in memory, where the debug information says.
VARIANT_CORE_CFLAGS_explain := -O0 -D__always_inline=inline -fno-pie \
	-finstrument-functions -fno-omit-frame-pointer -fcf-protection=none

# $(call core_variant,NAME[,FORMAT]): objects and an archive of the core.
# VARIANT_FLAGS_NAME is what else is compiled for it needs: $(VARIANT_CFLAGS)
# and the format's include paths.
define core_variant
VARIANT_FORMAT_$(1) := $(or $(2),x86_64)
VARIANT_FLAGS_$(1) := $$(VARIANT_CFLAGS_$(1)) $$(FORMAT_FLAGS_$(or $(2),x86_64))
CORE_OBJ_$(1) := $$(patsubst %.c,$(B)/$(1)/%.o,$$(MM_SRC) \
	$$(FORMAT_SRC_$(or $(2),x86_64)))
$(B)/$(1)/mm/%.o: mm/%.c
	@mkdir -p $$(@D)
	$$(Q)$$(VARIANT_CC_$(1)) $$(CORE_CFLAGS) $$(CORE_INC) $$(VARIANT_FLAGS_$(1)) \
		$$(VARIANT_CORE_CFLAGS_$(1)) -c $$< -o $$@
$(B)/$(1)/arch/%.o: arch/%.c
	@mkdir -p $$(@D)
	$$(Q)$$(VARIANT_CC_$(1)) $$(CORE_CFLAGS) $$(CORE_INC) $$(VARIANT_FLAGS_$(1)) \
		$$(VARIANT_CORE_CFLAGS_$(1)) -c $$< -o $$@
$(B)/$(1)/libcore.a: $$(CORE_OBJ_$(1))
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
-include $$(CORE_OBJ_$(1):.o=.d)
endef
# make V=1 shows the commands.
ifeq ($(V),1)
Q :=
endif
Q ?= @
CORE_VARIANTS := lib sim asan tsan fast explain
$(foreach v,$(CORE_VARIANTS),$(eval $(call core_variant,$(v))))

# The same for the other formats: $(call variant_formats,sim asan) gives
# sim-i386 sim-i386_pae ... asan-arm.
OTHER_FORMATS := $(filter-out x86_64,$(FORMATS))
variant_formats = $(foreach v,$(1),$(OTHER_FORMATS:%=$(v)-%))
# $(call format_variant,VARIANT,FORMAT)
define format_variant
VARIANT_CC_$(1)-$(2) := $$(VARIANT_CC_$(1))
VARIANT_CFLAGS_$(1)-$(2) := $$(VARIANT_CFLAGS_$(1))
VARIANT_CORE_CFLAGS_$(1)-$(2) := $$(VARIANT_CORE_CFLAGS_$(1))
$(call core_variant,$(1)-$(2),$(2))
endef
$(foreach v,$(CORE_VARIANTS),$(foreach f,$(OTHER_FORMATS),\
	$(eval $(call format_variant,$(v),$(f)))))

# What the modules add to:
#   ALL_TARGETS      files that `make` alone builds
#   SUITES           test suites; for each suite NAME of them
#     SUITE_NAME        the command, run from the top; its last line is
#                       "N passed, N failed", it exits 0 when none failed
#     SUITE_DEPS_NAME   files to build first
#     SUITE_LIMIT_NAME  seconds it may take (600)
#   BENCHES, FUZZES  targets that `make bench` and `make fuzz` build (and run)
ALL_TARGETS :=
SUITES :=
BENCHES :=
FUZZES :=
# The kernels that `quire run` boots, and compilers of programs for them.
# `make` and `make install` leave out those that there is no compiler for;
# `make run` and `make test` install it.
ARCHS := x86_64 $(if $(wildcard kernel/arm/boot.S),armv7 armv6)
ARM_ARCHS := $(filter armv%,$(ARCHS))
CAN_BUILD := x86_64 $(if $(shell command -v arm-linux-gnueabi-gcc),$(ARM_ARCHS))
KERNEL_IMAGE := $(B)/kernel/quire.elf
KERNEL_IMAGE_x86_64 := $(KERNEL_IMAGE)
KERNEL_IMAGE_armv7  := $(B)/kernel-armv7/quire.img
KERNEL_IMAGE_armv6  := $(B)/kernel-armv6/quire.img
IMAGES := $(foreach a,$(CAN_BUILD),$(KERNEL_IMAGE_$a))
USER_CC_x86_64 := $(CC)
USER_CC_armv7  := arm-linux-gnueabihf-gcc
USER_CC_armv6  := arm-linux-gnueabi-gcc

# sim's first: others name its files.
MODULES := sim/module.mk \
	$(filter-out sim/module.mk,$(sort $(wildcard */module.mk)))
include $(MODULES)
ALL_TARGETS += $(B)/lib/libquire.a $(IMAGES)

# ---------------------------------------------------------------- the library
# One object whose only visible names are those that the public headers
# declare, so that an embedder's own kmalloc or find_vma does not collide.
PUBLIC_HEADERS := $(wildcard include/quire/*.h)
PUBLIC_NAMES := quire_[a-z0-9_]+|do_page_fault|do_[A-Z][A-Za-z]+Abort|hook_i?fault_code
# $(call libquire,VARIANT,PREFIX of the binary tools)
define libquire
$(B)/$(1)/libquire.a: $$(CORE_OBJ_$(1)) $$(LIB_ASM_$(1)) $$(PUBLIC_HEADERS) \
		Makefile
	$$(Q)rm -f $$@
	$$(Q)grep -ohE '\b($$(PUBLIC_NAMES))\(' $$(PUBLIC_HEADERS) | \
		tr -d '(' | sort -u >$$(@D)/public
	$$(Q)$(2)$$(LD) -r -o $$(@D)/quire-all.o $$(CORE_OBJ_$(1)) \
		$$(LIB_ASM_$(1))
	$$(Q)$(2)$$(OBJCOPY) --keep-global-symbols=$$(@D)/public \
		$$(@D)/quire-all.o $$(@D)/quire.o
	$$(Q)$(2)$$(AR) rcs $$@ $$(@D)/quire.o
endef
$(eval $(call libquire,lib))

# The same for a kernel of another machine:
#   make install-lib FORMAT=arm CROSS_COMPILE=arm-none-eabi-
# LIB_ARCH: which processors.  Code for ARMv6K runs on ARMv7 as well.
FORMAT ?= x86_64
CROSS_COMPILE ?= arm-linux-gnueabi-
LIB_ARCH ?= -march=armv6k
VARIANT_CC_lib-for-arm := $(CROSS_COMPILE)gcc
VARIANT_CFLAGS_lib-for-arm := $(LIB_ARCH) -marm -msoft-float -fno-pic -fno-pie \
	-fvisibility=hidden -fno-stack-protector -fno-asynchronous-unwind-tables
$(eval $(call core_variant,lib-for-arm,arm))
# What the core calls of the architecture's assembly.
LIB_ASM_lib-for-arm := $(B)/lib-for-arm/arch/arm/page.S.o
$(LIB_ASM_lib-for-arm): arch/arm/page.S
	@mkdir -p $(@D)
	$(Q)$(CROSS_COMPILE)gcc $(LIB_ARCH) -marm $(FORMAT_FLAGS_arm) -c $< -o $@
$(eval $(call libquire,lib-for-arm,$(CROSS_COMPILE)))
LIB_DIR_x86_64 := $(B)/lib
LIB_DIR_arm    := $(B)/lib-for-arm
LIB_DIR := $(or $(LIB_DIR_$(FORMAT)),$(error FORMAT is x86_64 or arm))

# ---------------------------------------------------------------- the targets
.PHONY: all help setup run run-built test test-built bench bench-built fuzz \
	fuzz-built check-format format install clean
all: $(ALL_TARGETS)

help:
	@sed -n 's/^#: //p' Makefile */module.mk

#: make                 builds the library, the command and the kernel
#: make run             boots the kernel in QEMU, runs a tour of busybox on it;
#:                      ARCH=armv7 and ARCH=armv6 do so on 32-bit ARM
#: make test            runs all tests; ONLY='a b' runs only those suites
#: make bench           runs the benchmarks and prints their tables
#: make fuzz            fuzzes each target; FUZZ_SECONDS=N (default 60) each
#: make check-format    says which files clang-format would change
#: make format          lets it change them
#: make install         installs; PREFIX=/usr/local, DESTDIR=
#: make install-lib     only what an embedder needs; for a 32-bit ARM kernel with
#:                      FORMAT=arm [CROSS_COMPILE=... LIB_ARCH=-march=...]
#: make clean           removes build/
#: make setup           installs the Debian packages that are missing
#:
#: V=1 shows the commands, CC=clang builds with Clang.

# All processors, unless the caller has said how many.
NPROC := $(shell nproc 2>/dev/null || echo 1)
AGAIN = $(MAKE) --no-print-directory \
	$(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(NPROC))

setup:
	@scripts/setup.sh

run: setup
	@+$(AGAIN) run-built
# Debian's static busybox of the machine, in a root directory of its own but
# for x86_64.
ARCH ?= x86_64
RUN_ROOT_armv7 := $(B)/tour-armhf
RUN_ROOT_armv6 := $(B)/tour-armel
run-built: $(B)/bin/quire $(KERNEL_IMAGE_$(ARCH)) $(RUN_ROOT_$(ARCH):=.made)
	$(if $(KERNEL_IMAGE_$(ARCH)),,$(error ARCH=$(ARCH): x86_64, armv7 or \
		armv6 is expected))
	$(B)/bin/quire run --arch $(ARCH) $(RUN_ROOT_$(ARCH):%=--root %) \
		-- /bin/busybox sh $(if $(RUN_ROOT_$(ARCH)),/)examples/tour.sh

test: setup
	@+$(AGAIN) test-built
TAB := $(shell printf '\t')
test-built: $(foreach s,$(or $(ONLY),$(SUITES)),$(SUITE_DEPS_$(s)))
	$(shell mkdir -p $(B))$(file >$(B)/suites.list)
	$(foreach s,$(SUITES),$(file >>$(B)/suites.list,$s$(TAB)$(or \
		$(SUITE_LIMIT_$s),600)$(TAB)$(SUITE_$s)))
	@scripts/run-tests.sh $(B)/suites.list $(ONLY)

# One after the other: their figures are times, and their tables stay whole.
bench: setup
	@+$(MAKE) --no-print-directory -j1 bench-built
bench-built: $(BENCHES)

FUZZ_SECONDS ?= 60
fuzz: setup
	@+$(AGAIN) fuzz-built
fuzz-built: $(FUZZES)

FORMATTED = git ls-files '*.c' '*.h'
check-format: setup
	@$(FORMATTED) | xargs -r clang-format --dry-run -Werror && \
		echo "check-format: all files are as clang-format would have them"
format:
	$(FORMATTED) | xargs -r clang-format -i

clean:
	rm -rf $(B)

# -------------------------------------------------------------------- install
PREFIX  ?= /usr/local
BINDIR  := $(PREFIX)/bin
LIBDIR  := $(PREFIX)/lib
INCDIR  := $(PREFIX)/include
MANDIR  := $(PREFIX)/share/man
INSTALL ?= install
# The registers and error codes that do_page_fault() takes, or the two aborts.
PUBLIC_ASM_x86_64 := $(addprefix arch/x86/include/asm/,ptrace.h trap_pf.h)
PUBLIC_ASM_arm := $(addprefix arch/arm/include/asm/,ptrace.h fsr.h)
# What user addresses' width is, for <quire/types.h>.
PUBLIC_CFLAGS_arm := -DQUIRE_UADDR_BITS=32

.PHONY: install-lib
install-lib: $(LIB_DIR)/libquire.a
	$(INSTALL) -d $(addprefix $(DESTDIR),$(LIBDIR)/pkgconfig \
		$(INCDIR)/quire/asm $(MANDIR)/man3)
	$(INSTALL) -m 644 include/quire/*.h $(DESTDIR)$(INCDIR)/quire
	$(INSTALL) -m 644 $(PUBLIC_ASM_$(FORMAT)) $(DESTDIR)$(INCDIR)/quire/asm
	$(INSTALL) -m 644 $(LIB_DIR)/libquire.a $(DESTDIR)$(LIBDIR)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
		-e 's|@CFLAGS@| $(PUBLIC_CFLAGS_$(FORMAT))|; s| *$$||' \
		scripts/quire.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/quire.pc
	$(INSTALL) -m 644 man/*.3 $(DESTDIR)$(MANDIR)/man3
install: install-lib $(B)/bin/quire $(IMAGES) $(EXPLAIN_PROGRAMS)
	$(INSTALL) -d $(addprefix $(DESTDIR),$(BINDIR) $(LIBDIR)/quire \
		$(MANDIR)/man1)
	$(INSTALL) -m 755 $(B)/bin/quire $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 644 $(KERNEL_IMAGE) $(DESTDIR)$(LIBDIR)/quire
	for a in $(filter armv%,$(CAN_BUILD)); do $(INSTALL) -m 644 \
		$(B)/kernel-$$a/quire.img \
		$(DESTDIR)$(LIBDIR)/quire/quire-$$a.img || exit; \
		$(INSTALL) -m 644 $(B)/kernel-$$a/quire.elf \
		$(DESTDIR)$(LIBDIR)/quire/quire-$$a.elf || exit; done
	$(INSTALL) -m 755 $(EXPLAIN_PROGRAMS) $(DESTDIR)$(LIBDIR)/quire
	$(INSTALL) -m 644 man/*.1 $(DESTDIR)$(MANDIR)/man1
