#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs pfbench on Quire's kernel in QEMU, counting instructions.
#
# usage: bench/quire.sh ARCH KERNEL PFBENCH OUTDIR [ARGUMENT...]
#   ARCH   x86_64, armv7 or armv6
#
# The processor and the counting are those of bench/linux.sh; the devices are
# those that kernel/include/protocol.h asks for, with the serial port as the
# console where that is the shorter way.  armv6 is the board that Debian's
# kernel for it runs on; it has no virtio, and the program is in an archive.
# Results: OUTDIR/quire.txt, and OUTDIR/quire-report.txt with the
# counts and times of every fault that `quire run` reports at the end
# (quire.stats); Linux does no such thing either.
set -eu

arch=$1
kernel=$2
pfbench=$(realpath "$3")
out=$4
shift 4
mkdir -p "$out"

{
	printf 'P%s\0A%s\0' "$pfbench" pfbench
	for a in "$@"; do printf 'A%s\0' "$a"; done
} >"$out/init"

# The machine, and where it puts log, report and init records.
root="-fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap
	-device virtio-9p-device,fsdev=root,mount_tag=root"
case $arch in
x86_64)
	machine="x86_64 -M microvm,acpi=off,pic=on,pit=on,rtc=on,isa-serial=on
		-cpu qemu64,+rdtscp -fw_cfg name=opt/quire/init,file=$out/init
		-device isa-debugcon,iobase=0xe9,chardev=log
		-device isa-debugcon,iobase=0xea,chardev=rep
		-device isa-debug-exit,iobase=0xf4,iosize=4 -serial chardev:con"
	levels='quire.levels=4 '
	;;
armv7)
	machine="arm -M virt -cpu cortex-a15
		-global virtio-mmio.force-legacy=false -initrd $out/init
		-semihosting-config enable=on,target=native,chardev=rep
		-serial chardev:log -device virtio-serial-device
		-device virtserialport,chardev=con,nr=1"
	levels=
	;;
armv6)
	rm -rf "$out/archive"
	mkdir -p "$out/archive/${pfbench%/*}"
	cp "$pfbench" "$out/archive/$pfbench"
	printf '\0' >>"$out/init"
	truncate -s %4 "$out/init"
	(cd "$out/archive" && find . | cpio -o -H newc --quiet) >>"$out/init"
	rm -rf "$out/archive"
	machine="arm -M raspi0 -initrd $out/init
		-semihosting-config enable=on,target=native,chardev=rep
		-serial chardev:con"
	levels='quire.log=3 ' # the log has the same serial port
	root=
	;;
*) echo "bench: no machine for $arch" >&2; exit 2 ;;
esac

run() { # run RESULT KERNEL-ARGUMENT
	# shellcheck disable=SC2086 # the machine is several words
	timeout 300 qemu-system-$machine \
		-accel tcg -icount shift=0,sleep=off \
		-m 512 -nodefaults -no-user-config -display none -no-reboot \
		-kernel "$kernel" -append "$levels$2" \
		-chardev "file,id=log,path=$out/quire.log" \
		-chardev "file,id=rep,path=$out/quire.report" \
		-chardev "file,id=con,path=$out/quire.console" \
		$root \
		</dev/null >"$out/qemu.err" 2>&1 || true
	# On ARM in frames, whose headers stand before a line.
	LC_ALL=C grep -ao 'pfbench [a-z].*' "$out/quire.console" |
		tr -d '\r' >"$1.new" || true
	if ! grep -q '^pfbench done' "$1.new"; then
		echo "bench: pfbench did not finish on Quire's kernel:" >&2
		tail -n 5 "$out/qemu.err" "$out/quire.log" \
			"$out/quire.report" >&2 || true
		exit 1
	fi
	mv "$1.new" "$1"
}

run "$out/quire.txt" quire.stats=0
run "$out/quire-report.txt" quire.stats=1
