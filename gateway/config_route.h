/* config_route.h - what "route" blocks lead to: labels become upstreams, templates are read. A part
 * of config_check.h. */
#pragma once
#include "gateway/config_check.h"

/* Where there is no route, adds the one that leads everybody to the first upstream. Upstreams have been
 * checked. Returns 0 or ERR_NO_MEMORY. */
int config_check_routes(
    struct config *config, const struct config_lines *lines, struct config_report *report);

/* Frees what R owns. */
void config_route_clear(struct route *r);
