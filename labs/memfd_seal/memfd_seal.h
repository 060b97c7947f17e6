/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A memfd that holds @len bytes of @data, which nobody can change any more. */
int sealed_memfd(const void *data, size_t len);

/* Whether a receiver may trust the bytes behind @fd to stay as they are. */
bool is_immutable(int fd);

#define SEAL_NAMES_MAX 64
/* @seals as "WRITE|GROW", or "none"; written to @out and returned. */
const char *seal_names(int seals, char out[SEAL_NAMES_MAX]);
