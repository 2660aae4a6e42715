#!/bin/bash
# SPDX-License-Identifier: MIT
#
# More memory than there is, in QEMU: eight processes write and verify four
# times the machine's RAM; then swapoff, and the kernel's own check of all it
# has.
#
# usage: tests/kernel/run_swap.sh ARCH QUIRE BUILD
#   ARCH   x86_64, armv7 or armv6
#   QUIRE  the quire command
#   BUILD  the build's folder
#   environment: SWAP_TEST_SECONDS  the length of each run (2); from 60 on with
#                                   64 MiB of RAM, else with 32
#                SWAP_TEST_SEED     another seed (1)
# Last line: N passed, N failed.
set -u
. "$(dirname "$0")/lib.sh"
arch=$1
quire=$2
build=$(realpath "$3")
seconds=${SWAP_TEST_SECONDS:-2}
seed=${SWAP_TEST_SEED:-1}
limit=${KERNEL_TEST_LIMIT:-$((600 + seconds * 2))}
programs_for "$arch" "$build"
ram=32M
[ "$seconds" -lt 60 ] || ram=64M
work=$(mktemp -d /var/tmp/quire-test.XXXXXX)
trap 'rm -rf "$work"' EXIT

# swap NAME PROGRAM-OPTION... -- RUN-OPTION...
swap() {
	local name="swap: $1" first second checked_args=quire.swapoff=1
	shift
	split "$@"
	[[ " ${first[*]} " != *" -o "* ]] || checked_args=
	checked "$name" "${second[@]}" -- "$dir/swap_stress" -s "$seconds" \
		-r "$seed" "${first[@]}" "$dir/swap_stress"
	[ "$seconds" -lt 60 ] || echo "$name: $(grep operations "$work/out")"
}

swap 'a disk' -o -- --ram $ram --swap 384M --cpus $several
if [ "$arch" = x86_64 ]; then
	swap 'compressed memory' -m 64 -- --ram $ram --swap 256M \
		--swap-device zram --cpus 2
	# (its own text comes from a share that may fail as well)
	swap 'a disk with errors' -e -m 64 -- --ram $ram --swap 256M \
		--inject-io "$seed,0,150,150"
fi

finish
