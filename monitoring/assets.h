/* assets.h - the files of the status page inside the binary, compressed: monitoring/page/dist, made
 * into C by monitoring/page/embed.cmake. Constant. */
#ifndef MONITORING_ASSETS_H
#define MONITORING_ASSETS_H

#include <stddef.h>
#include <stdint.h>

typedef enum md_asset {
  MD_ASSET_INDEX,
  MD_ASSET_SCRIPT,
  MD_ASSET_STYLE,
  MD_ASSET_ICON,
  MD_ASSET_CNT
} md_asset_t;

typedef struct md_asset_file {
  const char    *content_type;
  const char    *tag; /* ETag: of the bytes */
  const uint8_t *bytes;
  size_t         len;
} md_asset_file_t;

extern const md_asset_file_t md_asset_file[MD_ASSET_CNT];

#endif
