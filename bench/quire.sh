#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs pfbench on Quire's kernel in QEMU, counting instructions.
#
# usage: bench/quire.sh KERNEL PFBENCH OUTDIR [ARGUMENT...]
#
# The machine is that of bench/linux.sh as far as the processor and the
# counting go; the devices are those that kernel/include/protocol.h asks for,
# with the serial port as the console.  Results: OUTDIR/quire.txt, and
# OUTDIR/quire-report.txt with the counts and times of every fault that `quire
# run` reports at the end (quire.stats); Linux does no such thing either.
set -eu

kernel=$1
pfbench=$(realpath "$2")
out=$3
shift 3
mkdir -p "$out"

{
	printf 'P%s\0A%s\0' "$pfbench" pfbench
	for a in "$@"; do printf 'A%s\0' "$a"; done
} >"$out/init"

run() { # run RESULT KERNEL-ARGUMENT
	timeout 300 qemu-system-x86_64 \
		-M microvm,acpi=off,pic=on,pit=on,rtc=on,isa-serial=on \
		-accel tcg -icount shift=0,sleep=off -cpu qemu64,+rdtscp \
		-m 512 -nodefaults -no-user-config -display none -no-reboot \
		-kernel "$kernel" -append "quire.levels=4 $2" \
		-fw_cfg "name=opt/quire/init,file=$out/init" \
		-chardev "file,id=log,path=$out/quire.log" \
		-device isa-debugcon,iobase=0xe9,chardev=log \
		-chardev "file,id=rep,path=$out/quire.report" \
		-device isa-debugcon,iobase=0xea,chardev=rep \
		-device isa-debug-exit,iobase=0xf4,iosize=4 \
		-fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap \
		-device virtio-9p-device,fsdev=root,mount_tag=root \
		-serial stdio </dev/null 2>"$out/qemu.err" | tr -d '\r' |
		grep '^pfbench' >"$1.new" || true
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
