/* SPDX-License-Identifier: MIT */
/*
 * oom.h - out of memory (kernel/oom.c): what /proc and others see of it.
 */
#ifndef KERNEL_OOM_H
#define KERNEL_OOM_H

#include "task.h"

int oom_init(void);
/* A victim's task has let go of its memory. */
void oom_memory_back(void);
/*
 * Around a task's last put of its address space: oom_leaves is true if it is
 * the last user of a large one, which nobody need be killed for meanwhile; then
 * oom_left has to follow.
 */
bool oom_leaves(struct mm_struct *mm);
void oom_left(void);
/* /proc/PID/oom_score: 0 ... 2000 */
unsigned oom_score(struct process *p);
/* Processes killed so far: /proc/vmstat, oom_kill */
uint64_t oom_kills(void);
/* /proc/sys/vm's, 0 or not */
extern int oom_kill_allocating_task, panic_on_oom;

#endif
