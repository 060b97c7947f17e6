// SPDX-License-Identifier: MIT
#include "runner/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "runner/tool.h"

enum {
	DEADLINE_S = 30,
	POLL_MS = 20,
	ROOM_MIB = 512,	     /* the most that a snapshot can take */
	LIMIT_KIB = 1 << 20, /* of files that QEMU may write */
	KEEP = 4,	     /* several builds have each their guest_init */
};

bool snapshot_path(const struct kernel *kernel,
		   const struct guest_options *options, char path[PATH_MAX])
{
	struct guest_options o = *options;
	char identity[17], error[ERROR_MAX];

	if (o.svm || o.modules || o.append || o.qemu || o.memory_mib || o.cpus)
		return false;
	if (!o.accel)
		o.accel = guest_probe_accel(kernel, o.init);
	if (strcmp(o.accel, "tcg") != 0 ||
	    guest_identity(kernel, &o, identity, error) == -1)
		return false;
	pathf(path, "%s/snapshot-%s", kernel->dir, identity);
	return true;
}

/* SIGTERM and the like: what is half made is removed even so. */
static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static void pause_ms(int ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000l }, NULL);
}

/* QEMU, in the folder that the snapshot goes to: no path needs quoting. */
static pid_t start_qemu(const struct guest *guest, const char *dir)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (chdir(dir) == 0 && freopen("/dev/null", "r", stdin) &&
	    freopen("/dev/null", "w", stdout))
		execv(guest->argv[0], guest->argv);
	_exit(127);
}

static int connect_monitor(const struct guest *guest)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/monitor",
		     guest->dir) < (int)sizeof(address.sun_path) &&
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int request(int fd, const char *line)
{
	return send(fd, line, strlen(line), MSG_NOSIGNAL) == -1 ? -1 : 0;
}

/*
 * Ask QEMU until it says how its migration ended. The answers are for people,
 * and the only thing in them that we want is one word.
 */
static bool has_completed(int fd)
{
	uint64_t deadline = now_ns() + DEADLINE_S * 1000000000ull;
	char answer[65536];
	size_t n = 0;

	while (!stopped && now_ns() < deadline) {
		ssize_t len;

		if (request(fd, "info migrate\n") == -1)
			return false;
		pause_ms(POLL_MS);
		len = recv(fd, answer + n, sizeof(answer) - n - 1,
			   MSG_DONTWAIT);
		if (len == 0 || (len == -1 && errno != EAGAIN))
			return false;
		n += len > 0 ? len : 0;
		answer[n] = '\0';
		if (strstr(answer, "Migration status: completed"))
			return true;
		if (strstr(answer, "Migration status: failed"))
			return false;
		/* A word that is cut in two comes again. */
		if (n > sizeof(answer) / 2)
			n = 0;
	}
	return false;
}

/* QEMU has said its last word to cat, which may not have written it yet. */
static bool appears(const char *path)
{
	uint64_t deadline = now_ns() + DEADLINE_S * 1000000000ull;

	while (access(path, R_OK) == -1) {
		if (stopped || now_ns() > deadline)
			return false;
		pause_ms(POLL_MS);
	}
	return true;
}

/* Save to the file @name.part of QEMU's folder, and call it @whole then. */
static int save(const struct guest *guest, const char *name, const char *whole,
		char *error)
{
	int fd = connect_monitor(guest), ret = 0;
	char line[256];

	if (fd == -1)
		return fail_with(error, "QEMU's monitor: %s", strerror(errno));
	/* The guest has to run, else it comes back stopped. */
	snprintf(line, sizeof(line),
		 "migrate_set_parameter max-bandwidth 100G\n"
		 "migrate -d \"exec:cat >%s.part && mv %s.part %s.whole\"\n",
		 name, name, name);
	if (request(fd, line) == -1 || !has_completed(fd) || !appears(whole))
		ret = fail_with(error,
				"QEMU could not save the guest; is there room "
				"on the disk of the cache?");
	close(fd);
	return ret;
}

