/* SPDX-License-Identifier: MIT */
/* What arch/arm/entry.S asks of its host, as the test has it: one word. */
#ifndef TEST_ENTRY_HOST_H
#define TEST_ENTRY_HOST_H
/* clang-format off */
.macro exception_work rd
	ldr	\rd, =work
	ldr	\rd, [\rd]
.endm
#endif
