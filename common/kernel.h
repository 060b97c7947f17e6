/* SPDX-License-Identifier: MIT */
/* kernel.h - the version of the running kernel, for claims with a border. */
#pragma once

#include <stdbool.h>

/*
 * Whether this is Linux @major.@minor or later, by uname(2). Only for a
 * claim whose sentence names the version; to learn what works, try it.
 */
bool kernel_since(int major, int minor);
