/* Every maximum of rouse. Whatever can grow is held against one of these, with ROUSE_ELIMIT and a message that names the
 * limit when it is passed. Sizes in bytes, times in milliseconds. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define LIMIT_TEXT (64u << 20)          /* any text built in memory */
#define LIMIT_JSON (16u << 20)          /* a JSON document given by somebody else */
#define LIMIT_JSON_DEPTH 127            /* nested arrays and objects, as the seed's decoder allows */
#define LIMIT_IMPORT (256u << 20)       /* a document for `rouse import` */
#define LIMIT_THREAD_NAME 256
#define LIMIT_ENTRY_NAME 256            /* the name of an entry of a MAP key */
#define LIMIT_TASK_NUMBER (INT64_MAX - 1) /* of the id bg_<n>: stores count in 64 bits with sign. DEFECTS 32 */
#define LIMIT_TASK_NAME 64              /* DEFECTS 15 */
#define LIMIT_TASK_ID 24                /* "bg_" + a 64-bit number */
#define LIMIT_DESCRIPTION 4096
#define LIMIT_ERROR_TEXT 4096
#define LIMIT_RESULT (8u << 20)
#define LIMIT_RESULT_DEPTH (LIMIT_JSON_DEPTH - 5) /* so that an exported document can be read back. DEFECTS 27 */
#define LIMIT_ARGC 4096
#define LIMIT_ARGV_BYTES (1u << 20)
#define LIMIT_LINEAGE_ID 256
#define LIMIT_TASKS_PER_CALL 1024       /* ids in one wait or cancel */
#define LIMIT_CALL_TASKS 256            /* defaults of rouse_limits: of a thread when a model's tool call starts one, */
#define LIMIT_CHILDREN 1000             /* of one parent, */
#define LIMIT_DEPTH 16                  /* how deep, */
#define LIMIT_TREE 5000                 /* and of what one task started, those below them included */
#define LIMIT_FUNCTIONS 1024            /* registered with one manager */
#define LIMIT_POOL 256                  /* threads of one pool */
#define LIMIT_AFTER 64                  /* tasks that one waits for */
#define LIMIT_DEPENDENTS 1000           /* tasks that wait for one */
#define LIMIT_LABELS 32
#define LIMIT_LABEL 256
#define LIMIT_ATTEMPTS 1000
#define LIMIT_LOST_ATTEMPTS 10          /* a function whose runtime died so often is not begun again */
#define LIMIT_BACKOFF_MS 1000           /* default first wait for a second attempt */
#define LIMIT_BACKOFF_MAX_MS 300000     /* and the longest */
#define LIMIT_DELAY_MS (100ull * 365 * 86400000) /* a hundred years */
#define LIMIT_SERIES_MS 10              /* shortest time between two firings */
#define LIMIT_CUSTOM_EVENTS 10000       /* sent by one task */
#define LIMIT_MANY 1000                 /* tasks started or ended in one transaction */
#define LIMIT_LIST 10000                /* rows of one page */
#define LIMIT_NUMBERS 10000             /* task numbers taken by one commit */
#define LIMIT_MARK_MS (30ull * 86400000) /* idempotency keys, receipts and cancelled runs are kept so long, then a prune forgets them */
#define LIMIT_PRUNE 1000                /* entries removed by one call */
#define LIMIT_KEEPING 8                 /* entries that a commit removes to keep the store's own limits */
#define LIMIT_KEEPING_LOOK 64           /* entries that it looks at for that */
#define LIMIT_GROUP 64                  /* commits of one handle that are one transaction */
#define LIMIT_LATE 256             /* tasks of a thread and key that a SQLite store has still to count */
#define LIMIT_VIEW 1500                 /* default byte budget of the prompt's task view */
#define LIMIT_EVENT_TEXT 4096           /* an event's text in the prompt */
#define LIMIT_OUTPUT_HEAD (256u << 10)  /* output kept from the beginning, per task */
#define LIMIT_OUTPUT_SEGMENT (1u << 20) /* one piece of the kept tail */
#define LIMIT_OUTPUT_SEGMENTS 8         /* pieces of the kept tail */
#define LIMIT_OUTPUT_TAIL (LIMIT_OUTPUT_SEGMENT * LIMIT_OUTPUT_SEGMENTS)
#define LIMIT_STORE_OUTPUT (2ull << 30) /* output of ended tasks kept in a store, by default */
#define LIMIT_OUTPUT_PART (1ull << 30)  /* what a task may ask to be kept of its beginning, and of its end */
#define LIMIT_SECONDS (100ll * 366 * 86400)
#define LIMIT_WRITABLE 64               /* writable paths of a sandbox */
#define LIMIT_DROPS 64                  /* tasks whose output one start or ending drops, when it is more */
#define LIMIT_OUTPUT_READ (64u << 10)   /* one read_output answer */
#define LIMIT_RESULT_TAIL 600           /* output repeated in a process task's result */
#define LIMIT_LINE 4096                 /* bytes of a line that a pattern is matched against */
#define LIMIT_GRACE_MS 5000             /* default time between TERM and KILL */
#define LIMIT_MESSAGE_TEXT (64u << 10)  /* a message from one agent to another */
#define LIMIT_UNREAD 1000               /* events an inbox may hold unread and still get messages. DEFECTS 33 */
#define LIMIT_PROMPT (1u << 20)         /* one message of a user */
#define LIMIT_INJECTED (64u << 10)      /* what one plugin puts behind a request */
#define LIMIT_ROUNDS 100                /* default number of model calls in one go */
#define LIMIT_ACKED_EVENTS 1000         /* acknowledged events that a store in memory keeps */
#define LIMIT_INBOX_BATCH 256           /* events taken in by one commit */
#define LIMIT_TOOLS 256                 /* tools of one agent */
#define LIMIT_TOOL_CALLS 64             /* tool calls in one reply */
#define LIMIT_MODELS 8                  /* asked in turn until one answers */
#define LIMIT_MODEL_ATTEMPTS 100        /* times one server is asked the same */
#define LIMIT_RETRY_MS 30000            /* longest pause between two of them, unless the server asks for more … */
#define LIMIT_RETRY_AFTER_MS 120000     /* … but no more than this */
#define LIMIT_TOOL_RESULT (256u << 10)  /* what a model reads of one tool call */
#define LIMIT_TOOL_ARGUMENTS (1u << 20)
#define LIMIT_REPLY (8u << 20)          /* text of one reply */
#define LIMIT_SSE_EVENT (4u << 20)      /* one event of a stream */
#define LIMIT_HTTP_BODY (32u << 20)     /* one answer of a model server */
#define LIMIT_SCRIPT (4u << 20)
#define LIMIT_GRACE_LEFTOVER_MS 500     /* the same for what a command leaves behind when it ends by itself */
#define LIMIT_STUCK_MS 10000            /* after KILL, before a tree is reported as stuck */
#define LIMIT_HEARD_MS 100             /* from its start a task's end waits so long for somebody to listen */
#define LIMIT_SPARES 16                 /* supervisors that stay for the next starts of one manager */
#define LIMIT_NEXT (64u << 10)            /* words and environment that one of them is given; more starts a new one */
#define LIMIT_NEXT_WORDS 1024             /* how many these are */
#define LIMIT_FREE_MS 5                   /* one that was asked to stay and is not free by then is passed over */
#define LIMIT_TAKEN_MS 2000             /* a supervisor holds an ending back for a runtime that listens */
#define LIMIT_START_MS 60000            /* for a supervisor to come up */
#define LIMIT_SWEEP_MS 10000            /* for the survivors of a dead supervisor to end */
#define LIMIT_CONNECT_MS 5000           /* for a supervisor to accept a runtime */
#define LIMIT_PATTERN 1024              /* bytes of a ready pattern */
#define LIMIT_PATTERN_REPEAT 255        /* the largest number in {n,m}: POSIX, and musl, know no larger one */
#define LIMIT_PATTERN_REPEATS 512       /* characters that its {n,m} stand for: a line costs time and memory with their square */
#define LIMIT_LISTENED 65536            /* supervisors that one manager is connected to; half of the descriptors at most */
#define LIMIT_LISTENERS 64              /* runtimes connected to one supervisor */
#define LIMIT_MESSAGE 512               /* one message between a runtime and a supervisor */
#define LIMIT_EXIT_RECORD 4096
#define LIMIT_WRITE 16384               /* bytes of input in one message to a supervisor */
#define LIMIT_INPUT (64u << 10)         /* input that a supervisor holds for a command that does not read */
#define LIMIT_PROCESSES 131072          /* seen on the machine when a tree is ended */
#define LIMIT_CLEAN_LINE (64u << 10)    /* bytes of a line that is still being redrawn */
#define LIMIT_REAP_TRIES 8              /* of `rouse reap`, with pauses of 12.7 s in all, while the store is busy or full */
#define LIMIT_CONFIG_FILE (1u << 20)

#endif
