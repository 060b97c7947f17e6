// SPDX-License-Identifier: MIT
/*
 * init.c - process 1 of a guest: mount, load modules, run one lab, report.
 *
 * /guest, made by the runner, says what to do: records with a NUL behind
 * each, a word and a value: "module PATH[ PARAMETERS]", "dir PATH",
 * "env NAME=VALUE", "arg STRING". Without an "arg" nothing is run, and the
 * guest only shows that it boots.
 *
 * With "wait" it stops when it is up, says "ready", and is saved. When it is
 * resumed it receives its files, another /guest among them, which has
 * "clock SECONDS" and "entropy HEX": the saved guest's own are of yesterday.
 *
 * The lab's stdout is a pipe. Its bytes leave through one debug port of
 * QEMU's, the status through another: both take any byte, at once, and need
 * no driver. The status is one or two lines (see guest.c, which reads them):
 *
 *	started
 *	exit 0 120 31 2044 163		or signal 9 ..., or broken REASON
 *
 * with the milliseconds of user and system time, the largest resident set
 * in KiB, and the milliseconds of wall time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "runner/init/ports.h"
#include "runner/init/receive.h"

enum { WORDS_MAX = 128 };

static struct {
	char *modules[WORDS_MAX + 1];
	char *argv[WORDS_MAX + 1];
	char *envp[WORDS_MAX + 1];
	char *dir;
	char *clock;
	char *entropy;
	bool wait;
} plan = { .dir = "/" };

/* glibc's outsb() does not tell the compiler that it reads @data. */
static void put(unsigned short port, const void *data, size_t len)
{
	__asm__ volatile("rep outsb"
			 : "+S"(data), "+c"(len)
			 : "d"(port)
			 : "memory");
}

/* At once and without a shutdown: nothing here outlives the guest. */
static _Noreturn void end_guest(void)
{
	/* What the lab wrote to the console may still be on its way. */
	tcdrain(STDERR_FILENO);
	outb(GUEST_EXIT_VALUE, GUEST_EXIT_PORT);
	/* Only where QEMU lacks the exit device. */
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static void __attribute__((format(printf, 1, 2)))
status(const char *format, ...)
{
	char line[256];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len > (int)sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	put(GUEST_STATUS_PORT, line, len);
}

/* What stops the lab from running, with errno. */
static _Noreturn void broken(const char *what, const char *name)
{
	int error = errno;

	status("broken %s %s: %s", what, name, strerror(error));
	end_guest();
}

static void open_ports(void)
{
	static const unsigned short ports[] = { GUEST_LAB_PORT,
						GUEST_STATUS_PORT,
						GUEST_EXIT_PORT };

	for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
		if (ioperm(ports[i], 1, 1) == 0)
			continue;
		/* No port to say it on but the console. */
		fprintf(stderr, "init: ioperm: %m; the guest's kernel needs "
				"CONFIG_X86_IOPL_IOPERM\n");
		reboot(RB_AUTOBOOT);
	}
}

/* A lab built in /tmp comes with the initramfs, which is a tmpfs itself. */
static bool holds_files(const char *path)
{
	DIR *dir = opendir(path);
	int entries = 0;

	while (dir && readdir(dir))
		entries++;
	if (dir)
		closedir(dir);
	return entries > 2;
}

