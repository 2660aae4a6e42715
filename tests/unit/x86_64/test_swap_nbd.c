/* SPDX-License-Identifier: MIT */
/*
 * Swap on an NBD server: nbdkit, started here, and killed, stopped and made to
 * fail while memory is on it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tests/unit/swap_devices.h>

/* Where the server is to be given up; elsewhere a busy machine has time. */
#define GIVE_UP_MS   1500u
#define HAS_TIME_MS  20000u
#define WAIT_SECONDS 60u

struct server {
	pid_t pid;
	char dir[32], sock[64], file[64], trigger[64], uri[128];
};

/* nbdkit with these words, or qemu-nbd with its file. */
#define WORDS_MAX 8
static const char *const qemu_nbd[] = {"qemu-nbd", NULL};

static void server_run(struct server *s, const char *const *words)
{
	const char *qemu_argv[] = {"qemu-nbd", "-t",	"-f",	 "raw",
				   "-k",       s->sock, s->file, NULL};
	const char *argv[WORDS_MAX + 8] = {"nbdkit", "-f", "-U", s->sock, NULL};
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	unsigned i, n = 4, tries;
	int fd, err = -1;

	for (i = 0; words[i]; i++)
		argv[n++] = words[i];
	if (words == qemu_nbd)
		memcpy(argv, qemu_argv, sizeof(qemu_argv));
	unlink(s->sock);
	s->pid = fork();
	REQUIRE(s->pid >= 0);
	if (!s->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(open("/dev/null", O_RDWR), 2); /* it tells of each end */
		execvp(argv[0], (char **)(uintptr_t)argv);
		_exit(127);
	}
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", s->sock);
	for (tries = 0; err && tries < WAIT_SECONDS * 50; tries++) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		err = connect(fd, (struct sockaddr *)&at, sizeof(at));
		close(fd);
		if (err)
			usleep(20000);
	}
	REQUIRE(!err);
}

static void server_kill(struct server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

static void server_init(struct server *s)
{
	snprintf(s->dir, sizeof(s->dir), "/tmp/quire-nbd-XXXXXX");
	REQUIRE(mkdtemp(s->dir));
	snprintf(s->sock, sizeof(s->sock), "%s/sock", s->dir);
	snprintf(s->file, sizeof(s->file), "%s/file", s->dir);
	snprintf(s->trigger, sizeof(s->trigger), "%s/trigger", s->dir);
	snprintf(s->uri, sizeof(s->uri), "nbd+unix:///?socket=%s", s->sock);
}

static void make_file(const char *path, off_t bytes)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	REQUIRE(fd >= 0);
	REQUIRE_EQ(ftruncate(fd, bytes), 0);
	close(fd);
}

static void server_end(struct server *s)
{
	if (s->pid)
		server_kill(s);
	unlink(s->sock);
	unlink(s->file);
	unlink(s->trigger);
	CHECK_EQ(rmdir(s->dir), 0);
}

static struct sim_swap_config config_of(const struct server *s)
{
	return (struct sim_swap_config){.kind = &sim_swap_nbd,
					.uri = s->uri,
					.give_up_ms = HAS_TIME_MS};
}

static struct sim_swap_stats stats_of(struct sim_machine *m, int area)
{
	struct sim_swap_stats s;

	sim_swap_get_stats(m, (unsigned)area, &s);
	return s;
}

static void on_memory(struct sim_machine *m)
{
	static const char *const words[] = {"memory", "4M", NULL};
	struct sim_swap_stats stats;
	struct sim_swap_config c;
	struct server s;

	server_init(&s);
	server_run(&s, words);
	c = config_of(&s);
	writer_on(m, &c, &stats);
	CHECK_EQ(stats.reconnects, 0);
	CHECK(stats.write_requests < stats.writes);
	server_end(&s);
}

/* behaviour: R3 */
TEST_WITH(swap_nbd, .config = {.io_thread = true})
{
	on_memory(m);
}

