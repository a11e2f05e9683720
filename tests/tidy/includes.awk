BEGIN {
  may["shm"] = "shm"
  may["feeds"] = "shm feeds"
  may["writers"] = "shm writers"
  may["monitoring"] = "shm monitoring"
  may["engine"] = "shm feeds writers monitoring engine bench"
  may["bench"] = "shm feeds writers monitoring engine bench"
  may["tests"] = "shm feeds writers monitoring engine bench tests"

  n = split("argp assert byteswap ctype dirent dlfcn endian err errno error execinfo elf fcntl fenv float fnmatch ftw " \
            "getopt glob grp inttypes libgen limits link locale malloc math mntent netdb poll semaphore " \
            "pthread pwd regex sched signal spawn stdalign stdarg stdatomic stdbool stddef " \
            "stdint stdio stdlib stdnoreturn string strings syslog termios threads time " \
            "ucontext unistd wchar cpuid immintrin nmmintrin x86intrin arm_acle", names, " ")
  for (i = 1; i <= n; i++)
    libc[names[i] ".h"] = 1
  n = split("algorithm array atomic chrono cstddef cstdint cstdio cstdlib cstring exception memory " \
            "new string string_view utility vector", names, " ")
  for (i = 1; i <= n; i++)
    cxx[names[i]] = 1

  # Third party: in the product's folders, one .c file below "where" in all; bench and tests are free.
  where["liburing"] = "^writers/"
  where["libpq"] = "^writers/"
  where["libfyaml"] = "^engine/"
  where["zstd"] = "^feeds/recording"
  where["zstd_journal"] = "^writers/journal_zstd"
  where["ck"] = "^bench/"
  where["openssl"] = "^(feeds|writers|engine)/"
  where["openssl_x509"] = "^feeds/sim/"
  where["openssl_tls"] = "^feeds/tls_client\\.c$"
  where["openssl_sha"] = "^feeds/ws_handshake\\.c$"
  where["zlib"] = "^feeds/ws_deflate\\.c$"
  where["isal"] = "^writers/"
  where["jansson"] = "^bench/"
  where["ncurses"] = "^engine/screen\\.c$"
  where["relacy"] = "^tests/"
  where["valgrind"] = "^tests/cost/"

  # libwebsockets is client, HTTP client, exchange simulator and HTTP server: each file is named.
  lws["feeds/transport_lws.c"] = lws["feeds/rest_lws.c"] = 1
  lws["monitoring/http.c"] = lws["monitoring/push.c"] = lws["feeds/sim/sim_server.c"] = 1
}

function library(header) {
  if (header ~ /^liburing/) return "liburing"
  if (header ~ /^(postgresql\/)?(libpq-fe|libpq-events|pg_config)/) return "libpq"
  if (header ~ /^libfyaml/) return "libfyaml"
  # Recordings are read in one file, packed segments in another.
  if (header ~ /^(zstd|zdict)/) return FILENAME ~ /^writers\// ? "zstd_journal" : "zstd"
  if (header ~ /^ck_/) return "ck"
  # TLS of the native transport, and the digest of its handshake, are one file each.
  if (header ~ /^openssl\// && FILENAME ~ /^feeds\/tls_client/) return "openssl_tls"
  if (header ~ /^openssl\/sha\.h/ && FILENAME ~ /^feeds\/ws_handshake/) return "openssl_sha"
  if (header ~ /^zlib\.h/) return "zlib"
  # Certificates are made in one file, digests in another.
  if (header ~ /^openssl\/(pem|rand|x509v3)\.h/) return "openssl_x509"
  if (header ~ /^openssl\//) return "openssl"
  if (header ~ /^libwebsockets/) return "libwebsockets"
  if (header ~ /^jansson\.h$/) return "jansson"
  if (header ~ /^(isa-l\/|isa-l\.h|crc\.h)/) return "isal"
  if (header ~ /^ncurses/) return "ncurses"
  if (header ~ /^relacy\//) return "relacy"
  if (header ~ /^valgrind\//) return "valgrind"
  return ""
}

function check_own(header,    part, to) {
  if (header !~ /\//) {
    complain("\"" header "\" is not relative to the root: write \"" top "/" header "\"")
    return
  }
  split(header, part, "/")
  to = part[1]
  if (index(" " may[top] " ", " " to " ") == 0)
    complain(top " may not include " to " (\"" header "\"): it may see " may[top])
}

function check_system(header,    lib) {
  if ((header in libc) || header ~ /^(sys|linux|netinet|arpa|net|asm)\//)
    return
  if ((header in cxx) && FILENAME ~ /\.(cc|h)$/)
    return
  lib = library(header)
  if (lib == "libwebsockets" && (FILENAME in lws))
    return
  if (top == "bench" || top == "tests") {
    if (lib != "" || header ~ /^criterion\// && FILENAME ~ /^tests\/unit\//)
      return
    if (header ~ /^simdjson/ && FILENAME ~ /^bench\/.*\.cc$/)
      return
  } else if (lib != "" && FILENAME ~ /\.c$/ && FILENAME ~ where[lib]) {
    if (!(lib in first))
      first[lib] = FILENAME
    if (first[lib] != FILENAME)
      complain("<" header "> stands in " first[lib] " already: one file sees " lib)
    return
  }
  complain("<" header "> may not be included here")
}

FNR == 1 {
  split(FILENAME, part, "/")
  top = part[1]
  if (!(top in may))
    complain("no rule says what folder " top " may include")
}

/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
  line = $0
  quoted = line ~ /include[ \t]*"/
  sub(/^[^<"]*[<"]/, "", line)
  sub(/[>"].*$/, "", line)
  if (quoted)
    check_own(line)
  else
    check_system(line)
}

END { exit bad }
