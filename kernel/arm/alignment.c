/* SPDX-License-Identifier: MIT */
/*
 * alignment.c - user programs' transfers of several words to addresses that
 * are no multiple of four.  The processor does single loads and stores there
 * by itself, but not LDM, STM, PUSH, POP, LDRD and STRD (ARM ARM DDI 0406C,
 * table A3-1): it raises an alignment fault.  Linux does those by software,
 * and there are programs that live on it; so does this.
 *
 * The other instructions that can have that fault (LDREX and its kin, VLDM
 * ...) end in SIGBUS, as there.  So do programs that are big-endian at the
 * moment.
 *
 * The instruction has passed its condition, or it would not have faulted.
 * Nothing of the registers changes before all of the memory was accessed.
 * Encodings: DDI 0406C, A8.8.57 to .60, .72, .73, .199 to .202, .210, .211,
 * and A6.2.4, A6.3.5, A6.3.6 for Thumb.
 */
#include <asm/fsr.h>
#include <asm/ptrace.h>
#include "arch_cpu.h"
#include "cpu.h"
#include "uaccess.h"

/* What an instruction does, whatever its encoding. */
struct transfer {
	uint32_t at;   /* address of the first word */
	unsigned regs; /* mask: the lowest register first */
	unsigned base; /* register that gets `base_then`, if writeback */
	uint32_t base_then;
	bool load, writeback;
	unsigned size; /* of the instruction, bytes */
};

static unsigned count(unsigned mask)
{
	unsigned n = 0;

	for (; mask; mask &= mask - 1)
		n++;
	return n;
}

/* LDM and STM: up or down from the base, which is within or beside. */
static void multiple(struct transfer *t, const struct pt_regs *regs, bool up,
		     bool before)
{
	uint32_t base = regs->uregs[t->base], bytes = 4 * count(t->regs);

	t->base_then = up ? base + bytes : base - bytes;
	t->at = up ? base : t->base_then;
	if (up == before)
		t->at += 4;
}

/* LDRD and STRD: base and offset, used before or after. */
static void dual(struct transfer *t, const struct pt_regs *regs, bool up,
		 bool before, uint32_t offset)
{
	uint32_t base = regs->uregs[t->base];

	t->base_then = up ? base + offset : base - offset;
	t->at = before ? t->base_then : base;
}

static bool decode_arm(struct transfer *t, const struct pt_regs *regs,
		       uint32_t insn)
{
	bool before = insn & 1u << 24, up = insn & 1u << 23;
	uint32_t offset, rt = insn >> 12 & 15;

	if (insn >> 28 == 15)
		return false;
	t->size = 4;
	t->base = insn >> 16 & 15;
	if ((insn & 0x0e400000) == 0x08000000) {
		t->load = insn & 1u << 20;
		t->writeback = insn & 1u << 21;
		t->regs = insn & 0xffff;
		multiple(t, regs, up, before);
		return t->base != 15;
	}
	if ((insn & 0x0e1000d0) != 0x000000d0 || (rt & 1) || t->base == 15)
		return false;
	t->load = !(insn & 1u << 5);
	t->writeback = !before || (insn & 1u << 21);
	t->regs = 3u << rt;
	offset = insn & 1u << 22 ? (insn >> 4 & 0xf0) | (insn & 15)
				 : regs->uregs[insn & 15];
	dual(t, regs, up, before, offset);
	return true;
}

static bool decode_thumb16(struct transfer *t, const struct pt_regs *regs,
			   unsigned insn)
{
	t->size = 2;
	t->load = insn & 1u << 11;
	t->regs = insn & 0xff;
	t->writeback = true;
	if ((insn & 0xf600) == 0xb400) { /* PUSH, POP */
		t->base = 13;
		if (insn & 0x100)
			t->regs |= t->load ? 1u << 15 : 1u << 14;
		multiple(t, regs, t->load, !t->load);
		return true;
	}
	if ((insn & 0xf000) != 0xc000)
		return false;
	t->base = insn >> 8 & 7;
	multiple(t, regs, true, false);
	return true;
}

