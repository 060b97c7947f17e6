// SPDX-License-Identifier: MIT
/* proc.c - numbers out of /proc and /sys, and settings that go back. */
#include "common/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/lab.h"

long proc_field(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	char line[512];
	size_t len = strlen(key);
	long value = -1;

	if (!file)
		return -1;
	while (value == -1 && fgets(line, sizeof(line), file))
		if (strncmp(line, key, len) == 0 && line[len] == ':')
			value = strtol(line + len + 1, NULL, 0);
	fclose(file);
	return value;
}

long proc_long(const char *path)
{
	FILE *file = fopen(path, "re");
	long value = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

struct setting {
	struct setting *next;
	pid_t owner;
	char *path;
	char old[256];
};
static struct setting *settings;

static int write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len = strlen(value);
	int ret;

	if (fd == -1)
		return -1;
	ret = write(fd, value, len) == len ? 0 : -1;
	close(fd);
	return ret;
}

/* Newest first; a forked child inherits the list but does not own it. */
static void restore(void)
{
	for (struct setting *s = settings; s; s = s->next)
		if (s->owner == getpid() && write_file(s->path, s->old) == -1)
			fprintf(stderr, "cannot put \"%s\" back to %s: %m\n",
				s->old, s->path);
}

void proc_set(const char *path, const char *value)
{
	struct setting *s = must_ptr(calloc(1, sizeof(*s)));
	int fd = must(open(path, O_RDONLY | O_CLOEXEC));

	must(read(fd, s->old, sizeof(s->old) - 1));
	close(fd);
	s->old[strcspn(s->old, "\n")] = '\0';
	s->path = must_ptr(strdup(path));
	s->owner = getpid();
	if (!settings)
		atexit(restore);
	s->next = settings;
	settings = s;
	must(write_file(path, value));
}

int proc_count_fds(void)
{
	DIR *dir = must_ptr(opendir("/proc/self/fd"));
	int count = -1; /* not the one that reads the directory */

	for (struct dirent *e; (e = readdir(dir));)
		count += e->d_name[0] != '.';
	closedir(dir);
	return count;
}
