#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What libquire promises to whoever links it: it defines no name but its own,
# needs nothing but host.h's functions and four of memory's, keeps no state
# outside struct quire, and uses no floating-point or vector register.
#
# usage: scripts/check-lib.sh LIBQUIRE.A [FORMAT [PREFIX]]
#   FORMAT   x86_64 (default) or arm; PREFIX: of nm and objdump
set -u
lib=$1 format=${2:-x86_64} prefix=${3-}
case $format in
arm)
	entries='do_DataAbort|do_PrefetchAbort|hook_fault_code|hook_ifault_code'
	# s and d registers, and what moves them (VFP, NEON)
	vector='	(v(ldr|str|ldm|stm|mov|msr|mrs|add|mul|push|pop)[a-z0-9.]*)\b'
	;;
*)
	entries=do_page_fault
	vector='%([xyz]mm[0-9]+|st\b|mm[0-7])'
	;;
esac
nm=${prefix}nm objdump=${prefix}objdump
passed=0 failed=0
check() { # check TEXT OFFENDERS: passes when there are no offenders
	if [ -z "$2" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $1:"
		echo "$2" | sed 's/^/    /' | head -n 20
	fi
}

check "a name that is not quire's is visible" \
	"$($nm -g --defined-only "$lib" | awk 'NF == 3 { print $3 }' |
		grep -vE "^(quire_.*|$entries)\$")"
check "a need that is not in host.h" \
	"$($nm -u "$lib" | awk '$1 == "U" { print $2 }' | sort -u |
		grep -vE '^(quire_host_.*|mem(cpy|move|set|cmp))$')"
check "a public function is in no public header" \
	"$($nm -g --defined-only "$lib" | awk '$2 == "T" { print $3 }' |
		while read -r f; do
			grep -rqw "$f" include/quire || echo "$f"
		done)"
check "a function of quire.h is not there" \
	"$(grep -ohE "\b(quire_[a-z0-9_]+|$entries)\(" include/quire/quire.h |
		tr -d '(' | grep -vE '^quire_host_|_fn$' | sort -u |
		comm -23 - <($nm -g --defined-only "$lib" |
			awk 'NF == 3 { print $3 }' | sort))"
check "mutable data" \
	"$($objdump -t "$lib" | grep -E ' [gl]? +O +(\.data|\.bss|\*COM\*)' |
		grep -v '\.data\.rel\.ro')"
check "a vector or floating-point register" \
	"$($objdump -d --no-show-raw-insn "$lib" |
		grep -E "$vector" | head -n 5)"
# Code and names must be there at all for the above to mean something.
have=$($nm -g --defined-only "$lib" | grep -cw T)
check "too few functions ($have)" "$([ "$have" -ge 40 ] || echo "$have")"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
