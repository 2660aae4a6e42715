/* SPDX-License-Identifier: MIT */
/*
 * protocol.h - between `quire run` on the host and the kernel in QEMU.
 *
 * Everything that `quire run` has to do:
 *
 * 1. Start QEMU.  On every machine:
 *
 *   -accel tcg -smp N -m SIZE -nodefaults -no-user-config -display none
 *   -no-reboot -kernel IMAGE -append "quire.log=6 ..."
 *   -chardev file,id=log,path=LOG  -chardev file,id=rep,path=REPORT
 *   -device virtio-serial-device,id=vs
 *   -chardev (file|socket|pipe),id=con
 *   -device virtserialport,chardev=con,nr=1
 *   -fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap
 *   -device virtio-9p-device,fsdev=root,mount_tag=root
 *   [a second fsdev without readonly, mount_tag=share, for --share]
 *   [-drive if=none,id=diskN,format=raw,file=FILE ... and
 *    -device virtio-blk-device,drive=diskN for each --disk]
 *
 *   x86-64: qemu-system-x86_64, IMAGE build/kernel/quire.elf, and
 *   -M microvm,acpi=off,pic=on,pit=on,rtc=on,isa-serial=off -cpu max
 *   -fw_cfg name=opt/quire/init,file=INIT
 *   -device isa-debugcon,iobase=0xe9,chardev=log
 *   -device isa-debugcon,iobase=0xea,chardev=rep
 *   -device isa-debug-exit,iobase=0xf4,iosize=4
 *
 *   ARM: qemu-system-arm, IMAGE build/kernel-armv7/quire.img with
 *   -M virt -cpu cortex-a15, or build/kernel-armv6/quire.img with
 *   -M vexpress-a15 -cpu arm1176 -audiodev none,id=none; and
 *   -initrd INIT -serial chardev:log
 *   -semihosting-config enable=on,target=native,chardev=rep
 *   -global virtio-mmio.force-legacy=false
 *
 *   A file or pipe chardev works for LOG and REPORT; both are plain text.
 *   With isa-serial=on and no virtio-serial-device the console of x86-64 is
 *   the serial port, raw in both directions, without frames (for work by
 *   hand).
 *
 * 2. Command line keys, separated by blanks:
 *      quire.levels=4|5   page-table levels (x86-64; 5 needs a processor with
 *                         LA57)
 *      quire.trace=1      send every event (frame type 4)
 *      quire.log=N        drop log lines of a level above N (default 7)
 *      quire.check=1      run quire_check() at the end; violations go to the
 *                         log and to the report line {"check":N}
 *      quire.fault_around=BYTES, quire.readahead=BYTES,
 *      quire.fault_around_policy=NAME, quire.readahead_policy=NAME
 *                         as the options of these names; an unknown name ends
 *                         the machine with a line {"refused":"TEXT"}
 *      quire.reclaim_policy=NAME  likewise (--reclaim)
 *      quire.swap=vdX[,PRIO][,discard]  swapon of that disk, which has mkswap's
 *                         header or gets one where its first page is all zero
 *      quire.swap=zram:SIZE[,PRIO]  swap in compressed memory: SIZE bytes (K,
 *                         M, G) before compression.  Both may come several
 *                         times; what cannot be had ends the machine
 *                         ("refused")
 *      quire.swappiness=N, quire.min_free_kbytes=N, quire.page_cluster=N
 *                         as the files in /proc/sys/vm
 *      quire.swapoff=1    swapoff of all areas at the end; how that went is in
 *                         the report line {"swapoff":ERRNO}, 0: all is back
 *      quire.inject_io=SEED,SHORT,WRITE,READ   see inject.h
 *      virtio_mmio.device=512@ADDRESS:IRQ  (QEMU adds these itself)
 *
 * 3. INIT: records, each one letter and its text, ended by a NUL byte:
 *      P path       program to run, on the guest's root (once, needed)
 *      A text       one argument, argv[0] first
 *      E text       one environment string
 *      C path       working directory (default /)
 *      U uid:gid    identity (default 0:0)
 *      T ns         wall clock, nanoseconds since 1970 (default: the RTC)
 *      L n:cur:max  resource limit number n (getrlimit)
 *      I bits       stdin (1), stdout (2), stderr (4) is a terminal
 *      S rows:cols  the terminal's size
 *      M path       where the share is mounted (default /mnt/share)
 *    An empty record may follow, NUL bytes up to a multiple of 4, and a cpio
 *    archive ("newc"): where there is no root file system from the host, that
 *    becomes the root, in memory.  An archive alone means: P /init.
 *    An absolute path is taken as it is; a program without a slash is looked
 *    for along the PATH of the E records.
 *
 * 4. The console carries frames in both directions:
 *      byte 0     type (below)
 *      byte 1     flags, 0
 *      bytes 2-3  length n of what follows, little-endian, 0 ... 65535
 *      n bytes
 *    To the guest:   FRAME_STDIN data; FRAME_EOF stdin has ended (n = 0);
 *                    FRAME_SIGNAL one byte: send this signal to the
 *                    terminal's foreground group; FRAME_WINSIZE rows, cols
 *                    (two bytes each).
 *    From the guest: FRAME_STDOUT, FRAME_STDERR data; FRAME_TRACE whole
 *                    struct trace_record's.
 *    When stdin is a terminal the host leaves it in its usual (cooked) mode;
 *    the guest's terminal does no echo and no line editing of its own unless
 *    the frame says so: it passes lines through.
 *
 * 5. The report channel: lines, each one JSON object:
 *      {"ready":1,"cpus":N,"ram":BYTES,"levels":N}      before the program
 *      {"fault":"NAME","count":N,"minor":N,"major":N,"kernel":N,
 *       "total_ns":N,"max_ns":N}                        per kind seen
 *      {"peak_rss_bytes":N,"peak_table_bytes":N,"peak_vmas":N,
 *       "processes":N,"switches":N,"syscalls_unknown":N,"uptime_ns":N}
 *      {"readahead_windows":N,"readahead_pages":N,"dirtied_pages":N,
 *       "written_pages":N}
 *      {"swap_ins":N,"swap_outs":N,"refaults_anon":N,"refaults_file":N,
 *       "scanned":N,"stolen":N,"direct_reclaim_ns":N,"oom_kills":N}
 *                         pages, but for the last two
 *      {"swapoff":ERRNO}                                with quire.swapoff=1
 *      {"check":N}                                      with quire.check=1
 *      {"exit":CODE}            the program called exit: the last line
 *      {"signal":N}             or a signal ended it
 *      {"error":"TEXT"}         or it could not be started (no such file,
 *                               not an ELF program, too little memory ...)
 *      {"refused":"TEXT"}       or the machine's options make no sense
 *      {"panic":"TEXT"}         or the kernel failed
 *    Then the kernel writes to port 0xf4: 0 after "exit", "signal",
 *    "error" and "refused" lines (QEMU's status is 1), 0x10 after a panic (33);
 *    on ARM it ends the machine by semihosting.  QEMU's end without any of the
 *    five last lines is a crash of the machine.
 */
