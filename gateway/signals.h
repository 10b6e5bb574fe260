/* signals.h - the signals that "popgate serve" hears, and when.
 *
 * From the moment that somebody can connect they mean what they are to mean: they are held until
 * there is a loop to hear them. */
#pragma once

enum { SIGNALS = 3 };

extern const int signal_numbers[SIGNALS]; /* SIGTERM, SIGINT, SIGHUP */

/* Has them wait, before there are threads. */
void signals_hold(void);

/* Has them come, those that have waited too. */
void signals_release(void);
