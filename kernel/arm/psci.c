/* SPDX-License-Identifier: MIT */
/*
 * psci.c - calls to the firmware (Power State Coordination Interface,
 * DEN 0022D, 5.1; SMC Calling Convention DEN 0028B: function in r0, arguments
 * in r1 to r3, result in r0, r1 to r3 not kept).
 */
#include "board.h"

#if KERNEL_ARMV7
__asm__(".arch_extension virt\n.arch_extension sec");

static int psci_call(uint32_t fn, uint32_t a, uint32_t b, uint32_t c)
{
	register uint32_t r0 __asm__("r0") = fn;
	register uint32_t r1 __asm__("r1") = a;
	register uint32_t r2 __asm__("r2") = b;
	register uint32_t r3 __asm__("r3") = c;

	if (!boot_info.psci)
		return -1;
	if (boot_info.psci_smc)
		__asm__ volatile("smc #0"
				 : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)::"ip",
				   "memory");
	else
		__asm__ volatile("hvc #0"
				 : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)::"ip",
				   "memory");
	return (int)r0;
}
#else
static int psci_call(uint32_t fn, uint32_t a, uint32_t b, uint32_t c)
{
	(void)fn, (void)a, (void)b, (void)c;
	return -1;
}
#endif

int psci_cpu_on(uint32_t mpidr, paddr_t entry, uint32_t context)
{
	return psci_call(boot_info.psci_cpu_on, mpidr, (uint32_t)entry,
			 context);
}

void psci_system_off(void)
{
	psci_call(boot_info.psci_off, 0, 0, 0);
}
