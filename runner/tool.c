// SPDX-License-Identifier: MIT
#include "runner/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int fail_with(char *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, ERROR_MAX, format, args);
	va_end(args);
	return -1;
}

const char *pathf(char *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vsnprintf(out, PATH_MAX, format, args) >= PATH_MAX)
		out[0] = '\0';
	va_end(args);
	return out;
}

/* Spawn with @actions, which are destroyed; the pid or -1. */
static pid_t spawn(const char *const *argv, posix_spawn_file_actions_t *actions)
{
	posix_spawnattr_t attr;
	sigset_t none;
	pid_t pid;
	int ret;

	/* The runner's loop blocks signals; a tool must see Ctrl-C. */
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null",
					 O_RDONLY, 0);
	ret = posix_spawnp(&pid, argv[0], actions, &attr, (char *const *)argv,
			   environ);
	posix_spawn_file_actions_destroy(actions);
	posix_spawnattr_destroy(&attr);
	errno = ret;
	return ret ? -1 : pid;
}

static int exit_status(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int tool_run(const char *const *argv, const char *dir, const char *log)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	if (log)
		posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log,
						 O_WRONLY | O_CREAT | O_APPEND,
						 0666);
	/* Our stdout is for results; a tool's chatter does not belong there. */
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO,
					 STDOUT_FILENO);
	if (dir)
		posix_spawn_file_actions_addchdir_np(&actions, dir);
	pid = spawn(argv, &actions);
	return pid == -1 ? -1 : exit_status(pid);
}

static char *read_all(int fd)
{
	char *text = NULL, *grown;
	size_t len = 0;
	ssize_t got;

	do {
		grown = realloc(text, len + 65536 + 1);
		if (!grown)
			break;
		text = grown;
		got = read(fd, text + len, 65536);
		len += got > 0 ? got : 0;
		text[len] = '\0';
	} while (got > 0 || (got == -1 && errno == EINTR));
	return text;
}

char *tool_output(const char *const *argv, char *error)
{
	posix_spawn_file_actions_t actions;
	int out[2], status;
	char *text;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) == -1) {
		fail_with(error, "pipe: %s", strerror(errno));
		return NULL;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
					 O_WRONLY, 0);
	pid = spawn(argv, &actions);
	close(out[1]);
	if (pid == -1) {
		fail_with(error, "cannot run %s: %s", argv[0], strerror(errno));
		close(out[0]);
		return NULL;
	}
	text = read_all(out[0]);
	close(out[0]);
	status = exit_status(pid);
	if (status == 0 && text)
		return text;
	free(text);
	fail_with(error, "%s %s failed with status %d", argv[0],
		  argv[1] ? argv[1] : "", status);
	return NULL;
}

int tool_find(const char *name, char path[PATH_MAX])
{
	const char *dir = getenv("PATH");

	for (size_t len; dir && *dir; dir += len + (dir[len] == ':')) {
		len = strcspn(dir, ":");
		pathf(path, "%.*s/%s", (int)len, dir, name);
		if (access(path, X_OK) == 0)
			return 1;
	}
	return 0;
}

int tool_exists(const char *name)
{
	char path[PATH_MAX];

	return tool_find(name, path);
}
