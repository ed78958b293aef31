/* Lists: one statement per combination of filters, each told which index to walk, since the planner does not know that a name
 * narrows more than a thread does. */
#include "storage/sqlite.h"

#include "base/buf.h"
#include "base/limits.h"

struct filter {
    enum sqlite_filter bit;
    const char *condition; /* with the parameter's number, so that binding does not depend on which others are there */
};

static const struct filter filters[] = {
    {LIST_BY_THREAD, " AND e.place = ?2"},
    {LIST_BY_ENTRY, " AND e.seq IN (" SQL_SEQS_OF_ENTRY("?3", "?11") ") AND e.entry = ?3"},
    {LIST_BY_NAME, " AND e.name = ?4"},
    {LIST_BY_PARENT, " AND e.parent = ?5"},
    {LIST_BY_RUN, " AND e.origin = ?6"},
    {LIST_BY_BEFORE, " AND e.seq < ?7"},
    {LIST_BY_LIVE, " AND e.live = 1"},
    {LIST_BY_FINISHED, " AND e.live = 0"},
    {LIST_BY_QUEUE, " AND e.queue = ?10"},
};

#define NARROW (LIST_BY_ENTRY | LIST_BY_NAME | LIST_BY_PARENT | LIST_BY_RUN | LIST_BY_QUEUE)

static const char *index_of(unsigned mask)
{
    if (mask & LIST_BY_ENTRY)
        return "NOT INDEXED";
    if (mask & LIST_BY_NAME)
        return (mask & LIST_BY_LIVE) && (mask & LIST_BY_THREAD) ? "INDEXED BY entry_live_name" : "INDEXED BY entry_name";
    if (mask & LIST_BY_PARENT)
        return "INDEXED BY entry_parent";
    if (mask & LIST_BY_RUN)
        return "INDEXED BY entry_origin";
    if (mask & LIST_BY_QUEUE)
        return "INDEXED BY entry_queue";
    if (mask & LIST_BY_LIVE)
        return "INDEXED BY entry_live";
    /* Everything of all threads, newest first: walk the table backwards rather than sort it. */
    return mask & LIST_BY_THREAD ? "INDEXED BY entry_finished" : "NOT INDEXED";
}

/* What is live of one key and of all threads: there may be far more of other keys, so each place is asked by itself. */
static bool walks_places(unsigned mask)
{
    return (mask & LIST_BY_LIVE) && !(mask & (LIST_BY_THREAD | NARROW));
}

static void add_select(struct buf *sql, unsigned mask, const char *columns)
{
    if (mask & LIST_BY_THREAD)
        buf_addf(sql, "SELECT %s FROM entry e %s WHERE 1", columns, index_of(mask));
    else if (walks_places(mask))
        buf_addf(sql, "SELECT %s FROM place p CROSS JOIN entry e %s ON e.place = p.id WHERE p.key = ?1 AND p.run = ''", columns,
                 index_of(mask));
    else
        buf_addf(sql, "SELECT %s FROM entry e %s CROSS JOIN place p ON p.id = e.place WHERE p.key = ?1 AND p.run = ''", columns,
                 index_of(mask));
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        if (mask & filters[i].bit)
            buf_adds(sql, filters[i].condition);
    }
}

#define KNOWN_THREAD "?9, '', ?1, e.entry, e.json, e.seq AS seq"
#define JOINED_THREAD "p.thread, '', ?1, e.entry, e.json, e.seq AS seq"

static void build_list(struct buf *sql, unsigned mask)
{
    unsigned which = LIST_BY_LIVE | LIST_BY_FINISHED;
    bool thread = mask & LIST_BY_THREAD;
    if (thread && !(mask & (NARROW | which))) { /* two indexes in the same order, merged */
        add_select(sql, mask | LIST_BY_LIVE, KNOWN_THREAD);
        buf_adds(sql, " UNION ALL ");
        add_select(sql, mask | LIST_BY_FINISHED, KNOWN_THREAD);
    } else if (walks_places(mask)) {
        /* No index has the live entries of all threads in order: sort their numbers, not their values. */
        buf_adds(sql, "SELECT " JOINED_THREAD " FROM (");
        add_select(sql, mask, "e.seq AS at");
        buf_adds(sql, " ORDER BY e.seq DESC LIMIT ?8) CROSS JOIN entry e ON e.seq = at CROSS JOIN place p ON p.id = e.place");
    } else {
        add_select(sql, mask, thread ? KNOWN_THREAD : JOINED_THREAD);
    }
    buf_adds(sql, " ORDER BY seq DESC LIMIT ?8");
}

static unsigned query_mask(const rouse_query *q)
{
    unsigned mask = 0;
    mask |= q->thread ? LIST_BY_THREAD : 0u;
    mask |= q->entry ? LIST_BY_ENTRY : 0u;
    mask |= q->name ? LIST_BY_NAME : 0u;
    mask |= q->parent ? LIST_BY_PARENT : 0u;
    mask |= q->run ? LIST_BY_RUN : 0u;
    mask |= q->live_only ? LIST_BY_LIVE : 0u;
    mask |= q->finished_only ? LIST_BY_FINISHED : 0u;
    mask |= q->queue ? LIST_BY_QUEUE : 0u;
    mask |= q->before ? LIST_BY_BEFORE : 0u;
    return mask;
}

static int list_statement(struct sqlite_store *s, unsigned mask, sqlite3_stmt **ret_statement, rouse_error *err)
{
    sqlite3_stmt **kept = &s->lists[mask];
    int code = 0;
    if (!*kept) {
        struct buf sql = BUF_INIT(0);
        build_list(&sql, mask);
        code = buf_check(&sql, err);
        if (code == 0) {
            int result = sqlite3_prepare_v3(s->db, buf_text(&sql), -1, SQLITE_PREPARE_PERSISTENT, kept, NULL);
            code = result == SQLITE_OK ? 0 : sqlite_fail(s, result, err);
        }
        buf_done(&sql);
    }
    if (code == 0)
        *ret_statement = *kept;
    return code;
}

