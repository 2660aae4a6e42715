# SPDX-License-Identifier: MIT
# The command by itself, against a machine that fake_qemu.py plays.
SUITES += command
SUITE_command := tests/cmd/test_command.py $(B)/bin/quire
SUITE_DEPS_command := $(B)/bin/quire