#ifndef KERNEL_PROTOCOL_H
#define KERNEL_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#define PORT_LOG    0xe9
#define PORT_REPORT 0xea
#define PORT_EXIT   0xf4

#define FRAME_STDOUT  1
#define FRAME_STDERR  2
#define FRAME_STDIN   3
#define FRAME_TRACE   4
#define FRAME_EOF     5
#define FRAME_SIGNAL  6
#define FRAME_WINSIZE 7

/* One event as it goes over the wire: 64 bytes, little-endian; the fields
 * after ns are struct quire_event's (quire/trace.h). */
struct trace_record {
	uint64_t ns; /* since boot */
	uint8_t type, kind, bits, cpu;
	uint32_t task, mm, prot, flags, error;
	uint64_t addr, len, aux;
	int64_t result;
};

/* Kernel side: the INIT record's n-th text of a letter, or NULL. */
const char *init_record(char letter, unsigned n);
/* The archive that follows the records, its size in *bytes; or NULL. */
const char *init_archive(size_t *bytes);
/*
 * What kernel/dev's console supplies: write one frame (task context, may
 * sleep); bytes of data taken, all of them or -errno.  flush: wait until the
 * host has taken all.  Both work before the console is there by doing nothing.
 */
long console_frame(unsigned type, const void *data, unsigned n);
void console_flush(void);
/* Serial port fallback (kernel/x86/earlycon.c): raw, polled. */
void serial_write(const void *data, unsigned long n);
int serial_getc(void); /* next byte, or -1 */
/* One line of JSON to the report channel, no newline in it. */
void report_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
