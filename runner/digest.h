/* SPDX-License-Identifier: MIT */
#pragma once

#include "runner/project.h"

/*
 * The SHA-256, in hex, of the program that a lab's record came from: its
 * C, assembler and header files with their names, those of mod/ as well,
 * without the Check test and the note's words. free() it.
 */
char *source_digest(const struct lab_dir *lab);
