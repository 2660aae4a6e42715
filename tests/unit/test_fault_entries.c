/* SPDX-License-Identifier: MIT */
/*
 * The faults on entries of every sort, some of which only a hand can write.
 * (Their bits: test_*_entries.c of the formats.)
 */
#include <anonymous.h>

#include "entries.h"

/* behaviour: P1 (what each protection lets the processor do) */
TEST(protections_in_hardware)
{
	struct sim_task *t = sim_task_create(m);
	unsigned prot, shared, k;

	for (prot = 0; prot < 8; prot++)
		for (shared = 0; shared < 2; shared++) {
			uaddr_t a = must_map(t, PG, RW | PROT_EXEC,
					     shared ? SHANON : ANON, NULL, 0);
			struct sim_walk w;

			test_context("prot %u, shared %u", prot, shared);
			put64(t, a, 1);
			CHECK_EQ(sim_mprotect(t, a, PG, prot), 0);
			for (k = 0; k < 3; k++) {
				static const unsigned need[] = {
					PROT_READ | PROT_WRITE | PROT_EXEC,
					PROT_WRITE, PROT_EXEC};
				/* without NX what may be read may be run */
				bool may = prot &
					   (k == 2 && !TEST_HAS_NX ? need[0]
								   : need[k]);
				uint8_t b = 1;

				CHECK_EQ(sim_access(t, k, 0, a, &b, 1),
					 may ? 0 : SIGSEGV);
				CHECK_EQ(sim_translate(m, k, 0, a, false, &w),
					 may);
			}
			CHECK_EQ(sim_munmap(t, a, PG), 0);
		}
	sim_exit(t);
}

/*
 * behaviour: P5 (tables: counted, given back between neighbours too; those
 * that a neighbour needs stay)
 */
TEST(tables_are_freed_exactly)
{
	/* distances that share a pte, pmd, pud table, and none below the top */
	static const uaddr_t apart[] = {TEST_APART};
	unsigned i, order;

	for (i = 0; i < ARRAY_LEN(apart); i++)
		for (order = 0; order < 3; order++) {
			struct sim_task *t = sim_task_create_bare(m);
			uint64_t before = mm_stats(t).table_bytes;
			uaddr_t a[3];
			unsigned k;

			test_context("distance %u, order %u", i, order);
			for (k = 0; k < 3; k++) {
				a[k] = TEST_PLACE(0) + PMD_SIZE - PG +
				       k * apart[i];
				CHECK_EQ(sim_mmap(t, a[k], PG, RW,
						  ANON | MAP_FIXED, NULL, 0),
					 (sreg_t)a[k]);
				put64(t, a[k], k + 1);
			}
			for (k = 0; k < 3; k++) {
				unsigned go = (k + order) % 3, l;

				CHECK_EQ(sim_munmap(t, a[go], PG), 0);
				CHECK_SYSTEM(m);
				for (l = k + 1; l < 3; l++)
					CHECK_EQ(get64(t, a[(l + order) % 3]),
						 (l + order) % 3 + 1);
			}
			CHECK_EQ(mm_stats(t).table_bytes, before);
			sim_exit(t);
		}
}

/* behaviours: F3, F13 (a hint fault gives the access back) */
TEST(protnone_entry_in_an_accessible_mapping)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 4);
	unsigned write;

	for (write = 0; write < 2; write++) {
		uaddr_t at = a + write * PG;
		uint64_t min;
		paddr_t frame;
		pte_t e;

		put64(t, at, 99);
		frame = frame_of(t, at);
		e = ptep_get(pte_at(t, at));
		poke(t, at, pte_modify(e, PAGE_NONE));
		min = t->qt.min_flt;
		if (write) {
			put64(t, at, 100);
			/* the hint, then the write permission */
			CHECK_EQ(t->qt.min_flt, min + 2);
		} else {
			CHECK_EQ(get64(t, at), 99);
			CHECK_EQ(t->qt.min_flt, min + 1);
		}
		CHECK_EQ(get64(t, at), 99 + write);
		CHECK_EQ(frame_of(t, at), frame);
		CHECK(!pte_protnone(ptep_get(pte_at(t, at))));
		CHECK_SYSTEM(m);
	}
	sim_exit(t);
}

