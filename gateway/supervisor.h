/* supervisor.h - the process above the workers. It serves nobody itself.
 *
 * It binds the listening sockets and keeps them, starts the workers, starts those anew that end,
 * hands new configurations down, and talks to systemd. A worker that dies loses its own sessions
 * and nothing else; a supervisor that dies takes all workers with it. */
#pragma once
#include <stddef.h>

#include "gateway/config.h"
#include "gateway/log.h"
#include "gateway/sockets.h"

/* Has CONFIG served, which was loaded from TEXT (LEN octets), the content of CONFIG_FILE, until
 * SIGTERM or SIGINT and the drain that follows; reloads CONFIG_FILE at SIGHUP. SOCKETS are those
 * that are open already; they are taken, and empty afterwards. Signals were held (signals_hold).
 * Returns an exit status of sysexits.h: 0 after a drain. */
int supervisor_run(struct config *config, const char *text, size_t len, const char *config_file,
    struct sockets *sockets, struct log *log);
