# SPDX-License-Identifier: MIT
# The command by itself, against a machine that fake_qemu.py plays.
SUITES += command
SUITE_command := tests/cmd/test_command.py $(B)/bin/quire
SUITE_DEPS_command := $(B)/bin/quire
# Whole runs, with the kernel in QEMU.
SUITES += run
SUITE_run := tests/cmd/test_run.py $(B)/bin/quire
SUITE_DEPS_run := $(B)/bin/quire $(KERNEL_IMAGE)
SUITE_LIMIT_run := 900