/* behaviours: F3, F11 (an entry that nobody wrote: reported, SIGBUS) */
TEST(bad_swap_entry)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 2);
	uint64_t v;

	put64(t, a, 1);
	sim_quiet(m, true);
	poke(t, a + PG, swp_entry_to_pte(swp_entry(3, 0x777)));
	CHECK_SIGNAL(t, sim_load64(t, a + PG + 16, &v), SIGBUS,
		     QUIRE_BUS_ADRERR, a + PG + 16);
	CHECK(sim_log_contains(m, "bad page table entry"));
	CHECK_SIGNAL(t, sim_store64(t, a + PG, 1), SIGBUS, QUIRE_BUS_ADRERR,
		     a + PG);
	CHECK_EQ(sim_copy_from_user(t, a + PG, &v, 8), 0);
	poke(t, a + PG, (pte_t){0});
	sim_quiet(m, false);
	put64(t, a + PG, 2);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: F4 (what is not given: no operations, a reaped mm) */
TEST(anonymous_refusals)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 4);
	struct vm_area_struct *vma = vma_at(t, a);
	uint64_t free, v;

	vma->vm_flags |= VM_SHARED;
	CHECK_SIGNAL(t, sim_load64(t, a, &v), SIGBUS, QUIRE_BUS_ADRERR, a);
	CHECK_SIGNAL(t, sim_store64(t, a, 1), SIGBUS, QUIRE_BUS_ADRERR, a);
	vma->vm_flags &= ~VM_SHARED;
	put64(t, a, 1);
	free = nr_free_pages(sim_quire(m));
	/* the OOM reaper has been here: contents are lost, so no new pages */
	t->qt.mm->oom_reaped = true;
	CHECK_SIGNAL(t, sim_store64(t, a + PG, 1), SIGBUS, QUIRE_BUS_ADRERR,
		     a + PG);
	CHECK_SIGNAL(t, sim_load64(t, a + PG, &v), SIGBUS, QUIRE_BUS_ADRERR,
		     a + PG);
	CHECK_EQ(get64(t, a), 1);
	t->qt.mm->oom_reaped = false;
	CHECK_EQ(nr_free_pages(sim_quire(m)), free);
	CHECK_EQ(get64(t, a + PG), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/*
 * behaviour: F4 (the zero page: one for all, read-only, counted nowhere; the
 * first write makes a page)
 */
TEST(zero_page)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 3);
	struct quire *q = sim_quire(m);
	paddr_t zero = (paddr_t)page_to_pfn(q, q->zero_page) << PAGE_SHIFT;
	unsigned i;

	for (i = 0; i < 3; i++) {
		CHECK_EQ(get64(t, a + i * PG), 0);
		CHECK_EQ(frame_of(t, a + i * PG), zero);
		CHECK(pte_special(ptep_get(pte_at(t, a + i * PG))));
	}
	CHECK_EQ(mm_stats(t).anon_pages, 0);
	put64(t, a + PG, 5);
	CHECK(frame_of(t, a + PG) != zero);
	CHECK_EQ(frame_of(t, a), zero);
	CHECK_EQ(get64(t, a), 0);
	CHECK_EQ(mm_stats(t).anon_pages, 1);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: P6, F10 (the entry changed while the copy was made) */
TEST(copy_overtaken)
{
	struct sim_task *t = sim_task_create(m), *c;
	uaddr_t a = anon(t, 1);
	struct vm_fault vmf = {.flags = FAULT_FLAG_WRITE};
	struct mm_struct *mm = t->qt.mm;
	uint64_t free;
	paddr_t frame;

	put64(t, a, 8);
	c = sim_fork(t);
	sim_run(t);
	/* a fault that has read the entry ... */
	vmf.vma = vma_at(t, a);
	vmf.address = a;
	vmf.pmd = mm_find_pmd(mm, a);
	vmf.pte = pte_at(t, a);
	vmf.orig_pte = ptep_get(vmf.pte);
	vmf.ptl = pte_lockptr(t->qt.q, pmdp_get(vmf.pmd));
	/* ... and another that is faster */
	put64(t, a, 9);
	frame = frame_of(t, a);
	free = nr_free_pages(t->qt.q);
	down_read(&mm->mmap_lock);
	/* the entry is another: not this fault's business any more */
	CHECK_EQ(handle_mm_fault(vmf.vma, a, FAULT_FLAG_WRITE, NULL), 0);
	up_read(&mm->mmap_lock);
	CHECK_EQ(frame_of(t, a), frame);
	down_read(&mm->mmap_lock);
	/* do_wp_page with the old entry in hand: copies, compares, lets go */
	spin_lock(vmf.ptl);
	CHECK_EQ(do_wp_page(&vmf), 0);
	up_read(&mm->mmap_lock);
	CHECK_EQ(frame_of(t, a), frame);
	CHECK_EQ(nr_free_pages(t->qt.q), free);
	CHECK_EQ(get64(t, a), 9);
	CHECK_EQ(get64(c, a), 8);
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(t);
}

