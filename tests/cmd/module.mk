# SPDX-License-Identifier: MIT
# The command by itself, against a machine that fake_qemu.py plays.
SUITES += command
SUITE_command := tests/cmd/test_command.py $(B)/bin/quire
SUITE_DEPS_command := $(B)/bin/quire
# Whole runs, with the kernel in QEMU.
SUITES += run
SUITE_run := tests/cmd/test_run.py $(B)/bin/quire
SUITE_DEPS_run := $(B)/bin/quire $(IMAGES) $(B)/lib/libquire.a
SUITE_LIMIT_run := 1800
# The same on ARM, with Debian's programs.
define run_suite_arm
SUITES += run-$(1)
SUITE_run-$(1) := tests/cmd/test_run.py $(B)/bin/quire --arch $(1) $(B)/debian-$(2)
SUITE_DEPS_run-$(1) := $(B)/bin/quire $$(KERNEL_IMAGE_$(1)) $(B)/debian-$(2).made
SUITE_LIMIT_run-$(1) := 1200
endef
$(if $(ARM_ARCHS),$(eval $(call run_suite_arm,armv7,armhf)))
$(if $(ARM_ARCHS),$(eval $(call run_suite_arm,armv6,armel)))
