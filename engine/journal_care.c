#include "engine/journal_care.h"

#include "engine/cli.h"
#include "writers/journal.h"
#include "writers/journal_check.h"
#include "writers/journal_repair.h"
#include "writers/journal_tend.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *
stream_name(const md_manifest_t *m, uint16_t stream) {
  const char *name = md_manifest_stream_name(m, stream);
  return name ? name : "?";
}

/* ---- verify ---- */

static void
print_json(const md_journal_check_t *c, const md_manifest_t *m) {
  (void)printf("{\"records\":%" PRIu64 ",\"lost\":%" PRIu64
               ",\"holes\":%u,\"damaged_blocks\":%u,\"damaged_bytes\":%" PRIu64
               ",\"missing_records\":%" PRIu64 ",\"repeated\":%" PRIu64 ",\"torn_bytes\":%" PRIu64
               ",\"segments\":%" PRIu64 ",\"packed\":%" PRIu64 ",\"indexes\":%" PRIu64
               ",\"bad_indexes\":%" PRIu64 ",\"end_unknown\":%s,\"missing\":[",
               c->record_cnt, c->declared_cnt, c->stretch_cnt, c->damaged_cnt, c->damaged_bytes,
               c->missing_cnt, c->repeat_cnt, c->torn_bytes, c->segment_cnt, c->packed_cnt,
               c->index_cnt, c->index_bad, c->tail_unknown ? "true" : "false");
  for (uint32_t i = 0; i < c->stretch_cnt; i++) {
    const md_journal_missing_t *s = &c->missing[i];
    (void)printf("%s{\"stream\":", i ? "," : "");
    md_cli_json_string(stdout, stream_name(m, s->stream));
    (void)printf(",\"epoch\":%u,\"first\":%" PRIu64 ",\"last\":%" PRIu64 "}", s->epoch, s->first,
                 s->last);
  }
  (void)printf("]}\n");
}

static void
print_text(const md_journal_check_t *c, const md_manifest_t *m) {
  (void)printf("%" PRIu64 " records whole, %" PRIu64
               " declared lost, %u undeclared holes, %u damaged blocks of %" PRIu64 " bytes\n",
               c->record_cnt, c->declared_cnt, c->stretch_cnt, c->damaged_cnt, c->damaged_bytes);
  for (uint32_t i = 0; i < c->stretch_cnt; i++) {
    const md_journal_missing_t *s = &c->missing[i];
    (void)printf("missing: %s epoch %u, seq %" PRIu64 " to %" PRIu64 " (%" PRIu64 " records)%s\n",
                 stream_name(m, s->stream), s->epoch, s->first, s->last, s->last - s->first + 1,
                 s->damaged == UINT32_MAX ? ", and no damage explains it" : "");
  }
  if (c->tail_unknown) (void)printf("missing: what the last damaged block held is not known\n");
  if (c->index_bad) (void)printf("%" PRIu64 " indexes are wrong and not used\n", c->index_bad);
}

static int
verdict(const md_journal_check_t *c) {
  md_msg_t msg;
  if (c->damaged_cnt > 0) {
    (void)snprintf(msg.text, sizeof msg.text,
                   "damage: %s; what is whole can be read and replayed, `mdengine journal repair` "
                   "declares the rest lost",
                   c->first);
    return md_cli_error(MD_ERR_CORRUPT, msg.text);
  }
  if (c->stretch_cnt > 0)
    return md_cli_error(MD_ERR_CORRUPT, "sequences are missing without a LOSS, see above");
  if (c->repeat_cnt > 0)
    return md_cli_error(MD_ERR_CORRUPT, "sequences stand in the journal more than once");
  return MD_EXIT_OK;
}

int
md_journal_cmd_verify(const char *dir, bool json) {
  md_manifest_t     *m = NULL;
  md_journal_check_t c;
  md_msg_t           msg = {0};
  md_err_t           err = md_manifest_open(dir, false, false, &m, &msg);
  if (err) return md_cli_error(err, msg.text);
  err        = md_journal_check_run(NULL, dir, md_manifest_uuid(m), &c, &msg);
  int status = MD_EXIT_OK;
  if (err) {
    status = md_cli_error(err, msg.text);
  } else {
    if (json)
      print_json(&c, m);
    else
      print_text(&c, m);
    status = verdict(&c);
  }
  md_journal_check_free(&c);
  md_manifest_close(m);
  return status;
}

/* ---- repair ---- */