/* A kernel may lack the less common ones; the lab's needs will tell. */
static void mount_all(void)
{
	static const struct {
		const char *type, *path, *options;
		bool must;
	} table[] = {
		{ "proc", "/proc", NULL, true },
		{ "sysfs", "/sys", NULL, true },
		{ "devtmpfs", "/dev", "mode=0755", true },
		{ "devpts", "/dev/pts", "mode=0620,ptmxmode=0666", false },
		{ "tmpfs", "/dev/shm", "mode=1777", false },
		{ "mqueue", "/dev/mqueue", NULL, false },
		{ "tmpfs", "/tmp", "mode=1777", true },
		{ "tmpfs", "/run", "mode=0755", true },
		{ "debugfs", "/sys/kernel/debug", NULL, false },
		{ "tracefs", "/sys/kernel/tracing", NULL, false },
		{ "cgroup2", "/sys/fs/cgroup", NULL, false },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		mkdir(table[i].path, 0755); /* most exist already */
		if (!strcmp(table[i].type, "tmpfs") &&
		    holds_files(table[i].path))
			continue;
		if (mount(table[i].type, table[i].path, table[i].type,
			  MS_NOSUID, table[i].options) == -1 &&
		    table[i].must)
			broken("mount", table[i].path);
	}
	chmod("/tmp", 01777);
	/* What udev would add, and a shell expects. */
	(void)!symlink("/proc/self/fd", "/dev/fd");
	(void)!symlink("/proc/self/fd/0", "/dev/stdin");
	(void)!symlink("/proc/self/fd/1", "/dev/stdout");
	(void)!symlink("/proc/self/fd/2", "/dev/stderr");
}

static char *read_plan(size_t *len)
{
	int fd = open("/guest", O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text;

	if (fd == -1 || fstat(fd, &st) == -1)
		broken("open", "/guest");
	text = malloc(st.st_size + 1);
	if (!text || read(fd, text, st.st_size) != st.st_size)
		broken("read", "/guest");
	text[st.st_size] = '\0';
	*len = st.st_size;
	close(fd);
	return text;
}

static void add_word(char **words, char *word)
{
	size_t n = 0;

	while (words[n])
		n++;
	errno = E2BIG;
	if (n == WORDS_MAX)
		broken("too many words in", "/guest");
	words[n] = word;
}

static void parse_plan(void)
{
	size_t len;
	char *text = read_plan(&len);

	/* The memory stays: the plan points into it. */
	for (char *p = text; p < text + len; p += strlen(p) + 1) {
		if (!strncmp(p, "module ", 7))
			add_word(plan.modules, p + 7);
		else if (!strncmp(p, "env ", 4))
			add_word(plan.envp, p + 4);
		else if (!strncmp(p, "dir ", 4))
			plan.dir = p + 4;
		else if (!strncmp(p, "clock ", 6))
			plan.clock = p + 6;
		else if (!strncmp(p, "entropy ", 8))
			plan.entropy = p + 8;
		else if (!strncmp(p, "wait ", 5))
			plan.wait = true;
		else if (!strncmp(p, "arg ", 4))
			add_word(plan.argv, p + 4);
	}
}

/* Here a guest is saved, and resumed. */
static void wait_for_files(void)
{
	const char *what;

	if (receive_open() == -1)
		broken("read", "fw_cfg by DMA");
	status("ready");
	if (receive_files(&what) == -1)
		broken("receive", what);
	parse_plan();
	if (plan.clock)
		receive_clock(plan.clock);
	if (plan.entropy)
		receive_entropy(plan.entropy);
}

static void load_modules(void)
{
	for (char **module = plan.modules; *module; module++) {
		size_t len = strcspn(*module, " ");
		const char *parameters = *module + len + ((*module)[len] != 0);
		int fd;

		(*module)[len] = '\0';
		fd = open(*module, O_RDONLY | O_CLOEXEC);
		if (fd == -1 ||
		    (syscall(SYS_finit_module, fd, parameters, 0) == -1 &&
		     errno != EEXIST))
			broken("load module", *module);
		close(fd);
	}
}

static void bring_up_loopback(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (fd == -1)
		return; /* a kernel without INET */
	ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
}

static void write_to(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd == -1)
		return;
	(void)!write(fd, value, strlen(value));
	close(fd);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static long ms(struct timeval t)
{
	return t.tv_sec * 1000 + t.tv_usec / 1000;
}

static _Noreturn void exec_lab(int out)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	write_to("/proc/self/oom_score_adj", "0");
	/* An exec keeps the right to touch the ports; a lab has none. */
	ioperm(GUEST_LAB_PORT, 1, 0);
	ioperm(GUEST_STATUS_PORT, 1, 0);
	ioperm(GUEST_EXIT_PORT, 1, 0);
	if (dup2(open("/dev/null", O_RDONLY), STDIN_FILENO) == -1 ||
	    dup2(out, STDOUT_FILENO) == -1 || chdir(plan.dir) == -1) {
		perror("init: the lab's descriptors and folder");
		_exit(99);
	}
	execve(plan.argv[0], plan.argv, plan.envp);
	fprintf(stderr, "init: execve %s: %m\n", plan.argv[0]);
	_exit(127);
}

