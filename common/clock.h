/* SPDX-License-Identifier: MIT */
/* clock.h - time for measurements and deadlines. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t now_ns(void);

/* The median of @n > 0 values; sorts them. */
uint64_t median_ns(uint64_t *values, size_t n);
