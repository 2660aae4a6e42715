#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs the Debian packages that `make run` and `make test` need and that
# are missing; prints what it installs.  When all is there it does nothing:
# no network, no root, a few file tests.  On another system it says what is
# missing and ends.
#
# usage: scripts/setup.sh [--check]
#   --check   only say what is missing; exit status 1 when something is
set -eu

check_only=
case "${1-}" in
"") ;;
--check) check_only=1 ;;
*) sed -n '3,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

PATH=$PATH:/usr/sbin:/sbin
missing=

need() { # need PACKAGE TEST...: the package is missing unless TEST succeeds
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}
have() { command -v "$1" >/dev/null 2>&1; }
# A busybox whose first page names no ELF interpreter is the static one.
static_busybox() {
	[ -x /bin/busybox ] || return 1
	! head -c 4096 /bin/busybox | grep -q ld-linux
}
fuzzer_runtime() {
	for f in /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a \
		/usr/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a \
		/usr/lib/clang/*/lib/*/libclang_rt.fuzzer*.a; do
		[ -e "$f" ] && return 0
	done
	return 1
}
static_libc() {
	[ -e /usr/lib/x86_64-linux-gnu/libc.a ] || [ -e /usr/lib64/libc.a ] ||
		[ -e /usr/lib/libc.a ]
}
# keyring: of Debian's archive, for packages of other architectures.
keyring() { [ -e /usr/share/keyrings/debian-archive-keyring.gpg ]; }

# The tools that build.
need make have make
need git have git
need gcc have gcc
need clang have clang
need binutils have objcopy
need libc6-dev static_libc
need liblz4-dev test -e /usr/include/lz4.h
need libclang-rt-14-dev fuzzer_runtime
# Names in the sanitizers' reports.
need llvm have llvm-symbolizer
need clang-format have clang-format
need pkgconf have pkg-config
# Compilers of ARM programs and kernels, with their libraries.
need gcc-arm-linux-gnueabi have arm-linux-gnueabi-gcc
need libc6-dev-armel-cross test -e /usr/arm-linux-gnueabi/lib/libc.a
need gcc-arm-linux-gnueabihf have arm-linux-gnueabihf-gcc
need libc6-dev-armhf-cross test -e /usr/arm-linux-gnueabihf/lib/libc.a
# quire explain finds functions and arguments by debug information.
need libdw-dev test -e /usr/include/elfutils/libdwfl.h
# i386 programs, to compare 32-bit address spaces with this host's Linux.
need gcc-i686-linux-gnu have i686-linux-gnu-gcc
need libc6-dev-i386-cross test -e /usr/i686-linux-gnu/lib/libc.a
# Devices that the simulated machine swaps to, and NBD servers.
need liburing-dev test -e /usr/include/liburing.h
need libzstd-dev test -e /usr/include/zstd.h
need liblz4-dev test -e /usr/include/lz4.h
need libnbd-dev test -e /usr/include/libnbd.h
need nbdkit have nbdkit
need qemu-utils have qemu-nbd
# The machine, and the programs that are run in it.
need qemu-system-x86 have qemu-system-x86_64
need qemu-system-arm have qemu-system-arm
need qemu-user have qemu-arm
need debian-archive-keyring keyring
need busybox-static static_busybox
need coreutils have sort
need gzip have gzip
need xz-utils have xz
need sqlite3 test -x /usr/bin/sqlite3
need perl test -x /usr/bin/perl
need python3 test -x /usr/bin/python3
need lmdb-utils have mdb_load
need python3-lmdb test -d /usr/lib/python3/dist-packages/lmdb
# Python's tests of its mmap module; the package has Python's version (that of
# Debian 12, where Python is not there yet).
python=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' \
	2>/dev/null) || python=3.11
need "libpython$python-testsuite" test -e \
	"/usr/lib/python$python/test/test_mmap.py"
# What the benchmarks unpack and pack.
need cpio have cpio

[ -n "$missing" ] || exit 0
missing=${missing# }
if [ -n "$check_only" ]; then
	echo "setup: missing: $missing"
	exit 1
fi

if ! have apt-get; then
	echo "setup: this is not a Debian system; please install: $missing" >&2
	exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then
	if ! have sudo; then
		echo "setup: as root, run: apt-get install $missing" >&2
		exit 1
	fi
	as_root=sudo
fi

echo "setup: installing $missing"
run_apt() {
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		-o Dpkg::Use-Pty=0 -o APT::Install-Recommends=false \
		-o Acquire::Retries=3 "$@"
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # the list is meant to be split
if ! { run_apt update && run_apt install $missing; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "setup: apt-get failed; please install by hand: $missing" >&2
	exit 1
fi
echo "setup: done"
