/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/*
 * The name of the file system with the @magic of statfs(2); "?" if it is not
 * known here, "-" for -1.
 */
const char *fs_name(long magic);

/*
 * The magic of the file system of the file behind the mapping of @size bytes
 * at @at; -1 with ENOENT if there is no file. Takes CAP_SYS_ADMIN.
 */
long magic_behind(const void *at, size_t size);
