#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The ARMv6 kernel on a Raspberry Pi Zero, which has no virtio: programs come
# from a cpio archive in memory, the console is the serial port.
#
# usage: tests/kernel/run_raspi0.sh IMAGE PROGRAMS ROOT
#   IMAGE     build/kernel-armv6/quire.img
#   PROGRAMS  folder of test programs for armel
#   ROOT      Debian's root directory for armel (its busybox is used)
# Last line: N passed, N failed.
set -u
. "$(dirname "$0")/lib.sh"
image=$1
programs=$2
root=$3
work=$(mktemp -d /var/tmp/quire-test.XXXXXX)
trap 'rm -rf "$work"' EXIT

# boot INITRD: the serial port's text in $out, the report in $report, the last
# line of it in $end, QEMU's status in $status.
boot() {
	out=$(timeout "$limit" qemu-system-arm -M raspi0 -kernel "$image" \
		-initrd "$1" -append quire.log=3 -nodefaults -display none \
		-no-reboot -chardev stdio,id=con,signal=off -serial chardev:con \
		-chardev "file,id=rep,path=$work/report" -semihosting-config \
		enable=on,target=native,chardev=rep </dev/null 2>&1)
	status=$?
	report=$(cat "$work/report")
	end=${report##*$'\n'}
}
pack() { # pack DIRECTORY ARCHIVE
	(cd "$1" && find . | cpio -o -H newc --quiet) >"$2"
}

# Each of our own programs as the archive's /init.
for name in faults signals process vfp abi pipes; do
	rm -rf "$work/root"
	mkdir -p "$work/root/etc"
	echo root:x:0:0::/:/bin/sh >"$work/root/etc/passwd"
	cp "$programs/$name" "$work/root/init"
	pack "$work/root" "$work/initrd"
	boot "$work/initrd"
	if [[ $out =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
		[ "${BASH_REMATCH[2]}" = 0 ] || echo "$out" | grep FAIL
	else
		echo "$out$report" | tail -n 3
		tell "$name: ended early, status $status" 1
	fi
done

# A tree of files, with records before the archive.
rm -rf "$work/root"
mkdir -p "$work/root/bin" "$work/root/a/b"
cp "$root/bin/busybox" "$work/root/bin/busybox"
ln "$work/root/bin/busybox" "$work/root/bin/sh"
ln -s ../b/file "$work/root/a/link"
mkdir -p "$work/root/b"
seq 1 5000 >"$work/root/b/file"
: >"$work/root/a/b/empty"
chmod 4750 "$work/root/a/b/empty"
touch -d @1000000000 "$work/root/b/file"
cat >"$work/root/script" <<'SCRIPT'
busybox md5sum /b/file
busybox readlink /a/link
busybox head -n 2 /a/link
busybox stat -c '%a %u %s %Y' /b/file
busybox stat -c '%a %s' /a/b/empty
busybox cmp /bin/sh /bin/busybox && echo same
[ "$(busybox stat -c %i /bin/sh)" = "$(busybox stat -c %i /bin/busybox)" ] &&
	echo linked
echo new >/b/new && busybox cat /b/new && busybox rm /b/new
exit 9
SCRIPT
printf 'P/bin/sh\0Ash\0A/script\0EPATH=/bin\0\0' >"$work/records"
truncate -s %4 "$work/records"
pack "$work/root" "$work/archive"
cat "$work/records" "$work/archive" >"$work/initrd"
boot "$work/initrd"
want="$(md5sum <"$work/root/b/file" | sed 's|-|/b/file|')
../b/file
1
2
644 0 $(stat -c %s "$work/root/b/file") 1000000000
4750 0
same
linked
new"
[ "$(echo "$out" | tr -d '\r')" = "$want" ]
tell "files of the archive: $out" $?
[ "$end" = '{"exit":9}' ] && [ "$status" = 0 ]
tell "exit status: $end $status" $?

# Archives that are none, or not whole.
head -c 100000 "$work/archive" >"$work/cut"
boot "$work/cut"
[[ $end == '{"error":"root file system: '* ]]
tell "an archive that is cut off: $end" $?
{ cat "$work/records"; echo 070701zzzzzzzz; } >"$work/cut"
boot "$work/cut"
[[ $end == '{"error":"root file system: '* ]]
tell "a header that is none: $end" $?
: >"$work/empty"
boot "$work/empty"
[[ $end == '{"error":'* ]]
tell "no archive: $end" $?

echo "$passed passed, $failed failed"