/* behaviour: F10 (a pin, the batch of the LRU, the last sharer) */
TEST(reuse_or_copy)
{
	struct sim_task *t = sim_task_create(m), *c;
	uaddr_t a = anon(t, 4);
	struct page *pin;
	paddr_t frame;

	/* fresh from the fault, in this CPU's batch; shared, then not */
	put64(t, a, 1);
	c = sim_fork(t);
	sim_exit(c);
	frame = frame_of(t, a);
	put64(t, a, 2);
	CHECK_EQ(frame_of(t, a), frame);
	/* the same with a pin taken meanwhile: somebody else, so a copy */
	put64(t, a + PG, 1);
	c = sim_fork(t);
	sim_run(t);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a + PG, 1, false, &pin), 1);
	sim_exit(c);
	frame = frame_of(t, a + PG);
	put64(t, a + PG, 2);
	CHECK(frame_of(t, a + PG) != frame);
	CHECK_EQ(*(uint64_t *)quire_page_address(t->qt.q, pin), 1);
	quire_page_put(t->qt.q, pin);
	/* never shared: the pin sees our write, protection changes or not */
	put64(t, a + 2 * PG, 1);
	sim_run(t);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a + 2 * PG, 1, true, &pin), 1);
	CHECK_EQ(sim_mprotect(t, a, 4 * PG, PROT_READ), 0);
	CHECK_EQ(sim_mprotect(t, a, 4 * PG, RW), 0);
	put64(t, a + 2 * PG, 7);
	CHECK_EQ(*(uint64_t *)quire_page_address(t->qt.q, pin), 7);
	quire_page_put(t->qt.q, pin);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: F10 (frames without a struct page's books: PFNMAP) */
TEST(special_mappings)
{
	struct sim_task *t = sim_task_create(m);
	uint64_t bytes, stat = sim_vmstat(m, "nr_mapped");
	paddr_t frame = sim_reserved(m, &bytes) + 16 * PG;
	uaddr_t a = anon(t, 4);
	struct vm_area_struct *vma = vma_at(t, a);
	pgprot_t ro = vma->vm_page_prot;
	uint64_t v;

	put64(t, a + 3 * PG, 1); /* so that there is a table */
	memset(sim_phys(m, frame), 0x11, PG);
	/* private: the write gets a copy, the device keeps what it has.  A
	 * frame outside of memory has no contents to copy. */
	vma->vm_flags |= VM_PFNMAP;
	poke(t, a + PG, pte_mkspecial(pfn_pte(frame >> 12, ro)));
	CHECK_EQ(get64(t, a + PG), 0x1111111111111111);
	sim_quiet(m, true);
	CHECK_SIGNAL(t, sim_store64(t, a + PG, 2), SIGBUS, QUIRE_BUS_ADRERR,
		     a + PG);
	sim_quiet(m, false);
	/* shared: written where it is */
	vma->vm_flags |= VM_SHARED;
	CHECK_EQ(sim_store64(t, a + PG, 2), 0);
	CHECK_EQ(frame_of(t, a + PG), frame);
	memcpy(&v, sim_phys(m, frame), 8);
	CHECK_EQ(v, 2);
	CHECK_EQ(sim_vmstat(m, "nr_mapped"), stat);
	vma->vm_flags &= ~(VM_SHARED | VM_PFNMAP);
	poke(t, a + PG, (pte_t){0});
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: F3, P8 (the entry allows it already: this TLB was older) */
TEST_WITH(spurious_fault, .config = {.cpus = 2})
{
	struct sim_task *t = sim_task_create(m), *u = sim_thread(t);
	uaddr_t a = anon(t, 1);
	uint64_t n, before, v;

	CHECK_EQ(get64(t, a), 0);
	/* the other CPU reads: its TLB has the zero page, read-only */
	put64(t, a, 1);
	CHECK_EQ(sim_mprotect(t, a, PG, PROT_READ), 0);
	sim_bind(m, 1);
	CHECK_EQ(get64(u, a), 1);
	sim_bind(m, 0);
	CHECK_EQ(sim_mprotect(t, a, PG, RW), 0);
	sim_bind(m, 1);
	CHECK_EQ(get64(u, a), 1);
	sim_bind(m, 0);
	/* made writable here, without telling the other CPU, as reuse does */
	set_pte(pte_at(t, a), pte_mkwrite(pte_mkdirty(ptep_get(pte_at(t, a)))));
	before = frame_of(t, a);
	sim_bind(m, 1);
	v = sim_vmstat(m, "quire_spurious");
	n = u->total_faults;
	put64(u, a, 2);
	/* one fault at most; it was spurious */
	CHECK(u->total_faults - n <= 1);
	CHECK_EQ(sim_vmstat(m, "quire_spurious") - v, u->total_faults - n);
	CHECK_EQ(frame_of(u, a), before);
	sim_bind(m, 0);
	CHECK_EQ(get64(t, a), 2);
	CHECK_SYSTEM(m);
	sim_exit(u);
	sim_exit(t);
}

/* behaviour: F3 (young and dirty are set when the processor has not) */
TEST(young_and_dirty)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 1);
	pte_t e;

	put64(t, a, 1);
	e = ptep_get(pte_at(t, a));
	CHECK(pte_young(e) && pte_dirty(e) && pte_write(e));
	poke(t, a, pte_mkold(pte_mkclean(e)));
	sim_run(t);
	down_read(&t->qt.mm->mmap_lock);
	CHECK_EQ(handle_mm_fault(vma_at(t, a), a, FAULT_FLAG_WRITE, NULL), 0);
	up_read(&t->qt.mm->mmap_lock);
	e = ptep_get(pte_at(t, a));
	CHECK(pte_young(e) && pte_dirty(e));
	/* and the processor's own: nothing is lost to a write-protect */
	poke(t, a, pte_mkold(pte_mkclean(e)));
	put64(t, a, 2);
	CHECK(pte_dirty(ptep_get(pte_at(t, a))));
	ptep_set_wrprotect(t->qt.mm, a, pte_at(t, a));
	CHECK(pte_dirty(ptep_get(pte_at(t, a))));
	CHECK(!pte_write(ptep_get(pte_at(t, a))));
	flush_tlb_mm(t->qt.mm);
	CHECK(ptep_test_and_clear_young(vma_at(t, a), a, pte_at(t, a)));
	CHECK(!ptep_test_and_clear_young(vma_at(t, a), a, pte_at(t, a)));
	sim_exit(t);
}