/* Wait for the guest to be up; -1 if it does not get there. */
static int wait_ready(const struct guest *guest, pid_t qemu, char *error)
{
	uint64_t deadline = now_ns() + DEADLINE_S * 1000000000ull;

	while (!guest_has_said(guest, "ready")) {
		siginfo_t info = { 0 };

		waitid(P_PID, qemu, &info, WEXITED | WNOHANG | WNOWAIT);
		if (stopped || info.si_pid || now_ns() > deadline)
			return fail_with(error,
					 "kernel %s did not boot to "
					 "where it can be saved",
					 guest->kernel);
		pause_ms(POLL_MS);
	}
	return 0;
}

static int boot_and_save(const struct kernel *kernel,
			 const struct guest_options *options, const char *name,
			 const char *whole, char *error)
{
	const struct sigaction catch = { .sa_handler = stop };
	struct guest_options o = *options;
	struct guest guest;
	int ret = -1;
	pid_t qemu;

	sigaction(SIGTERM, &catch, NULL);
	sigaction(SIGINT, &catch, NULL);
	sigaction(SIGHUP, &catch, NULL);
	o.wait = true;
	o.log_kib = LIMIT_KIB;
	if (guest_prepare(&guest, kernel, NULL, &o, error) == -1)
		return -1;
	qemu = start_qemu(&guest, kernel->dir);
	if (qemu == -1) {
		fail_with(error, "fork: %s", strerror(errno));
	} else {
		ret = wait_ready(&guest, qemu, error);
		if (ret == 0)
			ret = save(&guest, name, whole, error);
		kill(qemu, SIGKILL);
		waitpid(qemu, NULL, 0);
	}
	guest_remove(&guest);
	return ret;
}

static int newest_first(const void *a, const void *b)
{
	struct stat x = { 0 }, y = { 0 };

	stat(*(char *const *)a, &x);
	stat(*(char *const *)b, &y);
	return (x.st_mtime < y.st_mtime) - (x.st_mtime > y.st_mtime);
}

/* Delete what is of @kernel and matches @rest, but for the newest @keep. */
static void delete_old(const struct kernel *kernel, const char *rest,
		       size_t keep)
{
	char pattern[PATH_MAX];
	glob_t found;

	pathf(pattern, "%s/snapshot-%s", kernel->dir, rest);
	if (glob(pattern, 0, NULL, &found) == 0) {
		qsort(found.gl_pathv, found.gl_pathc, sizeof(char *),
		      newest_first);
		for (size_t i = keep; i < found.gl_pathc; i++)
			unlink(found.gl_pathv[i]);
	}
	globfree(&found);
}

/* Whoever holds the lock may: what is half made has no maker any more. */
static void tidy(const struct kernel *kernel)
{
	delete_old(kernel, "*.part", 0);
	delete_old(kernel, "*.whole", 0);
	delete_old(kernel, "*", KEEP - 1);
}

static int make_locked(const struct kernel *kernel,
		       const struct guest_options *options, const char *path,
		       char *error)
{
	char whole[PATH_MAX];
	struct statvfs disk;

	if (access(path, R_OK) == 0)
		return 0;
	if (statvfs(kernel->dir, &disk) == -1 ||
	    disk.f_bavail * disk.f_frsize >> 20 < ROOM_MIB)
		return fail_with(error, "less than %d MiB free in %s", ROOM_MIB,
				 kernel->dir);
	tidy(kernel);
	pathf(whole, "%s.whole", path);
	if (boot_and_save(kernel, options, strrchr(path, '/') + 1, whole,
			  error) == 0) {
		if (rename(whole, path) == 0)
			return 0;
		fail_with(error, "%s: %s", path, strerror(errno));
	}
	tidy(kernel);
	return -1;
}

int snapshot_make(const struct kernel *kernel,
		  const struct guest_options *options, char *error)
{
	char path[PATH_MAX], lock[PATH_MAX];
	int fd, ret;

	if (!snapshot_path(kernel, options, path))
		return fail_with(error, "a guest of kernel %s has to boot here",
				 kernel->name);
	fd = open(pathf(lock, "%s/snapshot.lock", kernel->dir),
		  O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd == -1 || flock(fd, LOCK_EX) == -1) {
		fail_with(error, "%s: %s", lock, strerror(errno));
		ret = -1;
	} else {
		ret = make_locked(kernel, options, path, error);
	}
	if (fd != -1)
		close(fd);
	return ret;
}
