# SPDX-License-Identifier: MIT
SUITES += library
SUITE_library := scripts/check-lib.sh $(B)/lib/libquire.a
SUITE_DEPS_library := $(B)/lib/libquire.a
