BEGIN {
  n = split("strcpy stpcpy strcat sprintf vsprintf strtok atoi atol atoll atof gets alloca", names, " ")
}

{
  code = strip($0)
  for (i = 1; i <= n; i++)
    if (code ~ ("(^|[^A-Za-z0-9_])" names[i] "[ \t]*\\("))
      complain(names[i] " is banned")
  if (FILENAME != "shm/base.h" && code ~ /__builtin_prefetch[ \t]*\(/)
    complain("__builtin_prefetch alone is left out by gcc: md_prefetch")
}

END { exit bad }
