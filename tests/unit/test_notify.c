/* test_notify - what a service manager is told. */
#include "engine/notify.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int         manager;
static md_notify_t notify;

static void
set_up(void) {
  char               path[64];
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  (void)snprintf(path, sizeof path, "/tmp/test_notify.%d", (int)getpid());
  (void)unlink(path);
  memcpy(at.sun_path, path, strlen(path) + 1);
  manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  cr_assert_eq(bind(manager, (const struct sockaddr *)&at, sizeof at), 0);
  cr_assert_eq(setenv("NOTIFY_SOCKET", path, 1), 0);
}

static void
tear_down(void) {
  md_notify_fini(&notify);
  (void)unlink(getenv("NOTIFY_SOCKET"));
  (void)close(manager);
}

static const char *
told(void) {
  static char text[256];
  ssize_t     len         = recv(manager, text, sizeof text - 1, 0);
  text[len > 0 ? len : 0] = 0;
  return text;
}

Test(notify, lines_reach_the_manager, .init = set_up, .fini = tear_down) {
  md_notify_init(&notify);
  md_notify_send(&notify, "READY=1");
  cr_assert_str_eq(told(), "READY=1");
  cr_assert_str_eq(told(), "");
}

Test(notify, the_watchdog_is_fed_at_half_its_time, .init = set_up, .fini = tear_down) {
  cr_assert_eq(setenv("WATCHDOG_USEC", "2000000", 1), 0);
  md_notify_init(&notify);
  md_notify_beat(&notify, 5000000000);
  cr_assert_str_eq(told(), "WATCHDOG=1");
  md_notify_beat(&notify, 5999999999);
  cr_assert_str_eq(told(), "");
  md_notify_beat(&notify, 6000000000);
  cr_assert_str_eq(told(), "WATCHDOG=1");
}

Test(notify, the_watchdog_of_another_process_is_not_ours, .init = set_up, .fini = tear_down) {
  cr_assert_eq(setenv("WATCHDOG_USEC", "2000000", 1), 0);
  cr_assert_eq(setenv("WATCHDOG_PID", "1", 1), 0);
  md_notify_init(&notify);
  md_notify_beat(&notify, 5000000000);
  cr_assert_str_eq(told(), "");
}

Test(notify, without_a_manager_nothing_is_sent) {
  cr_assert_eq(unsetenv("NOTIFY_SOCKET"), 0);
  md_notify_init(&notify);
  cr_assert_eq(notify.fd, -1);
  md_notify_send(&notify, "READY=1");
  cr_assert_not(md_notify_status_due(&notify, 1));
}
