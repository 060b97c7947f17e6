// SPDX-License-Identifier: MIT
/*
 * guest_boot_test.c - guests booted for real, and each way in which they can
 * end provoked. This program is its own lab: `guest_boot_test --act ACT` runs
 * in the guest.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/lab.h"
#include "common/spawn.h"
#include "runner/guest.h"
#include "runner/tool.h"

enum {
	BYTES = 100000,	     /* more than a pipe holds */
	DEADLINE_MS = 60000, /* of a guest that is to end by itself */
	HANG_MS = 15000,     /* of one that is not: past its boot */
	CASE_TIMEOUT_S = 150,
};

/* Byte @i of a stream in which every value follows many others. */
static unsigned char byte_at(size_t i)
{
	return i * 31 + i / 256;
}

static int act_bytes(void)
{
	for (size_t i = 0; i < BYTES; i++)
		putchar(byte_at(i));
	return 7;
}

static int act_crash(void)
{
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
	return 0;
}

/* A child that holds the pipe for ever must not hold the guest. */
static int act_orphan(void)
{
	if (fork() == 0)
		for (;;)
			pause();
	puts("gone");
	return 0;
}

static int act_panic(void)
{
	int fd = must(open("/proc/sysrq-trigger", O_WRONLY));

	puts("before");
	fflush(stdout);
	must(write(fd, "c", 1));
	return 0;
}

static int act_power_off(void)
{
	must(reboot(RB_POWER_OFF));
	return 0;
}

static int act_hang(void)
{
	puts("hanging");
	fflush(stdout);
	while (pause())
		;
	return 0;
}