/* Send on what is in the pipe; false at its end. */
static bool pass_on(int in)
{
	char data[4096];
	ssize_t len = read(in, data, sizeof(data));

	if (len > 0)
		put(GUEST_LAB_PORT, data, len);
	return len > 0 || (len == -1 && errno == EINTR);
}

/* Reap what has ended; true once @lab is among it. */
static bool reap(pid_t lab, int *wait_status, struct rusage *usage)
{
	bool ended = false;
	struct rusage r;
	pid_t pid;
	int s;

	while ((pid = wait4(-1, &s, WNOHANG, &r)) > 0) {
		if (pid != lab)
			continue;
		ended = true;
		*wait_status = s;
		*usage = r;
	}
	return ended;
}

/* What the lab started ends with it; then nobody holds the pipe. */
static void kill_the_rest(int out)
{
	kill(-1, SIGKILL);
	while (wait(NULL) > 0)
		;
	while (pass_on(out))
		;
}

static void run_lab(const sigset_t *child)
{
	uint64_t start = now_ms();
	struct rusage usage = { 0 };
	int out[2], s = 0;
	pid_t lab;

	if (pipe2(out, O_CLOEXEC) == -1)
		broken("make", "a pipe");
	lab = fork();
	if (lab == -1)
		broken("fork", plan.argv[0]);
	if (lab == 0)
		exec_lab(out[1]);
	close(out[1]);

	struct pollfd wait[] = {
		{ out[0], POLLIN, 0 },
		{ signalfd(-1, child, SFD_CLOEXEC | SFD_NONBLOCK), POLLIN, 0 },
	};
	for (;;) {
		struct signalfd_siginfo info;

		poll(wait, 2, -1);
		/* A lab may close its stdout and go on. */
		if (wait[0].revents && !pass_on(out[0]))
			wait[0].fd = -1;
		if (!wait[1].revents)
			continue;
		(void)!read(wait[1].fd, &info, sizeof(info));
		if (reap(lab, &s, &usage))
			break;
	}
	kill_the_rest(out[0]);
	status("%s %d %ld %ld %ld %llu", WIFEXITED(s) ? "exit" : "signal",
	       WIFEXITED(s) ? WEXITSTATUS(s) : WTERMSIG(s), ms(usage.ru_utime),
	       ms(usage.ru_stime), usage.ru_maxrss,
	       (unsigned long long)(now_ms() - start));
}

int main(void)
{
	sigset_t child;

	/* Before the fork, so that no end of a child goes unseen. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);

	open_ports();
	mount_all();
	bring_up_loopback();
	(void)!sethostname("guest", 5);
	/* A lab that fills the memory must not take the reporter along. */
	write_to("/proc/self/oom_score_adj", "-1000");
	parse_plan();
	if (plan.wait)
		wait_for_files();
	load_modules();
	/* The boot was quiet; what the lab causes is all to be seen. */
	klogctl(8, NULL, 8);
	fprintf(stderr, "%s\n", GUEST_CONSOLE_MARK);
	status("started");
	if (plan.argv[0])
		run_lab(&child);
	else
		status("exit 0 0 0 0 0");
	end_guest();
}
