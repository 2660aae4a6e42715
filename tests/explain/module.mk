# SPDX-License-Identifier: MIT
# `quire explain`, of each format that is built.
SUITES += explain
SUITE_explain := tests/explain/test_explain.py $(B) $(EXPLAIN_ARCHES)
SUITE_LIMIT_explain := 1200
SUITE_DEPS_explain := $(B)/bin/quire $(EXPLAIN_PROGRAMS) $(IMAGES)
