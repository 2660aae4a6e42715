#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs pfbench on Debian's packaged Linux in QEMU, counting instructions.
#
# usage: bench/linux.sh ARCH PFBENCH OUTDIR
#   ARCH   x86_64, armv7 or armv6
#
# The kernel is fetched once and kept in OUTDIR; the root file system is an
# archive made here of the one program, which is its /init.  Results, in
# pfbench's own form:
#
#           machine          package               linux.txt  linux-other.txt
#   x86_64  q35              linux-image-cloud...  defaults   mitigations=off
#   armv7   virt, Cortex-A15 linux-image-armmp     512 MiB    1 GiB: high memory
#   armv6   raspi0, ARM1176  linux-image-rpi       (512 MiB)  -
#
# On 32-bit ARM what lies above 760 MiB is mapped only while it is used, page
# tables, too, which costs Linux a third more.
set -eu

arch=$1
pfbench=$2
out=$3
mkdir -p "$out"
dtb=

case $arch in
x86_64) debian=amd64 package=linux-image-cloud-amd64 ;;
armv7) debian=armhf package=linux-image-armmp ;;
armv6) debian=armel package=linux-image-rpi dtb=bcm2835-rpi-zero.dtb ;;
*) echo "bench: no Linux for $arch" >&2; exit 2 ;;
esac

fetch_kernel() {
	[ -s "$out/vmlinuz" ] && return
	local real
	real=$(scripts/debian.sh $debian depends $package) ||
		{ echo "bench: no $package" >&2; return 1; }
	rm -rf "$out/deb"
	echo "bench: fetching $real" >&2
	scripts/debian.sh $debian fetch "$out/deb" "$real" || return 1
	[ -z "$dtb" ] || dpkg-deb --fsys-tarfile "$out"/deb/*.deb |
		tar -xO --wildcards "*/$dtb" >"$out/dtb"
	dpkg-deb --fsys-tarfile "$out"/deb/*.deb |
		tar -xO --wildcards './boot/vmlinuz-*' >"$out/vmlinuz.new"
	ls "$out"/deb | sed "s/_$debian.deb//" >"$out/linux.version"
	rm -rf "$out/deb"
	mv "$out/vmlinuz.new" "$out/vmlinuz"
}

make_initrd() {
	rm -rf "$out/root"
	mkdir "$out/root"
	cp "$pfbench" "$out/root/init"
	(cd "$out/root" && echo init | cpio -o -H newc --quiet) >"$out/initrd"
	rm -rf "$out/root"
}

run() { # run RESULT RAM KERNEL-ARGUMENT...
	local result=$1 machine
	case $arch in
	x86_64) machine="x86_64 -M q35 -cpu qemu64,+rdtscp -m $2" ;;
	armv7) machine="arm -M virt -cpu cortex-a15 -m $2" ;;
	armv6) machine="arm -M raspi0 -dtb $out/dtb" ;;
	esac
	shift 2
	# shellcheck disable=SC2086 # the machine is several words
	timeout 300 qemu-system-$machine -accel tcg \
		-icount shift=0,sleep=off -display none -serial stdio \
		-monitor none -no-reboot -net none \
		-kernel "$out/vmlinuz" -initrd "$out/initrd" \
		-append "quiet panic=-1 $*" </dev/null 2>"$out/qemu.err" |
		tr -d '\r' | grep '^pfbench' >"$result.new"
	grep -q '^pfbench done' "$result.new" ||
		{ echo "bench: Linux did not finish" >&2; return 1; }
	mv "$result.new" "$result"
}

fetch_kernel
make_initrd
case $arch in
x86_64)
	run "$out/linux-other.txt" 512 console=ttyS0 mitigations=off
	run "$out/linux.txt" 512 console=ttyS0
	;;
armv7)
	run "$out/linux-other.txt" 1024 console=ttyAMA0
	run "$out/linux.txt" 512 console=ttyAMA0
	;;
armv6)
	# QEMU's board lacks the power controller that the driver looks for.
	run "$out/linux.txt" 512 console=ttyAMA0 \
		initcall_blacklist=bcm2835_power_driver_init
	;;
esac
