/* test_resolve - host names are looked up beside the thread that wants them: nothing waits for a
 * name server that does not answer, addresses take turns, old ones serve while a look-up fails. */
#include "feeds/resolve.h"
#include "shm/atomics.h"

#include <criterion/criterion.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define S 1000000000ll

static md_clock_manual_t now;
static md_clock_t        hands;
static md_resolver_t    *r;
static md_atomic_u64     lookup_cnt, fails, second;
static sem_t             never;

/* The stand-in: "stuck" never comes back before the test lets it. */
static bool
lookup(void *ctx, const char *name, md_addresses_t *out) {
  (void)ctx;
  md_fetch_add_relaxed(&lookup_cnt, 1);
  if (strncmp(name, "stuck", 5) == 0) (void)sem_wait(&never);
  if (md_load_relaxed(&fails)) {
    (void)snprintf(out->why, sizeof out->why, "pretended failure");
    return false;
  }
  out->cnt = 3;
  (void)snprintf(out->text[0], sizeof out->text[0], "%s",
                 md_load_relaxed(&second) ? "10.2.0.1" : "10.1.0.1");
  (void)snprintf(out->text[1], sizeof out->text[1], "2001:db8::1");
  (void)snprintf(out->text[2], sizeof out->text[2], "10.1.0.3");
  return true;
}

static void
set_up(void) {
  md_msg_t msg = {0};
  now          = (md_clock_manual_t){.real_ns = 1700000000 * S, .mono_ns = 1000 * S};
  hands        = md_clock_manual(&now);
  (void)sem_init(&never, 0, 0);
  const md_resolver_config_t cfg = {.clock = &hands, .lookup = lookup, .seed = 3};
  cr_assert_eq(md_resolver_open(&cfg, &r, &msg), MD_OK);
}

static void
tear_down(void) {
  md_resolver_close(r);
}

/* Asks until it is no longer looked up; the clock stands still meanwhile. */
static md_err_t
ask(const char *name, const char **address, md_msg_t *msg) {
  for (int tries = 0; tries < 60000; tries++) {
    md_err_t err = md_resolver_ask(r, name, address, msg);
    if (err != MD_ERR_BUSY) return err;
    (void)usleep(1000);
  }
  cr_assert_fail("%s is looked up for ever", name);
  return MD_ERR_BUSY;
}

static const char *
address_of(const char *name) {
  const char *address = NULL;
  md_msg_t    msg     = {0};
  cr_assert_eq(ask(name, &address, &msg), MD_OK, "%s", msg.text);
  return address;
}

Test(resolve, a_numeric_name_is_its_own_address, .init = set_up, .fini = tear_down) {
  cr_expect_str_eq(address_of("192.0.2.7"), "192.0.2.7");
  cr_expect_str_eq(address_of("2001:db8::7"), "2001:db8::7");
  cr_expect_eq(md_load_relaxed(&lookup_cnt), 0);
}

Test(resolve, a_name_is_looked_up_once_a_minute, .init = set_up, .fini = tear_down) {
  cr_expect_str_eq(address_of("a.test"), "10.1.0.1");
  now.mono_ns += 59 * S;
  cr_expect_str_eq(address_of("a.test"), "10.1.0.1");
  cr_expect_eq(md_load_relaxed(&lookup_cnt), 1);
  md_store_relaxed(&second, 1);
  now.mono_ns += 2 * S;
  cr_expect_str_eq(address_of("a.test"), "10.2.0.1");
  cr_expect_eq(md_load_relaxed(&lookup_cnt), 2);
}

Test(resolve, addresses_take_turns_and_are_looked_up_anew_behind_the_last, .init = set_up,
     .fini = tear_down) {
  cr_expect_str_eq(address_of("a.test"), "10.1.0.1");
  md_resolver_refused(r, "a.test");
  cr_expect_str_eq(address_of("a.test"), "2001:db8::1");
  cr_expect_str_eq(address_of("a.test"), "2001:db8::1", "it stays with the one that works");
  md_resolver_refused(r, "a.test");
  cr_expect_str_eq(address_of("a.test"), "10.1.0.3");
  cr_expect_eq(md_load_relaxed(&lookup_cnt), 1);
  md_store_relaxed(&second, 1);
  md_resolver_refused(r, "a.test");
  cr_expect_str_eq(address_of("a.test"), "10.2.0.1");
  cr_expect_eq(md_load_relaxed(&lookup_cnt), 2);
}

