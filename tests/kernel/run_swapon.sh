#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Swap in the kernel: machines with less memory than their programs.
#
# usage: tests/kernel/run_swapon.sh ARCH QUIRE BUILD
#   ARCH   x86_64, armv7 or armv6
#   QUIRE  the quire command
#   BUILD  the build's folder
#
# The first areas are disks that mkswap (where it is installed) and the test
# program have made; then `quire run --swap` makes them.  At the end of a run
# everything is swapped in again, and the core's invariants are checked.
# Last line: N passed, N failed.
set -u
. "$(dirname "$0")/lib.sh"
arch=$1
quire=$2
build=$3
here=$build/tests/kernel
programs_for "$arch" "$build"
work=$(mktemp -d /var/tmp/quire-swap.XXXXXX)
trap 'rm -rf "$work"' EXIT
big=80 ram=64M
[ "$arch" = x86_64 ] || big=60 ram=48M
machine+=(--ram $ram)
PATH=$PATH:/sbin:/usr/sbin

# swap OPTION... -- ARG...: the program in the machine.
swap() {
	local first second out
	split "$@"
	out=$(timeout "$limit" "$quire" run -q "${machine[@]}" "${first[@]}" \
		-- "$dir/swap" "${second[@]}" </dev/null 2>&1)
	count "swap ${second[*]} ${machine[*]} ${first[*]}" $? "$out"
}

# big DEVICE: more than there is, swapped to it, and brought back in the end.
big() {
	checked_args=quire.swapoff=1 checked "swap big, $1" --swap 256M \
		--swap-device "$1" -- "$dir/swap" big $big 2
	[ "$(figure swap outs)" -gt 1000 ]
	tell "swap big, $1: pages went out" $?
}

truncate -s 128M "$work/a"
if command -v mkswap >/dev/null; then
	mkswap "$work/a" >/dev/null 2>&1
else
	"$here/swap" make "$work/a"
fi
cp --sparse=always "$work/a" "$work/ro"
truncate -s 4M "$work/none"
"$here/swap" make "$work/d"
swap --disk "$work/a" --disk "$work/ro,ro" --disk "$work/none" \
	--disk "$work/d" -- calls
swap --disk "$work/a" -- off /dev/vda $((big * 9 / 10))
head -c 4M /dev/urandom >"$work/data"
swap --disk "$work/a" -- rows /dev/vda "$work/data"
swap --swap 64M --swap-device zram -- zram
swap -- oom
big file
big zram
if [ "$arch" = x86_64 ]; then
	swap --cpus 2 --swap 256M -- big $big 3
	swap --cpus 2 -- oom
fi
# What is no swap space is not touched.
cp "$work/data" "$work/copy"
out=$(QUIRE_KERNEL_ARGS=quire.swap=vda timeout "$limit" "$quire" run \
	"${machine[@]}" --disk "$work/copy" -- "$dir/swap" oom 2>&1 </dev/null)
[ $? != 0 ] && [[ $out == *'no swap space'* ]] &&
	cmp -s "$work/data" "$work/copy"
tell 'a disk with data is refused' $?

finish