/* behaviour: R3 (who asks waits for it himself) */
TEST(swap_nbd_alone)
{
	on_memory(m);
}

/* behaviour: R3 (another server) */
TEST_WITH(swap_nbd_qemu, .config = {.io_thread = true})
{
	struct sim_swap_stats stats;
	struct sim_swap_config c;
	struct server s;

	server_init(&s);
	make_file(s.file, 4 << 20);
	server_run(&s, qemu_nbd);
	c = config_of(&s);
	c.flags = QUIRE_SWAP_DISCARD;
	writer_on(m, &c, &stats);
	server_end(&s);
}

/* behaviour: R3 (slow answers, out of order) */
TEST_WITH(swap_nbd_slow, .config = {.io_thread = true})
{
	static const char *const words[] = {
		"--filter=delay", "memory",	"4M",
		"rdelay=1ms",	  "wdelay=2ms", NULL};
	struct sim_swap_stats stats;
	struct sim_swap_config c;
	struct server s;

	server_init(&s);
	server_run(&s, words);
	c = config_of(&s);
	writer_on(m, &c, &stats);
	server_end(&s);
}

struct killer {
	struct sim_machine *m;
	int area;
	struct server *s;
	const char *const *words;
	unsigned times;
	bool done, stop;
};

static void *kill_and_run(void *arg)
{
	struct killer *k = arg;
	unsigned i, tries;

	for (i = 0; i < k->times; i++) {
		usleep(100000);
		server_kill(k->s);
		usleep(50000);
		server_run(k->s, k->words);
		/* it is not killed again before it was found again */
		for (tries = 0; tries < WAIT_SECONDS * 1000 &&
				stats_of(k->m, k->area).reconnects <= i;
		     tries++)
			usleep(1000);
	}
	__atomic_store_n(&k->done, true, __ATOMIC_RELEASE);
	/* a server ends with the thread that has started it */
	while (!__atomic_load_n(&k->stop, __ATOMIC_ACQUIRE))
		usleep(1000);
	return NULL;
}

/* behaviour: R3 (the server is killed in the middle and comes back with what it
 * had: nobody notices) */
