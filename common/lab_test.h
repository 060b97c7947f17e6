/* SPDX-License-Identifier: MIT */
/* lab_test.h - what every lab's Check test includes. */
#pragma once

#include <check.h>

#include "common/lab.h"

/*
 * Each test defines it. Cases of @logic run anywhere; those of @live run
 * where the lab's needs are met, and are named as left out elsewhere.
 */
void lab_tests(TCase *logic, TCase *live);
