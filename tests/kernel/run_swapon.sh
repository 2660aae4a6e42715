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
dir=$(realpath "$here$([ "$arch" = x86_64 ] || echo "-$arch")")
work=$(mktemp -d /var/tmp/quire-swap.XXXXXX)
trap 'rm -rf "$work"' EXIT
machine=(--arch "$arch" --ram 64M)
big=80
if [ "$arch" != x86_64 ]; then
	machine=(--arch "$arch" --ram 48M)
	big=60
fi
PATH=$PATH:/sbin:/usr/sbin

# swap OPTION... -- ARG...: the program in the machine.
swap() {
	local options=() out
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	out=$(timeout "$limit" "$quire" run -q "${machine[@]}" "${options[@]}" \
		-- "$dir/swap" "$@" </dev/null 2>&1)
	count "swap $* ${machine[*]} ${options[*]}" $? "$out"
}

# checked NAME OPTION... -- ARG...: the same; afterwards swapoff brings all of
# it back, and nothing is wrong.
checked() {
	local name=$1 options=() out
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	out=$(QUIRE_KERNEL_ARGS="quire.swapoff=1 quire.check=1" \
		timeout "$limit" "$quire" run "${machine[@]}" "${options[@]}" \
		-- "$dir/swap" "$@" </dev/null 2>&1)
	count "swap $* ${options[*]}" $? \
		"$(grep -E 'passed,|FAIL' <<<"$out")"
	[[ $out == *'quire_check: 0 violations'* ]]
	tell "$name: quire_check" $?
	[ "$(sed -n 's/^  swap: [0-9]* pages in, \([0-9]*\) out.*/\1/p' \
		<<<"$out")" -gt 1000 ]
	tell "$name: pages went out" $?
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
swap -- oom
checked file --swap 256M -- big $big 2
checked zram --swap 256M --swap-device zram -- big $big 2
if [ "$arch" = x86_64 ]; then
	swap --cpus 2 --swap 256M -- big $big 3
	swap --cpus 2 -- oom
fi
# What is no swap space is not touched.
head -c 4M /dev/urandom >"$work/data"
cp "$work/data" "$work/copy"
out=$(QUIRE_KERNEL_ARGS=quire.swap=vda timeout 60 "$quire" run \
	"${machine[@]}" --disk "$work/copy" -- "$dir/swap" oom 2>&1 </dev/null)
[ $? != 0 ] && [[ $out == *'no swap space'* ]] &&
	cmp -s "$work/data" "$work/copy"
tell 'a disk with data is refused' $?

finish
