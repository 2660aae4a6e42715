#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs iobench or swapbench on Debian's Linux or on Quire's kernel in QEMU, with
# a share and a disk: once counting instructions, once for the time it takes.
#
# usage: bench/io.sh linux|quire PROGRAM OUTDIR [QUIRE]
#   QUIRE   the quire command
#
# Linux is linux-image-amd64 (the cloud variant has no 9P), fetched once and
# kept in OUTDIR, on q35 with virtio over PCI; the modules that it needs for
# the two devices are in the archive with the program.  Quire's machine is that
# of `quire run`, virtio over MMIO.  Both have the processor of bench/linux.sh,
# the same directory and the same disk.
#
# Results: OUTDIR/NAME-io.txt with instructions, OUTDIR/NAME-io-time.txt with
# MiB/s; those of swapbench have -swap for -io.
set -eu

name=$1
program=$(realpath "$2")
bench=$(basename "$program")
what=${bench%bench}
out=$3
quire=${4-}
mkdir -p "$out/share"
out=$(realpath "$out")
cpu=qemu64,+rdtscp
ram=512
[ $what = io ] || ram=192
modules="virtio/virtio_ring virtio/virtio virtio/virtio_pci_legacy_dev
	virtio/virtio_pci_modern_dev virtio/virtio_pci block/virtio_blk
	netfs/netfs fscache/fscache 9p/9pnet 9p/9pnet_virtio 9p/9p"

fetch() {
	[ -s "$out/io.vmlinuz" ] && return
	local real i=0 m
	real=$(scripts/debian.sh amd64 depends linux-image-amd64) ||
		{ echo 'bench: no linux-image-amd64' >&2; return 1; }
	rm -rf "$out/deb" "$out/root"
	echo "bench: fetching $real" >&2
	scripts/debian.sh amd64 fetch "$out/deb" "$real" || return 1
	mkdir -p "$out/root" "$out/modules"
	dpkg-deb -x "$out"/deb/*.deb "$out/root"
	for m in $modules; do
		find "$out/root" -path "*/$m.ko*" | while read -r file; do
			case $file in
			*.xz) xz -dc "$file" ;;
			*) cat "$file" ;;
			esac >"$out/modules/$(printf %02d $i).ko"
		done
		i=$((i + 1))
	done
	ls "$out/deb" | sed 's/_amd64.deb//' >"$out/linux-io.version"
	cp "$out"/root/boot/vmlinuz-* "$out/io.vmlinuz"
	rm -rf "$out/deb" "$out/root"
}

run_linux() { # run_linux QEMU-OPTION...
	rm -rf "$out/root"
	mkdir "$out/root"
	cp "$program" "$out/root/init"
	cp -r "$out/modules" "$out/root/"
	(cd "$out/root" && find . | cpio -o -H newc --quiet) >"$out/$what.initrd"
	rm -rf "$out/root"
	timeout 300 qemu-system-x86_64 -M q35 -cpu $cpu -m $ram -accel tcg "$@" \
		-display none -serial stdio -monitor none -no-reboot -net none \
		-fsdev "local,id=share,path=$out/share,security_model=none" \
		-device virtio-9p-pci,fsdev=share,mount_tag=share \
		-drive "if=none,id=disk,format=raw,file=$out/$what.disk" \
		-device virtio-blk-pci,drive=disk \
		-kernel "$out/io.vmlinuz" -initrd "$out/$what.initrd" \
		-append 'quiet panic=-1 console=ttyS0' </dev/null
}

run_quire() {
	QUIRE_KERNEL_ARGS=quire.stats=0 QUIRE_QEMU_ARGS="-cpu $cpu $*" \
		timeout 300 "$quire" run -q --ram ${ram}M --share "$out/share" \
		--disk "$out/$what.disk" -- "$program" </dev/null
}

result() { # result FILE, iobench's output on standard input
	tr -d '\r' | LC_ALL=C grep -a "^$bench" >"$1.new" || true
	if ! grep -q "^$bench done" "$1.new"; then
		echo "bench: $bench did not finish on $name" >&2
		tail -n 3 "$1.new" "$out/$what.err" >&2
		return 1
	fi
	mv "$1.new" "$1"
}

for file in "$out/share/data" "$out/$what.disk"; do
	[ -s "$file" ] || head -c 64M /dev/urandom >"$file"
done
[ "$name" != linux ] || fetch
"run_$name" -icount shift=0,sleep=on 2>"$out/$what.err" | result "$out/$name-$what.txt"
"run_$name" 2>"$out/$what.err" | result "$out/$name-$what-time.txt"
