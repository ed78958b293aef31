/* What the files of this room share. One tool a file, each with its schema beside its code; tools.c has the table. */
#ifndef TOOLS_TOOLS_H
#define TOOLS_TOOLS_H

#include "base/error.h"
#include "json/jfields.h"
#include "rouse/agent.h"

extern const rouse_tool tool_spawn_task, tool_list_tasks, tool_read_output, tool_wait_tasks, tool_cancel_task,
    tool_send_message, tool_recover_failed_messages, tool_write_task;

/* The task of that id or name, if it is the caller's thread's: another thread's task is not found (DEFECTS 23). */
int tools_find(const rouse_call *call, const char *id_or_name, rouse_task **ret_task, rouse_error *err);
/* A task as a model sees it: small whatever its result is. found: what matched in its output, or NULL. */
void tools_add_task(struct buf *out, const rouse_task *task, const rouse_found *found);
/* `,"name":"text"`. */
void tools_add_text(struct buf *out, const char *name, const char *text);

#endif
