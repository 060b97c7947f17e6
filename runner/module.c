// SPDX-License-Identifier: MIT
#include "runner/module.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runner/tool.h"

enum { SOURCE_MAX = 4 << 20 };

bool module_exists(const struct lab_dir *lab)
{
	char *path = xasprintf("%s/mod/Kbuild", lab->source);
	bool exists = access(path, R_OK) == 0;

	free(path);
	return exists;
}

static int is_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Copy @name if the copy is not the same already, so that make sees which. */
static int copy_file(const char *from, const char *to, const char *name,
		     struct error *error)
{
	char *source = xasprintf("%s/%s", from, name);
	char *copy = xasprintf("%s/%s", to, name);
	size_t len, old_len;
	struct error ignored;
	char *text = read_file(source, SOURCE_MAX, &len, error);
	char *old = read_file(copy, SOURCE_MAX, &old_len, &ignored);
	int ret = -1;

	if (text && old && len == old_len && !memcmp(text, old, len))
		ret = 0;
	else if (text)
		ret = replace_file(to, name, text, len, error);
	free(text);
	free(old);
	free(source);
	free(copy);
	return ret;
}

static int copy_sources(const struct lab_dir *lab, const char *to,
			struct error *error)
{
	char *from = xasprintf("%s/mod", lab->source);
	struct dirent **names;
	int n = scandir(from, &names, is_file, alphasort);
	int ret = n > 0 ? 0 : fail(error, "cannot list %s/mod: %m", lab->path);

	for (int i = 0; i < n; i++) {
		if (ret == 0)
			ret = copy_file(from, to, names[i]->d_name, error);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	free(from);
	return ret;
}

/*
 * Quote the first line of @dir's log in which the compiler complains, else
 * the last one. It names the copy in @dir; whoever mends it needs the source.
 */
static void quote(const struct lab_dir *lab, const char *dir,
		  struct error *error)
{
	char *log = xasprintf("%s/log", dir);
	size_t len, dir_len = strlen(dir);
	char *text = read_file(log, SOURCE_MAX, &len, error);
	char *rest = text;
	const char *found = "make said nothing";
	bool in_copy;

	for (char *line; rest && (line = strsep(&rest, "\n"));) {
		if (*line)
			found = line;
		if (strstr(line, "error:") || strstr(line, "ERROR:"))
			break;
	}
	in_copy = !strncmp(found, dir, dir_len) && found[dir_len] == '/';
	fail(error, "cannot build %s/mod: %s%s%.400s; all of it is in %s",
	     lab->path, in_copy ? lab->path : "", in_copy ? "/mod" : "",
	     in_copy ? found + dir_len : found, log);
	free(text);
	free(log);
}

static int make_modules(const struct lab_dir *lab, const struct kernel *kernel,
			const char *dir, struct error *error)
{
	char *m = xasprintf("M=%s", dir), *log = xasprintf("%s/log", dir);
	/* Type information for BPF is no use here, and needs pahole. */
	int status;

	unlink(log);
	status = tool_run(ARGV("make", "-C", kernel->build, m,
			       "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"),
			  NULL, log);
	if (status != 0)
		quote(lab, dir, error);
	free(m);
	free(log);
	return status == 0 ? 0 : -1;
}

char *module_build(const struct lab_dir *lab, const struct kernel *kernel,
		   struct error *error)
{
	char *base = xstrndup(lab->exe, strrchr(lab->exe, '/') - lab->exe);
	char *dir = xasprintf("%s/mod-%s", base, kernel->name);
	int lock = -1, ret = -1;

	if (!kernel->build[0]) {
		fail(error,
		     "kernel %s has no headers to build %s/mod with; run: "
		     "runner kernels fetch --headers %s",
		     kernel->name, lab->path, kernel->name);
	} else if (!tool_exists("make")) {
		fail(error, "no make on PATH to build %s/mod with", lab->path);
	} else if (mkdir(dir, 0777) == -1 && errno != EEXIST) {
		fail(error, "cannot make the folder %s: %m", dir);
	} else {
		/* Two runners at once take turns; make does the rest. */
		lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (lock != -1)
			flock(lock, LOCK_EX);
		ret = copy_sources(lab, dir, error);
		if (ret == 0)
			ret = make_modules(lab, kernel, dir, error);
	}
	if (lock != -1)
		close(lock);
	free(base);
	if (ret == 0)
		return dir;
	free(dir);
	return NULL;
}
