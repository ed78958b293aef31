/* What rouse-shim and the library agree on. A newer library talks to supervisors that an older one started, so nothing here
 * changes its meaning: messages and fields are only added, and unknown ones are ignored by both sides. */
#ifndef PROC_PROTOCOL_H
#define PROC_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#define SHIM_PROTOCOL 1

/* The descriptors a supervisor is started with. */
enum {
    SHIM_FD_DIR = 3, /* the task's directory */
    SHIM_FD_LOCK,    /* its lock, held */
    SHIM_FD_REPORT,  /* to the starter: one line, below. A pipe; with --stay a SOCK_SEQPACKET socket, the line */
    SHIM_FD_OWNER,   /* with --session: a pidfd of the starter */
    SHIM_FD_END
};

/* Lines on SHIM_FD_REPORT. */
#define SHIM_STARTED "started "   /* + the command's pid */
#define SHIM_RECORDED "recorded " /* + errno: the command could not be executed; the exit record says so */
#define SHIM_FAILED "failed "     /* + errno; nothing was started, nothing recorded */

/* With --stay the report goes on as a line between starter and supervisor, which outlives the task. */
#define SHIM_ASK_STAY "stay"  /* the ending is in the store; once all is cleared away, wait for the next task */
#define SHIM_SAY_FREE "free"  /* it waits for one: the lock and the directory of the last one are let go */
#define SHIM_ASK_NEXT "next " /* + how many words, how many variables; NUL; each with its NUL. With it come descriptors: */
enum { SHIM_NEXT_DIR, SHIM_NEXT_LOCK, SHIM_NEXT_CWD, SHIM_NEXT_OWNER /* with --session */, SHIM_NEXT_FDS };

/* Files in the task's directory. */
#define SHIM_LOCK "lock"
#define SHIM_CTL "ctl"
#define SHIM_OUT "out"
#define SHIM_READY "ready"
#define SHIM_WAITING "waiting"
#define SHIM_STUCK "stuck"
#define SHIM_EXIT "exit"
#define SHIM_SETTLED_MODE 0400 /* of exit, once the ending is in the store */

/* Messages on ctl, a SOCK_SEQPACKET socket: one packet each, words separated by single spaces. */
#define SHIM_SAY_HELLO "rouse-shim " /* + SHIM_PROTOCOL; comes first */
#define SHIM_SAY_BUSY "busy"         /* too many listeners; hangs up */
#define SHIM_SAY_READY "ready"
#define SHIM_SAY_ENDED "ended"
#define SHIM_SAY_STUCK "stuck"
#define SHIM_SAY_WAITING "waiting"
#define SHIM_SAY_RESUMED "resumed"
#define SHIM_SAY_LATE "late"         /* to who asks to cancel what another's cancel is ending already */
#define SHIM_SAY_TOOK "took "        /* + how many bytes of a write; 0 also answers an end and a resize */
#define SHIM_SAY_ROOM "room"         /* to whom less than all was taken */
#define SHIM_SAY_NO_INPUT "no-input" /* there is no stdin to write to, or no terminal */
#define SHIM_ASK_WATCH "watch"
#define SHIM_ASK_TAKEN "taken"
#define SHIM_ASK_CANCEL "cancel " /* + signal, grace in ms, who, reason (the rest, may be empty) */
#define SHIM_ASK_WRITE "write "   /* + the bytes, at most LIMIT_WRITE */
#define SHIM_ASK_EOF "eof"
#define SHIM_ASK_RESIZE "resize " /* + rows, columns */

/* The exit record's last member is the checksum of what stands before it, so that a torn or changed one is no record. */
#define SHIM_EXIT_CHECK ",\"check\":"

/* CRC-32 (ISO-HDLC), bit by bit: records are small. */
static inline uint32_t shim_checksum(const char *bytes, size_t len)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

#endif
