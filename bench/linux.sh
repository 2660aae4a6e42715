#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs pfbench on Debian's packaged Linux in QEMU, counting instructions.
#
# usage: bench/linux.sh PFBENCH OUTDIR
#
# The kernel is that of linux-image-cloud-amd64's package, fetched once with
# `apt-get download` and kept in OUTDIR; the root file system is an archive
# made here of the one program, which is its /init.  Results:
# OUTDIR/linux.txt (Linux's defaults) and OUTDIR/linux-off.txt
# (mitigations=off), in pfbench's own form.
set -eu

pfbench=$1
out=$2
mkdir -p "$out"

fetch_kernel() {
	[ -s "$out/vmlinuz" ] && return
	local meta=linux-image-cloud-amd64 package
	package=$(apt-cache depends "$meta" 2>/dev/null |
		sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n 1)
	if [ -z "$package" ]; then
		apt-get -q update >/dev/null 2>&1 || true
		package=$(apt-cache depends "$meta" 2>/dev/null |
			sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p' |
			head -n 1)
	fi
	[ -n "$package" ] || { echo "bench: no $meta here" >&2; return 1; }
	echo "bench: fetching $package" >&2
	rm -rf "$out/deb"
	mkdir "$out/deb"
	(cd "$out/deb" && apt-get -q download "$package" >/dev/null 2>&1) ||
		{ echo "bench: cannot fetch $package" >&2; return 1; }
	dpkg-deb --fsys-tarfile "$out"/deb/*.deb |
		tar -xO --wildcards './boot/vmlinuz-*' >"$out/vmlinuz.new"
	ls "$out"/deb | sed 's/_amd64.deb//' >"$out/linux.version"
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

run() { # run RESULT KERNEL-ARGUMENT...
	local result=$1
	shift
	timeout 300 qemu-system-x86_64 -M q35 -accel tcg \
		-icount shift=0,sleep=off -cpu qemu64,+rdtscp -m 512 \
		-display none -serial stdio -monitor none -no-reboot -net none \
		-kernel "$out/vmlinuz" -initrd "$out/initrd" \
		-append "console=ttyS0 quiet panic=-1 $*" </dev/null |
		tr -d '\r' | grep '^pfbench' >"$result.new"
	grep -q '^pfbench done' "$result.new" ||
		{ echo "bench: Linux did not finish" >&2; return 1; }
	mv "$result.new" "$result"
}

fetch_kernel
make_initrd
run "$out/linux.txt"
run "$out/linux-off.txt" mitigations=off
