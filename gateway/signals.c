/* signals.c - see signals.h. */
#include "gateway/signals.h"

#include <signal.h>
#include <stddef.h>

const int signal_numbers[SIGNALS] = { SIGTERM, SIGINT, SIGHUP };

static void
change_mask(int how)
{
	sigset_t ours;

	sigemptyset(&ours);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaddset(&ours, signal_numbers[i]);
	sigprocmask(how, &ours, NULL);
}

void
signals_hold(void)
{
	change_mask(SIG_BLOCK);
}

void
signals_release(void)
{
	change_mask(SIG_UNBLOCK);
}