static bool decode_thumb32(struct transfer *t, const struct pt_regs *regs,
			   unsigned hw1, unsigned hw2)
{
	bool before = hw1 & 1u << 8, up = hw1 & 1u << 7;

	t->size = 4;
	t->base = hw1 & 15;
	t->load = hw1 & 1u << 4;
	t->writeback = hw1 & 1u << 5;
	if (t->base == 15)
		return false;
	if ((hw1 & 0xfe40) == 0xe800) {
		if (up == before) /* RFE, SRS */
			return false;
		t->regs = hw2;
		multiple(t, regs, up, before);
		return true;
	}
	/* without offset and writeback it is LDREX, TBB ... */
	if ((hw1 & 0xfe40) != 0xe840 || (!before && !t->writeback))
		return false;
	if ((hw2 >> 12) >= (hw2 >> 8 & 15)) /* a mask knows one order only */
		return false;
	t->regs = 1u << (hw2 >> 12) | 1u << (hw2 >> 8 & 15);
	dual(t, regs, up, before, (hw2 & 0xff) * 4);
	return true;
}

static bool decode(struct transfer *t, const struct pt_regs *regs)
{
	uint16_t hw[2] = {0, 0};
	uint32_t insn;

	if (!thumb_mode(regs))
		return !get_user(&insn, regs->ARM_pc) &&
		       decode_arm(t, regs, insn);
	if (get_user(&hw[0], regs->ARM_pc))
		return false;
	if (hw[0] >> 11 < 0x1d)
		return decode_thumb16(t, regs, hw[0]);
	return !get_user(&hw[1], regs->ARM_pc + 2) &&
	       decode_thumb32(t, regs, hw[0], hw[1]);
}

/* The memory's part.  0, or -EFAULT. */
static int transfer_words(const struct transfer *t, const struct pt_regs *regs,
			  uint32_t words[16])
{
	size_t bytes = 4 * count(t->regs);
	unsigned r, n = 0;

	if (t->load)
		return copy_from_user(words, t->at, bytes) ? -14 : 0;
	for (r = 0; r < 16; r++)
		if (t->regs & 1u << r)
			words[n++] =
				r == 15 ? regs->ARM_pc + 8 : regs->uregs[r];
	return copy_to_user(t->at, words, bytes) ? -14 : 0;
}

/* After an instruction of an IT block: the next one's (A2.5.2, ITAdvance). */
static void advance_it(struct pt_regs *regs)
{
	uint32_t psr = regs->ARM_cpsr;
	uint32_t it = (psr >> 8 & 0xfc) | (psr >> 25 & 3);

	it = it & 7 ? (it & 0xe0) | (it << 1 & 0x1f) : 0;
	regs->ARM_cpsr = (psr & ~(uint32_t)PSR_IT_MASK) | (it & 0xfc) << 8 |
			 (it & 3) << 25;
}

/* The registers' part. */
static void finish(const struct transfer *t, struct pt_regs *regs,
		   const uint32_t words[16])
{
	unsigned r, n = 0;

	regs->ARM_pc += t->size;
	if (thumb_mode(regs))
		advance_it(regs);
	if (t->writeback)
		regs->uregs[t->base] = t->base_then;
	if (!t->load)
		return;
	for (r = 0; r < 15; r++)
		if (t->regs & 1u << r)
			regs->uregs[r] = words[n++];
	if (!(t->regs & 1u << 15))
		return;
	/* the lowest bit of a loaded pc is its instruction set */
	regs->ARM_pc = words[n] & (words[n] & 1 ? ~1u : ~3u);
	regs->ARM_cpsr &= ~(uint32_t)(PSR_T_BIT | PSR_IT_MASK);
	if (words[n] & 1)
		regs->ARM_cpsr |= PSR_T_BIT;
}

static vm_fault_t alignment_fault(struct quire_task *task, uaddr_t addr,
				  uint32_t fsr, struct pt_regs *regs)
{
	struct quire_signal segv = {
		.signo = SIGSEGV, .code = QUIRE_SEGV_MAPERR, .addr = addr};
	struct transfer t = {0};
	uint32_t words[16];

	if (!user_mode(regs) || (regs->ARM_cpsr & PSR_E_BIT) ||
	    !decode(&t, regs))
		return QUIRE_FAULT_UNHANDLED;
	if (!transfer_words(&t, regs, words)) {
		finish(&t, regs, words);
		return 0;
	}
	task->fault_trapno = ARM_TRAP_ABORT;
	task->fault_error = fsr;
	task->fault_address = addr;
	quire_host_signal(task, &segv);
	return 0;
}

void alignment_init(void)
{
	hook_fault_code(the_quire, FS_ALIGNMENT, alignment_fault, SIGBUS,
			QUIRE_BUS_ADRALN, "alignment fault");
}
