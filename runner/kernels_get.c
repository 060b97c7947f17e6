// SPDX-License-Identifier: MIT
/*
 * kernels_get.c - kernels out of the distribution's packages: unpacked, not
 * installed, or built from its source.
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "runner/kernels_internal.h"
#include "runner/tool.h"
#include "runner/unpack.h"

const struct source kernel_sources[] = {
	{ "6.1", "linux-image-cloud-amd64", "linux-headers-", "stock 6.1" },
	{ "6.12", "linux-image-6.12-cloud-amd64", "linux-headers-",
	  "stock 6.12" },
	{ "6.1-rt", "linux-image-rt-amd64", "linux-headers-",
	  "6.1 with PREEMPT_RT" },
	{ "6.12-rt", "linux-image-6.12-rt-amd64", "linux-headers-",
	  "6.12 with PREEMPT_RT" },
	{ "debug", "linux-source-6.1", NULL,
	  "6.1 with kmemleak, lockdep and the function tracer" },
	{ 0 }
};

#define DEBUG_CONFIG SOURCE_DIR "/ci/kernels/debug.config"

/* What to do where packages cannot be had. */
#define OR_ADD "or bring the kernel: runner kernels add %s --kernel FILE"

/*
 * Call @each with the packages that @package depends on and whose names
 * start with @prefix, until it returns non-zero, which is returned.
 */
static int for_each_dependency(const char *package, const char *prefix,
			       int (*each)(void *arg, const char *dependency),
			       void *arg, char *error)
{
	char *text = tool_output(ARGV("apt-cache", "depends", package), error);
	char *rest = NULL;
	int ret = 0;

	if (!text)
		return -1;
	for (char *line = strtok_r(text, "\n", &rest); line && ret == 0;
	     line = strtok_r(NULL, "\n", &rest)) {
		char *name = strstr(line, "Depends: ");

		if (!name || !strncmp(name - 3, "Pre", 3))
			continue;
		name += strlen("Depends: ");
		if (strncmp(name, prefix, strlen(prefix)) == 0)
			ret = each(arg, name);
	}
	free(text);
	return ret;
}

static int keep_first(void *arg, const char *dependency)
{
	snprintf(arg, 256, "%s", dependency);
	return 1;
}

/* The package of the very kernel that @s stands for today. */
static int find_package(const struct source *s, char package[256], char *error)
{
	char why[ERROR_MAX] = "it depends on no linux-image-*";

	if (!tool_exists("apt-get") || !tool_exists("dpkg-deb"))
		return fail_with(error,
				 "kernel %s comes from Debian's packages, "
				 "but apt-get and dpkg-deb are not here; "
				 "bring it: runner kernels add %s --kernel "
				 "FILE",
				 s->name, s->name);
	if (for_each_dependency(s->package, "linux-image-", keep_first, package,
				why) == 1)
		return 0;
	return fail_with(error,
			 "kernel %s: apt does not know the package %s (%s); "
			 "run apt-get update, " OR_ADD,
			 s->name, s->package, why, s->name);
}

/*
 * Download @package into m->part, unless it is there: apt checks it, and
 * goes on where an earlier download ended.
 */
static int download(const struct making *m, const char *package, char *error)
{
	int status;

	making_says(m, "downloading %s", package);
	/* apt's own user may not enter the cache of ours. */
	status = tool_run(ARGV("apt-get", isatty(STDERR_FILENO) ? "-q" : "-qq",
			       "-o", "APT::Sandbox::User=", "-o",
			       "Acquire::Retries=3", "download", package),
			  m->part, NULL);
	if (status != 0)
		return fail_with(error,
				 "apt-get download %s ended with %d; try "
				 "again with network, run apt-get update "
				 "if the package is gone, " OR_ADD,
				 package, status, m->name);
	return 0;
}