static int act_fill_memory(void)
{
	for (size_t step = 16 << 20;;) {
		char *p = must(mmap(NULL, step, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

		memset(p, 1, step);
	}
}

static int act_flood_console(void)
{
	static char line[4096];

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 256; i++)
		must(write(STDERR_FILENO, line, sizeof(line)));
	puts("still here");
	return 3;
}

/* What a lab takes for granted: its files, its network, a shell. */
static int act_look_around(void)
{
	/* A child writes to the same pipe. */
	setvbuf(stdout, NULL, _IONBF, 0);
	printf("pid1 %d, uid %d\n", getpid() == 1, getuid());
	printf("null stdin %d\n", getchar() == EOF);
	printf("loopback %d\n",
	       system("exec 2>/dev/null; read x < /sys/class/net/lo/flags; "
		      "[ $((x & 1)) = 1 ]") == 0);
	printf("shm %d\n", open("/dev/shm", O_TMPFILE | O_RDWR, 0600) != -1);
	printf("tracefs %d\n", access("/sys/kernel/tracing/trace", F_OK) == 0);
	printf("env %s\n", getenv("WORD"));
	return system("echo a child of sh");
}

static const struct {
	const char *name;
	int (*act)(void);
} acts[] = {
	{ "bytes", act_bytes },
	{ "crash", act_crash },
	{ "orphan", act_orphan },
	{ "panic", act_panic },
	{ "power-off", act_power_off },
	{ "hang", act_hang },
	{ "fill-memory", act_fill_memory },
	{ "flood-console", act_flood_console },
	{ "look-around", act_look_around },
};

static const char *const kernels[] = { "6.1", "6.12", "6.1-rt", "6.12-rt",
				       "debug" };
static struct kernel kernel; /* the first prepared one */
static struct guest guest;
static struct spawned qemu;
static struct outcome ended;
static char error[ERROR_MAX];
static char self[PATH_MAX];

/* Boot under @k, wait @deadline_ms at most, and tell how it ended. */
static void boot(const struct kernel *k, const char *const *argv,
		 const struct guest_options *options, int deadline_ms)
{
	struct outcome how = { .end = END_EXIT };
	uint64_t start = now_ns();

	ck_assert_msg(guest_prepare(&guest, k, argv, options, error) == 0, "%s",
		      error);
	qemu = spawn_program((const char *const *)guest.argv, NULL, 0,
			     deadline_ms);
	if (qemu.timed_out)
		how = (struct outcome){ .end = END_TIMEOUT,
					.value = deadline_ms / 1000 };
	else if (WIFSIGNALED(qemu.status))
		how = (struct outcome){ .end = END_SIGNAL,
					.value = WTERMSIG(qemu.status) };
	else
		how.value = WEXITSTATUS(qemu.status);
	how.wall_ms = (now_ns() - start) / 1e6;
	guest_finish(&guest, &how, &ended);
	printf("# %s, %s: %.0f ms with QEMU, %.0f ms the lab; %s\n", k->name,
	       guest.accel, how.wall_ms, ended.wall_ms, ended.reason);
	fflush(stdout);
}

static void boot_act(const char *act, const struct guest_options *options,
		     int deadline_ms)
{
	boot(&kernel, ARGV(self, "--act", act), options, deadline_ms);
}

/* Nothing of a guest stays: neither its folder nor its QEMU. */
static void clean_up(void)
{
	char dir[sizeof(guest.dir)];

	strcpy(dir, guest.dir);
	guest_remove(&guest);
	free(qemu.out);
	qemu.out = NULL;
	ck_assert_int_eq(access(dir, F_OK), -1);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}

static void assert_end(enum end end, int value, const char *reason)
{
	char *tail = guest_console_tail(&guest, 5);

	ck_assert_msg(ended.end == end && ended.value == value &&
			      strstr(ended.reason, reason),
		      "end %d, value %d, \"%s\"; console: %s", ended.end,
		      ended.value, ended.reason, tail);
	free(tail);
}

START_TEST(every_byte_and_the_status_arrive)
{
	boot_act("bytes", NULL, DEADLINE_MS);
	assert_end(END_EXIT, 7, "");
	ck_assert_int_eq(qemu.out_len, BYTES);
	for (size_t i = 0; i < BYTES; i++)
		ck_assert_int_eq((unsigned char)qemu.out[i], byte_at(i));
	ck_assert_int_gt(ended.max_rss_kib, 0);
}
END_TEST

START_TEST(signal_is_told_as_one)
{
	boot_act("crash", NULL, DEADLINE_MS);
	assert_end(END_SIGNAL, SIGSEGV, "");
}
END_TEST

START_TEST(orphan_ends_with_the_lab)
{
	boot_act("orphan", NULL, DEADLINE_MS);
	assert_end(END_EXIT, 0, "");
	ck_assert_str_eq(qemu.out, "gone\n");
}
END_TEST

START_TEST(guest_is_furnished)
{
	const struct guest_options options = {
		.env = ARGV("WORD=two words"),
		.tools = ARGV("sh"),
	};

	boot_act("look-around", &options, DEADLINE_MS);
	assert_end(END_EXIT, 0, "");
	ck_assert_str_eq(qemu.out, "pid1 0, uid 0\nnull stdin 1\nloopback 1\n"
				   "shm 1\ntracefs 1\nenv two words\n"
				   "a child of sh\n");
}
END_TEST

START_TEST(panic_is_quoted)
{
	char line[200];

	boot_act("panic", NULL, DEADLINE_MS);
	assert_end(END_PANIC, 0, "Kernel panic - not syncing: sysrq");
	/* The last bytes may still be in the pipe to /init. */
	ck_assert_mem_eq("before\n", qemu.out, qemu.out_len);
	ck_assert(guest_trouble(&guest, NULL, 0, line, sizeof(line)));
}
END_TEST

START_TEST(power_off_loses_the_status)
{
	boot_act("power-off", NULL, HANG_MS);
	/* Without ACPI's poweroff the guest halts, and runs into its limit. */
	if (ended.end == END_TIMEOUT)
		assert_end(END_TIMEOUT, HANG_MS / 1000, "");
	else
		assert_end(END_LOST, 0, "powered off");
}
END_TEST

START_TEST(hang_runs_into_the_limit)
{
	boot_act("hang", NULL, HANG_MS);
	assert_end(END_TIMEOUT, HANG_MS / 1000, "");
	ck_assert(guest_has_started(&guest));
	ck_assert_str_eq(qemu.out, "hanging\n");
}
END_TEST

START_TEST(memory_hog_is_killed_and_told)
{
	const struct guest_options options = { .memory_mib = 192 };

	boot_act("fill-memory", &options, DEADLINE_MS);
	assert_end(END_SIGNAL, SIGKILL, "Out of memory: Killed process");
}
END_TEST

START_TEST(flooded_console_stays_bounded)
{
	const struct guest_options options = { .log_kib = 256 };
	char path[PATH_MAX];
	struct stat st;

	boot_act("flood-console", &options, DEADLINE_MS);
	assert_end(END_EXIT, 3, "");
	ck_assert_str_eq(qemu.out, "still here\n");
	must(stat(pathf(path, "%s/console", guest.dir), &st));
	/* The unit of ulimit is the shell's choice. */
	ck_assert_int_ge(st.st_size, 256 << 10);
	ck_assert_int_le(st.st_size, 512 << 10);
}
END_TEST

START_TEST(kernel_without_init_panics_before_the_lab)
{
	const struct guest_options options = { .append = "rdinit=/none" };

	boot_act("hang", &options, DEADLINE_MS);
	assert_end(END_PANIC, 0, "(before the lab)");
}
END_TEST

START_TEST(guest_that_stands_still_is_a_boot_failure)
{
	const struct guest_options options = { .qemu = ARGV("-S") };

	boot_act("hang", &options, 2000);
	assert_end(END_BOOT_FAILURE, 0, "killed after 2 s");
	ck_assert(!guest_has_started(&guest));
}
END_TEST

START_TEST(truncated_kernel_is_a_boot_failure)
{
	struct kernel broken = kernel;
	char file[] = "/tmp/guest-boot-XXXXXX";
	int fd = must(mkstemp(file));

	must(write(fd, "\177ELF", 4));
	must(ftruncate(fd, 5000));
	close(fd);
	strcpy(broken.image, file);
	boot(&broken, NULL, NULL, DEADLINE_MS);
	unlink(file);
	assert_end(END_BOOT_FAILURE, 0, "QEMU: status 1, ");
}
END_TEST

START_TEST(module_that_does_not_load_is_a_boot_failure)
{
	const struct guest_options options = { .accel = "tcg",
					       .modules = ARGV("kvm-amd") };

	if (!kernel.modules[0])
		return;
	/* TCG has no SVM here, so the module refuses. */
	boot_act("bytes", &options, DEADLINE_MS);
	assert_end(END_BOOT_FAILURE, 0, "/init could not load module");
}
END_TEST

START_TEST(what_cannot_be_prepared_leaves_nothing)
{
	const struct guest_options options = { .accel = "tcg",
					       .modules = ARGV("none-such") };

	ck_assert_int_eq(guest_prepare(&guest, &kernel, NULL, &options, error),
			 -1);
	ck_assert_ptr_nonnull(strstr(error, "none-such"));
	ck_assert_int_eq(
		guest_prepare(&guest, &kernel, ARGV("/no/lab"), NULL, error),
		-1);
	ck_assert_str_eq(guest.dir, "");
	setenv("TMPDIR", "/no/such/folder", 1);
	ck_assert_int_eq(guest_prepare(&guest, &kernel, NULL, NULL, error), -1);
	ck_assert_ptr_nonnull(strstr(error, "TMPDIR"));
}
END_TEST

START_TEST(each_prepared_kernel_boots)
{
	struct kernel k;

	if (kernel_find(kernels[_i], &k, error) == -1) {
		printf("# left out: %s\n", error);
		return;
	}
	boot(&k, ARGV(self, "--act", "bytes"), NULL, DEADLINE_MS);
	assert_end(END_EXIT, 7, "");
	ck_assert_int_eq(qemu.out_len, BYTES);
}
END_TEST

#ifdef MEMFD_SEAL
/* Only the verdict lines of @text: the rest differs from run to run. */
static void keep_verdicts(char *text)
{
	char *out = text;

	for (char *line = text, *end; *line; line = end) {
		end = line + strcspn(line, "\n");
		end += *end == '\n';
		if (strncmp(line, "ok ", 3) && strncmp(line, "not ok ", 7))
			continue;
		memmove(out, line, end - line);
		out += end - line;
	}
	*out = '\0';
}

START_TEST(lab_reports_as_on_the_host)
{
	struct spawned host;
	struct kernel k;

	if (kernel_find("6.12", &k, error) == -1) {
		printf("# left out: %s\n", error);
		return;
	}
	host = spawn_program(ARGV(MEMFD_SEAL), NULL, 0, DEADLINE_MS);
	boot(&k, ARGV(MEMFD_SEAL), NULL, DEADLINE_MS);
	assert_end(END_EXIT, WEXITSTATUS(host.status), "");
	keep_verdicts(host.out);
	keep_verdicts(qemu.out);
	ck_assert_str_eq(qemu.out, host.out);
	free(host.out);
}
END_TEST
#endif

static int run_act(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(acts); i++)
		if (strcmp(acts[i].name, name) == 0)
			return acts[i].act();
	return LAB_BROKEN;
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("guest_boot");
	TCase *boots = tcase_create("boots");

	tcase_add_checked_fixture(boots, NULL, clean_up);
	tcase_set_timeout(boots, CASE_TIMEOUT_S);
	tcase_add_loop_test(boots, each_prepared_kernel_boots, 0,
			    ARRAY_SIZE(kernels));
#ifdef MEMFD_SEAL
	tcase_add_test(boots, lab_reports_as_on_the_host);
#endif
	tcase_add_test(boots, every_byte_and_the_status_arrive);
	tcase_add_test(boots, signal_is_told_as_one);
	tcase_add_test(boots, orphan_ends_with_the_lab);
	tcase_add_test(boots, guest_is_furnished);
	tcase_add_test(boots, panic_is_quoted);
	tcase_add_test(boots, power_off_loses_the_status);
	tcase_add_test(boots, hang_runs_into_the_limit);
	tcase_add_test(boots, memory_hog_is_killed_and_told);
	tcase_add_test(boots, flooded_console_stays_bounded);
	tcase_add_test(boots, kernel_without_init_panics_before_the_lab);
	tcase_add_test(boots, guest_that_stands_still_is_a_boot_failure);
	tcase_add_test(boots, truncated_kernel_is_a_boot_failure);
	tcase_add_test(boots, module_that_does_not_load_is_a_boot_failure);
	tcase_add_test(boots, what_cannot_be_prepared_leaves_nothing);
	suite_add_tcase(suite, boots);
	return suite;
}

int main(int argc, char **argv)
{
	char folder[] = "/tmp/guest-boot-XXXXXX";
	SRunner *runner;
	int failed;

	if (argc == 3 && !strcmp(argv[1], "--act"))
		return run_act(argv[2]);
	for (size_t i = 0; i < ARRAY_SIZE(kernels) && !kernel.name[0]; i++)
		if (kernel_find(kernels[i], &kernel, error) == -1)
			kernel.name[0] = '\0';
	if (!kernel.name[0]) {
		printf("no guest was booted: %s\n", error);
		return LAB_SKIP;
	}
	if (!tool_exists("qemu-system-x86_64")) {
		puts("no guest was booted: found no qemu-system-x86_64; "
		     "install qemu-system-x86");
		return LAB_SKIP;
	}
	must(readlink("/proc/self/exe", self, sizeof(self) - 1));
	/* A case that fails leaves its guest's folder behind. */
	must_ptr(mkdtemp(folder));
	setenv("TMPDIR", folder, 1);
	runner = srunner_create(make_suite());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	tool_run(ARGV("rm", "-rf", "--", folder), NULL, NULL);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
