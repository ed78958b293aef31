/* The hash table of the memory backend: everything that was added is found, whatever was removed meanwhile, and texts that are
 * numbered one after another lie side by side. */
#include "storage/memory_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEED UINT64_C(0x1234567)
#define MANY 5000

static bool has(const struct memory_table *table, uint64_t hash, const void *thing)
{
    size_t probe = 0;
    const void *found = memory_table_next(table, hash, &probe);
    while (found && found != thing)
        found = memory_table_next(table, hash, &probe);
    return found != NULL;
}

static uint64_t numbered(unsigned n, uint64_t salt)
{
    char text[32];
    snprintf(text, sizeof text, "bg_%u", n);
    return memory_rehash(memory_hash(SEED, text), salt);
}

/* Adds all, removes what `keeps` says no to, and looks for every one. */
static void check_table(uint64_t (*hash)(unsigned n), bool (*keeps)(unsigned n))
{
    static int things[MANY];
    struct memory_table table = {0};
    for (unsigned n = 0; n < MANY; n++) {
        assert_int_equal(memory_table_reserve(&table, 1), 0);
        memory_table_add(&table, hash(n), &things[n]);
    }
    for (unsigned n = 0; n < MANY; n++) {
        if (!keeps(n))
            memory_table_remove(&table, hash(n), &things[n]);
    }
    for (unsigned n = 0; n < MANY; n++)
        assert_int_equal(has(&table, hash(n), &things[n]), keeps(n));
    memory_table_done(&table);
}

static uint64_t by_text(unsigned n)
{
    return numbered(n, 7);
}

static uint64_t by_number(unsigned n)
{
    return n;
}

static uint64_t in_sevens(unsigned n) /* seven things under one hash */
{
    return numbered(n / 7, 7);
}

static bool all(unsigned n)
{
    (void)n;
    return true;
}

static bool odd(unsigned n)
{
    return n % 2 == 1;
}

static bool every_97th(unsigned n)
{
    return n % 97 == 0;
}

static bool none(unsigned n)
{
    (void)n;
    return false;
}

static void what_was_added_is_found(void **state)
{
    uint64_t (*const hashes[])(unsigned) = {by_text, by_number, in_sevens};
    bool (*const keeps[])(unsigned) = {all, odd, every_97th, none};
    (void)state;
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
        for (size_t j = 0; j < sizeof keeps / sizeof *keeps; j++)
            check_table(hashes[i], keeps[j]);
    }
}

static void numbers_lie_side_by_side(void **state)
{
    const unsigned firsts[] = {0, 10, 12340, 4294967280}; /* of eight; texts of up to 13 bytes */
    (void)state;
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        for (unsigned n = 1; n < 8; n++)
            assert_true(numbered(firsts[i] + n, 7) == numbered(firsts[i], 7) + n);
    }
}

static void texts_and_salts_part(void **state)
{
    const char *const texts[] = {"", "a", "b", "bg_1", "bg_9", "bg_11", "12345678", "123456789", "123456780000000", "12345678\x01"};
    const size_t count = sizeof texts / sizeof *texts;
    (void)state;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++)
            assert_true(memory_hash(SEED, texts[i]) != memory_hash(SEED, texts[j]));
        assert_true(memory_hash(SEED, texts[i]) != memory_hash(SEED + 1, texts[i]));
        assert_true(memory_rehash(memory_hash(SEED, texts[i]), 1) != memory_rehash(memory_hash(SEED, texts[i]), 2));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found),
        cmocka_unit_test(numbers_lie_side_by_side),
        cmocka_unit_test(texts_and_salts_part),
    };
    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
