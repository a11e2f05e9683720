# embed.cmake - writes the files of the status page as C: cmake -DDIST=... -DOUT=... -P embed.cmake
set(text "#include \"monitoring/assets.h\"\n")
set(rows "")

function(embed id file type)
  file(READ ${DIST}/${file} hex HEX)
  file(SHA256 ${DIST}/${file} sum)
  string(SUBSTRING ${sum} 0 16 tag)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
  set(text "${text}\nstatic const uint8_t bytes_${id}[] = {\n${bytes}};\n" PARENT_SCOPE)
  set(rows "${rows}  [MD_ASSET_${id}] = {\"${type}\", \"\\\"${tag}\\\"\", bytes_${id}, sizeof bytes_${id}},\n" PARENT_SCOPE)
endfunction()

embed(INDEX index.html.gz "text/html; charset=utf-8")
embed(SCRIPT page.js.gz "text/javascript; charset=utf-8")
embed(STYLE page.css.gz "text/css; charset=utf-8")
embed(ICON icon.svg.gz "image/svg+xml")
file(WRITE ${OUT} "${text}\nconst md_asset_file_t md_asset_file[MD_ASSET_CNT] = {\n${rows}};\n")
