/* Levels on x86-64 with AVX2 and BMI: one comparison finds every byte that is not a digit, so all
 * ends of both numbers are known at once, and both are converted side by side in the two halves of
 * a register, sixteen digits each. Chosen at run time. */
#include "feeds/json_levels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt")))

bool
md_levels_has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2");
}

/* Constants of one array: which digit of a number goes where. */
typedef struct shape {
  __m256i place;  /* place of each of 16 digits when the point stands behind digit 16 - scale */
  __m256i spread; /* takes the shift of each half out of the ends */
  __m256i limit;  /* and the last digit's place */
} shape_t;

/* Where the parts of a level end, as offsets from the first digit of the price. */
typedef struct ends {
  unsigned px_point, px_end, qty, qty_point, qty_end;
} ends_t;

AVX2 static inline __m256i
load(const uint8_t *p) {
  return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* Bit i tells that byte i of 32 satisfies the comparison. */
AVX2 static inline uint32_t
equal_mask(__m256i v, char c) {
  return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_set1_epi8(c)));
}

AVX2 static inline uint32_t
digit_mask(__m256i v) {
  v = _mm256_sub_epi8(v, _mm256_set1_epi8('0'));
  return (uint32_t)_mm256_movemask_epi8(
      _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(9)), v));
}

/* Finds the ends and checks every byte between the digits. other: the bytes that are no digits. */
AVX2 static inline bool
find_ends(const uint8_t *s, uint32_t other, unsigned close, const unsigned int_max[2], ends_t *e) {
  e->px_point  = _tzcnt_u32(other);
  other        = _blsr_u32(other);
  e->px_end    = _tzcnt_u32(other);
  other        = _blsr_u32(_blsr_u32(_blsr_u32(other)));
  e->qty       = e->px_end + 3;
  e->qty_point = _tzcnt_u32(other);
  other        = _blsr_u32(other);
  e->qty_end   = _tzcnt_u32(other);
  /* When qty_end stands right before the bracket, every end is within the 32 bytes. */
  uint32_t wrong = (md_swar_load4(s + e->px_end) ^ 0x222c22) & 0xffffff; /* "," */
  wrong |= (md_swar_load4(s + e->qty_end) ^ 0x2c5d22) & 0xffffff;        /* "], */
  wrong |= (uint32_t)(s[e->px_point] ^ '.') | (uint32_t)(s[e->qty_point] ^ '.');
  wrong |= e->qty_end + 1 - close;
  /* At least one digit on either side of a point, and not too many before it. */
  bool digits = (e->px_point - 1 < int_max[0]) & (e->qty_point - e->qty - 1 < int_max[1]) &
                (e->px_end != e->px_point + 1) & (e->qty_end != e->qty_point + 1);
  return wrong == 0 && digits;
}

/* Both mantissas: the digits before the point and as many behind it as the scale keeps are moved to
 * the right end of their half, then added up in pairs, fours and eights. */
AVX2 static inline void
convert(const uint8_t *s, const shape_t *shape, const ends_t *e, const md_levels_job_t *job,
        md_level_t *out) {
  unsigned qty_int = e->qty_point - e->qty;
  uint32_t four    = (uint8_t)(e->px_point + job->px_scale - 16) | (e->px_end - 1) << 8 |
                  (uint32_t)(uint8_t)(qty_int + job->qty_scale - 16) << 16 |
                  (e->qty_end - 1 - e->qty) << 24;
  __m128i px     = _mm_loadu_si128((const __m128i *)(const void *)s);
  __m128i qty    = _mm_loadu_si128((const __m128i *)(const void *)(s + e->qty));
  __m256i digits = _mm256_inserti128_si256(_mm256_castsi128_si256(px), qty, 1);
  digits         = _mm256_sub_epi8(digits, _mm256_set1_epi8('0'));
  __m256i all    = _mm256_set1_epi32((int)four);
  __m256i from   = _mm256_add_epi8(shape->place, _mm256_shuffle_epi8(all, shape->spread));
  __m256i behind = _mm256_cmpgt_epi8(from, _mm256_shuffle_epi8(all, shape->limit));
  digits         = _mm256_shuffle_epi8(digits, _mm256_or_si256(from, behind));
  __m256i v      = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a));
  v              = _mm256_madd_epi16(v, _mm256_set1_epi32(0x00010064));
  v              = _mm256_packus_epi32(v, v);
  v              = _mm256_madd_epi16(v, _mm256_set1_epi32(0x00012710));
  uint64_t a     = (uint64_t)_mm_cvtsi128_si64(_mm256_castsi256_si128(v));
  uint64_t b     = (uint64_t)_mm_cvtsi128_si64(_mm256_extracti128_si256(v, 1));
  out->px        = (int64_t)((a & 0xffffffffu) * 100000000u + (a >> 32));
  out->qty       = (int64_t)((b & 0xffffffffu) * 100000000u + (b >> 32));
}

AVX2 static inline shape_t
make_shape(const md_levels_job_t *job) {
  uint8_t place[32], spread[32], limit[32];
  for (unsigned i = 0; i < 32; i++) {
    unsigned scale = i < 16 ? job->px_scale : job->qty_scale;
    unsigned k     = i % 16;
    place[i]       = (uint8_t)(k + (k >= 16 - scale));
    spread[i]      = i < 16 ? 0 : 2;
    limit[i]       = i < 16 ? 1 : 3;
  }
  return (shape_t){load(place), load(spread), load(limit)};
}

AVX2 const uint8_t *
md_levels_avx2(const uint8_t *p, const uint8_t *end, md_levels_job_t *job) {
  const shape_t  shape      = make_shape(job);
  const unsigned int_max[2] = {15 - job->px_scale,
                               15 - job->qty_scale}; /* a number within 16 bytes */
  uint32_t       n          = 0;
  while (n < job->max) {
    const uint8_t *s     = p + 2;
    __m256i        v     = load(s);
    unsigned       close = _tzcnt_u32(equal_mask(v, ']'));
    const uint8_t *next  = s + close + 2;
    ends_t         e;
    bool           good = (md_swar_load4(p) & 0xffff) == 0x225b && next < end && close < 32 &&
                find_ends(s, ~digit_mask(v), close, int_max, &e);
    if (MD_LIKELY(good)) {
      /* Digits that the scales do not keep must be zeros. */
      uint64_t rest = (uint32_t)~equal_mask(v, '0');
      uint64_t lost = _bzhi_u64(rest, e.px_end) >> (e.px_point + 1 + job->px_scale) |
                      _bzhi_u64(rest, e.qty_end) >> (e.qty_point + 1 + job->qty_scale);
      good = lost == 0;
    }
    if (MD_LIKELY(good)) {
      convert(s, &shape, &e, job, &job->out[n]);
    } else {
      next = md_levels_read_one(p, end, job, &job->out[n]);
      if (next == NULL) break;
    }
    p = next;
    n++;
  }
  job->cnt = n;
  return p;
}

#else

bool
md_levels_has_avx2(void) {
  return false;
}

const uint8_t *
md_levels_avx2(const uint8_t *p, const uint8_t *end, md_levels_job_t *job) {
  return md_levels_swar(p, end, job);
}
#endif
