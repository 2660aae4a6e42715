# SPDX-License-Identifier: MIT
# Programs that test the kernel from the inside, and the script that boots it
# for each of them.

KERNEL_TESTS := faults signals process smp files pipes procfs
KERNEL_TEST_BIN := $(KERNEL_TESTS:%=$(B)/tests/kernel/%)

$(B)/tests/kernel/%: tests/kernel/%.c tests/kernel/check.h
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(WARN) -O1 -static -pthread -o $@ $<

# The decoder of what comes from outside the machine, on the host.
$(B)/tests/kernel/p9_host: tests/kernel/p9_host.c kernel/fs/9p_parse.c \
		kernel/include/p9.h tests/kernel/check.h
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(WARN) -O1 -g -fsanitize=address,undefined \
		-fno-sanitize-recover=undefined -Ikernel/include -o $@ \
		tests/kernel/p9_host.c kernel/fs/9p_parse.c
KERNEL_TEST_BIN += $(B)/tests/kernel/p9_host

SUITES += kernel
SUITE_kernel := tests/kernel/run.sh $(B)/bin/quire $(B)/tests/kernel
SUITE_DEPS_kernel := $(B)/bin/quire $(KERNEL_IMAGE) $(KERNEL_TEST_BIN)
SUITE_LIMIT_kernel := 1800

.PHONY: test-kernel
#: make test-kernel     programs that test the kernel from the inside, in QEMU
test-kernel: $(SUITE_DEPS_kernel)
	$(SUITE_kernel)
