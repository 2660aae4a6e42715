#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs streams of operations on two systems and compares their logs.
#
# usage: tests/diff/run.sh A B SEEDS OPS [FIRST]
#        tests/diff/run.sh record A SEEDS OPS
#   A, B    "linux" (the kernel that runs this) or "linux-i386" (the same, an
#           i386 program); "sim" (VARIANT says which build: sim, asan,
#           sim-i386, asan-arm ...); "kernel" (Quire's kernel in QEMU),
#           "kernel-armv7" or "kernel-armv6" (the same for ARM)
#   SEEDS   how many streams, from seed FIRST (default 1); OPS of each
# Programs and formats of 32 bits have streams of their own: compare only like
# with like.  QDIFF_NO_EXEC=1: no instruction is fetched (for i386's format
# without NX, which no Linux on this host has).  QDIFF_COLOURS=4: the simulated
# ARM is an ARMv6 whose data cache has aliases, which shared mappings must heed.
# QDIFF_SWAP=1: memory is short; the streams have other operations between the
# usual ones, and the streams by hand are left out.
# QDIFF_SEEDS_ONLY=1: without the streams of tests/diff/ops.
# QDIFF_DATA=memory or disk: where the data file is; otherwise streams by hand
# and two of three seeds have it on a disk (of the kernel in QEMU: its writable
# 9P share), whose file must be the same afterwards, byte by byte.
#
# Each stream is one test, and so is each file in tests/diff/ops.  Of one that
# differs: the seed, the shortest prefix of its operations that shows the
# difference, the operation, and the lines of both logs.  The last line is
# "N passed, N failed".
#
# The reference is Linux 6.18.  A host with another version may differ from it
# for good reason; so a log of B that is not A's passes too when its checksum is
# the one recorded from 6.18 in tests/diff/golden ("record" writes that file).
set -u

if [ "$1" = record ]; then
	a=record b=$2 seeds=$3 ops=$4 first=1
else
	a=$1 b=$2 seeds=$3 ops=$4 first=${5:-1}
fi
here=$(dirname "$0")
build=${BUILD:-build}
variant=${VARIANT:-sim}
# Several of these may run at once, each with logs and files of its own.
work=$build/diff/$a-$b-$variant${QDIFF_SWAP:+-swap}-$first
ro=$(realpath -m "$work/qdiff-ro")
mkdir -p "$work"

# The programs that make the system calls, and the logs on record.
narrow=
linux=$build/diff/replay_linux
golden=$here/golden
if [[ $a-$b-$variant == *-i386* || $a-$b-$variant == *-arm* ]]; then
	narrow=1
	linux=$build/diff/replay_linux-i386
	golden=$here/golden-i386${QDIFF_NO_EXEC:+-noexec}
