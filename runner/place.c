// SPDX-License-Identifier: MIT
#include "runner/place.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runner/tool.h"

int place_find(const char *name, struct place *place, struct error *error)
{
	*place = (struct place){ .is_host = !strcmp(name, "host") };
	if (!place->is_host &&
	    kernel_find(name, &place->kernel, error->text) == -1)
		return -1;
	place->name = xstrdup(name);
	return 0;
}

/* What a boot costs: plain kernels, then preemptible ones, then checkers. */
static int cost(const struct place *place)
{
	const char *flavour = strchr(place->name, '-');

	if (place->is_host)
		return 0;
	if (!flavour && place->kernel.modules[0])
		return 1;
	return flavour && !strcmp(flavour, "-rt") ? 2 : 3;
}

static int by_cost(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int difference = cost(x) - cost(y);

	return difference ? difference : strverscmp(x->name, y->name);
}

size_t place_list(struct place **places)
{
	struct kernel *kernels = NULL;
	struct error error;
	int n = kernel_list(&kernels, error.text);
	size_t count = 0;

	*places = NULL;
	*push(*places, count) =
		(struct place){ .name = xstrdup("host"), .is_host = true };
	for (int i = 0; i < n; i++)
		*push(*places, count) = (struct place){
			.name = xstrdup(kernels[i].name),
			.kernel = kernels[i],
		};
	free(kernels);
	qsort(*places, count, sizeof(**places), by_cost);
	return count;
}

/* Whether the file @path has a line "CONFIG_@option=y" or "=m". */
static bool config_has(const char *path, const char *option)
{
	FILE *file = fopen(path, "re");
	size_t len = strlen(option);
	bool has = false;
	char line[512];

	while (file && !has && fgets(line, sizeof(line), file))
		has = !strncmp(line, "CONFIG_", 7) &&
		      !strncmp(line + 7, option, len) && line[7 + len] == '=' &&
		      strchr("ym", line[8 + len]);
	if (file)
		fclose(file);
	return has;
}

/* Behind "KIND:", or NULL if @need is of another kind. */
static const char *argument(const char *need, const char *kind)
{
	size_t len = strlen(kind);

	if (strncmp(need, kind, len) != 0)
		return NULL;
	return need[len] == ':' ? need + len + 1
	       : need[len]	? NULL
				: need + len;
}

/* Root, tracefs and its events, memfds: every guest has them. */
static bool guest_offers(const struct kernel *kernel, const struct need *need)
{
	const char *arg;

	if ((arg = argument(need->name, "config")))
		return config_has(kernel->config, arg);
	if (argument(need->name, "kvm"))
		/* With RT, KVM wants a constant TSC, which TCG has not. */
		return config_has(kernel->config, "KVM_AMD") &&
		       !config_has(kernel->config, "PREEMPT_RT");
	if (argument(need->name, "module"))
		return kernel->build[0] &&
		       config_has(kernel->config, "MODULES");
	/* Tools come from the host. */
	if (argument(need->name, "tool"))
		return need->met;
	return !argument(need->name, "swap");
}

static bool has_qemu(void)
{
	return tool_exists("qemu-system-x86_64");
}

bool place_offers(const struct place *place, const struct needs *needs,
		  char **why)
{
	*why = NULL;
	if (!place->is_host && !has_qemu()) {
		*why = xstrdup("no qemu-system-x86_64 on PATH");
		return false;
	}
	for (size_t i = 0; i < needs->n; i++) {
		const struct need *need = &needs->list[i];

		if (place->is_host ? need->met
				   : guest_offers(&place->kernel, need))
			continue;
		*why = xasprintf("%s does not offer %s", place->name,
				 need->name);
		return false;
	}
	return true;
}

char *place_remedy(const struct needs *needs, const char *source)
{
	char *debug = xasprintf("%s/ci/kernels/debug.config", source);
	const char *name = "6.1";
	char line[KERNEL_REMEDY_MAX];

	for (size_t i = 0; i < needs->n; i++) {
		const char *option = argument(needs->list[i].name, "config");

		if (argument(needs->list[i].name, "tool") &&
		    !needs->list[i].met)
			name = NULL;
		if (name && option && !needs->list[i].met)
			name = config_has(debug, option) ? "debug" : NULL;
		if (!name)
			break;
	}
	free(debug);
	if (name && !has_qemu())
		return xstrdup("apt-get install qemu-system-x86");
	return name ? xstrdup(kernel_remedy(name, line)) : NULL;
}
