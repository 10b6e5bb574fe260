/* alone.h - "workers = 0": one process that serves, without a supervisor above it. */
#pragma once
#include "gateway/config.h"
#include "gateway/log.h"
#include "gateway/sockets.h"

/* Serves CONFIG, which came from CONFIG_FILE, until SIGTERM or SIGINT and the drain that follows;
 * reloads CONFIG_FILE at SIGHUP. SOCKETS are those that are open already; they are taken, and empty
 * afterwards. Signals were held (signals_hold). Returns an exit status of sysexits.h: 0 after a
 * drain. */
int serve_alone(
    struct config *config, const char *config_file, struct sockets *sockets, struct log *log);
