/* SPDX-License-Identifier: MIT */
/*
 * inject.h - transfers that fail on purpose, so that tests can see what
 * becomes of the bytes.
 *
 * The kernel's option quire.inject_io=SEED,SHORT,WRITE,READ asks for it: of
 * SHORT transfers one moves fewer bytes than it was to, of WRITE (READ) writes
 * (reads) one fails; 0: none does.  Which ones is decided by SEED and the order
 * of the transfers.  It concerns the writable share and the disks, not the root
 * file system.
 */
#ifndef KERNEL_INJECT_H
#define KERNEL_INJECT_H

#include <quire/types.h>

enum inject_fault {
	INJECT_NONE,
	/* Stop early: what is left is a transfer of its own afterwards. */
	INJECT_SHORT,
	INJECT_ERROR, /* fail with -EIO, with nothing done, or a part */
};

extern bool inject_asked;
/* Any context, does not sleep: */
static inline bool inject_on(void)
{
	return __builtin_expect(inject_asked, 0);
}
enum inject_fault inject_io(bool write); /* for the next transfer */
uint32_t inject_part(uint32_t n);	 /* at random: 0 ... n - 1; n > 0 */

void inject_init(void); /* reads the option */

#endif
