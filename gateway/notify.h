/* notify.h - telling systemd how the service is doing (sd_notify(3)), without its library. */
#pragma once
#include <stdint.h>

/* Sends STATE, e.g. "READY=1", to the socket that NOTIFY_SOCKET names; does nothing where there is
 * none. */
void notify_send(const char *state);

/* Says that a reload begins, with the time that Type=notify-reload wants. "READY=1" ends it. */
void notify_reloading(void);

/* How often to send "WATCHDOG=1", in milliseconds: twice in the time that systemd allows. 0: it does
 * not ask this process for any. */
uint64_t notify_watchdog_ms(void);