TEST_WITH(swap_nbd_comes_back, .config = {.io_thread = true})
{
	struct server s;
	const char *const words[] = {"file", s.file, NULL};
	struct killer k = {.m = m, .s = &s, .words = words, .times = 5};
	struct sim_swap_config c;
	pthread_t thread;
	struct writer w;
	int area;

	server_init(&s);
	make_file(s.file, 4 << 20);
	server_run(&s, words);
	c = config_of(&s);
	area = k.area = sim_swapon(m, &c);
	REQUIRE(area >= 0);
	sim_quiet(m, true);
	writer_start(&w, m, 512, 3);
	writer_fill_all(&w);
	writer_page_out(&w, 0, w.pages);
	writer_settle(&w);
	REQUIRE_EQ(pthread_create(&thread, NULL, kill_and_run, &k), 0);
	while (!__atomic_load_n(&k.done, __ATOMIC_ACQUIRE))
		writer_run(&w, 10);
	writer_run(&w, 100);
	writer_verify_all(&w);
	CHECK_SYSTEM(m);
	CHECK(stats_of(m, area).reconnects >= k.times);
	CHECK_EQ(stats_of(m, area).read_errors, 0);
	CHECK_EQ(stats_of(m, area).write_errors, 0);
	CHECK(sim_log_contains(m, "the connection is lost"));
	CHECK(sim_log_contains(m, "connected again"));
	CHECK(!sim_log_contains(m, "gone for good"));
	CHECK_EQ(sim_swapoff(m, (unsigned)area), 0);
	writer_verify_all(&w);
	writer_end(&w);
	__atomic_store_n(&k.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	server_end(&s);
}

/* 64 pages of which the server has half, those of even number. */
static int half_there(struct sim_machine *m, struct server *s, struct writer *w,
		      const char *const *words, unsigned give_up_ms)
{
	struct sim_swap_config c;
	unsigned i;
	int area;

	server_run(s, words);
	c = config_of(s);
	c.give_up_ms = give_up_ms;
	area = sim_swapon(m, &c);
	REQUIRE(area >= 0);
	CHECK_EQ(quire_set_tunable(sim_quire(m), QUIRE_TUNABLE_PAGE_CLUSTER, 0),
		 0);
	writer_start(w, m, 64, 4);
	writer_fill_all(w);
	for (i = 0; i < 64; i += 2)
		writer_page_out(w, i, 1);
	CHECK_EQ(stats_of(m, area).written, 32);
	CHECK_EQ(mm_stats(w->t).swap_entries, 32);
	sim_quiet(m, true);
	return area;
}

/* behaviour: R3 (the server dies for good: that is said, who has memory there
 * gets SIGBUS, the rest runs on) */
static void dies(struct sim_machine *m, bool stopped)
{
	static const char *const words[] = {"memory", "4M", NULL};
	struct writer w;
	struct server s;
	int area;

	server_init(&s);
	area = half_there(m, &s, &w, words, GIVE_UP_MS);
	if (stopped) {
		kill(s.pid, SIGSTOP); /* it answers nothing, once it stands */
		waitpid(s.pid, NULL, WUNTRACED);
	} else {
		server_kill(&s);
	}
	CHECK_EQ(writer_lost(&w), 32);
	CHECK(sim_log_contains(m, stopped ? "no answer" : "closed by the"));
	CHECK(sim_log_contains(m, "gone for good"));
	CHECK_SYSTEM(m);
	/* what is written there now stays in memory */
	CHECK_EQ(writer_write(&w, 1), 0);
	writer_page_out(&w, 1, 1);
	CHECK_EQ(writer_verify(&w, 1), 0);
	CHECK_EQ(writer_lost(&w), 32);
	CHECK_EQ(sim_swapoff(m, (unsigned)area), 0);
	CHECK_EQ(writer_lost(&w), 32);
	CHECK_SYSTEM(m);
	writer_end(&w);
	server_end(&s);
}

/* behaviour: R3 */
TEST(swap_nbd_dies)
{
	dies(m, false);
}

/* behaviour: R3 */
TEST(swap_nbd_falls_silent)
{
	dies(m, true);
}

/* behaviour: R3 (one that lets in whoever comes, and does nothing for him, is
 * gone as well: not asked for ever) */
TEST(swap_nbd_always_leaving)
{
	struct server s;
	char trigger[96];
	const char *const words[] = {
		"--filter=error",  "memory", "4M", "error=ESHUTDOWN",
		"error-rate=100%", trigger,  NULL};
	struct writer w;
	int area;

	server_init(&s);
	snprintf(trigger, sizeof(trigger), "error-file=%s", s.trigger);
	area = half_there(m, &s, &w, words, GIVE_UP_MS);
	make_file(s.trigger, 0);
	CHECK_EQ(writer_lost(&w), 32);
	CHECK(sim_log_contains(m, "connected again"));
	CHECK(sim_log_contains(m, "gone for good"));
	CHECK(stats_of(m, area).reconnects < GIVE_UP_MS / 20);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_swapoff(m, (unsigned)area), 0);
	writer_end(&w);
	server_end(&s);
}

/* behaviour: R3 (a server that comes back empty is not believed) */
TEST(swap_nbd_forgets)
{
	static const char *const words[] = {"memory", "4M", NULL};
	struct writer w;
	struct server s;
	int area;

	server_init(&s);
	area = half_there(m, &s, &w, words, HAS_TIME_MS);
	server_kill(&s);
	server_run(&s, words);
	/* (a page of zeroes would be as it was: there is none) */
	CHECK_EQ(writer_lost(&w), 32);
	CHECK(sim_log_contains(m, "is not what was written there"));
	CHECK_EQ(stats_of(m, area).reconnects, 1);
	/* it is good for new ones */
	CHECK_EQ(writer_write(&w, 1), 0);
	writer_page_out(&w, 1, 1);
	CHECK_EQ(writer_lost(&w), 32);
	CHECK_SYSTEM(m);
	writer_end(&w);
	server_end(&s);
}

