// SPDX-License-Identifier: MIT
/* kernels.c - the cache of kernels, and the command that shows it. */
#include "runner/kernels.h"

#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/kernels_internal.h"
#include "runner/snapshot.h"
#include "runner/tool.h"
#include "runner/unpack.h"

/* The cache of kernels, made if need be. */
static int cache_folder(char *path, size_t size, char *error)
{
	const char *cache = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	int len;

	/* A relative one is to be ignored, says the XDG specification. */
	if (cache && cache[0] == '/')
		len = snprintf(path, size, "%s/notelab/kernels", cache);
	else if (home && home[0] == '/')
		len = snprintf(path, size, "%s/.cache/notelab/kernels", home);
	else
		return fail_with(error,
				 "no folder for kernels: neither "
				 "XDG_CACHE_HOME nor HOME is set; set one");
	if (len >= 512)
		return fail_with(error,
				 "the path of the cache has %d bytes; set "
				 "XDG_CACHE_HOME to a shorter one",
				 len);
	for (char *c = path + 1;; c++) {
		const char end = *c;

		if (end != '/' && end != '\0')
			continue;
		*c = '\0';
		if (mkdir(path, 0777) == -1 && errno != EEXIST)
			return fail_with(error,
					 "cannot make the folder %s: %s; "
					 "set XDG_CACHE_HOME to another",
					 path, strerror(errno));
		if (end == '\0')
			return 0;
		*c = end;
	}
}

static int check_name(const char *name, char *error)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";

	if (name[0] == '\0' || name[0] == '.' || name[0] == '-' ||
	    strlen(name) >= sizeof(((struct kernel *)0)->name) ||
	    name[strspn(name, good)] != '\0' || !strcmp(name, "host"))
		return fail_with(error,
				 "\"%s\" cannot name a kernel: take letters, "
				 "digits and . _ + -, and not host",
				 name);
	return 0;
}

