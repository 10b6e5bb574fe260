/* upstream_preset.h - what suits the servers of a provider, so that nobody has to find out. */
#pragma once
#include "gateway/config_check.h"
#include "gateway/upstream.h"

/* Sets what the preset of UPSTREAM says and LINES does not. Returns 0 or ERR_NO_MEMORY. */
int upstream_preset_apply(struct upstream *upstream, const struct setting_lines *lines);