/*
 * behaviour: E5 (a stray kernel access while the mmap_lock is taken, perhaps by
 * this very task: reported at once, not waited for)
 */
TEST(kernel_bug_with_the_lock_held)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 1);
	uint64_t v = 0;

	sim_run(t);
	sim_quiet(m, true);
	down_write(&t->qt.mm->mmap_lock);
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL, a, &v, 8), SIM_OOPS);
	up_write(&t->qt.mm->mmap_lock);
	/* it was the lock that mattered: without it the page is given */
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL, a, &v, 8), 0);
	/* the same below the stack, which grows only under the lock */
	CHECK_EQ(sim_access(t, SIM_WRITE, SIM_KERNEL,
			    sim_stack_top(m) - (200 << 10), &v, 8),
		 SIM_OOPS);
	CHECK_EQ(sim_access(t, SIM_WRITE, SIM_KERNEL | SIM_FIXUP,
			    sim_stack_top(m) - (200 << 10), &v, 8),
		 0);
	sim_violations_clear(m);
	sim_quiet(m, false);
	sim_exit(t);
}

/* behaviour: E8 (each fault once, also one that ends in a signal: not) */
TEST(faults_are_counted_once)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 8);
	uint64_t min = t->qt.min_flt, pg = sim_vmstat(m, "pgfault"), v;

	CHECK_EQ(sim_touch_write(t, a, 4 * PG, 1), 0);
	CHECK_EQ(t->qt.min_flt, min + 4);
	CHECK_EQ(get64(t, a + 4 * PG), 0);
	CHECK_EQ(t->qt.min_flt, min + 5);
	put64(t, a + 4 * PG, 1); /* zero page to page */
	CHECK_EQ(t->qt.min_flt, min + 6);
	CHECK_EQ(sim_load64(t, 0x1234, &v), SIGSEGV);
	CHECK_EQ(t->qt.min_flt, min + 6);
	/* by get_user_pages: as by the program */
	CHECK_EQ(quire_mm_write(t->qt.mm, a + 6 * PG, &v, 8, false), 8);
	CHECK_EQ(t->qt.min_flt, min + 7);
	CHECK_EQ(sim_vmstat(m, "pgfault"), pg + 7);
	CHECK_EQ(t->qt.maj_flt, 0);
	sim_exit(t);
}