int
md_journal_cmd_repair(const char *dir, bool json) {
  md_journal_repaired_t d;
  md_msg_t              msg = {0};
  md_err_t              err = md_journal_repair(NULL, dir, md_clock_system(), &d, &msg);
  if (err == MD_ERR_EXISTS)
    (void)md_fail(&msg, err, "an engine holds %s: stop it before a repair", dir);
  if (err) return md_cli_error(err, msg.text);
  const md_manifest_repaired_t *m = &d.manifest;
  const bool nothing = m->made_cnt + d.segment_cnt + d.cut_bytes + d.index_cnt + d.hole_cnt == 0;
  if (json)
    (void)printf("{\"segments\":%" PRIu64 ",\"stretches\":%" PRIu64 ",\"declared_lost\":%" PRIu64
                 ",\"cut_bytes\":%" PRIu64 ",\"indexes\":%" PRIu64 ",\"holes\":%" PRIu64
                 ",\"end_unknown\":%s,\"manifest_kept\":%" PRIu64 ",\"manifest_damaged\":%" PRIu64
                 ",\"manifest_made\":%" PRIu64 ",\"streams_without_name\":%u}\n",
                 d.segment_cnt, d.stretch_cnt, d.declared_cnt, d.cut_bytes, d.index_cnt, d.hole_cnt,
                 d.tail_unknown ? "true" : "false", m->kept_cnt, m->damaged_cnt, m->made_cnt,
                 m->lost_cnt);
  else if (nothing)
    (void)printf("nothing to repair\n");
  else
    (void)printf("%" PRIu64 " segments written anew for %" PRIu64 " damaged places, %" PRIu64
                 " records declared lost, %" PRIu64 " torn bytes cut, %" PRIu64
                 " indexes made; the originals end in .damaged\n",
                 d.segment_cnt, d.stretch_cnt, d.declared_cnt, d.cut_bytes, d.index_cnt);
  if (m->made_cnt > 0 && !json)
    (void)printf("the MANIFEST was made again: %" PRIu64 " lines kept, %" PRIu64
                 " damaged, %" PRIu64 " made from the segments, %u streams without a name; the "
                 "original is MANIFEST.damaged\n",
                 m->kept_cnt, m->damaged_cnt, m->made_cnt, m->lost_cnt);
  if (d.tail_unknown && !json)
    (void)printf("what the last damaged block held is not known, so it is not declared\n");
  if (d.hole_cnt == 0) return MD_EXIT_OK;
  return md_cli_error(MD_ERR_CORRUPT,
                      "sequences are missing where nothing is damaged: see `mdengine journal "
                      "verify`; they cannot be mended");
}

/* ---- compact ---- */

int
md_journal_cmd_compact(const char *dir, bool json) {
  const md_journal_tend_config_t cfg = {.dir = dir, .compress = true, .clock = md_clock_system()};
  md_manifest_t                 *m   = NULL;
  md_journal_tended_t            t;
  md_msg_t                       msg = {0};
  md_err_t                       err = md_manifest_open(dir, false, false, &m, &msg);
  if (err) return md_cli_error(err, msg.text);
  md_manifest_close(m);
  const int64_t begin_ns = md_clock_mono_ns(cfg.clock);
  err                    = md_journal_tend_pass(&cfg, &t, &msg);
  if (err) return md_cli_error(err, msg.text);
  const int64_t taken_ms = (md_clock_mono_ns(cfg.clock) - begin_ns) / 1000000;
  if (json)
    (void)printf("{\"packed\":%" PRIu64 ",\"plain_bytes\":%" PRIu64 ",\"packed_bytes\":%" PRIu64
                 ",\"indexes\":%" PRIu64 ",\"segments\":%" PRIu64 ",\"bytes\":%" PRIu64
                 ",\"damaged\":%" PRIu64 ",\"ms\":%" PRId64 "}\n",
                 t.packed_cnt, t.plain_bytes, t.packed_bytes, t.indexed_cnt, t.segment_cnt,
                 t.segment_bytes, t.damaged_cnt, taken_ms);
  else
    (void)printf("%" PRIu64 " segments packed, %" PRIu64 " to %" PRIu64 " bytes, %" PRIu64
                 " indexes made, in %" PRId64 " ms; %" PRIu64 " segments of %" PRIu64 " bytes\n",
                 t.packed_cnt, t.plain_bytes, t.packed_bytes, t.indexed_cnt, taken_ms,
                 t.segment_cnt, t.segment_bytes);
  if (t.damaged_cnt == 0) return MD_EXIT_OK;
  return md_cli_error(MD_ERR_CORRUPT,
                      "damaged segments stay as they are: `mdengine journal verify` "
                      "names them, `repair` mends them");
}
