/* SPDX-License-Identifier: MIT */
/*
 * struct iter: the memory of a read or write call, user's or kernel's, in any
 * number of pieces.  Copies to user memory may fault and so sleep: no spinlock
 * may be held around them.
 */
#include "fs.h"

void iter_init_user(struct iter *it, struct kiovec *one, uaddr_t buf, size_t n)
{
	*one = (struct kiovec){buf, n};
	*it = (struct iter){.vec = one, .nr = 1, .count = n};
}

void iter_init_kernel(struct iter *it, struct kiovec *one, void *buf, size_t n)
{
	*one = (struct kiovec){(uintptr_t)buf, n};
	*it = (struct iter){.vec = one, .nr = 1, .count = n, .kernel = true};
}

static void iter_skip_empty(struct iter *it)
{
	while (it->nr && it->off == it->vec->len) {
		it->vec++;
		it->nr--;
		it->off = 0;
	}
}

/* What can be moved in one go: the address, and *n cut to fit. */
static uaddr_t iter_piece(struct iter *it, size_t *n)
{
	iter_skip_empty(it);
	if (*n > it->vec->len - it->off)
		*n = it->vec->len - it->off;
	return it->vec->base + it->off;
}

static void iter_advance(struct iter *it, size_t n)
{
	it->off += n;
	it->count -= n;
}

size_t iter_copy_to(struct iter *it, const void *from, size_t n)
{
	const char *p = from;
	size_t done = 0, left = 0;

	if (n > it->count)
		n = it->count;
	while (done < n && !left) {
		size_t now = n - done;
		uaddr_t to = iter_piece(it, &now);

		if (it->kernel)
			memcpy((void *)(uintptr_t)to, p + done, now);
		else
			left = copy_to_user(to, p + done, now);
		iter_advance(it, now - left);
		done += now - left;
	}
	return done;
}

size_t iter_copy_from(struct iter *it, void *to, size_t n)
{
	size_t done = 0, left = 0;
	char *p = to;

	if (n > it->count)
		n = it->count;
	while (done < n && !left) {
		size_t now = n - done;
		uaddr_t from = iter_piece(it, &now);

		if (it->kernel)
			memcpy(p + done, (void *)(uintptr_t)from, now);
		else
			left = copy_from_user(p + done, from, now);
		iter_advance(it, now - left);
		done += now - left;
	}
	return done;
}

size_t iter_zero(struct iter *it, size_t n)
{
	static const char zeroes[1024];
	size_t done = 0;

	if (n > it->count)
		n = it->count;
	while (done < n) {
		size_t now = n - done;
		size_t ok;

		if (now > sizeof(zeroes))
			now = sizeof(zeroes);
		ok = iter_copy_to(it, zeroes, now);
		done += ok;
		if (ok < now)
			break;
	}
	return done;
}

size_t iter_copy_out(void *cookie, void *kaddr, size_t done, size_t n)
{
	(void)done; /* the iterator itself knows where it is */
	return iter_copy_to(cookie, kaddr, n);
}

/* Undo an advance by n bytes. */
static void iter_back(struct iter *it, size_t n)
{
	it->count += n;
	while (n > it->off) {
		n -= it->off;
		it->vec--;
		it->nr++;
		it->off = it->vec->len;
	}
	it->off -= n;
}

size_t iter_copy_in(void *cookie, void *kaddr, size_t done, size_t n)
{
	const struct iter_source *from = cookie;

	iter_back(from->it, from->count - from->it->count - done);
	return iter_copy_from(from->it, kaddr, n);
}
