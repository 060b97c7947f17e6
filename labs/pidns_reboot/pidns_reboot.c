// SPDX-License-Identifier: MIT
/*
 * pidns_reboot - power off a machine that is only a PID namespace.
 *
 * Each command of reboot(2), called by the init of a namespace: what becomes
 * of the init, of its child, and of everybody else.
 */
#include "pidns_reboot.h"

#include <fcntl.h>
#include <linux/reboot.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/lab.h"
#include "common/spawn.h"

enum { DEADLINE_MS = 10000, NOBODY = 65534 };

static const struct {
	const char *name;
	unsigned int command;
	int signal; /* that the init seems to die of, or 0 for EINVAL */
} commands[] = {
	{ "POWER_OFF", LINUX_REBOOT_CMD_POWER_OFF, SIGINT },
	{ "HALT", LINUX_REBOOT_CMD_HALT, SIGINT },
	{ "RESTART", LINUX_REBOOT_CMD_RESTART, SIGHUP },
	{ "RESTART2", LINUX_REBOOT_CMD_RESTART2, SIGHUP },
	{ "CAD_ON", LINUX_REBOOT_CMD_CAD_ON, 0 },
	{ "CAD_OFF", LINUX_REBOOT_CMD_CAD_OFF, 0 },
	{ "SW_SUSPEND", LINUX_REBOOT_CMD_SW_SUSPEND, 0 },
	{ "KEXEC", LINUX_REBOOT_CMD_KEXEC, 0 },
	{ "(unknown)", 0x12345678, 0 },
};
enum { POWER_OFF = 0, RESTART = 2, UNKNOWN = 8 }; /* rows of it */

bool magic_date(unsigned int magic2, char out[11])
{
	char digits[9];

	snprintf(digits, sizeof(digits), "%08x", magic2);
	if (strspn(digits, "0123456789") != 8)
		return false;
	sprintf(out, "%.2s.%.2s.%.4s", digits, digits + 2, digits + 4);
	return true;
}

struct attempt {
	enum place place;
	unsigned int magic2, command;
	struct outcome *out; /* in memory that all its processes share */
};

static pid_t fork_waiting_child(void)
{
	pid_t pid = must(fork());

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

/* The init of the namespace. It survives the signals that it will die of. */
static int call_reboot(const struct attempt *a)
{
	struct outcome *out = a->out;
	pid_t child;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	raise(SIGINT);
	raise(SIGHUP);
	child = fork_waiting_child();
	out->pid = getpid();
	/* A namespace that is not ours to end would be the machine's. */
	if (a->place == OWN_PIDNS && out->pid != 1)
		return LAB_BROKEN;
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, a->magic2, a->command, "");
	out->error = errno;
	out->child_lives = waitpid(child, NULL, WNOHANG) == 0;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}

/*
 * Root goes first: CAP_SYS_BOOT then comes from the new user namespace and
 * reaches no further. Whatever goes wrong below, the machine stays up.
 */
static int enter_and_call(void *arg)
{
	const struct attempt *a = arg;
	int flags = CLONE_NEWUSER | (a->place == OWN_PIDNS ? CLONE_NEWPID : 0);
	pid_t init;

	if (geteuid() == 0)
		must(setresuid(NOBODY, NOBODY, NOBODY));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	a->out->refused = errno_of(unshare(flags));
	if (a->out->refused)
		return 0;
	init = must(fork());
	if (init == 0)
		_exit(call_reboot(a));
	must(waitpid(init, &a->out->status, 0));
	return 0;
}

