/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h - guests that have booted already: the state of a whole guest
 * in a file of its kernel's folder, from which the next starts in a fraction
 * of the time. Its lab comes afterwards (runner/init/receive.c).
 *
 * Only for the machine that guests have by default, and only emulated ones:
 * a guest with other options, a /dev/kvm, or modules of its own boots.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "runner/guest.h"
#include "runner/kernels.h"

/*
 * Where the snapshot for a guest of @kernel with @options is, or would be;
 * false if such a guest has to boot.
 */
bool snapshot_path(const struct kernel *kernel,
		   const struct guest_options *options, char path[PATH_MAX]);

/*
 * Boot a guest and save it, unless that is done. Takes as long as a boot, and
 * waits for another that does the same. What is too old to be of use goes.
 */
int snapshot_make(const struct kernel *kernel,
		  const struct guest_options *options, char *error);
