/* SPDX-License-Identifier: MIT */
/*
 * commands.h - what "runner COMMAND" can be. Each takes its own arguments,
 * argv[0] being "runner COMMAND" for messages, and returns the exit status.
 */
#pragma once

int run_command(int argc, char **argv);
int list_command(int argc, char **argv);
int doctor_command(int argc, char **argv);
int accept_command(int argc, char **argv);
int new_command(int argc, char **argv);
