/* SPDX-License-Identifier: MIT */
/*
 * The types that cross Quire's public boundary.
 *
 * A user address has its own type, uaddr_t, whose width follows the
 * page-table format and not the processor that runs the code: a 64-bit host
 * process can run a memory system of 32-bit tables.  Physical addresses are
 * always 64 bits wide (i386 PAE and ARM LPAE reach past 4 GiB).
 *
 * Freestanding: only compiler-supplied headers are included.
 */
#ifndef QUIRE_TYPES_H
#define QUIRE_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Width of a user address; a 32-bit format's build defines this to 32. */
#ifndef QUIRE_UADDR_BITS
#define QUIRE_UADDR_BITS 64
#endif

#if QUIRE_UADDR_BITS == 64
typedef uint64_t uaddr_t;
typedef int64_t sreg_t; /* result of a call: an address, or a negative errno */
#else
typedef uint32_t uaddr_t;
typedef int32_t sreg_t;
#endif

/*
 * Is the result of a call an errno?  -4095 ... -1 are; in 32 bits an address
 * may be negative too.
 */
#define QUIRE_MAX_ERRNO	   4095
#define QUIRE_IS_ERR(sreg) ((uaddr_t)(sreg) >= (uaddr_t)-QUIRE_MAX_ERRNO)

typedef uint64_t paddr_t;     /* physical address, bytes */
typedef uint64_t vm_flags_t;  /* VM_* */
typedef uint32_t vm_fault_t;  /* VM_FAULT_* */
typedef uint32_t gfp_t;	      /* __GFP_* */
typedef uint64_t quire_off_t; /* offset in a file, bytes */

/* Most CPUs one system may have; sizes the CPU masks only. */
#define QUIRE_MAX_CPUS 64
typedef uint64_t cpumask_t; /* bit n: CPU n */

struct quire;
struct mm_struct;
struct vm_area_struct;
struct vm_fault;
struct page;
struct address_space;
struct pt_regs;
struct quire_file;
struct quire_task;

#endif
