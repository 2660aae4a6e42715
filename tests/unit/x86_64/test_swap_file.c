/* SPDX-License-Identifier: MIT */
/* Swap on a file of the host: io_uring, threads, what a host can do wrong. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tests/unit/swap_devices.h>

static const char threads_do_it[] = "threads do its work";

static void on_file(struct sim_machine *m, enum sim_swap_engine engine)
{
	struct sim_swap_stats s;
	const char *path = swap_path();

	writer_on(m,
		  &(struct sim_swap_config){.kind = &sim_swap_file,
					    .path = path,
					    .slots = 1024,
					    .engine = engine},
		  &s);
	CHECK(s.write_requests < s.writes);
	unlink(path);
}

/* behaviour: R3 */
TEST_WITH(swap_file, .config = {.io_thread = true})
{
	on_file(m, SIM_SWAP_ANY);
}

/* behaviour: R3 (who asks waits for it himself) */
TEST(swap_file_alone)
{
	on_file(m, SIM_SWAP_ANY);
}

/* behaviour: R3 */
TEST_WITH(swap_file_threads, .config = {.io_thread = true})
{
	on_file(m, SIM_SWAP_THREADS);
	CHECK(!sim_log_contains(m, threads_do_it));
}

/* Like a container that has no io_uring. */
static void forbid_uring(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = 4, .filter = code};

	REQUIRE_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	REQUIRE_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

/* behaviour: R3 (the host forbids io_uring: said, and done without; or refused
 * when nothing else will do) */
TEST_WITH(swap_file_without_uring, .config = {.io_thread = true})
{
	struct sim_swap_config c = {.kind = &sim_swap_file,
				    .path = swap_path(),
				    .slots = 64,
				    .engine = SIM_SWAP_URING};

	forbid_uring();
	sim_quiet(m, true);
	CHECK_EQ(sim_swapon(m, &c), -EPERM);
	CHECK(sim_log_contains(m, "io_uring: Operation not permitted"));
	CHECK(!sim_log_contains(m, threads_do_it));
	unlink(c.path);
	on_file(m, SIM_SWAP_ANY);
	CHECK(sim_log_contains(m, threads_do_it));
}

/* behaviour: R3 (what the host has lost, its users lose and nobody else) */
static void cut_short(struct sim_machine *m, enum sim_swap_engine engine)
{
	struct sim_swap_config c = {.kind = &sim_swap_file,
				    .path = swap_path(),
				    .slots = 64,
				    .engine = engine};
	int area = sim_swapon(m, &c);
	struct sim_swap_stats s;
	struct writer w;

	REQUIRE(area >= 0);
	writer_start(&w, m, 32, 1);
	writer_fill_all(&w);
	writer_page_out(&w, 0, 32);
	sim_swap_get_stats(m, (unsigned)area, &s);
	CHECK_EQ(s.written, 32);
	/* in the middle of a page, and of any run that is read at a time */
	REQUIRE_EQ(truncate(c.path, 11 * PG + 100), 0);
	sim_quiet(m, true);
	CHECK_EQ(writer_lost(&w), 32 - 11);
	sim_swap_get_stats(m, (unsigned)area, &s);
	CHECK_EQ(s.read_errors, 32 - 11);
	CHECK_SYSTEM(m);
	writer_end(&w);
	CHECK_EQ(sim_swapoff(m, (unsigned)area), 0);
	unlink(c.path);
}

/* behaviour: R3 */
TEST(swap_file_cut_short)
{
	cut_short(m, SIM_SWAP_ANY);
	cut_short(m, SIM_SWAP_THREADS);
}

/* A device that cannot be used is refused, and it is said why. */
TEST(swap_file_refused)
{
	struct sim_swap_config c = {.kind = &sim_swap_file,
				    .path = "/no/such/swap"};
	const char *path = swap_path();

	sim_quiet(m, true);
	CHECK_EQ(sim_swapon(m, &c), -ENOENT);
	CHECK(sim_log_contains(m, "/no/such/swap: open: No such file"));
	c.path = path;
	CHECK_EQ(sim_swapon(m, &c), -ENOSPC); /* it is empty */
	CHECK(sim_log_contains(m, "size: No space left"));
	c.path = NULL;
	CHECK_EQ(sim_swapon(m, &c), -EINVAL);
	unlink(path);
}

/* behaviour: R3 (what swapon and freed slots give back, the host has again) */
TEST(swap_file_discards)
{
	struct sim_swap_config c = {.kind = &sim_swap_file,
				    .path = swap_path(),
				    .slots = 1024,
				    .flags = QUIRE_SWAP_DISCARD};
	struct sim_swap_stats s;
	struct writer w;
	struct stat st;
	FILE *f = fopen(c.path, "w");
	unsigned i;
	int area;

	REQUIRE(f);
	for (i = 0; i < 1024 * PG; i++)
		putc('x', f);
	fclose(f);
	area = sim_swapon(m, &c);
	REQUIRE(area >= 0);
	REQUIRE_EQ(stat(c.path, &st), 0);
	if (sim_log_contains(m, "no discards"))
		goto out; /* a file system without */
	CHECK_EQ(st.st_blocks, 0);
	CHECK_EQ(st.st_size, 1024 * (off_t)PG);
	/* enough for whole clusters to become free */
	writer_start(&w, m, 1000, 3);
	writer_fill_all(&w);
	writer_page_out(&w, 0, w.pages);
	REQUIRE_EQ(stat(c.path, &st), 0);
	CHECK(st.st_blocks * 512 >= 1000 * (off_t)PG);
	writer_end(&w);
	quire_reclaim_work(sim_quire(m));
	sim_swap_get_stats(m, (unsigned)area, &s);
	CHECK(s.discards >= 512);
	REQUIRE_EQ(stat(c.path, &st), 0);
	CHECK(st.st_blocks * 512 <= (1000 - 512) * (off_t)PG);
out:
	CHECK_EQ(sim_swapoff(m, (unsigned)area), 0);
	unlink(c.path);
}