/* Where a page begins. An id that two threads both imported stands for the older one: a page may then leave rows out, but
 * paging comes to an end. */
static int before_seq(struct sqlite_store *s, const char *key, const rouse_query *q, uint64_t place, uint64_t *ret_seq,
                      rouse_error *err)
{
    uint64_t own = sqlite_own_seq(q->before);
    int code = q->thread ? sqlite_number(s, SQL_ENTRY_SEQ_OF_PLACE, ret_seq, err, "tuu", q->before, place, own)
                         : sqlite_number(s, SQL_ENTRY_SEQ, ret_seq, err, "ttu", key, q->before, own);
    if (code == 0)
        return rouse_fail(err, ROUSE_ENOTFOUND, "no '%s' to list from", q->before);
    return code < 0 ? code : 0;
}

static int bind_list(struct sqlite_store *s, sqlite3_stmt *statement, const char *key, const rouse_query *q, uint64_t place,
                     uint64_t before, rouse_error *err)
{
    size_t limit = q->limit && q->limit < LIMIT_LIST ? q->limit : LIMIT_LIST;
    const char *const texts[] = {key, NULL, q->entry, q->name, q->parent, q->run, NULL, NULL, q->thread, q->queue};
    const int last = sqlite3_bind_parameter_count(statement);
    int result = SQLITE_OK;
    for (int i = 0; i < 10 && i < last && result == SQLITE_OK; i++) {
        if (texts[i])
            result = sqlite3_bind_text(statement, i + 1, texts[i], -1, SQLITE_STATIC);
    }
    if (result == SQLITE_OK)
        result = sqlite3_bind_int64(statement, 2, (sqlite3_int64)place);
    if (result == SQLITE_OK)
        result = sqlite3_bind_int64(statement, 7, (sqlite3_int64)before);
    if (result == SQLITE_OK)
        result = sqlite3_bind_int64(statement, 8, (sqlite3_int64)limit);
    if (result == SQLITE_OK && q->entry)
        result = sqlite3_bind_int64(statement, 11, (sqlite3_int64)sqlite_own_seq(q->entry));
    return result == SQLITE_OK ? 0 : sqlite_fail(s, result, err);
}

static int list_all(struct sqlite_store *s, const char *key, const rouse_query *query, storage_row_sink *sink,
                    void *userdata, rouse_error *err)
{
    uint64_t place = 0; /* no place has this id, so nothing is found in a thread that never was */
    uint64_t before = 0;
    sqlite3_stmt *statement = NULL;
    int code = query->thread ? sqlite_place_id(s, query->thread, "", key, &place, err) : 0;
    if (code >= 0)
        code = query->before ? before_seq(s, key, query, place, &before, err) : 0;
    if (code == 0)
        code = list_statement(s, query_mask(query), &statement, err);
    if (code == 0)
        code = bind_list(s, statement, key, query, place, before, err);
    return code < 0 ? code : sqlite_give_rows(s, statement, sink, userdata, err);
}

int sqlite_list(void *backend, const char *key, const rouse_query *query, storage_row_sink *sink, void *userdata,
                rouse_error *err)
{
    struct sqlite_store *s = backend;
    /* What is one statement is one moment by itself. */
    if (!query->before && sqlite3_get_autocommit(s->db))
        return list_all(s, key, query, sink, userdata, err);
    int code = sqlite_begin_read(s, err);
    return code < 0 ? code : sqlite_end(s, list_all(s, key, query, sink, userdata, err), err);
}

static int give_end(struct sqlite_store *s, enum sqlite_statement which, uint64_t place, const char *thread, const char *key,
                    size_t limit, uint64_t due_by, rouse_rows *rows, rouse_error *err)
{
    sqlite3_stmt *statement;
    const char *types = which == SQL_LIVE_DUE ? "uttuu" : "uttu";
    int code = sqlite_bind(s, which, &statement, err, types, place, thread, key, (uint64_t)limit,
                           due_by < INT64_MAX ? due_by : INT64_MAX);
    return code < 0 ? code : sqlite_give_rows(s, statement, storage_rows_add, rows, err);
}

static int overview(struct sqlite_store *s, const char *key, const char *thread, const rouse_ends *ends,
                    rouse_overview *fill, rouse_error *err)
{
    struct sqlite_place place = {0};
    if (!thread) {
        int counted = sqlite_number(s, SQL_LIVE_COUNT, &fill->live, err, "t", key);
        return counted < 0 ? counted : 0;
    }
    int code = sqlite_find_place(s, thread, "", key, &place, err);
    if (code <= 0)
        return code;
    code = sqlite_number(s, SQL_PLACE_LIVE, &fill->live, err, "u", place.id);
    if (code > 0)
        code = give_end(s, SQL_LIVE_DUE, place.id, thread, key, ends->due, ends->due_by, fill->due, err);
    if (code == 0)
        code = give_end(s, SQL_LIVE_NEWEST, place.id, thread, key, ends->newest, 0, fill->newest, err);
    return code == 0 ? give_end(s, SQL_LIVE_OLDEST, place.id, thread, key, ends->oldest, 0, fill->oldest, err) : code;
}

int sqlite_overview(void *backend, const char *key, const char *thread, const rouse_ends *ends, rouse_overview *fill,
                    rouse_error *err)
{
    struct sqlite_store *s = backend;
    int code = sqlite_begin_read(s, err);
    return code < 0 ? code : sqlite_end(s, overview(s, key, thread, ends, fill, err), err);
}