Test(resolve, a_name_server_that_never_answers_is_given_up_and_hides_no_other_name, .init = set_up,
     .fini = tear_down) {
  const char *address = NULL;
  md_msg_t    msg     = {0};
  cr_assert_eq(md_resolver_ask(r, "stuck.test", &address, &msg), MD_ERR_BUSY);
  cr_expect_str_eq(address_of("a.test"), "10.1.0.1");
  cr_assert_eq(md_resolver_ask(r, "stuck.test", &address, &msg), MD_ERR_BUSY);
  now.mono_ns += 5 * S;
  cr_assert_eq(md_resolver_ask(r, "stuck.test", &address, &msg), MD_ERR_ABSENT);
  cr_expect(strstr(msg.text, "do not answer"), "%s", msg.text);
  now.mono_ns += 3600 * S;
  cr_assert_eq(md_resolver_ask(r, "stuck.test", &address, &msg), MD_ERR_ABSENT);
  for (int tries = 0; tries < 60000 && md_load_relaxed(&lookup_cnt) < 2; tries++)
    (void)usleep(1000); /* its thread began first, and may run last */
  cr_expect_eq(md_load_relaxed(&lookup_cnt), 2, "no second thread for the same name");
  (void)sem_post(&never); /* late is better than never */
  for (int tries = 0; tries < 60000; tries++) {
    if (md_resolver_ask(r, "stuck.test", &address, &msg) == MD_OK) return;
    (void)usleep(1000);
  }
  cr_assert_fail("what came late is not taken");
}

Test(resolve, what_fails_is_tried_again_after_growing_pauses, .init = set_up, .fini = tear_down) {
  const char *address = NULL;
  md_msg_t    msg     = {0};
  md_store_relaxed(&fails, 1);
  cr_assert_eq(ask("a.test", &address, &msg), MD_ERR_ABSENT);
  cr_expect(strstr(msg.text, "a.test cannot be looked up: pretended failure"), "%s", msg.text);
  for (int ms = 0; ms < 600000; ms += 100) { /* ten minutes of asking ten times a second */
    now.mono_ns += S / 10;
    cr_assert_eq(ask("a.test", &address, &msg), MD_ERR_ABSENT);
  }
  uint64_t cnt = md_load_relaxed(&lookup_cnt);
  cr_expect(cnt >= 20 && cnt <= 60, "%llu look-ups in ten minutes", (unsigned long long)cnt);
  md_store_relaxed(&fails, 0);
  now.mono_ns += 31 * S;
  cr_expect_str_eq(address_of("a.test"), "10.1.0.1");
}

Test(resolve, old_addresses_serve_while_a_look_up_fails, .init = set_up, .fini = tear_down) {
  cr_expect_str_eq(address_of("a.test"), "10.1.0.1");
  md_store_relaxed(&fails, 1);
  now.mono_ns += 3600 * S;
  cr_expect_str_eq(address_of("a.test"), "10.1.0.1");
}

Test(resolve, closing_does_not_wait_for_a_look_up, .init = set_up) {
  const char *address = NULL;
  md_msg_t    msg     = {0};
  cr_assert_eq(md_resolver_ask(r, "stuck.test", &address, &msg), MD_ERR_BUSY);
  md_resolver_close(r);
  (void)sem_post(&never);
}

Test(resolve, the_system_knows_localhost) {
  const md_resolver_config_t cfg = {.clock = md_clock_system()};
  const char                *address;
  md_msg_t                   msg = {0};
  cr_assert_eq(md_resolver_open(&cfg, &r, &msg), MD_OK);
  cr_assert_eq(ask("localhost", &address, &msg), MD_OK, "%s", msg.text);
  cr_expect(strcmp(address, "127.0.0.1") == 0 || strcmp(address, "::1") == 0, "%s", address);
  cr_assert_eq(ask("no.such.name.invalid", &address, &msg), MD_ERR_ABSENT);
  md_resolver_close(r);
}