struct outcome reboot_in(enum place place, unsigned int magic2,
			 unsigned int command)
{
	struct outcome *out =
		must(mmap(NULL, sizeof(*out), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	struct attempt a = { place, magic2, command, out };
	struct pollfd held = { .events = POLLIN };
	struct outcome result;
	int ends[2];

	/* All of them hold the pipe; without a holder it is at its end. */
	must(pipe2(ends, O_CLOEXEC));
	if (spawn_fn(enter_and_call, &a, DEADLINE_MS).status != 0)
		die("the processes of the namespace did not end by themselves");
	close(ends[1]);
	held.fd = ends[0];
	out->all_ended = must(poll(&held, 1, 0)) == 1;
	close(ends[0]);
	result = *out;
	munmap(out, sizeof(*out));
	return result;
}

static void print_outcome(const char *name, unsigned int number,
			  const struct outcome *o)
{
	const char *sig = sigabbrev_np(WTERMSIG(o->status));

	printf("%-10s  0x%08x  ", name, number);
	if (WIFSIGNALED(o->status))
		printf("no return  ended by SIG%-3s  %s\n", sig,
		       o->all_ended ? "ended" : "lives on");
	else
		printf("%-9s  lives on         %s\n", errno_name(o->error),
		       o->child_lives ? "lives on" : "ended");
}

static bool died_of(const struct outcome *o, int sig)
{
	return WIFSIGNALED(o->status) && WTERMSIG(o->status) == sig;
}

static bool lived_on(const struct outcome *o, int error)
{
	return WIFEXITED(o->status) && o->error == error && o->child_lives;
}

static void each_command(void)
{
	pid_t bystander = fork_tied();
	struct outcome o[ARRAY_SIZE(commands)];
	bool as_listed[2] = { true, true }, others = true;
	bool bystander_lives;

	if (bystander == 0)
		for (;;)
			pause();
	printf("%-10s  %-10s  %-9s  %-15s  %s\n", "command", "number",
	       "reboot(2)", "the init", "its child");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		int sig = commands[i].signal;

		o[i] = reboot_in(OWN_PIDNS, LINUX_REBOOT_MAGIC2,
				 commands[i].command);
		print_outcome(commands[i].name, commands[i].command, &o[i]);
		if (sig)
			as_listed[sig == SIGHUP] &= died_of(&o[i], sig);
		else
			others &= lived_on(&o[i], EINVAL);
	}
	bystander_lives = waitpid(bystander, NULL, WNOHANG) == 0;
	reap(bystander, 0);
	printf("a process outside of the namespaces %s\n",
	       bystander_lives ? "lives on" : "has ended");

	claim("stop-is-sigint", as_listed[0]);
	control("stop-is-sigint", !died_of(&o[RESTART], SIGINT));
	claim("restart-is-sighup", as_listed[1]);
	control("restart-is-sighup", !died_of(&o[POWER_OFF], SIGHUP));
	claim("other-commands", others);
	control("other-commands", !lived_on(&o[POWER_OFF], EINVAL));
	claim("namespace-ends", o[POWER_OFF].all_ended);
	control("namespace-ends", o[UNKNOWN].child_lives);
	refuted("power-off-ends-all", !bystander_lives);
	control("power-off-ends-all", o[POWER_OFF].all_ended);
}

/* The second magic number: four dates, and one that is none of them. */
static void magic_numbers(void)
{
	static const unsigned int accepted[] = { LINUX_REBOOT_MAGIC2,
						 LINUX_REBOOT_MAGIC2A,
						 LINUX_REBOOT_MAGIC2B,
						 LINUX_REBOOT_MAGIC2C };
	const unsigned int wrong = LINUX_REBOOT_MAGIC2 + 1;
	bool all = true;
	struct outcome o;
	char date[11];

	puts("\nPOWER_OFF, with each second magic number");
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		o = reboot_in(OWN_PIDNS, accepted[i],
			      LINUX_REBOOT_CMD_POWER_OFF);
		if (!magic_date(accepted[i], date))
			die("%#x is no date", accepted[i]);
		print_outcome(date, accepted[i], &o);
		all &= died_of(&o, SIGINT);
	}
	o = reboot_in(OWN_PIDNS, wrong, LINUX_REBOOT_CMD_POWER_OFF);
	print_outcome("one more", wrong, &o);
	claim("four-dates", all);
	claim("wrong-magic", lived_on(&o, EINVAL));
	control("four-dates", lived_on(&o, EINVAL));
	control("wrong-magic", all);
}

/*
 * The same call by a process that is all-powerful in a user namespace, but
 * whose PID namespace belongs to an older one.
 */
static void without_capability(void)
{
	struct outcome wrong, right, own;

	puts("\nPOWER_OFF by a process that is no init");
	right = reboot_in(OUR_PIDNS, LINUX_REBOOT_MAGIC2,
			  LINUX_REBOOT_CMD_POWER_OFF);
	print_outcome("right", LINUX_REBOOT_MAGIC2, &right);
	wrong = reboot_in(OUR_PIDNS, 0, LINUX_REBOOT_CMD_POWER_OFF);
	print_outcome("wrong", 0, &wrong);
	own = reboot_in(OWN_PIDNS, 0, LINUX_REBOOT_CMD_POWER_OFF);
	claim("needs-capability", lived_on(&right, EPERM));
	claim("capability-before-magic", lived_on(&wrong, EPERM));
	control("capability-before-magic", lived_on(&own, EINVAL));
	own = reboot_in(OWN_PIDNS, LINUX_REBOOT_MAGIC2,
			LINUX_REBOOT_CMD_POWER_OFF);
	control("needs-capability", died_of(&own, SIGINT));
}

static void demo(void)
{
	static const char *const ids[] = { "stop-is-sigint",
					   "restart-is-sighup",
					   "other-commands",
					   "namespace-ends",
					   "power-off-ends-all",
					   "four-dates",
					   "wrong-magic",
					   "needs-capability",
					   "capability-before-magic" };
	/* Only to learn whether there can be namespaces: it does nothing. */
	struct outcome o = reboot_in(OWN_PIDNS, 0, LINUX_REBOOT_CMD_CAD_OFF);
	int missing = o.refused ? o.refused : o.error == ENOSYS ? ENOSYS : 0;

	if (!missing) {
		each_command();
		magic_numbers();
		without_capability();
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		claim_skip(ids[i], "reboot(2) in a namespace",
			   errno_name(missing),
			   "a place that allows user namespaces");
}

const struct lab lab = {
	.name = "pidns_reboot",
	.demo = demo,
};
