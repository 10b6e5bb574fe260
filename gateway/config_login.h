/* config_login.h - what the settings about logging in lead to: names, mechanisms, masters,
 * certificates of clients. A part of config_check.h. */
#pragma once
#include "gateway/config_check.h"

/* Reads the characters that user names may have. */
void config_check_names(
    struct config *config, const struct setting_lines *lines, struct config_report *report);

/* Makes the TLS side of L ask for certificates. Returns 0 or ERR_NO_MEMORY. */
int config_check_client_certificates(
    struct config_listener *l, const struct setting_lines *lines, struct config_report *report);

/* Judges the ways to log in, and reads the master's password where CONFIG is no outline. Returns 0 or
 * ERR_NO_MEMORY. */
int config_check_logins(const struct config *config, struct upstream *u,
    const struct setting_lines *lines, struct config_report *report);

/* What listeners and upstreams say about each other. */
void config_check_external(
    const struct config *config, const struct config_lines *lines, struct config_report *report);