/* The file of @package in m->part. */
static int find_deb(const struct making *m, const char *package,
		    char path[PATH_MAX], char *error)
{
	char pattern[PATH_MAX];
	glob_t found;

	pathf(pattern, "%s/%s_*.deb", m->part, package);
	if (glob(pattern, 0, NULL, &found) != 0)
		return fail_with(error, "no file %s after its download",
				 pattern);
	/* The newest, if an old one was left behind: names sort by version. */
	pathf(path, "%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return 0;
}

/* Download @package and unpack it into the folder @dir of m->part. */
static int get_package(const struct making *m, const char *package,
		       const char *dir, char *error)
{
	char deb[PATH_MAX], to[PATH_MAX];

	if (download(m, package, error) == -1 ||
	    find_deb(m, package, deb, error) == -1)
		return -1;
	pathf(to, "%s/%s", m->part, dir);
	if (tool_run(ARGV("dpkg-deb", "-x", deb, to), NULL, NULL) == 0)
		return 0;
	/* The next try is to download it again. */
	unlink(deb);
	return fail_with(error,
			 "cannot unpack %s into %s; is the disk full? try "
			 "again",
			 package, to);
}

static int move(const char *from, const char *to, char *error)
{
	if (rename(from, to) == 0)
		return 0;
	return fail_with(error, "cannot rename %s to %s: %s", from, to,
			 strerror(errno));
}

/* Move the image, the configuration and the modules out of "image". */
static int take_image(struct making *m, const char *package, char *error)
{
	const char *release = package + strlen("linux-image-");
	char from[PATH_MAX], to[PATH_MAX];

	pathf(from, "%s/image/boot/vmlinuz-%s", m->part, release);
	if (making_add_image(m, from, error) == -1)
		return -1;
	pathf(from, "%s/image/boot/config-%s", m->part, release);
	pathf(to, "%s/config", m->done);
	if (move(from, to, error) == -1)
		return -1;
	pathf(from, "%s/image/lib/modules/%s", m->part, release);
	/* Debian 13 has it there. */
	if (access(from, F_OK) == -1)
		pathf(from, "%s/image/usr/lib/modules/%s", m->part, release);
	pathf(to, "%s/modules", m->done);
	return move(from, to, error);
}

struct wanted {
	const struct making *m;
	char *error;
};

static int get_header_package(void *arg, const char *package)
{
	const struct wanted *w = arg;

	return get_package(w->m, package, "headers", w->error);
}

/*
 * The packages' Makefile includes another by its path below /usr/src. Make
 * it find the one beside it.
 */
static int relocate_makefile(const char *build, char *error)
{
	static const char absolute[] = "/usr/src/";
	static const char relative[] =
		"$(dir $(realpath $(lastword $(MAKEFILE_LIST))))../";
	char path[PATH_MAX], *at;
	struct bytes old, new = { 0 };
	size_t len;
	int ret = -1;

	pathf(path, "%s/Makefile", build);
	if (bytes_read(&old, path, error) == -1)
		return -1;
	at = memmem(old.data, old.len, absolute, strlen(absolute));
	if (!at) {
		free(old.data);
		return 0;
	}
	len = at - (char *)old.data;
	new.data = malloc(old.len + sizeof(relative));
	if (new.data) {
		new.len = sprintf((char *)new.data, "%.*s%s%.*s", (int)len,
				  old.data, relative,
				  (int)(old.len - len - strlen(absolute)),
				  at + strlen(absolute));
		unlink(path);
		ret = bytes_write(&new, path, error);
	}
	free(new.data);
	free(old.data);
	return ret;
}

static int take_headers(struct making *m, const char *release, char *error)
{
	char package[256], path[PATH_MAX], target[PATH_MAX];
	struct wanted w = { m, error };

	snprintf(package, sizeof(package), "linux-headers-%s", release);
	pathf(path, "%s/headers", m->part);
	if (tool_run(ARGV("rm", "-rf", "--", path), NULL, NULL) != 0 ||
	    for_each_dependency(package, "linux-headers-", get_header_package,
				&w, error) != 0 ||
	    for_each_dependency(package, "linux-kbuild-", get_header_package,
				&w, error) != 0 ||
	    get_package(m, package, "headers", error) == -1)
		return -1;
	pathf(target, "usr/src/%s", package);
	pathf(path, "%s/headers/%s", m->part, target);
	if (relocate_makefile(path, error) == -1)
		return -1;
	pathf(path, "%s/headers/build", m->part);
	if (symlink(target, path) == -1)
		return fail_with(error, "cannot link %s: %s", path,
				 strerror(errno));
	return 0;
}

/* Headers for a kernel that is there: they are the last to be renamed. */
static int add_headers(const struct kernel *k, char *error)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct making m;

	if (making_start(&m, k->name, error) == -1)
		return -1;
	pathf(from, "%s/headers", m.part);
	pathf(to, "%s/headers", k->dir);
	/* Another runner may have been first. */
	if (access(to, F_OK) == 0) {
		making_fail(&m);
		return 0;
	}
	if (take_headers(&m, k->release, error) == -1 ||
	    move(from, to, error) == -1)
		return making_fail(&m);
	making_says(&m, "%s, headers added", k->release);
	tool_run(ARGV("rm", "-rf", "--", m.part), NULL, NULL);
	making_fail(&m);
	return 0;
}

