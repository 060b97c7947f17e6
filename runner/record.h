/* SPDX-License-Identifier: MIT */
/*
 * record.h - labs/NAME/records/SERIES.out: the output and verdicts of one
 * run on one kernel series, with "# key: value" lines above.
 */
#pragma once

#include "runner/run.h"

/*
 * Compare @run with its record and, if @may_write, write what is new.
 *
 * The same verdicts leave the record untouched; so do verdicts that are a
 * part of it, when this machine had to skip more. A run that settles more
 * claims, and none less, and contradicts none replaces it. Another verdict is a
 * drift: the output goes to SERIES.out.new, and the record stays. A run that
 * did not pass becomes no record.
 */
void record_update(struct run *run, bool may_write);

/*
 * Make SERIES.out.new the record, for each series of @lab that has one.
 * Refuses verdicts that the note does not expect: mend the note first.
 * Prints what it did; returns how many, or -1.
 */
int record_accept(const struct lab_dir *lab, struct error *error);
