"""Deliberate bugs. Each is a few textual changes to the sources, and the tests that must notice it.

A change is (file, text, replacement); the text must stand in the file exactly once, so that a bug that no longer fits the
sources is seen. Tests are named as the runner of the integration tests names them: module -> regular expression."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Bug:
    name: str
    what: str
    changes: tuple
    tests: dict


REMOVAL, COMMIT, REPLAY = "gateway/removal.c", "gateway/commit.c", "gateway/replay.c"
LINK, MAILDROP, LOCK = "gateway/mailbox_link.c", "gateway/maildrop.c", "gateway/maildrop_lock.c"
LISTING, BOX = "gateway/listing.c", "gateway/box.c"
SUPERVISOR, RESPAWN, WORKER = "gateway/supervisor.c", "gateway/respawn.c", "gateway/command_worker.c"
MAILBOX, FETCH = "imapback/mailbox.c", "imapback/fetch.c"
CONNECTION = "gateway/connection.c"
DISPATCH = "gateway/dispatch.c"
SESSION, QUIT, RETRIEVE = "pop3front/session.c", "pop3front/session_quit.c", "pop3front/session_retrieve.c"

MATCH, FINGERPRINT, RECALL = "mapping/match.c", "mapping/fingerprint.c", "gateway/recall.c"
MATCH_KEY, VERIFIER = "mapping/match_key.c", "gateway/verifier.c"
LEDGER_WRITE, LEDGER_IMPORT = "gateway/ledger_write.c", "gateway/ledger_import.c"
POP3_CLIENT, RELAY = "gateway/pop3_client.c", "gateway/relay.c"

BUGS = [
    Bug("match-without-headers", "order and size are believed without a look at headers", (
        (MATCH, "	return fingerprint_agrees(&old->print, &new->print) ? AGREES : DIFFERS;\n", "	return AGREES;\n"),),
        {"test_uidl_import": "Commanded.test_shifted_messages_of_one_size"}),
    Bug("match-guesses", "of identical messages the first ones are paired, however many there are", (
        (MATCH_KEY, "	bool fits = olds == news && ", "	bool fits = olds <= news + 1 && news > 0 && "),
        (MATCH_KEY, "	for (size_t i = 0; i < olds && fits; i++)\n		match_pair(", "	for (size_t i = 0; i < olds && i < news && fits; i++)\n		match_pair(")),
        {"test_uidl_import": "Commanded.test_identical_messages"}),
    Bug("match-unseen", "one message as large as the one that was there is taken for it", (
        (MATCH, "all >= MATCH_UNSEEN && behind >= MATCH_UNSEEN_END;", "all + behind > 0;"),),
        {"test_ledger": "Uidvalidity.test_a_message_as_large"}),
    Bug("match-unseen-end", "the last message may have come in the place of another", (
        (MATCH, " && behind >= MATCH_UNSEEN_END;", ";"),),
        {"test_ledger": "Uidvalidity.test_the_last_one"}),
    Bug("verify-by-itself", "the UIDLs that verify looks at are none of a login", (
        (VERIFIER, "(rc = recall_complete(recall, recalled, r->snapshots[mailbox], e)) != 0)", "rc != 0)"),),
        {"test_uidl_import": "Commanded.test_verify_asks_for_attributes"}),
    Bug("verify-by-names", "whoever has the same UIDL and size is the same message", (
        (VERIFIER, "	return fingerprint_agrees(&old->print, &new->print) ? AGREES : DIFFERS;\n", "	return AGREES;\n"),),
        {"test_uidl_import": "Commanded.test_uidls_that_name_other_messages"}),
    Bug("learned-too-late", "what is learned comes behind what is shown", (
        ("gateway/learning.c", "rc = box_recall(&boxes[i], e);", "rc = box_complete(&boxes[i], e);"),),
        {"test_uidl_import": "Login.test_first_login_learns"}),
    Bug("learned-each-time", "the old server is asked at each login", (
        ("gateway/learner.c", "	return rc != 0 || *known ? rc : has_fact(l, IMPORT_DONE_NAME, known, e);\n",
         "	*known = rc != 0;\n	return rc;\n"),
        ("gateway/learning.c", "return m->found.id == 0 && m->found.before == 0 && m->found.view == 0;",
         "return m->found.id >= 0;")),
        {"test_uidl_import": "Login.test_first_login_learns"}),
    Bug("fingerprint-as-it-is", "headers that a server has folded anew, or blanks doubled in, are other headers", (
        (FINGERPRINT, "	if (is_blank(c)) {\n		r->blank = r->value_len > 0;\n		return;\n	}\n", ""),),
        {"unit": "test_fingerprint"}),
    Bug("epoch-off-by-one", "a new template rules the last message that was shown, too", (
        (RECALL, "first = found->shown + 1 > last ? found->shown + 1 : last;",
         "first = found->shown > last ? found->shown : last;"),),
        {"test_ledger": "Stable.test_rule_39"}),
    Bug("shown-before-remembered", "clients are told UIDLs that the state store learns of when they have gone", (
        ("gateway/maildrop.c", " ||\n	    (rc = remember(m, e)) != 0)\n		goto fail;", ")\n		goto fail;"),
        ("gateway/maildrop.c", "	remember_removed(m);\n	maildrop_free(m);\n",
         "	(void) remember(m, &(struct error){ 0 });\n	remember_removed(m);\n	maildrop_free(m);\n")),
        {"test_ledger": "Faults.test_rule_44_what_a_client_was_told_outlives_a_crash|Faults.test_a_failing_write"}),
    Bug("ledger-without-uidvalidity", "UIDLs are those of the same UIDs before the mailbox was made anew", (
        (RECALL, "	uint32_t uidvalidity = r->link->mailbox.uidvalidity;\n	int rc = 0;\n",
         "	uint32_t uidvalidity = r->link->mailbox.exists > 0;\n	int rc = 0;\n"),),
        {"test_ledger": "Guard.test_rule_43_a_mailbox_made_anew"}),
    Bug("ledger-without-users", "what is remembered of one user's mailbox is another user's too", (
        ("gateway/ledger_file.c", "	database_bind_text(statement, 1, key->user);\n",
         "	database_bind_text(statement, 1, key->user[0] != 0 ? \"user\" : \"\");\n"),),
        {"test_ledger": "Stable.test_users_and_mailboxes_are_told_apart"}),
    Bug("import-over-what-was-shown", "an import gives messages that a client has seen another UIDL", (
        (LEDGER_IMPORT, "	if (row->uid <= part->found.shown) {\n", "	if (row->uid < part->found.shown && part->uids == NULL) {\n"),),
        {"test_uidl_import": "Login.test_what_was_shown_stays_after_an_import"}),
    Bug("import-gives-one-twice", "an import gives a message the UIDL that another one has", (
        (LEDGER_IMPORT, "	if (!uidl_set_add(&im->taken, row->uidl)) {\n",
         "	if (!uidl_set_add(&im->taken, row->uidl) && row->uid == 0) {\n"),),
        {"unit": "test_ledger_file"}),
    Bug("import-beside-a-login", "a login that began before an import shows what was true before it", (
        (LEDGER_WRITE, "now.id != w->found.id || now.version != w->found.version", "now.id != w->found.id"),),
        {"unit": "test_ledger_file"}),
    Bug("ledger-not-on-disk", "what a client is told is remembered as soon as the disk has time", (
        (LEDGER_WRITE, "ledger_begin_writing(file, deadline, !w->durable, e)", "ledger_begin_writing(file, deadline, true, e)"),),
        {"unit": "test_ledger_write"}),
    Bug("import-without-a-view", "what clients saw at the old server is not remembered", (
        (LEDGER_IMPORT, "found.id != 0 || found.view != 0 || count == 0", "found.id != 0 || found.view != 0 || count > 0"),),
        {"test_uidl_import": "Login.test_guard_stops_a_login"}),
    Bug("guard-the-wrong-way", "the guard stops those who miss little", (
        (RECALL, "c->missing * 100 > (uint64_t) upstream", "c->missing * 100 < (uint64_t) upstream"),),
        {"test_ledger": "Guard"}),
    Bug("guard-counts-only", "as many messages as before are the same messages to the guard", (
        (RECALL, "		c->missing += !uidl_set_contains(&c->now, c->seen.items[i].uidl);\n",
         "		c->missing += i >= parts[0].count;\n"),),
        {"test_ledger": "Guard.test_rule_43_a_mailbox_made_anew"}),
    Bug("guard-approved-for-ever", "who was let through by the guard once is never looked at again", (
        (LEDGER_WRITE, " ||\n	    (rc = run_about(file, LEDGER_DROP_GUARD, w->account, e)) != 0)", ")"),),
        {"test_ledger": "Guard.test_rule_43_a_mailbox_made_anew"}),
    Bug("verify-is-content", "verify ends with 0 whatever it finds", (
        ("gateway/uidl_verify.c", "		return EXIT_UNSAFE;\n", "		return 0;\n"),),
        {"test_uidl_import": "Commanded.test_a_message_that_was_not_copied|Login.test_verify_against"}),
    Bug("tried-whatever-happened", "the next server is shown the password although the first did not reject it", (
        (DISPATCH, "i < w->count && rc == ERR_AUTH; i++", "i < w->count && rc != 0; i++"),),
        {"test_routing": "Order.test_a_server_that_is_down"}),
    Bug("winner-forgotten", "which server let a user in is not remembered", (
        (DISPATCH, "	if (rc == 0 && w->route->auth_http == NULL)\n", "	if (rc == 0 && w->count == 0)\n"),),
        {"test_routing": "Order.test_rejected_by_one"}),
    Bug("winner-of-a-process", "which server let a user in is remembered as long as the worker lives", (
        ("gateway/preference.c", "	if (p->ledger == NULL || p->store == PREFERENCE_FAILED ||\n",
         "	if (p->ledger != NULL || p->store == PREFERENCE_FAILED ||\n"),),
        {"test_routing": "Order.test_the_winner_outlives"}),
    Bug("yes-for-another-user", "what auth_http said of one user is believed of others with that password", (
        ("gateway/auth_http.c", "		{ c->user, strlen(c->user) },\n", ""),),
        {"test_routing_tables": "Http.test_a_yes_is_remembered"}),
    Bug("yes-for-another-address", "what auth_http said to a client is believed of clients elsewhere", (
        ("gateway/auth_http.c", "		{ q->client, strlen(q->client) },\n", ""),),
        {"test_routing_tables": "Http.test_a_yes_is_for_one_address"}),
    Bug("service-chooses-anything", "auth_http may send a password to any address", (
        ("gateway/way.c", "	if (!is_allowed(w->route, reply->server) ||\n", "	if (!is_allowed(w->route, reply->server) > 1 ||\n"),),
        {"test_routing_tables": "Http.test_it_cannot_choose_anything_else"}),
    Bug("state-guessed", "where the state store cannot be read users have moved", (
        (DISPATCH, "&state, &source, e)) != 0)\n		return rc;\n", "&state, &source, e)) != 0)\n		return 0;\n"),),
        {"test_user_states": "test_a_state_store_that_cannot_be_read"}),
    Bug("deletion-in-the-first-mailbox", "what was marked in a further mailbox is removed from the first", (
        (COMMIT, "mailbox_link_turn(c->link, c->maildrop.mailbox, uidvalidity_of(c), e)",
         "mailbox_link_turn(c->link, \"INBOX\", snapshot_uidvalidity(c->snapshot, 0), e)"),),
        {"test_mailboxes": "OnRealServers.test_rule_14"}),
    Bug("relay-goes-on-without-tls", "an old server that refuses STLS gets the password in the clear", (
        (POP3_CLIENT, '		return refused(client, "STLS", ERR_TLS, e);\n', "		return 0;\n"),),
        {"test_passed_on": "TlsCare.test_stls_refused"}),
    Bug("relay-believes-what-came-before-tls", "octets behind the answer to STLS are an answer within TLS", (
        (POP3_CLIENT, "	if (client->begin < client->end)\n		return fail(client, e, ERR_PROTOCOL, \"octets behind the answer to STLS\");\n", ""),
        (POP3_CLIENT, "taken for the answer. */\n	if (!client->dead && client->begin < client->end)\n",
         "taken for the answer. */\n	if (!client->dead && client->begin > client->end)\n")),
        {"test_passed_on": "TlsCare.test_octets_behind_stls"}),
    Bug("relay-ends-in-order", "a session that the old server has cut ends as if it were complete", (
        (RELAY, "	r->passage->must_abort = !negative;\n", "	r->passage->must_abort = false;\n"),),
        {"test_passed_on": "ScriptedServer.test_rule_32_a_cut_is_a_reset"}),
    Bug("learned-afterwards", "the old server is asked when the new one is listed", (
        (MAILDROP, "(rc = learning_consider(&m->learning, box, e)) != 0 ||\n	    (rc = box_list(box, e)) != 0)",
         "(rc = box_list(box, e)) != 0 ||\n	    (rc = learning_consider(&m->learning, box, e)) != 0)"),),
        {"test_uidl_lists": "Beside.test_neither_server_waits"}),
    Bug("pairs-in-the-wrong-mailbox", "what is matched is written to the first mailbox, whichever has it", (
        ("gateway/pairing.c", "filled[count] = parts[i];", "filled[count] = parts[0];"),),
        {"test_uidl_lists": "Lists.test_import_is_seen"}),
    Bug("plain-expunge", "EXPUNGE instead of UID EXPUNGE", (
        (MAILBOX, 'return on_set(imap, "EXPUNGE", "UID EXPUNGE ", ranges, count, "", e);',
         'return on_set(imap, "EXPUNGE", "EXPUNGE", ranges, count * 0, "", e);'),),
        {"test_deletion": "OthersFlags.test_with_uidplus_only_ours_go"}),
    Bug("ok-before-expunge", "QUIT is answered before anything is removed", (
        (QUIT, "	rc = s->backend->commit(",
         '	session_reply(s, "+OK bye");\n	session_flush(s);\n	rc = s->backend->commit('),
        (QUIT, "	if (rc == 0 || marked == 0)\n", "	if (s != NULL)\n		return session_end(s, POP3_END_QUIT);\n"
               "	if (rc == 0 || marked == 0)\n")),
        {"test_deletion": "Procedure.test_(server_that_removes_only_some|refused_expunge)"}),
    Bug("ok-whatever-happened", "QUIT is answered +OK although messages are left", (
        (QUIT, "	if (rc == 0 || marked == 0)\n", "	if (rc == 0 || marked != result->remaining + 1)\n"),),
        {"test_deletion": "Procedure.test_(server_that_removes_only_some|refused_expunge)"}),
    Bug("no-verification", "the server's OK to the expunge is believed", (
        (REMOVAL, "(rc = look_among(r, ours, &look, remaining, e)) != 0)", "(look.found = remaining) == NULL)"),),
        {"test_deletion": "Procedure.test_server_that_(says_ok_and_removes_nothing|removes_only_some)"}),
    Bug("sequence-numbers-stored", "STORE without UID", (
        (MAILBOX, 'return on_set(imap, "STORE", "UID STORE ", ranges, count, after, e);\n}\n\n/* Keywords',
         'return on_set(imap, "STORE", "STORE ", ranges, count, after, e);\n}\n\n/* Keywords'),),
        {"test_deletion": "OnRealServers.test_rule_08_numbers_hold"}),
    Bug("sequence-numbers-fetched", "a message is asked for by its number instead of its UID", (
        (FETCH, '"UID FETCH %" PRIu32 " (UID BODY.PEEK[])", uid', '"FETCH %" PRIu32 " (UID BODY.PEEK[])", uid'),),
        {"test_deletion": "LostUpstream.test_rule_34_retr_and_top"}),
    Bug("across-uidvalidity", "a new connection is used although UIDVALIDITY is another one", (
        (LINK, "if (mailbox.uidvalidity != link->mailbox.uidvalidity) {", "if (mailbox.uidvalidity == 0) {"),),
        {"test_deletion": "LostUpstream.test_rule_10"}),
    Bug("dot-after-a-cut", "a message that was cut ends with the final dot", (
        (RETRIEVE, "	if (t->started) {\n		snapshot_set_broken",
         "	if (t->started && number > 0) {\n		transfer_finish(t);\n"
         "		return session_end(s, POP3_END_CUT);\n	}\n"
         "	if (t->started) {\n		snapshot_set_broken"),),
        {"test_hostile_upstream": "test_rule_32_cut_body_has_no_final_dot"}),
    Bug("message-begun-twice", "a cut message is begun anew behind what the client has of it", (
        ("gateway/retrieval.c", "if (!was_lost && !watched.begun && ", "if (!was_lost && "),),
        {"test_hostile_upstream": "test_rule_32_what_has_begun_is_not_begun_again"}),
    Bug("short-message", "a message of fewer octets than announced is complete", (
        (RETRIEVE, "	if (rc == 0 && (!t.started || t.received != t.announced))\n", "	if (rc == 0 && !t.started)\n"),),
        {"unit": "test_session_faults"}),
    Bug("dele-at-once", "DELE removes instead of waiting for QUIT", (
        ("pop3front/session_transaction.c", '	return session_reply(s, "+OK message marked");',
         "	if (s->backend->commit(s->maildrop.handle, &s->report->deleted, &s->report->error) != 0)\n"
         '		return session_reply(s, "-ERR");\n	return session_reply(s, "+OK message marked");'),),
        {"test_deletion": "Procedure.test_rule_16"}),
    Bug("deletion-without-quit", "a client that vanishes has its marked messages removed", (
        (SESSION, "	case ERR_CLOSED:\n		return session_end(s, POP3_END_CLIENT_CLOSED);\n	default:",
         "	case ERR_CLOSED:\n		if (s->state == SESSION_TRANSACTION)\n"
         "			(void) s->backend->commit(s->maildrop.handle, &s->report->deleted, &s->report->error);\n"
         "		return session_end(s, POP3_END_CLIENT_CLOSED);\n	default:"),),
        {"test_deletion": "OnRealServers.test_rule_16_no_quit_no_deletion"}),
    Bug("lifted-flags-lost", "others' \\Deleted, taken off for a moment, is not set again", (
        (REMOVAL, "	if (r->lifted.count == 0)\n		return 0;",
         "	uidset_clear(&r->lifted);\n	if (r->lifted.count == 0)\n		return 0;"),),
        {"test_deletion": "test_without_uidplus_lift|LiftCut|test_lift_refused"}),
    Bug("lift-not-in-the-journal", "others' \\Deleted is taken off without the journal knowing", (
        (REMOVAL, "	if (r->journal != NULL &&\n	    (rc = journal_change(r->journal, r->entry, r->task, foreign, e)) != 0)",
         "	if (r->journal == NULL &&\n	    (rc = journal_change(r->journal, r->entry, r->task, foreign, e)) != 0)"),),
        {"test_journal": "test_flags_of_others_survive_a_crash"}),
    Bug("others-expunged", "a bare EXPUNGE although others have flagged messages too", (
        ("mapping/deletion.c", "	else if (foreign->count == 0)\n", "	else if (foreign->count == 0 || policy == DELETION_LEAVE)\n"),),
        {"test_deletion": "OthersFlags.test_(without_uidplus_leave|flag_that_comes)"}),
    Bug("others-flags-taken-back", "a failed deletion takes \\Deleted off what had it before", (
        (REMOVAL, "uidset_subtract(set, r->keyword == NULL ? r->flagged_before : &none, &ours)",
         "uidset_add_set(&ours, none.count == 0 ? set : &none)"),),
        {"test_deletion": "test_refused_expunge_leaves_flags_of_others"}),
    Bug("flags-not-taken-back", "messages stay flagged after a failed expunge", (
        (COMMIT, "		take_back(c, r, &begun, how);\n", "		leave_for_later(c, r, &begun, how), note_undo(c, r);\n"),),
        {"test_deletion": "Procedure.test_refused_expunge_takes_our_flags_back"}),
    Bug("lock-not-freed", "the maildrop's lock stays when its session has ended", (
        (LOCK, "		return;\n	close(lock->file);\n	free(lock);\n", "		return;\n	free(lock);\n"),),
        {"test_sessions": "Locks.test_rule_20_lock_ends_with_a_reset_connection|test_rule_07_survivors"}),
    Bug("lock-not-taken", "two sessions have one maildrop", (
        (LOCK, "fcntl(lock->file, F_OFD_SETLK, &octet) == 0", "lock->file >= 0 && octet.l_len == 1"),),
        {"test_sessions": "Locks.test_rule_20_second_session_is_told_in_use"}),
    Bug("store-not-checked", "what the server says to STORE does not matter", (
        (REMOVAL, "	    (rc = mark_batch(r, batch, &change, e)) != 0)\n",
         "	    mark_batch(r, batch, &change, e) == ERR_CANCELLED)\n"),),
        {"test_deletion": "Procedure.test_refused_store_means_no_expunge"}),
    Bug("read-only-not-refused", "DELE is accepted where nothing can be deleted", (
        (REMOVAL, "	return mailbox->deleted_permanent;\n", "	return mailbox != NULL;\n"),),
        {"test_deletion": "ReadOnly"}),
    Bug("first-dot-not-stuffed", "a dot at the very beginning of a message is not doubled", (
        ("pop3front/dotstuff.c", "		.line_start = 1,\n", "		.line_start = 0,\n"),),
        {"unit": "test_dotstuff", "test_corpus": "test_rule_05_irregular_messages_as_they_are"}),
    Bug("clean-end-after-a-cut", "TLS is closed in order behind a message that was cut", (
        ("fiberio/stream.c", "	stream_tls_end(s, false);\n", "	stream_tls_end(s, true);\n"),),
        {"test_deadlines": "test_rule_32_no_close_notify_behind_a_cut_message"}),
    Bug("intent-after-store", "the journal is written when the server has been told already", (
        (COMMIT, "	if ((rc = write_intent(c, ours, how, &r.entry, e)) != 0)\n		return rc;\n"
                 "	rc = removal_run(&r, ours, &remaining, e);\n",
         "	rc = removal_run(&r, ours, &remaining, e);\n	(void) write_intent(c, ours, how, &r.entry, e);\n"),),
        {"test_journal": "test_flagged_messages_of_an_unanswered_quit_go|test_journal_that_cannot_be_written"}),
    Bug("entry-not-ended", "a finished deletion stays in the journal", (
        (COMMIT, "		rc = journal_end(c->journal, id, &e);\n", "		rc = (int) (id - id);\n"),),
        {"test_journal": "test_flags_that_could_not_be_taken_back|test_a_finished_deletion_leaves_no_entry"}),
    Bug("replay-across-uidvalidity", "the journal is worked off although UIDVALIDITY is another one", (
        (REPLAY, "	if (p->entry->uidvalidity != p->link->mailbox.uidvalidity) {\n", "	if (p->entry == NULL) {\n"),),
        {"test_journal": "test_rule_10_not_with_another_uidvalidity"}),
    Bug("entry-of-another-mailbox", "what is to be taken back is noted under the UIDVALIDITY of a new mailbox", (
        (LINK, "	if (mailbox.uidvalidity != link->mailbox.uidvalidity) {\n",
         "	if (mailbox.uidvalidity != link->mailbox.uidvalidity) {\n		link->mailbox = mailbox;\n"),
        (COMMIT, ".uidvalidity = uidvalidity_of(c),", ".uidvalidity = c->link->mailbox.uidvalidity,")),
        {"test_journal": "test_rule_10_flags_are_not_taken_back_from_another_mailbox"}),
    Bug("replay-for-ever", "what a server breaks over is tried again at every login", (
        (REPLAY, "	if ((rc = change_task(p, JOURNAL_UNDO, e)) != 0)\n		return rc;\n", "	rc = 0;\n"),),
        {"test_journal": "test_a_server_that_breaks_over_it_locks_nobody_out"}),
    Bug("late-without-limit", "flags are taken for late ones however late they come", (
        (REPLAY, "p->entry->task != JOURNAL_LATE || is_young(p->entry)", "p->entry->task != JOURNAL_LATE || p->entry->id > 0"),),
        {"test_journal": "test_rule_18_flags_that_come_much_later"}),
    Bug("replay-of-what-is-not-flagged", "the journal removes messages whose flag somebody took off", (
        (REPLAY, "removal_look(&p->removal, &entry->ours, true, &flagged, e)", "uidset_add_set(&flagged, &entry->ours)"),),
        {"test_journal": "test_who_took_a_flag_off_meanwhile_keeps_the_message"}),
    Bug("selected-mailbox", "what is wanted of one mailbox is asked of the one that is selected", (
        (LINK, "link->is_selected && strcmp(link->mailbox_name, name) == 0;", "link->is_selected;"),),
        {"test_mailboxes": "OnRealServers.test_rule_(8|14)"}),
    Bug("marks-of-all-mailboxes", "what is marked in one mailbox is removed from all", (
        ("mapping/snapshot.c", "if (s->messages[i].deleted && s->messages[i].part == part)", "if (s->messages[i].deleted)"),),
        {"test_mailboxes": "OnRealServers.test_rule_14"}),
    Bug("uidls-that-meet", "messages of two mailboxes have the same UIDL", (
        ("gateway/part_name.c", "	if (part == 0)\n		return 0;\n", "	if (n != NULL)\n		return 0;\n"),),
        {"test_mailboxes": "OnRealServers.test_rule_7"}),
    Bug("left-out-for-now", "a mailbox that cannot be opened just now seems empty", (
        ("gateway/part_name.c", "	return code == ERR_PERMANENT || !there;", "	return code != 0;"),),
        {"test_mailboxes": "Scripted.test_the_server_cannot_be_had"}),
    Bug("index-without-flags", "a kept listing is shown without asking who is flagged", (
        (LISTING, "(rc = imap_search_deleted(imap, &r->deleted, e)) != 0", "imap == NULL"),),
        {"test_index": "test_rule_8_dovecot|test_flags_are_asked_for|test_unchanged"}),
    Bug("index-without-search", "a kept listing is shown without asking what has gone", (
        (LISTING, "{ .all_there = is_without_gaps(r) };", "{ .all_there = is_without_gaps(r) || !*done };"),
        (LISTING, "!r->writer.failed && r->writer.count == mailbox_of(r)->exists;", "!r->writer.failed;")),
        {"test_index": "test_rule_8_dovecot|test_shrunk"}),
    Bug("index-uncounted", "what a kept listing comes to is not counted", (
        (LISTING, "!r->writer.failed && r->writer.count == mailbox_of(r)->exists;", "!r->writer.failed;"),),
        {"test_index": "test_contradictions"}),
    Bug("index-of-another-time", "a kept listing is used although UIDVALIDITY is another one", (
        (LISTING, "mailbox->exists > 0 && head->uidvalidity == mailbox->uidvalidity &&",
         "mailbox->exists > 0 && head->uidvalidity != 0 &&"),),
        {"test_index": "test_another_uidvalidity"}),
    Bug("index-of-another-user", "a kept listing is used whoever it belongs to", (
        (LISTING, "	       head->owner == l->place.owner &&\n", ""),),
        {"test_index": "test_index_of_somebody_else"}),
    Bug("census-of-the-dead", "sessions of a dead worker are counted for ever", (
        (SUPERVISOR, "census_remove_worker(s->census, child->number)", "child->number"),),
        {"test_workers": "test_a_killed_worker"}),
    Bug("census-of-its-own", "each worker counts for itself", (
        (WORKER, "	if (attach(employee, message, &census, &gatekeeper) != 0)\n		return EX_OSERR;\n",
         "	if (attach(employee, message, &census, &gatekeeper) != 0)\n		return EX_OSERR;\n	census_free(census);\n"
         "	if (census_new(&config->limits, &census, NULL) != 0)\n		return EX_OSERR;\n"),),
        {"test_workers": "test_sessions_of_an_address|test_sessions_of_a_user"}),
    Bug("respawn-at-once", "a worker that dies at once is started in a loop", (
        (RESPAWN, "respawn->early_ends <= 1 ||", "respawn->early_ends <= 1000 ||"),),
        {"test_workers": "test_who_dies_at_once"}),
    Bug("orphans-serve", "workers go on without their supervisor", (
        (WORKER, 'worker stops", NULL);\n	worker_drain(employee->worker);', 'worker stops", NULL);'),),
        {"test_workers": "test_the_supervisor_takes_all_with_it"}),
    Bug("any-password", "a kept connection is taken by whatever password", (
        ("gateway/reuse.c", "if (slot == NULL || !reuse_slot_is(slot, key))", "if (slot == NULL)"),),
        {"test_reuse": "Reuse.test_another_password"}),
    Bug("any-user", "a kept connection is anybody's", (
        ("gateway/reuse_table.c", "rc = hash(table, text, head + user_len, out->user)",
         "rc = hash(table, text, 1, out->user)"),
        ("gateway/reuse.c", "if (slot == NULL || !reuse_slot_is(slot, key))", "if (slot == NULL)")),
        {"test_reuse": "Reuse.test_another_user"}),
    Bug("close-instead-of-unselect", "a mailbox is left by CLOSE, which expunges", (
        ("imapback/kept.c", 'imap_foresee(imap, "UNSELECT");', 'imap_foresee(imap, "CLOSE");'),),
        {"test_reuse": "Reuse.test_messages_flagged_by_others_stay"}),
    Bug("kept-over-a-reload", "connections of the old configuration stay", (
        ("gateway/reuse.c", "(changed ? 0 : most)", "(changed ? most : most)"),),
        {"test_reuse": "Reuse.test_reload_ends_it"}),
    Bug("kept-with-the-old-password", "a login by a new password leaves the connection of the old one", (
        (LINK, "		if (link->has_key)\n			reuse_supersede(", "		if (false)\n			reuse_supersede("),),
        {"test_reuse": "Reuse.test_a_new_password"}),
    Bug("kept-for-another-name", "a TLS session is used whatever name it was verified for", (
        ("fiberio/tls_sessions.c", "if (strcmp(sessions->kept[at - 1].name, name) == 0)", "if (name != NULL)"),),
        {"unit": "test_tls_sessions"}),
    Bug("verified-for-ever", "renewed tickets keep a verification alive", (
        ("fiberio/tls_sessions.c", "now() - s->verified < VERIFIED_SECONDS && ", ""),),
        {"unit": "test_tls_sessions"}),
    Bug("pin-not-looked-at", "the key of a server may be any, whatever is pinned", (
        ("fiberio/tls_client.c", "	    !is_pinned(client, X509_STORE_CTX_get0_cert(ctx))) {",
         "	    !is_pinned(client, X509_STORE_CTX_get0_cert(ctx)) && ctx == NULL) {"),),
        {"test_hostile_upstream": "(Certificates|StartTls).test_t14_pinned_key"}),
    Bug("pin-instead-of-chain", "a pinned key need not be certified", (
        ("fiberio/tls_client.c", "client->trust == TLS_TRUST_CHAIN && X509_verify_cert(ctx) != 1",
         "client->pin_count == 0 && X509_verify_cert(ctx) != 1"),),
        {"test_hostile_upstream": "Certificates.test_t14_bad_certificates_with_a_pinned_key"}),
    Bug("fence-without-networks", "old TLS for everybody", (
        ("gateway/legacy.c", "network_list_contains(&l->legacy_networks, peer)", "(peer != NULL)"),),
        {"unit": "test_legacy", "test_tls": "Legacy.test_others_are_refused"}),
    Bug("fence-without-end", "old TLS for ever", (
        ("gateway/legacy.c", "(uint64_t) now / DAY > until", "(uint64_t) now / DAY > until + until"),),
        {"unit": "test_legacy|test_listeners"}),
    Bug("ticket-keys-stay", "an old ticket key is not overwritten", (
        ("fiberio/tls_tickets.c", "	OPENSSL_cleanse(&tickets->keys[(generation + 2) % TLS_TICKET_SLOTS], sizeof(*next));\n", ""),),
        {"unit": "test_tls_tickets"}),
    Bug("tickets-for-other-terms", "a session of one listener is resumed at a stricter one", (
        ("fiberio/tls_server.c", "	EVP_MD_CTX_free(md);\n	return good ?",
         "	EVP_MD_CTX_free(md);\n	SSL_CTX_set_session_id_context(context, digest, 0);\n	return good ?"),),
        {"unit": "test_tls_tickets", "test_tls": "Front.test_a_ticket_is_not_for_other_terms"}),
    Bug("old-staple", "an OCSP response is sent for ever", (
        ("fiberio/tls_server.c", " || time(NULL) >= staple->until ||", " ||"),),
        {"unit": "test_tls_staple"}),
    Bug("names-without-choice", "everybody is shown the first certificate", (
        ("fiberio/tls_server.c", "return name != NULL && choose(", "return name == NULL && choose("),),
        {"test_tls": "Front.test_certificates_by_name"}),
    Bug("tickets-of-each-worker", "a session can be resumed at the worker only where it began", (
        ("gateway/command_worker.c", "	task.tickets = ticket_keys_tickets(employee->ticket_keys);\n	status =",
         "	static struct tls_tickets own;\n	tls_tickets_rotate(&own);\n	task.tickets = &own;\n	status ="),),
        {"test_workers": "Sharing.test_a_tls_session_is_resumed_at_another_worker"}),
    Bug("first-file-only", "workers have the first file only of a list in their sandbox", (
        ("gateway/sandbox.c", "i < files->count; i++", "i < 1 && i < files->count; i++"),),
        {"unit": "test_sandbox"}),
    Bug("socket-outlives-its-day", "the supervisor goes on listening for old devices", (
        ("gateway/sockets.c", "if (sockets->until[i] != 0 &&", "if (sockets->until[i] == 1 &&"),),
        {"unit": "test_listeners"}),
    Bug("ticket-for-a-certificate", "who has a ticket needs no client certificate", (
        ("fiberio/tls_server.c", "	SSL_CTX_set_options(server->context, SSL_OP_NO_TICKET);\n	SSL_CTX_set_num_tickets(server->context, 0);\n",
         ""),),
        {"unit": "test_tls_tickets"}),
    Bug("time-shows-the-user", "a login that fails takes a moment longer where the server says that it was the password", (
        (DISPATCH, "	if ((rc = d->backend->open(&d->maildrop, &there, out, e)) != 0)\n		return rc;\n",
         "	if ((rc = d->backend->open(&d->maildrop, &there, out, e)) != 0) {\n"
         "		if (rc == ERR_AUTH && strstr(e->text, \"password\") != NULL)\n			(void) fiber_sleep(20);\n"
         "		return rc;\n	}\n"),),
        {"test_guessing": "Timing.test_t4_what_the_gateway_adds"}),
    Bug("time-shows-the-name", "names that are not allowed are answered by no schedule", (
        (DISPATCH, "	gatekeeper_refuse(\n	    d->gatekeeper, &d->visit, &d->maildrop.client->client, &target, user);\n",
         "	(void) user, (void) target;\n"),),
        {"test_guessing": "Timing.test_t4_the_schedule"}),
    Bug("any-number-of-handshakes", "an address may connect as often as it likes", (
        (CONNECTION, "	if (!proxied && !census_arrive(", "	if (proxied && !census_arrive("),),
        {"test_tls": "Front.test_t23_handshakes_of_one_address"}),
    Bug("proxied-handshakes", "an address may connect as often as it likes through a proxy", (
        (CONNECTION, "	if (!census_arrive(c->worker->census,", "	if (c->tls == NULL && !census_arrive(c->worker->census,"),),
        {"test_proxy": "test_rate_by_the_client"}),
]
