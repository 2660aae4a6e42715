#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs the tests of ARM's exception entry on both kinds of processor.
#
# usage: tests/entry/run.sh FOLDER   where v7.elf and v6.elf are
# The last line is "N passed, N failed".
set -u

passed=0 failed=0
run() { # run NAME QEMU-ARGUMENTS...
	local name=$1 out
	shift
	out=$(QEMU_AUDIO_DRV=none timeout 250 qemu-system-arm "$@" -accel tcg -m 64 -nographic \
		-monitor none -serial none \
		-semihosting-config enable=on,target=native \
		-kernel "$dir/$name.elf" </dev/null 2>&1)
	echo "$name:"
	echo "$out"
	if [[ $out =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
	else
		echo "FAIL $name did not end"
		failed=$((failed + 1))
	fi
}

dir=$1
run v7 -M virt -cpu cortex-a15
run v6 -M vexpress-a15 -cpu arm1176
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
