/* SPDX-License-Identifier: MIT */
/*
 * swapon.h - swap areas (kernel/fs/swapon.c), to those who start and end the
 * machine.
 */
#ifndef KERNEL_SWAPON_H
#define KERNEL_SWAPON_H

/* The areas that the command line names (protocol.h, 2), once disks are there.
 * Ends the machine where one cannot be had. */
void swap_boot(void);
/* swapoff of all areas: 0, or the last error.  Sleeps. */
int swapoff_all(void);
/* kswapd.c: no background reclaim from here on; sleeps until its round ends. */
void kswapd_stop(void);

#endif
