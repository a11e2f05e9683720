"""Stops one thread of a process as a debugger does, and holds it until its process ends: the honest stand-in
for a thread that hangs. Usage: stop_thread.py PID NAME. Says "stopped" once it is; exit status 77 where the
system allows no tracing."""
import ctypes
import errno
import os
import pathlib
import sys

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
WALL = 0x40000000


def find(pid, name):
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    sys.exit(f"process {pid} has no thread {name}")


def main():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    tid = find(sys.argv[1], sys.argv[2])
    if libc.ptrace(PTRACE_SEIZE, tid, None, None) != 0:
        sys.exit(77 if ctypes.get_errno() in (errno.EPERM, errno.ENOSYS) else 1)
    if libc.ptrace(PTRACE_INTERRUPT, tid, None, None) != 0:
        sys.exit(1)
    os.waitpid(tid, WALL)
    print("stopped", flush=True)
    os.waitpid(tid, WALL)  # the end of the thread, with its process


main()
