/* SPDX-License-Identifier: MIT */
/*
 * psci.c - calls to the firmware (Power State Coordination Interface,
 * DEN 0022D, 5.1; SMC Calling Convention DEN 0028B: function in r0, arguments
 * in r1 to r3, result in r0, r1 to r3 not kept).
 */
#include "board.h"

/* firmware.S */
int hvc_call(uint32_t fn, uint32_t a, uint32_t b, uint32_t c);
int smc_call(uint32_t fn, uint32_t a, uint32_t b, uint32_t c);

#define NOT_SUPPORTED (-1)

static int psci_call(uint32_t fn, uint32_t a, uint32_t b, uint32_t c)
{
	if (!KERNEL_ARMV7 || !boot_info.psci)
		return NOT_SUPPORTED;
	return boot_info.psci_smc ? smc_call(fn, a, b, c)
				  : hvc_call(fn, a, b, c);
}

int psci_cpu_on(uint32_t mpidr, paddr_t entry, uint32_t context)
{
	return psci_call(boot_info.psci_cpu_on, mpidr, (uint32_t)entry,
			 context);
}

void psci_system_off(void)
{
	psci_call(boot_info.psci_off, 0, 0, 0);
}