static int fetch_image(const struct source *s, char *error)
{
	char package[256], unpacked[PATH_MAX];
	struct kernel k;
	struct making m;

	if (find_package(s, package, error) == -1 ||
	    making_start(&m, s->name, error) == -1)
		return -1;
	/* While we waited for the lock, another may have done it. */
	if (kernel_find(s->name, &k, error) == 0) {
		making_fail(&m);
		return 0;
	}
	pathf(unpacked, "%s/image", m.part);
	if (tool_run(ARGV("rm", "-rf", "--", unpacked), NULL, NULL) != 0 ||
	    get_package(&m, package, "image", error) == -1 ||
	    take_image(&m, package, error) == -1)
		return making_fail(&m);
	making_says(&m, "%s is ready", package + strlen("linux-image-"));
	return making_finish(&m, error);
}

int kernels_fetch(const char *name, bool headers, char *error)
{
	const struct source *s = kernel_sources;
	struct kernel k;

	while (s->name && strcmp(s->name, name) != 0)
		s++;
	if (!s->name || !s->headers)
		return fail_with(error,
				 "there is no kernel %s to fetch: take 6.1, "
				 "6.12, 6.1-rt, 6.12-rt, " OR_ADD,
				 name, name);
	if (kernel_find(name, &k, error) == 0)
		fprintf(stderr, "%s: %s is here already\n", name, k.release);
	else if (fetch_image(s, error) == -1 ||
		 kernel_find(name, &k, error) == -1)
		return -1;
	return headers && !k.build[0] ? add_headers(&k, error) : 0;
}

/* Name all that the build lacks, not only the first. */
static int check_build_tools(char *error)
{
	static const struct {
		const char *tool, *package;
	} table[] = {
		{ "make", "make" },	{ "gcc", "gcc" },
		{ "ld", "binutils" },	{ "flex", "flex" },
		{ "bison", "bison" },	{ "bc", "bc" },
		{ "tar", "tar" },	{ "xz", "xz-utils" },
		{ "perl", "perl" },	{ "apt-get", "apt" },
		{ "dpkg-deb", "dpkg" },
	};
	char missing[512] = "";

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (!tool_exists(table[i].tool)) {
			strcat(missing, " ");
			strcat(missing, table[i].package);
		}
	/* objtool, which the build makes first, needs libelf's headers. */
	if (tool_run(ARGV("gcc", "-E", "-include", "gelf.h", "-xc", "-o",
			  "/dev/null", "/dev/null"),
		     NULL, "/dev/null") != 0)
		strcat(missing, " libelf-dev");
	return missing[0] ? fail_with(error,
				      "the build of the debug kernel lacks: "
				      "apt-get install%s",
				      missing)
			  : 0;
}

