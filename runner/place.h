/* SPDX-License-Identifier: MIT */
/* place.h - where a lab can run: this host, or a guest with a kernel. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "runner/kernels.h"
#include "runner/needs.h"

struct place {
	char *name; /* "host", or the kernel's */
	bool is_host;
	struct kernel kernel; /* of a guest */
};

/* The place @name; -1 with the remedy if no such kernel is prepared. */
int place_find(const char *name, struct place *place, struct error *error);

/* All places on this machine, the host first, then guests, cheapest first. */
size_t place_list(struct place **places);

/*
 * Whether a guest at @place can have what @needs lists; @why says what it
 * cannot, free() it. For the host, whether all is met.
 */
bool place_offers(const struct place *place, const struct needs *needs,
		  char **why);

/*
 * The command that would prepare a guest for @needs, as far as can be told;
 * NULL if no guest can help. @source is the tree with ci/kernels.
 */
char *place_remedy(const struct needs *needs, const char *source);
