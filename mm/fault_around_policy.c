/* SPDX-License-Identifier: MIT */
/*
 * fault_around_policy.c - how far around its address a read fault maps what is
 * cached (F6).
 *
 *   aligned   the window of `bytes` that the address lies in; one that the VMA
 *             or the table cuts off in front is as long as any other behind
 *   forward   from the address on: nothing for those that go backwards
 *   advised   as the program has said: twice as much forward for a sequential
 *             mapping, nothing for a random one, else aligned
 *   none      nothing
 *
 * To map a page that is never used costs little, but not nothing: its reverse
 * map, and a look at its entry whenever the page is looked at.
 *
 * Locks: none.
 */
#include "mm.h"

/* [*start, *start + bytes) within the limits. */
static void cut(const struct quire_fa_request *req, uint64_t bytes,
		uaddr_t *start, uaddr_t *end)
{
	if (*start < req->low)
		*start = req->low;
	*end = bytes < req->high - *start ? *start + (uaddr_t)bytes : req->high;
}

static void aligned(const struct quire_fa_request *req, uaddr_t *start,
		    uaddr_t *end)
{
	*start = ALIGN_DOWN(req->address, (uaddr_t)req->bytes);
	cut(req, req->bytes, start, end);
}

static void forward(const struct quire_fa_request *req, uaddr_t *start,
		    uaddr_t *end)
{
	*start = req->address;
	cut(req, req->bytes, start, end);
}

static void none(const struct quire_fa_request *req, uaddr_t *start,
		 uaddr_t *end)
{
	*start = req->address;
	*end = req->address;
}

static void advised(const struct quire_fa_request *req, uaddr_t *start,
		    uaddr_t *end)
{
	if (req->random) {
		none(req, start, end);
	} else if (req->sequential) {
		*start = req->address;
		cut(req, req->bytes * 2, start, end);
	} else {
		aligned(req, start, end);
	}
}

static const struct quire_fault_around_policy policies[] = {
	{"aligned", aligned},
	{"forward", forward},
	{"advised", advised},
	{"none", none},
};

const struct quire_fault_around_policy *quire_fault_around_policy(unsigned i)
{
	return i < ARRAY_LEN(policies) ? &policies[i] : NULL;
}
