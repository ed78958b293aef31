/* What the manager has to know of messages: the key that remembers what was sent. */
#ifndef TASK_MESSAGE_H
#define TASK_MESSAGE_H

#include "rouse/state.h"

/* rouse.messages: MAP, THREAD, never exported. In the recipient's thread: a message's key → the id it was sent under. */
extern const rouse_key message_key;

#endif
