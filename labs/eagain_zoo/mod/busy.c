// SPDX-License-Identifier: MIT
/* busy.c - a module that is in use while its parameter "held" says so. */
#include <linux/module.h>

static bool held;

static int set_held(const char *value, const struct kernel_param *param)
{
	bool was_held = held;
	int ret = param_set_bool(value, param);

	if (ret == 0 && held && !was_held)
		__module_get(THIS_MODULE);
	if (ret == 0 && !held && was_held)
		module_put(THIS_MODULE);
	return ret;
}

static const struct kernel_param_ops held_ops = {
	.set = set_held,
	.get = param_get_bool,
};
module_param_cb(held, &held_ops, &held, 0644);

static int __init busy_init(void)
{
	return 0;
}

static void __exit busy_exit(void)
{
}

module_init(busy_init);
module_exit(busy_exit);
MODULE_DESCRIPTION("In use while its parameter says so");
MODULE_LICENSE("Dual MIT/GPL");
