/* SPDX-License-Identifier: MIT */
/*
 * dev.h - what the files of kernel/dev share.
 */
#ifndef KERNEL_DEV_DEV_H
#define KERNEL_DEV_DEV_H

#include "../fs/fs.h"
#include "../fs/poll.h"

/* random.c: fill an iterator; bytes or -EFAULT */
long random_to_iter(struct iter *to);

/* tty.c: the controlling terminal, /dev/tty and /dev/console */
extern const struct file_operations tty_fops;
/* The host wants a signal sent to the foreground group / has resized. */
void tty_host_signal(int signo);
void tty_host_winsize(unsigned rows, unsigned cols);

/* mem.c: /dev/mem and /dev/pmem0 */
extern const struct file_operations mem_fops, pmem_fops;

/* console.c: bytes from the host's standard input */
struct wait_queue *console_input_queue(void);
bool console_input_ready(void); /* a byte, or the end, can be read now */
uint32_t console_input_bytes(void);
/* Move bytes out: how many; 0 at the end of input; -EAGAIN none (nonblock);
 * -EFAULT, -ERESTARTSYS. */
long console_input_read(struct iter *to, bool nonblock);
/* Move bytes to the host's standard output (FRAME_STDOUT or FRAME_STDERR) */
long console_output(struct iter *from, unsigned type);
/* Find the device.  0, or -ENODEV: the serial port is used */
int console_init(void);

#endif
