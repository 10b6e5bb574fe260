/* alone.h - "workers = 0": one process that serves, without a supervisor above it. */
#pragma once
#include "gateway/config.h"
#include "gateway/log.h"

/* Serves CONFIG, which came from CONFIG_FILE, until SIGTERM or SIGINT and the drain that follows;
 * reloads CONFIG_FILE at SIGHUP. Returns an exit status of sysexits.h: 0 after a drain. */
int serve_alone(struct config *config, const char *config_file, struct log *log);