/* The last line of @log that says something. */
static void last_line(const char *log, char *line, size_t size)
{
	struct bytes text;
	char ignored[ERROR_MAX];
	size_t start, end;

	line[0] = '\0';
	if (bytes_read(&text, log, ignored) == -1)
		return;
	for (end = text.len; end && text.data[end - 1] == '\n'; end--)
		;
	for (start = end; start && text.data[start - 1] != '\n'; start--)
		;
	snprintf(line, size, "%.*s", (int)(end - start), text.data + start);
	free(text.data);
}

/* Run make in @tree, its output in @log. */
static int make(const char *tree, const char *log, const char *const *targets,
		char *error)
{
	const char *argv[16] = { "make", "LOCALVERSION=-debug" };
	char jobs[16], line[256];
	int n = 2, status;

	snprintf(jobs, sizeof(jobs), "-j%d", get_nprocs());
	argv[n++] = jobs;
	while (*targets)
		argv[n++] = *targets++;
	status = tool_run(argv, tree, log);
	if (status == 0)
		return 0;
	last_line(log, line, sizeof(line));
	return fail_with(error,
			 "make %s ended with %d: %s; its output is in %s",
			 argv[3], status, line, log);
}

static bool has_line(const struct bytes *text, const char *line, size_t len)
{
	const char *at = (const char *)text->data;
	const char *end = at + text->len;

	while (at < end) {
		const char *stop = memchr(at, '\n', end - at);

		if (!stop)
			stop = end;
		if ((size_t)(stop - at) == len && memcmp(at, line, len) == 0)
			return true;
		at = stop + 1;
	}
	return false;
}

/*
 * Whether each option of the fragment is in the configuration that Kconfig
 * made of it: an unmet dependency drops an option without a word.
 */