fi
case $a$b in
*kernel*) export QDIFF_SHARE=1 ;; # see replay.c
esac
golden=$golden${QDIFF_SHARE:+-share}${QDIFF_SWAP:+-swap}
ram=(--ram 256M)
[ -z "${QDIFF_SWAP-}" ] || QDIFF_SEEDS_ONLY=1 ram=(--ram 64M --swap 128M)
# The streams: those by hand, but for what needs 64 bits, and from seeds.
streams() { # streams FIRST LAST
	local f

	for f in "$here"/ops/*.ops; do
		[ -n "${QDIFF_SEEDS_ONLY-}" ] && break
		[ -n "$narrow" ] && grep -q 'off=ffffffff' "$f" && continue
		echo "$f"
	done
	seq "$1" "$2"
}

# The simulated machine in several shapes by turns: one CPU or one a process,
# with hardware address-space ids or without; ARM also as ARMv6; and its disks
# with a mind of their own.
sim_config() {
	unset QDIFF_ASIDS QDIFF_CPUS QDIFF_ARMV6 QDIFF_DISK
	[[ $1 == *.ops ]] && return
	(($1 % 2)) && export QDIFF_ASIDS=6
	(($1 / 2 % 2)) && [ -z "${QDIFF_COLOURS-}" ] && export QDIFF_CPUS=4
	(($1 / 4 % 2)) && export QDIFF_ARMV6=1
	export QDIFF_DISK=$(($1 % 8))
	[ -z "${QDIFF_SWAP-}" ] || export QDIFF_SWAP=$(($1 % 6 + 1))
	return 0
}

# Is the data file of this stream on a disk?
on_disk() { # on_disk SEED-OR-FILE
	case ${QDIFF_DATA-} in
	disk) return 0 ;;
	memory) return 1 ;;
	esac
	[[ $1 == *.ops ]] || (($1 % 3 != 2))
}

# run SYSTEM SEED-OR-FILE LOG: the file on disk is LOG-data
run() {
	local args=(--seed "$2" --count "$ops" --ro "$ro") dir=$3-data share=()
	[[ $2 == *.ops ]] && args=(--ops "$(realpath "$2")" --ro "$ro")
	if on_disk "$2"; then
		mkdir -p "$dir"
		case $1 in
		kernel*)
			share=(--share "$dir")
			args+=(--data /mnt/share/qdiff-data)
			;;
		*) args+=(--data "$dir/qdiff-data") ;;
		esac
	fi
	case $1 in
	linux | linux-i386) timeout 300 "$linux" "${args[@]}" >"$3" ;;
	sim) sim_config "$2"
		timeout 300 "$build/$variant/tests/diff/replay_sim" \
		"${args[@]}" >"$3" ;;
	kernel) timeout 600 "$build/bin/quire" run "${ram[@]}" "${share[@]}" -- \
		"$(realpath "$linux")" "${args[@]}" \
		>"$3" 2>"$3.report" ;;
	kernel-arm*) timeout 600 "$build/bin/quire" run \
		--arch "${1#kernel-}" "${ram[@]}" "${share[@]}" -- \
		"$(realpath "$build/diff/replay_linux-arm")" "${args[@]}" \
		>"$3" 2>"$3.report" ;;
	esac
}

# The files that two systems left.
same_files() { # same_files SEED-OR-FILE LOG-A LOG-B
	on_disk "$1" || return 0
	cmp "$2-data/qdiff-data" "$3-data/qdiff-data"
}

# The first line that differs tells the operation, and its number is the
# length of the shortest prefix of the stream that shows the difference.
explain() { # explain SEED LOG-A LOG-B
	local line text number data=
	on_disk "$1" && data="--data qdiff-data"
	line=$(cmp "$2" "$3" 2>/dev/null | sed 's/.*line //')
	if [ -z "$line" ]; then # one is the other's beginning
		line=$(($(cat "$2" "$3" | wc -l | sort -n | head -n 1)))
		local la lb
		la=$(wc -l <"$2") lb=$(wc -l <"$3")
		line=$(((la < lb ? la : lb) + 1))
	fi
	text=$(head -n "$line" "$2" | grep -E '^[0-9]+ ' | tail -n 1)
	number=${text%% *}
	echo "FAIL seed $1: shortest prefix that fails: ${number:-?} operations"
	if [[ $1 == *.ops ]]; then
		echo "    again: $linux --ops $1 --ro $ro $data"
	else
		echo "    again: $linux --seed $1" \
			"--count ${number:-?} --ro $ro $data"
	fi
	echo "    operation: ${text%% =*}"
	echo "    $a: $(sed -n "${line}p" "$2")"
	echo "    $b: $(sed -n "${line}p" "$3")"
}

checksum() { # checksum SEED LOG: a line as golden has them
	echo "${1##*/} $ops $(sha256sum <"$2" | cut -c1-32)"
}

passed=0 failed=0 others=0
# (A host whose kernel runs no i386 programs still has the simulated machine,
# and the logs on record.)
"$linux" --make-ro "$ro" ||
	"$build/$variant/tests/diff/replay_sim" --make-ro "$ro" || exit 1
if [ "$a" = record ]; then
	for seed in $(streams 1 "$seeds"); do
		run "$b" "$seed" "$work/record.log" || exit 1
		checksum "$seed" "$work/record.log"
	done >"$golden.new"
	mv "$golden.new" "$golden"
	exit
fi
# First, streams by hand: each of some error that there was.
for seed in $(streams "$first" $((first + seeds - 1))); do
	name=${seed##*/}
	la=$work/$a.$name.log lb=$work/$b.$name.log
	run "$a" "$seed" "$la"
	status_a=$?
	run "$b" "$seed" "$lb"
	status_b=$?
	[ "$(tail -n 1 "$lb")" = end ] || status_b=incomplete
	if cmp -s "$la" "$lb" && [ $status_a = 0 ] && [ $status_b = 0 ]; then
		if same_files "$seed" "$la" "$lb"; then
			passed=$((passed + 1))
			rm -rf "$la"* "$lb"*
			continue
		fi
		echo "FAIL seed $seed: the logs are the same, the files are not"
		failed=$((failed + 1))
		continue
	fi
	# Something else on this machine may have taken a page away.
	run "$a" "$seed" "$la.again"
	if ! cmp -s "$la" "$la.again" && cmp -s "$la.again" "$lb" &&
		[ $status_b = 0 ]; then
		echo "note: $name: $a's log was another the second time"
		passed=$((passed + 1))
		continue
	fi
	rm -f "$la.again"
	if [ $status_b = 0 ] &&
		grep -qx "$(checksum "$seed" "$lb")" "$golden" 2>/dev/null; then
		passed=$((passed + 1))
		others=$((others + 1))
		continue
	fi
	failed=$((failed + 1))
	if cmp -s "$la" "$lb"; then
		echo "FAIL seed $seed: $a ended with status $status_a," \
			"$b with $status_b (logs are the same)"
	else
		explain "$seed" "$la" "$lb"
	fi
done
[ $others = 0 ] || echo "$others logs are as recorded, not as of this $a"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
