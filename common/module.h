/* SPDX-License-Identifier: MIT */
/*
 * module.h - a lab's own kernel module, built from labs/NAME/mod for the
 * kernel that runs. Only guests get one: the runner builds it, and says where
 * in the variable NOTELAB_MODULES; so no experiment reaches a host's kernel.
 */
#pragma once

/*
 * Load NAME.ko with the parameters "a=1 b=2" ("" without); it is unloaded
 * when the process exits, if module_unload() was not called before. Returns
 * 0, or -1 with the errno of finit_module(2), which is the module's own if
 * its init failed; ENXIO where no module was built (the need "module").
 */
int module_load(const char *name, const char *parameters);

/* Unload it. Returns 0, or -1 with the errno of delete_module(2). */
int module_unload(const char *name);
