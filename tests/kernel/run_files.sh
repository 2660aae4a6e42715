#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Files under fire: what msync confirmed is on the host, whatever happens
# afterwards; and nothing is lost when everything happens at once.
#
# usage: tests/kernel/run_files.sh ARCH QUIRE BUILD
#   ARCH   x86_64, armv7 or armv6
#   QUIRE  the quire command
#   BUILD  the build's folder
#   environment: FILES_TEST_SECONDS  the length of each race (4)
#                FILES_TEST_ROUNDS   rounds of programs that are killed (3400,
#                                    which is 10200 in all; on ARM 400 and 800)
#                FILES_TEST_SEED     another seed (1)
# Last line: N passed, N failed.
set -u
. "$(dirname "$0")/lib.sh"
arch=$1
quire=$2
build=$(realpath "$3")
seconds=${FILES_TEST_SECONDS:-4}
rounds=400
[ "$arch" != x86_64 ] || rounds=3400
rounds=${FILES_TEST_ROUNDS:-$rounds}
seed=${FILES_TEST_SEED:-1}
limit=${KERNEL_TEST_LIMIT:-$((400 + seconds * 10 + rounds / 10))}
host=$build/tests/kernel
programs_for "$arch" "$build"
work=$(mktemp -d /var/tmp/quire-test.XXXXXX)
share=$work/share
mkdir "$share"
trap 'rm -rf "$work"' EXIT

# durable NAME OPTION... -- RUN-OPTION...: the host's side of it, and the file.
durable() {
	local name="durability: $1" first second out
	shift
	split "$@"
	out=$(timeout "$limit" "$host/durability_host" "${first[@]}" \
		"$share/data" /mnt/share/data "$quire" run -q \
		"${machine[@]}" --share "$share" "${second[@]}" -- \
		"$dir/durability" 2>&1)
	count "$name" $? "$out"
}

# race NAME PLACE [OPTION...] -- RUN-OPTION...: with the kernel's own check at
# the end; on the share the host compares.
race() {
	local name="race: $1" place=$2 first second
	shift 2
	split "$@"
	rm -rf "${share:?}"/*
	checked "$name" "${second[@]}" -- "$dir/race_files" -s "$seconds" \
		-r "$seed" "${first[@]}" "$place"
	if [ "$place" = /mnt/share ]; then
		cmp -n "$(stat -c %s "$share/lanes")" "$share/strict" \
			"$share/lanes"
		tell "$name: the host's file" $?
	fi
}

# Two processes, in memory and on the share.
for place in /tmp /mnt/share; do
	out=$(timeout "$limit" "$quire" run -q "${machine[@]}" --share "$share" \
		--cpus $several -- "$dir/sharing" $place </dev/null 2>&1)
	count "sharing $place" $? "$out"
done

durable 'no errors' -n "$rounds" -s "$seed" -- --cpus 1
if [ "$arch" = x86_64 ]; then
	durable 'the flusher runs' -n "$rounds" -s $((seed + 1)) -f -- --cpus 2
	durable 'the machine is switched off' -k $((rounds / 200 + 5)) \
		-s $((seed + 2)) -- --cpus 1
fi
durable 'no room' -n $((rounds / 2)) -s $((seed + 3)) -e -l 400000 -- --cpus 1
durable 'errors and short transfers' -n $((rounds / 2)) -s $((seed + 4)) -e -- \
	--cpus $several --inject-io "$seed,20,40,0"

race 'tmpfs' /tmp -p -- --cpus $several
race 'share' /mnt/share -- --share "$share" --cpus $several
[ "$arch" != x86_64 ] ||
	race 'share, one processor' /mnt/share -- --share "$share" --cpus 1

finish
