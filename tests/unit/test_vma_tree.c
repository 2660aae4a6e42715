/* SPDX-License-Identifier: MIT */
/*
 * The tree of VMAs against a sorted array of what is in it: random insertions,
 * removals and changes of extent in phases of growth and of shrinking, with
 * each lookup and each search for room compared.
 */
#include "common.h"

#include <mm/internal/mm.h>

#define MAX_VMAS 3000
#define LOW_PAGE 16u

struct model {
	struct mm_struct *mm;
	struct vm_area_struct *vma[MAX_VMAS];
	unsigned n, max;
	uaddr_t pages; /* of the addresses in use */
	uint64_t seed;
};

static uaddr_t rnd(struct model *t, uint64_t below)
{
	t->seed ^= t->seed << 13;
	t->seed ^= t->seed >> 7;
	t->seed ^= t->seed << 17;
	return (uaddr_t)((t->seed >> 11) % below);
}

/* Index of the first VMA that ends above addr. */
static unsigned model_find(const struct model *t, uaddr_t addr)
{
	unsigned lo = 0, hi = t->n;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (t->vma[mid]->vm_end > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static struct vm_area_struct *at(const struct model *t, unsigned i)
{
	return i < t->n ? t->vma[i] : NULL;
}

static uaddr_t model_gap(const struct model *t, bool down, uaddr_t len,
			 uaddr_t low, uaddr_t high)
{
	uaddr_t prev = 0, found = 0;

	for (unsigned i = 0; i <= t->n; i++) {
		uaddr_t start = MAX(prev, low);
		uaddr_t end = i < t->n ? vm_start_gap(t->vma[i]) : high;

		end = MIN(end, high);
		if (end > start && end - start >= len) {
			found = down ? end - len : start;
			if (!down)
				break;
		}
		if (i < t->n)
			prev = t->vma[i]->vm_end;
	}
	return found;
}

static void insert(struct model *t)
{
	uaddr_t start = (LOW_PAGE + rnd(t, t->pages)) * PG;
	uaddr_t end = start + (1 + rnd(t, 8)) * PG;
	struct vm_area_struct *vma;
	unsigned i, j;

	if (t->n && rnd(t, 4) == 0) { /* to the end, as fork does */
		start = t->vma[t->n - 1]->vm_end;
		if (start > (LOW_PAGE + t->pages) * PG)
			return;
		end = start + PG;
	}
	i = model_find(t, start);
	if (t->n == t->max || (i < t->n && t->vma[i]->vm_start < end))
		return;
	vma = vm_area_alloc(t->mm);
	REQUIRE(vma);
	vma->vm_start = start;
	vma->vm_end = end;
	vma->vm_flags = rnd(t, 16) ? VM_READ : VM_READ | VM_GROWSDOWN;
	REQUIRE_EQ(vma_tree_reserve(t->mm, 1), 0);
	vma_tree_insert(t->mm, vma);
	t->mm->map_count++;
	for (j = t->n++; j > i; j--)
		t->vma[j] = t->vma[j - 1];
	t->vma[i] = vma;
}

static void remove_one(struct model *t, unsigned i)
{
	struct vm_area_struct *vma = t->vma[i];

	vma_tree_remove(t->mm, vma);
	t->mm->map_count--;
	vm_area_free(vma);
	for (t->n--; i < t->n; i++)
		t->vma[i] = t->vma[i + 1];
}

static void resize(struct model *t)
{
	unsigned i = (unsigned)rnd(t, t->n);
	uaddr_t low = i ? t->vma[i - 1]->vm_end : LOW_PAGE * PG;
	uaddr_t high = i + 1 < t->n ? t->vma[i + 1]->vm_start
				    : t->vma[i]->vm_end + 4 * PG;
	uaddr_t start = low + rnd(t, (high - low) / PG) * PG;
	uaddr_t end = start + (1 + rnd(t, (high - start) / PG)) * PG;

	vma_tree_resize(t->mm, t->vma[i], start, end);
	CHECK_EQ(t->vma[i]->vm_start, start);
	CHECK_EQ(t->vma[i]->vm_end, end);
}

static void compare(struct model *t)
{
	uaddr_t addr = rnd(t, (t->pages + 64) * PG);
	uaddr_t low = (1 + rnd(t, t->pages)) * PG;
	uaddr_t high = low + rnd(t, t->pages) * PG;
	uaddr_t len = (1 + rnd(t, rnd(t, 4) ? 8 : 300)) * PG;
	struct vm_area_struct *prev, *vma;
	unsigned i = model_find(t, addr);

	vma = find_vma(t->mm, addr);
	CHECK(vma == at(t, i));
	CHECK(find_vma_prev(t->mm, addr, &prev) == vma);
	CHECK(prev == (i ? t->vma[i - 1] : NULL));
	CHECK(find_vma_intersection(t->mm, addr, addr + len) ==
	      (vma && vma->vm_start < addr + len ? vma : NULL));
	if (vma) {
		CHECK(vma_next(vma) == at(t, i + 1));
		CHECK(vma_prev(vma) == prev);
	}
	CHECK(vma_first(t->mm) == at(t, 0));
	CHECK_EQ(vma_tree_gap_bottomup(t->mm, len, low, high),
		 model_gap(t, false, len, low, high));
	CHECK_EQ(vma_tree_gap_topdown(t->mm, len, low, high),
		 model_gap(t, true, len, low, high));
}

static void run(struct sim_machine *m, unsigned max, unsigned steps,
		unsigned check_every, uint64_t seed)
{
	static struct model t;
	struct vm_area_struct *vma;
	unsigned i, step, inserts;

	memset(&t, 0, sizeof(t));
	t.mm = quire_mm_create(sim_quire(m));
	REQUIRE(t.mm);
	t.max = max;
	t.pages = max * 16;
	t.seed = seed;
	for (step = 0; step < steps && !test_failures(); step++) {
		test_context("seed %llu step %u", (unsigned long long)seed,
			     step);
		/* grow to the full size, shrink to nearly nothing, twice */
		inserts = step / (steps / 4) % 2 ? 20 : 85;
		if (rnd(&t, 100) < inserts || !t.n)
			insert(&t);
		else if (rnd(&t, 3))
			remove_one(&t, (unsigned)rnd(&t, t.n));
		else
			resize(&t);
		if (step % check_every == 0) {
			CHECK_EQ(vma_tree_check(t.mm), 0);
			compare(&t);
		}
	}
	i = 0;
	for_each_vma (t.mm, vma)
		CHECK(vma == at(&t, i++));
	CHECK_EQ(i, t.n);
	while (t.n)
		remove_one(&t, rnd(&t, 2) ? t.n - 1 : 0);
	CHECK_EQ(vma_tree_check(t.mm), 0);
	CHECK(!find_vma(t.mm, 0));
	CHECK_EQ(vma_tree_gap_topdown(t.mm, PG, PG, 10 * PG), 9 * PG);
	test_context("%s", "");
	quire_mm_put(t.mm);
}

/* behaviour: M1 */
TEST(vma_tree_agrees_with_a_sorted_array)
{
	for (uint64_t seed = 1; seed <= 6; seed++)
		run(m, seed & 1 ? 40 : 300, 4000, 1, seed * 77);
}

/* behaviour: M1 */
TEST(vma_tree_of_several_levels)
{
	run(m, MAX_VMAS, 20000, 37, 99);
}

/* A destroyed tree gives every node back, whatever its shape. */
TEST(vma_tree_destroy_leaks_nothing)
{
	static struct vm_area_struct *all[500];
	struct mm_struct *mm;
	unsigned n, i;

	for (n = 0; n < 500; n = n * 3 + 1) {
		mm = quire_mm_create(sim_quire(m));
		REQUIRE(mm);
		for (i = 0; i < n; i++) {
			all[i] = vm_area_alloc(mm);
			REQUIRE(all[i]);
			all[i]->vm_start = (i + 1) * 2 * PG;
			all[i]->vm_end = all[i]->vm_start + PG;
			REQUIRE_EQ(vma_tree_reserve(mm, 1), 0);
			vma_tree_insert(mm, all[i]);
		}
		CHECK_EQ(mm->vmas.count, n);
		for (i = 0; i < n; i++)
			vm_area_free(all[i]);
		vma_tree_destroy(mm);
		CHECK_EQ(mm->vmas.count, 0);
		quire_mm_put(mm);
	}
}

/*
 * Operations that were reserved for cannot run out of memory: every insertion
 * of a reserved batch is made with all allocations failing.
 */
TEST(vma_tree_reserved_insertions_need_no_memory)
{
	struct mm_struct *mm = quire_mm_create(sim_quire(m));
	struct vm_area_struct *vma[3];
	unsigned i, batch;

	REQUIRE(mm);
	for (batch = 0; batch < 300; batch++) {
		for (i = 0; i < 3; i++) {
			vma[i] = vm_area_alloc(mm);
			REQUIRE(vma[i]);
			/* the middle of what is there: leaves split often */
			vma[i]->vm_start = (batch & 1 ? 2000 - batch * 3 - i
						      : 2000 + batch * 3 + i) *
					   PG;
			vma[i]->vm_end = vma[i]->vm_start + PG;
		}
		REQUIRE_EQ(vma_tree_reserve(mm, 3), 0);
		if (sim_has_injection())
			sim_inject_nth(m, 1, false);
		for (i = 0; i < 3; i++) {
			vma_tree_insert(mm, vma[i]);
			mm->map_count++;
		}
		CHECK_EQ(sim_inject_hits(m), 0);
		sim_inject_reset(m);
		CHECK_EQ(vma_tree_check(mm), 0);
	}
	if (sim_has_injection()) {
		vma_tree_unreserve(mm);
		sim_inject_nth(m, 1, false);
		CHECK_EQ(vma_tree_reserve(mm, 1), -ENOMEM);
		sim_inject_reset(m);
		CHECK_EQ(vma_tree_check(mm), 0);
	}
	quire_mm_put(mm);
}