const char *kernel_remedy(const char *name, char line[KERNEL_REMEDY_MAX])
{
	const char *how = "add %.64s --kernel FILE";

	for (const struct source *s = kernel_sources; s->name; s++)
		if (strcmp(s->name, name) == 0)
			how = s->headers ? "fetch %.64s" : "build %.64s";
	strcpy(line, "runner kernels ");
	/* The format is one of the three above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(line + strlen(line), KERNEL_REMEDY_MAX - strlen(line), how,
		 name);
#pragma GCC diagnostic pop
	return line;
}

/* The path of @file in the kernel's folder, or "" if it is not there. */
static bool find_part(const struct kernel *k, const char *file, char *path,
		      size_t size)
{
	snprintf(path, size, "%s/%s", k->dir, file);
	if (access(path, R_OK) == 0)
		return true;
	path[0] = '\0';
	return false;
}

static int read_word(const char *path, char *word, size_t size)
{
	FILE *file = fopen(path, "re");
	bool got;

	if (!file)
		return -1;
	got = fgets(word, size, file);
	fclose(file);
	if (!got)
		return -1;
	word[strcspn(word, "\n")] = '\0';
	return word[0] ? 0 : -1;
}

int kernel_find(const char *name, struct kernel *kernel, char *error)
{
	char cache[512], line[KERNEL_REMEDY_MAX], path[1088];

	*kernel = (struct kernel){ 0 };
	if (check_name(name, error) == -1 ||
	    cache_folder(cache, sizeof(cache), error) == -1)
		return -1;
	snprintf(kernel->name, sizeof(kernel->name), "%s", name);
	snprintf(kernel->dir, sizeof(kernel->dir), "%s/%s", cache, name);
	if (access(kernel->dir, F_OK) == -1)
		return fail_with(error, "kernel %s is not prepared; run: %s",
				 name, kernel_remedy(name, line));
	if ((!find_part(kernel, "vmlinux", kernel->image,
			sizeof(kernel->image)) &&
	     !find_part(kernel, "bzImage", kernel->image,
			sizeof(kernel->image))) ||
	    !find_part(kernel, "release", path, sizeof(path)) ||
	    read_word(path, kernel->release, sizeof(kernel->release)) == -1)
		return fail_with(error,
				 "%s lacks its image or its release; run: "
				 "runner kernels remove %s && %s",
				 kernel->dir, name, kernel_remedy(name, line));
	find_part(kernel, "modules", kernel->modules, sizeof(kernel->modules));
	find_part(kernel, "config", kernel->config, sizeof(kernel->config));
	find_part(kernel, "headers/build", kernel->build,
		  sizeof(kernel->build));
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strverscmp(((const struct kernel *)a)->name,
			  ((const struct kernel *)b)->name);
}

int kernel_list(struct kernel **kernels, char *error)
{
	char cache[512];
	int count = 0;
	DIR *dir;

	*kernels = NULL;
	if (cache_folder(cache, sizeof(cache), error) == -1)
		return -1;
	dir = opendir(cache);
	if (!dir)
		return fail_with(error, "cannot read %s: %s", cache,
				 strerror(errno));
	for (struct dirent *e; (e = readdir(dir));) {
		char ignored[ERROR_MAX];
		struct kernel *grown;

		if (e->d_name[0] == '.')
			continue;
		grown = reallocarray(*kernels, count + 1, sizeof(*grown));
		if (!grown)
			break;
		*kernels = grown;
		count += kernel_find(e->d_name, grown + count, ignored) == 0;
	}
	closedir(dir);
	if (count)
		qsort(*kernels, count, sizeof(**kernels), by_name);
	return count;
}

void making_says(const struct making *m, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", m->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static int remove_tree(const char *path, char *error)
{
	/* rm -rf is quiet about what is not there. */
	if (tool_run(ARGV("rm", "-rf", "--", path), NULL, NULL) != 0)
		return fail_with(error, "cannot remove %s", path);
	return 0;
}

static int lock_kernel(struct making *m, const char *cache, char *error)
{
	char path[PATH_MAX];

	pathf(path, "%s/.%s.lock", cache, m->name);
	m->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (m->lock == -1)
		return fail_with(error, "cannot open %s: %s", path,
				 strerror(errno));
	if (flock(m->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	making_says(m, "waiting for another runner that is at it");
	while (flock(m->lock, LOCK_EX) == -1)
		if (errno != EINTR) {
			close(m->lock);
			return fail_with(error, "cannot lock %s: %s", path,
					 strerror(errno));
		}
	return 0;
}

int making_start(struct making *m, const char *name, char *error)
{
	char cache[512];

	m->name = name;
	if (check_name(name, error) == -1 ||
	    cache_folder(cache, sizeof(cache), error) == -1 ||
	    lock_kernel(m, cache, error) == -1)
		return -1;
	pathf(m->part, "%s/.%s.part", cache, name);
	pathf(m->done, "%s/done", m->part);
	pathf(m->dest, "%s/%s", cache, name);
	if (mkdir(m->part, 0777) == -1 && errno != EEXIST) {
		fail_with(error, "cannot make %s: %s", m->part,
			  strerror(errno));
		return making_fail(m);
	}
	/* Left by a run that was stopped. */
	if (remove_tree(m->done, error) == -1)
		return making_fail(m);
	if (mkdir(m->done, 0777) == -1) {
		fail_with(error, "cannot make %s: %s", m->done,
			  strerror(errno));
		return making_fail(m);
	}
	return 0;
}

static int write_release(const struct making *m, const char *release,
			 char *error)
{
	char path[PATH_MAX], line[160];
	struct bytes bytes = { (unsigned char *)line, 0 };

	pathf(path, "%s/release", m->done);
	bytes.len = snprintf(line, sizeof(line), "%s\n", release);
	return bytes_write(&bytes, path, error);
}

/* A vmlinux beside the bzImage, if this one can be started by PVH. */
static int add_vmlinux(struct making *m, const struct bytes *image, char *error)
{
	char path[PATH_MAX], why[ERROR_MAX];
	struct bytes elf;
	int ret = 0;

	if (bzimage_vmlinux(&elf, image, why) == -1) {
		making_says(m, "no vmlinux, the boot is slower: %s", why);
		return 0;
	}
	pathf(path, "%s/vmlinux", m->done);
	if (elf_has_pvh(&elf))
		ret = bytes_write(&elf, path, error);
	else
		making_says(m, "not built with CONFIG_PVH, the boot is slower");
	free(elf.data);
	return ret;
}

int making_add_image(struct making *m, const char *image, char *error)
{
	char path[PATH_MAX], release[128], why[ERROR_MAX];
	struct bytes bytes;
	int ret;

	if (bytes_read(&bytes, image, error) == -1)
		return -1;
	if (elf_has_pvh(&bytes)) {
		pathf(path, "%s/vmlinux", m->done);
		ret = bytes_write(&bytes, path, error);
	} else if (bzimage_check(&bytes, why) == 0) {
		pathf(path, "%s/bzImage", m->done);
		ret = bytes_write(&bytes, path, error);
		if (ret == 0)
			ret = add_vmlinux(m, &bytes, error);
	} else {
		ret = fail_with(error, "%s is %s", image, why);
	}
	if (ret == 0 && image_release(&bytes, release, sizeof(release)) == -1)
		ret = fail_with(error, "%s names no release; is it Linux?",
				image);
	if (ret == 0)
		ret = write_release(m, release, error);
	free(bytes.data);
	return ret;
}

int making_finish(struct making *m, char *error)
{
	char old[PATH_MAX];

	pathf(old, "%s/old", m->part);
	if (remove_tree(old, error) == -1)
		return making_fail(m);
	/* Two folders cannot change places at once everywhere. */
	if (rename(m->dest, old) == -1 && errno != ENOENT) {
		fail_with(error, "cannot move %s: %s", m->dest,
			  strerror(errno));
		return making_fail(m);
	}
	if (rename(m->done, m->dest) == -1) {
		fail_with(error, "cannot rename %s to %s: %s", m->done, m->dest,
			  strerror(errno));
		return making_fail(m);
	}
	remove_tree(m->part, error);
	close(m->lock);
	return 0;
}

int making_fail(struct making *m)
{
	rmdir(m->done);
	rmdir(m->part); /* if there is nothing in it */
	close(m->lock);
	return -1;
}

static int copy_into(const struct making *m, const char *from, const char *as,
		     char *error)
{
	char to[PATH_MAX];
	int status;

	pathf(to, "%s/%s", m->done, as);
	status = tool_run(
		ARGV("cp", "-a", "--reflink=auto", "-T", "--", from, to), NULL,
		NULL);
	return status ? fail_with(error, "cannot copy %s to %s: cp gave %d",
				  from, to, status)
		      : 0;
}

static int kernels_add(const char *name, const char *image, const char *modules,
		       const char *config, char *error)
{
	struct making m;

	if (!image)
		return fail_with(error, "kernels add %s: no --kernel FILE",
				 name);
	if (making_start(&m, name, error) == -1)
		return -1;
	if (making_add_image(&m, image, error) == -1 ||
	    (modules && copy_into(&m, modules, "modules", error) == -1) ||
	    (config && copy_into(&m, config, "config", error) == -1))
		return making_fail(&m);
	return making_finish(&m, error);
}

static int kernels_remove(const char *name, char *error)
{
	char cache[512], path[PATH_MAX];
	struct making m = { .name = name };
	int ret;

	if (check_name(name, error) == -1 ||
	    cache_folder(cache, sizeof(cache), error) == -1 ||
	    lock_kernel(&m, cache, error) == -1)
		return -1;
	pathf(path, "%s/.%s.part", cache, name);
	ret = remove_tree(path, error);
	pathf(path, "%s/%s", cache, name);
	if (ret == 0 && access(path, F_OK) == -1)
		ret = fail_with(error, "there is no kernel %s", name);
	if (ret == 0)
		ret = remove_tree(path, error);
	close(m.lock);
	return ret;
}

/* The prepared ones, then those that could be. */
static int show_list(char *error)
{
	char line[KERNEL_REMEDY_MAX];
	struct kernel *kernels;
	int count = kernel_list(&kernels, error);

	if (count == -1)
		return -1;
	for (int i = 0; i < count; i++)
		printf("%-10s %-28s %s%s%s\n", kernels[i].name,
		       kernels[i].release,
		       strstr(kernels[i].image, "/vmlinux") ? "vmlinux"
							    : "bzImage",
		       kernels[i].modules[0] ? ", modules" : "",
		       kernels[i].build[0] ? ", headers" : "");
	for (const struct source *s = kernel_sources; s->name; s++) {
		bool here = false;

		for (int i = 0; i < count; i++)
			here |= strcmp(kernels[i].name, s->name) == 0;
		if (!here)
			printf("%-10s %-28s %s\n", s->name, "not prepared",
			       kernel_remedy(s->name, line));
	}
	free(kernels);
	return 0;
}

static struct {
	const char *words[32];
	int count;
	const char *image, *modules, *config;
	bool headers;
} command;

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'k':
		command.image = arg;
		return 0;
	case 'm':
		command.modules = arg;
		return 0;
	case 'c':
		command.config = arg;
		return 0;
	case 'H':
		command.headers = true;
		return 0;
	case ARGP_KEY_ARG:
		if (command.count == 32)
			argp_error(state, "too many arguments");
		command.words[command.count++] = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "kernel", 'k', "FILE", 0, "add: the bzImage, or a vmlinux with PVH",
	  0 },
	{ "modules", 'm', "DIR", 0, "add: its /lib/modules/RELEASE", 0 },
	{ "config", 'c', "FILE", 0, "add: its configuration", 0 },
	{ "headers", 'H', NULL, 0, "fetch: what module builds need, too", 0 },
	{ 0 }
};

static int take_snapshot(const char *name, char *error)
{
	const struct guest_options none = { 0 };
	struct kernel kernel;

	if (kernel_find(name, &kernel, error) == -1)
		return -1;
	return snapshot_make(&kernel, &none, error);
}

/* Returns the exit status: 0, or 1 if a kernel failed, or 2 by argp. */
static int run_command(const struct argp *argp)
{
	const char *verb = command.count ? command.words[0] : "list";
	char error[ERROR_MAX];
	int status = 0;

	if (!strcmp(verb, "list") && command.count <= 1) {
		if (show_list(error) == 0)
			return 0;
		fprintf(stderr, "runner: %s\n", error);
		return 1;
	}
	for (int i = 1; i < command.count; i++) {
		const char *name = command.words[i];
		int ret;

		if (!strcmp(verb, "fetch"))
			ret = kernels_fetch(name, command.headers, error);
		else if (!strcmp(verb, "build") && !strcmp(name, "debug"))
			ret = kernels_build_debug(error);
		else if (!strcmp(verb, "add") && command.count == 2)
			ret = kernels_add(name, command.image, command.modules,
					  command.config, error);
		else if (!strcmp(verb, "remove"))
			ret = kernels_remove(name, error);
		else if (!strcmp(verb, "snapshot"))
			ret = take_snapshot(name, error);
		else
			break;
		if (ret == -1) {
			fprintf(stderr, "runner: %s\n", error);
			status = 1;
		}
		if (i == command.count - 1)
			return status;
	}
	argp_help(argp, stderr, ARGP_HELP_STD_USAGE, "runner kernels");
	return 2;
}

int kernels_command(int argc, char **argv)
{
	const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[list]\nfetch NAME...\nbuild debug\n"
			    "add NAME --kernel FILE [--modules DIR]\n"
			    "remove NAME...\nsnapshot NAME...",
		.doc = "The kernels that guests can boot.\v"
		       "fetch unpacks a kernel of the distribution, without "
		       "installing it: 6.1, 6.12, 6.1-rt, 6.12-rt. build makes "
		       "the debug kernel from the distribution's source. "
		       "snapshot saves a guest that has booted, from which "
		       "later ones are resumed; the first run does that by "
		       "itself.",
	};

	argp_err_exit_status = 2;
	memset(&command, 0, sizeof(command));
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	return run_command(&argp);
}
