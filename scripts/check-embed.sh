#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Installs the library into an empty place, builds examples/embed.c against
# that copy only, with each compiler there is, and runs it.
#
# usage: scripts/check-embed.sh [MAKE]
set -u
make=${1:-make}
passed=0 failed=0
ok() { # ok TEXT STATUS
	if [ "$2" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $1"
	fi
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unset MAKEFLAGS MFLAGS

$make --no-print-directory -s install-lib PREFIX="$dir/usr"
ok "make install-lib" $?
# The same, staged: the files name the final place, not the stage.
$make --no-print-directory -s install-lib PREFIX=/opt/q DESTDIR="$dir/stage"
ok "make install-lib DESTDIR" $?
diff -r -x quire.pc "$dir/usr" "$dir/stage/opt/q"
ok "both copies are the same" $?
grep -q '^prefix=/opt/q$' "$dir/stage/opt/q/lib/pkgconfig/quire.pc"
ok "quire.pc names the final place" $?

export PKG_CONFIG_PATH=$dir/usr/lib/pkgconfig
[ "$(pkg-config --modversion quire)" = "$(cat VERSION)" ]
ok "pkg-config knows the version" $?

cp examples/embed.c "$dir"
lines=$(wc -l <"$dir/embed.c")
[ "$lines" -lt 200 ]
ok "embed.c has $lines lines, not fewer than 200" $?
for cc in gcc clang; do
	# shellcheck disable=SC2046 # words are what pkg-config gives
	(cd "$dir" && $cc -std=c17 -Wall -Wextra -Wconversion -Werror -O2 \
		-o "embed-$cc" embed.c $(pkg-config --cflags --libs quire))
	ok "embed.c with $cc" $?
	timeout 120 "$dir/embed-$cc"
	ok "running it" $?
done
# For a 32-bit ARM kernel: its headers, and flags that fit them.
cross=arm-linux-gnueabi-
if command -v ${cross}gcc >/dev/null; then
	$make --no-print-directory -s install-lib FORMAT=arm \
		CROSS_COMPILE=$cross PREFIX="$dir/arm"
	ok "make install-lib FORMAT=arm" $?
	flags=$(PKG_CONFIG_PATH=$dir/arm/lib/pkgconfig \
		pkg-config --cflags quire)
	cat >"$dir/arm.c" <<-'END'
		#include <quire/quire.h>
		#include <quire/asm/fsr.h>
		#include <quire/asm/ptrace.h>
		_Static_assert(sizeof(uaddr_t) == 4 && sizeof(paddr_t) == 8, "");
		_Static_assert(sizeof(struct pt_regs) == 18 * 4, "");
		void data_abort(struct pt_regs *regs, uint32_t dfar, uint32_t dfsr)
		{
			do_DataAbort(dfar, dfsr, regs);
		}
	END
	# shellcheck disable=SC2086 # words
	${cross}gcc -std=c17 -Wall -Wextra -Werror -ffreestanding -nostdlib -r \
		-march=armv6k -marm -msoft-float -o "$dir/arm.o" "$dir/arm.c" $flags \
		-L"$dir/arm/lib" -lquire
	ok "an ARM kernel's part with it" $?
	${cross}nm "$dir/arm.o" | grep -q ' [Tt] handle_mm_fault'
	ok "it has the library in it" $?
fi
# Headers by themselves, each, in C17 without any extension.
for h in "$dir"/usr/include/quire/*.h; do
	printf '#include <quire/%s>\nint unused;\n' "${h##*/}" |
		gcc -std=c17 -pedantic-errors -Wall -Wextra -Werror -fsyntax-only \
			-I"$dir/usr/include" -x c -
	ok "${h##*/} by itself" $?
done

# What the README says of an embedder's work, in numbers.
[ "$(wc -l <examples/embed.c)" -lt 200 ]
ok "examples/embed.c has fewer than 200 lines" $?
must=$(awk '/-- tier one \*\//{on=1;next} /^\/\* -----/{on=0} on' \
	include/quire/host.h | grep -oE '^[A-Za-z_].*\bquire_host_[a-z_]+\(' |
	grep -oE 'quire_host_[a-z_]+' | sort -u | wc -l)
[ "$must" = 9 ] && grep -q ': nine that must be real anywhere' README.md
ok "host.h's first tier has the README's nine functions ($must)" $?

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
