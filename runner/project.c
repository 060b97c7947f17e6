// SPDX-License-Identifier: MIT
#include "runner/project.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const roots[] = { "labs", "tests/labs" };

int project_open(struct project *project, const char *source,
		 struct error *error)
{
	char exe[PATH_MAX] = "";

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) == -1)
		return fail(error, "cannot read /proc/self/exe: %m");
	*strrchr(exe, '/') = '\0';
	project->build = xstrdup(exe);
	project->source = realpath(source ? source : SOURCE_DIR, NULL);
	if (project->source)
		return 0;
	fail(error, "no source tree at %s: %m; name it with --source",
	     source ? source : SOURCE_DIR);
	project_close(project);
	return -1;
}

void project_close(struct project *project)
{
	free(project->source);
	free(project->build);
	*project = (struct project){ 0 };
}

bool lab_name_valid(const char *name)
{
	if (!islower((unsigned char)*name))
		return false;
	for (const char *c = name; *c; c++)
		if (!islower((unsigned char)*c) &&
		    !isdigit((unsigned char)*c) && *c != '_')
			return false;
	return strlen(name) <= 64;
}

static void fill(const struct project *project, const char *root,
		 const char *name, struct lab_dir *lab)
{
	lab->name = xstrdup(name);
	lab->path = xasprintf("%s/%s", root, name);
	lab->source = xasprintf("%s/%s", project->source, lab->path);
	lab->exe = xasprintf("%s/%s/%s", project->build, lab->path, name);
}

void lab_dir_free(struct lab_dir *lab)
{
	free(lab->name);
	free(lab->path);
	free(lab->source);
	free(lab->exe);
}

struct lab_dir lab_dir_copy(const struct lab_dir *lab)
{
	return (struct lab_dir){
		.name = xstrdup(lab->name),
		.path = xstrdup(lab->path),
		.source = xstrdup(lab->source),
		.exe = xstrdup(lab->exe),
	};
}

/* A folder of its own, not a link to somewhere else. */
static bool is_folder(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct lab_dir *)a)->name,
		      ((const struct lab_dir *)b)->name);
}

size_t lab_list(const struct project *project, struct lab_dir **labs)
{
	char *root = xasprintf("%s/%s", project->source, roots[0]);
	DIR *dir = opendir(root);
	size_t n = 0;

	*labs = NULL;
	for (struct dirent *e; dir && (e = readdir(dir));) {
		struct lab_dir lab;

		if (!lab_name_valid(e->d_name))
			continue;
		fill(project, roots[0], e->d_name, &lab);
		if (is_folder(lab.source))
			*push(*labs, n) = lab;
		else
			lab_dir_free(&lab);
	}
	if (dir)
		closedir(dir);
	free(root);
	if (n)
		qsort(*labs, n, sizeof(**labs), by_name);
	return n;
}

/* Levenshtein's distance, row by row. */
static size_t distance(const char *a, const char *b)
{
	size_t row[66], len = strlen(b);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0]++;

		for (size_t j = 0; j < len; j++) {
			size_t best = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (diagonal + 1 < best)
				best = diagonal + 1;
			row[j + 1] = best;
		}
	}
	return row[len];
}

static int unknown(const struct project *project, const char *arg,
		   struct error *error)
{
	const char *slash = strrchr(arg, '/');
	const char *name = slash && slash[1] ? slash + 1 : arg;
	struct lab_dir *labs;
	size_t n = lab_list(project, &labs), len;
	char near[256] = "";

	for (size_t i = 0; i < n; i++) {
		bool part = strlen(name) >= 3 && strstr(labs[i].name, name);

		len = strlen(near);
		if ((part || distance(name, labs[i].name) <= 3) &&
		    len + strlen(labs[i].name) + 3 < sizeof(near))
			sprintf(near + len, "%s%s", len ? ", " : "",
				labs[i].name);
		lab_dir_free(&labs[i]);
	}
	free(labs);
	if (*near)
		return fail(error, "no lab \"%s\"; did you mean %s?", arg,
			    near);
	return fail(error, "no lab \"%s\"; \"runner list\" shows all %zu", arg,
		    n);
}

/*
 * @path below @base, without the slashes between: "labs/memfd_seal". NULL
 * if it lies elsewhere.
 */
static const char *below(const char *path, const char *base)
{
	size_t len = strlen(base);

	if (strncmp(path, base, len) != 0 || path[len] != '/')
		return NULL;
	return path + len + 1;
}

/* Fill @lab if @path, relative to the project, is ROOT/NAME. */
static bool take(const struct project *project, const char *path,
		 struct lab_dir *lab)
{
	for (size_t i = 0; path && i < 2; i++) {
		const char *name = below(path, roots[i]);

		if (!name || !lab_name_valid(name))
			continue;
		fill(project, roots[i], name, lab);
		if (is_folder(lab->source))
			return true;
		lab_dir_free(lab);
	}
	return false;
}

int lab_find(const struct project *project, const char *arg,
	     struct lab_dir *lab, struct error *error)
{
	char *name = xstrdup(arg);
	char *bare, *real;
	const char *path;
	bool found;

	for (size_t len = strlen(name); len > 1 && name[len - 1] == '/'; len--)
		name[len - 1] = '\0';
	bare = xasprintf("%s/%s", roots[0], name);
	real = realpath(name, NULL);
	path = real ? below(real, project->build) : NULL;
	/* The build tree commonly lies inside the source tree. */
	if (real && !path)
		path = below(real, project->source);
	found = strchr(name, '/')
			? take(project, path, lab) || take(project, name, lab)
			: take(project, bare, lab) || take(project, path, lab);
	free(bare);
	free(real);
	if (!found)
		unknown(project, name, error);
	free(name);
	return found ? 0 : -1;
}
