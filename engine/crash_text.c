#include "engine/crash_text.h"

#include <elf.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MODULE_CNT_MAX 96u
#define PATH_BYTES     256u
#define ID_BYTES_MAX   32u
#define DIGITS         24u

typedef struct module {
  uintptr_t base, begin, end;
  char      path[PATH_BYTES];
} module_t;

static struct {
  module_t module[MODULE_CNT_MAX];
  uint32_t cnt;
  char     build_id[2 * ID_BYTES_MAX + 1];
} all = {.build_id = "-"};

/* ---- before a crash ---- */

static void
note_build_id(const uint8_t *note, size_t bytes) {
  size_t at = 0;
  while (at + sizeof(ElfW(Nhdr)) <= bytes) {
    ElfW(Nhdr) head;
    memcpy(&head, note + at, sizeof head);
    size_t name = at + sizeof head, value = name + md_align_up(head.n_namesz, 4);
    if (value + head.n_descsz > bytes) return;
    if (head.n_type == NT_GNU_BUILD_ID && head.n_descsz <= ID_BYTES_MAX) {
      for (uint32_t i = 0; i < head.n_descsz; i++)
        (void)snprintf(all.build_id + (size_t)2 * i, 3, "%02x", note[value + i]);
      return;
    }
    at = value + md_align_up(head.n_descsz, 4);
  }
}

/* The first one is the program itself, which has no name. */
static int
note_module(struct dl_phdr_info *info, size_t size, void *ctx) {
  (void)size;
  (void)ctx;
  if (all.cnt == MODULE_CNT_MAX) return 1;
  module_t *m = &all.module[all.cnt];
  m->base     = info->dlpi_addr;
  m->begin    = UINTPTR_MAX;
  m->end      = 0;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    uintptr_t at        = info->dlpi_addr + p->p_vaddr;
    if (p->p_type == PT_NOTE && all.cnt == 0)
      note_build_id((const uint8_t *)at, p->p_memsz); /* NOLINT(performance-no-int-to-ptr) */
    if (p->p_type != PT_LOAD) continue;
    if (at < m->begin) m->begin = at;
    if (at + p->p_memsz > m->end) m->end = at + p->p_memsz;
  }
  ssize_t len = 0;
  if (all.cnt == 0) len = readlink("/proc/self/exe", m->path, sizeof m->path - 1);
  if (all.cnt == 0) m->path[len > 0 ? len : 0] = 0;
  if (all.cnt > 0) (void)snprintf(m->path, sizeof m->path, "%s", info->dlpi_name);
  all.cnt++;
  return 0;
}

void
md_crash_find_modules(void) {
  all.cnt = 0;
  (void)dl_iterate_phdr(note_module, NULL);
}

/* ---- in the handler ---- */

const char *
md_crash_build_id(void) {
  return all.build_id;
}

static void
write_all(int fd, const char *bytes, size_t len) {
  while (len > 0) {
    ssize_t done = write(fd, bytes, len);
    if (done <= 0) return;
    bytes += done;
    len -= (size_t)done;
  }
}

void
md_crash_flush(md_crash_text_t *t) {
  for (unsigned i = 0; i < MD_CNT(t->fd); i++)
    if (t->fd[i] >= 0) write_all(t->fd[i], t->bytes, t->used);
  t->used = 0;
}

static void
put(md_crash_text_t *t, char c) {
  if (t->used == sizeof t->bytes) md_crash_flush(t);
  t->bytes[t->used++] = c;
}

void
md_crash_add(md_crash_text_t *t, ...) {
  va_list args;
  va_start(args, t);
  for (const char *word; (word = va_arg(args, const char *)) != NULL;)
    for (; *word; word++)
      put(t, *word);
  va_end(args);
}

static void
add_number(md_crash_text_t *t, uint64_t value, unsigned base, unsigned least) {
  char     digit[DIGITS];
  unsigned cnt = 0;
  for (; value > 0 || cnt < least; value /= base)
    digit[cnt++] = "0123456789abcdef"[value % base];
  while (cnt > 0)
    put(t, digit[--cnt]);
}

void
md_crash_add_hex(md_crash_text_t *t, uint64_t value) {
  md_crash_add(t, "0x", NULL);
  add_number(t, value, 16, 1);
}

void
md_crash_add_dec(md_crash_text_t *t, uint64_t value) {
  add_number(t, value, 10, 1);
}

void
md_crash_add_seconds(md_crash_text_t *t, int64_t ns) {
  uint64_t ms = (uint64_t)ns / 1000000u;
  add_number(t, ms / 1000u, 10, 1);
  put(t, '.');
  add_number(t, ms % 1000u, 10, 3);
}

/* Civil date of a day since 1970, after the proleptic Gregorian calendar. */
void
md_crash_add_time(md_crash_text_t *t, int64_t real_ns) {
  uint64_t s = (uint64_t)real_ns / 1000000000u, day = s / 86400u, of_day = s % 86400u;
  uint64_t z = day + 719468u, era = z / 146097u, doe = z % 146097u;
  uint64_t yoe = (doe - doe / 1460u + doe / 36524u - doe / 146096u) / 365u;
  uint64_t doy = doe - (365u * yoe + yoe / 4u - yoe / 100u), mp = (5u * doy + 2u) / 153u;
  uint64_t month = mp < 10u ? mp + 3u : mp - 9u;
  add_number(t, yoe + era * 400u + (month <= 2u), 10, 4);
  put(t, '-');
  add_number(t, month, 10, 2);
  put(t, '-');
  add_number(t, doy - (153u * mp + 2u) / 5u + 1u, 10, 2);
  put(t, 'T');
  add_number(t, of_day / 3600u, 10, 2);
  put(t, ':');
  add_number(t, of_day / 60u % 60u, 10, 2);
  put(t, ':');
  add_number(t, of_day % 60u, 10, 2);
  put(t, 'Z');
}

void
md_crash_add_place(md_crash_text_t *t, uintptr_t address) {
  md_crash_add_hex(t, address);
  for (uint32_t i = 0; i < all.cnt; i++) {
    const module_t *m = &all.module[i];
    if (address < m->begin || address >= m->end) continue;
    md_crash_add(t, " ", m->path[0] ? m->path : "?", " ", NULL);
    md_crash_add_hex(t, address - m->base);
    break;
  }
  md_crash_add(t, "\n", NULL);
}
