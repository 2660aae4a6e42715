# SPDX-License-Identifier: MIT
SUITES += library
SUITE_library := scripts/check-lib.sh $(B)/lib/libquire.a
SUITE_DEPS_library := $(B)/lib/libquire.a

SUITES += embed
SUITE_embed := scripts/check-embed.sh $(MAKE)
SUITE_DEPS_embed := $(B)/lib/libquire.a

SUITES += behaviours
SUITE_behaviours := scripts/behaviours.sh
