/* SPDX-License-Identifier: MIT */
/* module.h - builds a lab's kernel module for a prepared kernel. */
#pragma once

#include <stdbool.h>

#include "runner/kernels.h"
#include "runner/project.h"

/* Whether @lab has a module: the folder mod/ with a Kbuild in it. */
bool module_exists(const struct lab_dir *lab);

/*
 * Build the modules of @lab for @kernel below the build tree, unless they
 * are newer than their sources. Returns the folder with the .ko files, which
 * the caller frees; NULL with @error, which quotes the compiler.
 */
char *module_build(const struct lab_dir *lab, const struct kernel *kernel,
		   struct error *error);