static struct quire_event seen[64];
static unsigned nr_seen;
static void remember(void *cookie, const struct quire_event *ev)
{
	(void)cookie;
	if (nr_seen < ARRAY_LEN(seen))
		seen[nr_seen++] = *ev;
}

/* One access, one fault: a begin and an end, of this kind. */
static void expect_kind(struct sim_task *t, uaddr_t a, bool write,
			enum quire_fault_kind kind, int result)
{
	uint64_t v = 1;

	nr_seen = 0;
	test_context("%s", quire_fault_kind_name(kind));
	sim_trace(t->m, remember, NULL);
	CHECK_EQ(write ? sim_store64(t, a, 1) : sim_load64(t, a, &v), result);
	sim_trace(t->m, NULL, NULL);
	REQUIRE_EQ(nr_seen, 2);
	CHECK_EQ(seen[0].type, QE_FAULT_BEGIN);
	CHECK_EQ(seen[1].type, QE_FAULT_END);
	CHECK_EQ(seen[1].kind, kind);
	CHECK_EQ(seen[1].addr, a);
	CHECK_EQ(seen[1].error, seen[0].error);
	CHECK_EQ(seen[1].task, t->qt.id);
	CHECK_EQ(seen[1].mm, quire_mm_id(t->qt.mm));
	CHECK(seen[1].bits & QUIRE_EVENT_USER);
	CHECK_EQ((seen[1].bits & QUIRE_EVENT_STACK_GROWTH) != 0,
		 kind == QF_STACK_GROWTH);
}

/* behaviours: F3, F4, F5, F10 (each entry finds its phase, by tracepoint) */
TEST(each_fault_is_of_its_kind)
{
	struct sim_task *t = sim_task_create(m), *c;
	struct sim_file *f = sim_file_create(m, "f", 64 * PG, 3);
	uaddr_t a = anon(t, 8);
	uaddr_t p = must_map(t, 64 * PG, RW, MAP_PRIVATE, f, 0);
	uaddr_t s = must_map(t, 4 * PG, RW, SHANON, NULL, 0);
	uint64_t free_before;

	expect_kind(t, a, true, QF_ANON_WRITE, 0);
	expect_kind(t, a + PG, false, QF_ZERO_READ, 0);
	expect_kind(t, a + PG, true, QF_COW_ZERO, 0);
	expect_kind(t, p, true, QF_FILE_COW, 0);
	CHECK(seen[1].bits & QUIRE_EVENT_MAJOR);
	expect_kind(t, p + 32 * PG, false, QF_FILE_READ, 0);
	expect_kind(t, p + 32 * PG, true, QF_COW_COPY, 0);
	expect_kind(t, s, true, QF_SHMEM, 0);
	expect_kind(t, s + PG, false, QF_SHMEM, 0);
	expect_kind(t, sim_stack_top(m) - (160 << 10), true, QF_STACK_GROWTH,
		    0);
	expect_kind(t, 0x3000, true, QF_SIGSEGV, SIGSEGV);
	CHECK_EQ(sim_mprotect(t, a, PG, PROT_READ), 0);
	expect_kind(t, a, true, QF_SIGSEGV, SIGSEGV);
	CHECK_EQ(sim_mprotect(t, a, PG, RW), 0);
	c = sim_fork(t);
	expect_kind(c, a + PG, true, QF_COW_COPY, 0);
	expect_kind(t, a + PG, true, QF_COW_REUSE, 0);
	sim_exit(c);
	sim_file_truncate(f, PG);
	expect_kind(t, p + 40 * PG, false, QF_SIGBUS, SIGBUS);
	poke(t, a, pte_modify(ptep_get(pte_at(t, a)), PAGE_NONE));
	expect_kind(t, a, false, QF_NUMA, 0);
	test_context("%s", "");
	if (sim_has_injection()) {
		free_before = nr_free_pages(t->qt.q);
		sim_inject_reset(m);
		sim_inject_nth(m, 1, false);
		expect_kind(t, a + 5 * PG, true, QF_OOM, SIM_OOM);
		sim_inject_reset(m);
		CHECK_EQ(nr_free_pages(t->qt.q), free_before);
	}
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}