static int check_config(const char *fragment, const char *config, char *error)
{
	struct bytes want, got;
	char missing[ERROR_MAX / 2] = "";
	char *rest = NULL;

	if (bytes_read(&want, fragment, error) == -1)
		return -1;
	if (bytes_read(&got, config, error) == -1) {
		free(want.data);
		return -1;
	}
	want.data[want.len] = '\0';
	for (char *line = strtok_r((char *)want.data, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		size_t room = sizeof(missing) - strlen(missing);

		if ((strncmp(line, "CONFIG_", 7) != 0 &&
		     strncmp(line, "# CONFIG_", 9) != 0) ||
		    has_line(&got, line, strlen(line)))
			continue;
		snprintf(missing + strlen(missing), room, " %s;", line);
	}
	free(want.data);
	free(got.data);
	return missing[0] ? fail_with(error,
				      "these lines of %s did not take "
				      "effect:%s see what they depend on",
				      fragment, missing)
			  : 0;
}

static int configure(const struct making *m, const char *tree, const char *log,
		     char *error)
{
	char config[PATH_MAX];

	making_says(m, "configuring: tinyconfig and %s", DEBUG_CONFIG);
	if (make(tree, log, ARGV("tinyconfig"), error) == -1)
		return -1;
	if (tool_run(ARGV("scripts/kconfig/merge_config.sh", "-m", ".config",
			  DEBUG_CONFIG),
		     tree, log) != 0)
		return fail_with(error, "cannot merge %s; see %s", DEBUG_CONFIG,
				 log);
	if (make(tree, log, ARGV("olddefconfig"), error) == -1)
		return -1;
	pathf(config, "%s/.config", tree);
	return check_config(DEBUG_CONFIG, config, error);
}

/* Unpack the source of Linux into the folder "build" of m->part. */
static int unpack_source(const struct making *m, char tree[PATH_MAX],
			 char *error)
{
	char tar[PATH_MAX], marker[PATH_MAX];

	pathf(tree, "%s/build", m->part);
	pathf(marker, "%s/.unpacked", tree);
	if (access(marker, F_OK) == 0)
		return 0;
	if (get_package(m, "linux-source-6.1", "source", error) == -1)
		return -1;
	making_says(m, "unpacking the source");
	pathf(tar, "%s/source/usr/src/linux-source-6.1.tar.xz", m->part);
	if (tool_run(ARGV("rm", "-rf", "--", tree), NULL, NULL) != 0 ||
	    mkdir(tree, 0777) == -1 ||
	    tool_run(
		    ARGV("tar", "-xf", tar, "-C", tree, "--strip-components=1"),
		    NULL, NULL) != 0)
		return fail_with(error,
				 "cannot unpack %s into %s; is the disk "
				 "full? It needs 3 GB",
				 tar, tree);
	return bytes_write(&(struct bytes){ 0 }, marker, error);
}

/*
 * Module builds need the makefiles, the headers and the scripts, a debugger
 * vmlinux; the rest, 1.6 GB, goes.
 */
static void prune(const char *tree)
{
	tool_run(ARGV("sh", "-c",
		      "rm -rf Documentation samples sound tools/testing "
		      "tools/perf vmlinux.o .tmp_vmlinux*; "
		      "for a in arch/*/; do "
		      "[ $a = arch/x86/ ] || rm -rf $a; done; "
		      "find arch block certs crypto drivers fs init io_uring "
		      "ipc kernel lib mm net security usr virt -type f "
		      "! -name 'Kconfig*' ! -name 'Makefile*' ! -name '*.h' "
		      "! -name 'Kbuild*' ! -name '*.lds' ! -name '*.sh' "
		      "-delete; "
		      "find drivers -name '*.h' -delete"),
		 tree, "/dev/null");
}

/* Move what a guest needs out of @tree, then @tree itself. */
static int take_build(struct making *m, const char *tree, const char *log,
		      char *error)
{
	char path[PATH_MAX], to[PATH_MAX];
	struct kernel k = { 0 };
	FILE *file;

	pathf(path, "%s/arch/x86/boot/bzImage", tree);
	if (making_add_image(m, path, error) == -1)
		return -1;
	pathf(path, "%s/release", m->done);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%127s", k.release) != 1)
		fail_with(error, "%s: %s", path, strerror(errno));
	if (file)
		fclose(file);

	pathf(path, "INSTALL_MOD_PATH=%s/modroot", m->part);
	/* It runs depmod, which is not needed and may be missing. */
	if (make(tree, log, ARGV("modules_install", path, "DEPMOD=true"),
		 error) == -1)
		return -1;
	pathf(path, "%s/modroot/lib/modules/%s", m->part, k.release);
	pathf(to, "%s/modules", m->done);
	if (move(path, to, error) == -1)
		return -1;
	/* Both point back into the tree, which is about to move. */
	pathf(path, "%s/build", to);
	unlink(path);
	pathf(path, "%s/source", to);
	unlink(path);

	pathf(path, "%s/.config", tree);
	pathf(to, "%s/config", m->done);
	if (tool_run(ARGV("cp", "--", path, to), NULL, NULL) != 0)
		return fail_with(error, "cannot copy %s to %s", path, to);
	prune(tree);
	pathf(to, "%s/headers", m->done);
	if (mkdir(to, 0777) == -1)
		return fail_with(error, "cannot make %s: %s", to,
				 strerror(errno));
	pathf(to, "%s/headers/build", m->done);
	return move(tree, to, error);
}

int kernels_build_debug(char *error)
{
	char tree[PATH_MAX], log[PATH_MAX];
	struct kernel k;
	struct making m;

	if (kernel_find("debug", &k, error) == 0) {
		fprintf(stderr, "debug: %s is here already\n", k.release);
		return 0;
	}
	if (check_build_tools(error) == -1 ||
	    making_start(&m, "debug", error) == -1)
		return -1;
	if (kernel_find("debug", &k, error) == 0) {
		making_fail(&m);
		return 0;
	}
	pathf(log, "%s/build.log", m.part);
	if (unpack_source(&m, tree, error) == -1 ||
	    configure(&m, tree, log, error) == -1)
		return making_fail(&m);
	making_says(&m, "building, about 4 minutes on 2 CPUs; log: %s", log);
	if (make(tree, log, ARGV("bzImage", "modules"), error) == -1 ||
	    take_build(&m, tree, log, error) == -1)
		return making_fail(&m);
	making_says(&m, "ready");
	return making_finish(&m, error);
}
