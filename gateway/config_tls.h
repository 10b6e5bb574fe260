/* config_tls.h - what the settings of TLS say about each other, and what is made of them. */
#pragma once
#include "gateway/config.h"
#include "gateway/config_check.h"

/* Reports what does not fit together, and loads the certificates of L where CONFIG is no outline. Returns 0
 * or ERR_NO_MEMORY. */
int config_check_listener_tls(const struct config *config, struct config_listener *l,
    const struct setting_lines *lines, struct config_report *report);

/* Takes listeners with legacy_tls whose last day is over at NOW (seconds since 1970) out of CONFIG,
 * and says so. LINES are those of the listeners. */
void config_end_legacy(struct config *config, const struct setting_lines *lines, int64_t now,
    struct config_report *report);

/* Whether CONFIG is for COUNT sockets, those that a supervisor still has: listeners that it has ended by
 * their legacy_until are taken out, also where the clock was set back since. */
bool config_fit_sockets(struct config *config, size_t count);

/* As config_check_listener_tls, with whom U trusts. */
int config_check_upstream_tls(const struct config *config, struct upstream *u,
    const struct setting_lines *lines, struct config_report *report);
