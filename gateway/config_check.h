/* config_check.h - what one setting says about another, and what the settings lead to: the second
 * half of loading. */
#pragma once
#include "gateway/config.h"
#include "gateway/settings.h"

/* Where the settings of one block were made; 0: not in the file. */
struct setting_lines {
	unsigned begin;		   /* the block's first line; 0 for the global settings */
	unsigned at[SETTINGS_MAX]; /* by index in the table of settings */
};

/* The same for all blocks, in the order of struct config. */
struct config_lines {
	struct setting_lines global;
	struct setting_lines *listeners;
	struct setting_lines *upstreams;
	struct setting_lines *routes;
};

/* The line where setting NAME of BLOCK was made; 0: it was not. */
unsigned line_of(const struct setting_lines *lines, enum setting_block block, const char *name);

/* As line_of, or else the line of the block. */
unsigned line_near(const struct setting_lines *lines, enum setting_block block, const char *name);

/* Adds what follows from other settings, loads certificates and trusted roots, and reports what
 * does not fit together. Returns 0 or ERR_NO_MEMORY; faults are in REPORT. */
int config_check(
    struct config *config, const struct config_lines *lines, struct config_report *report);

/* NAMES, set in LINE, are written as popgate knows them, and reported where they are too many or one is
 * there twice: a mailbox that is shown twice would be locked twice. */
void config_check_mailboxes(
    const struct text_list *names, unsigned line, struct config_report *report);
