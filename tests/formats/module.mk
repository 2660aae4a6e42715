# SPDX-License-Identifier: MIT
# Nothing in mm/ knows which machine it runs on: it is compiled against the
# tables of one that does not exist (dummy/), by both compilers, with user
# addresses of 32 and of 64 bits; and its source names no processor.
FORMAT_FLAGS_dummy32 := -DQUIRE_UADDR_BITS=32 -Itests/formats/dummy
FORMAT_FLAGS_dummy64 := -Itests/formats/dummy
VARIANT_CC_dummy32 := $(CC)
VARIANT_CC_dummy64 := $(CC)
VARIANT_CC_dummy32-clang := $(CLANG)
VARIANT_CFLAGS_dummy64 := $(VARIANT_CFLAGS_sim)
$(eval $(call core_variant,dummy32,dummy32))
$(eval $(call core_variant,dummy64,dummy64))
$(eval $(call core_variant,dummy32-clang,dummy32))

SUITES += formats
SUITE_formats := tests/formats/check.py $(B) dummy32 dummy64 dummy32-clang
