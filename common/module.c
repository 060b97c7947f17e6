// SPDX-License-Identifier: MIT
#include "common/module.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/lab.h"

enum { LOADED_MAX = 8 };

static struct {
	char name[56]; /* MODULE_NAME_LEN */
	pid_t owner;
} loaded[LOADED_MAX];

static void unload_all(void)
{
	for (int i = LOADED_MAX - 1; i >= 0; i--)
		if (loaded[i].name[0] && loaded[i].owner == getpid())
			module_unload(loaded[i].name);
}

static void remember(const char *name)
{
	static bool registered;

	if (!registered)
		atexit(unload_all);
	registered = true;
	for (int i = 0; i < LOADED_MAX; i++) {
		if (loaded[i].name[0])
			continue;
		snprintf(loaded[i].name, sizeof(loaded[i].name), "%s", name);
		loaded[i].owner = getpid();
		return;
	}
	die("more than %d modules", LOADED_MAX);
}

int module_load(const char *name, const char *parameters)
{
	const char *dir = getenv("NOTELAB_MODULES");
	char path[512];
	int fd, ret, error;

	if (!dir) {
		errno = ENXIO;
		return -1;
	}
	snprintf(path, sizeof(path), "%s/%s.ko", dir, name);
	fd = must(open(path, O_RDONLY | O_CLOEXEC));
	ret = syscall(SYS_finit_module, fd, parameters, 0);
	error = errno;
	close(fd);
	errno = error;
	if (ret == 0)
		remember(name);
	return ret;
}

int module_unload(const char *name)
{
	int ret = syscall(SYS_delete_module, name, O_NONBLOCK);

	for (int i = 0; ret == 0 && i < LOADED_MAX; i++)
		if (!strcmp(loaded[i].name, name))
			loaded[i].name[0] = '\0';
	return ret;
}
