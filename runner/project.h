/* SPDX-License-Identifier: MIT */
/* project.h - where the labs are: their sources, and what was built. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "runner/util.h"

struct project {
	char *source; /* the folder with labs/ in it */
	char *build;  /* the folder with the runner in it */
};

/* One lab's folder. */
struct lab_dir {
	char *name;   /* "memfd_seal" */
	char *path;   /* "labs/memfd_seal", below source and build */
	char *source; /* absolute */
	char *exe;    /* absolute; may not be built */
};

/*
 * The project that this runner was built from, or the tree @source if not
 * NULL. On success project_close() releases it.
 */
int project_open(struct project *project, const char *source,
		 struct error *error);
void project_close(struct project *project);

/*
 * The lab that @arg names: a bare name, or a path that means the lab's
 * folder in the source or the build tree, from wherever the user stands.
 * Labs lie in labs/, those that misbehave on purpose in tests/labs/; no
 * name leads anywhere else. An unknown name is an error that offers the
 * nearest ones. On success lab_dir_free() releases it.
 */
int lab_find(const struct project *project, const char *arg,
	     struct lab_dir *lab, struct error *error);
void lab_dir_free(struct lab_dir *lab);
struct lab_dir lab_dir_copy(const struct lab_dir *lab);

/* All labs in labs/, by name. Free each, and the array. */
size_t lab_list(const struct project *project, struct lab_dir **labs);

/* Whether @name can be a lab's: lower case, digits, underscores. */
bool lab_name_valid(const char *name);