/* behaviour: R3 (the server answers with errors while it is told to) */
TEST(swap_nbd_errors)
{
	char error_file[80];
	const char *const words[] = {
		"--filter=error", "memory",   "4M", "error=EIO",
		"error-rate=1",	  error_file, NULL};
	struct writer w;
	struct server s;
	int area;

	server_init(&s);
	snprintf(error_file, sizeof(error_file), "error-file=%s", s.trigger);
	area = half_there(m, &s, &w, words, HAS_TIME_MS);
	make_file(s.trigger, 0);
	/* reads, for whom they matter; writes, for nobody */
	CHECK_EQ(writer_verify(&w, 8), SIGBUS);
	CHECK_EQ(writer_verify(&w, 9), 0);
	writer_page_out(&w, 9, 1);
	CHECK_EQ(writer_verify(&w, 9), 0);
	CHECK(stats_of(m, area).read_errors >= 1);
	CHECK(stats_of(m, area).write_errors >= 1);
	unlink(s.trigger);
	CHECK(writer_lost(&w) <= 1);
	CHECK_SYSTEM(m);
	writer_end(&w);
	server_end(&s);
}

/* behaviour: R3 (what is free again is given back to the server) */
TEST_WITH(swap_nbd_trims, .config = {.io_thread = true})
{
	struct server s;
	const char *const words[] = {"file", s.file, NULL};
	struct sim_swap_config c;
	struct stat st;
	char page[4096];
	unsigned i;
	int fd, area;

	server_init(&s);
	fd = open(s.file, O_CREAT | O_WRONLY, 0600);
	memset(page, 'x', sizeof(page));
	for (i = 0; i < 1024; i++)
		REQUIRE_EQ(write(fd, page, sizeof(page)), 4096);
	close(fd);
	server_run(&s, words);
	c = config_of(&s);
	c.flags = QUIRE_SWAP_DISCARD;
	area = sim_swapon(m, &c);
	REQUIRE(area >= 0);
	REQUIRE_EQ(stat(s.file, &st), 0);
	CHECK_EQ(st.st_blocks, 0);
	CHECK_EQ(st.st_size, 4 << 20);
	CHECK_EQ(sim_swapoff(m, (unsigned)area), 0);
	server_end(&s);
}

/* A server that is not there, is too small or read-only is refused. */
TEST(swap_nbd_refused)
{
	static const char *const small[] = {"memory", "64K", NULL};
	static const char *const readonly[] = {"-r", "memory", "4M", NULL};
	struct sim_swap_config c;
	struct server s;

	server_init(&s);
	c = config_of(&s);
	sim_quiet(m, true);
	CHECK_EQ(sim_swapon(m, &c), -ENOENT);
	CHECK(sim_log_contains(m, "sock: nbd_aio_connect_uri: connect: No "
				  "such file"));
	server_run(&s, small);
	c.slots = 17;
	CHECK_EQ(sim_swapon(m, &c), -EINVAL);
	CHECK(sim_log_contains(m, "it is too small"));
	c.slots = 0;
	CHECK(sim_swapon(m, &c) >= 0);
	server_kill(&s);
	server_run(&s, readonly);
	CHECK_EQ(sim_swapon(m, &c), -EINVAL);
	CHECK(sim_log_contains(m, "it is read-only"));
	c.uri = "nbd://:::/";
	CHECK(sim_swapon(m, &c) < 0);
	c.uri = NULL;
	CHECK_EQ(sim_swapon(m, &c), -EINVAL);
	server_end(&s);
}
