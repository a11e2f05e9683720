"""powercut.py BIN [--states N] [--policy P] [--seed S] [--mount OPTIONS]: power cuts without a device mapper.

A journal is written, rolled, recovered, packed, thinned out and written on (powercut_work) on an ext4 of which each block
write goes through qemu's blklogwrites into a log. Then states of the disk are made from that log as a
power cut could leave them, mounted, and read by powercut_check:
- every prefix of the writes (evenly chosen ones when there are more than N / 2),
- what the last flush covered, with a random part of the writes behind it, in any order, some torn at a sector.

With policy none nothing is synced, and what is called durable is not: then the same check must find losses.
Prints one line; exit 0: no state lost or invented anything; 1: some did; 77: the rig cannot run here."""
import argparse
import contextlib
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

SECTOR = 512
FLUSH, DISCARD = 1, 4
IMAGE_BYTES = 48 << 20
UNMOUNTABLE = "no file system is left"


def run(*command, check=True):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout.strip()}")
    return done


def cannot(reason):
    print(f"powercut: not run: {reason}")
    sys.exit(77)


def requirements():
    for program in ("qemu-nbd", "nbdfuse", "mkfs.ext4", "losetup", "fusermount3"):
        if not shutil.which(program):
            cannot(f"{program} is not installed (qemu-utils libnbd-bin e2fsprogs fuse3)")
    if os.geteuid() != 0:
        cannot("not root: a loop device is needed")
    if not os.path.exists("/dev/fuse") or run("losetup", "-f", check=False).returncode != 0:
        cannot("no /dev/fuse or no loop device")


@contextlib.contextmanager
def mounted(file, at, options=""):
    device = run("losetup", "-f", "--show", file).stdout.strip()
    try:
        run("mount", *(["-o", options] if options else []), device, at)
        try:
            yield
        finally:
            run("umount", at)
    finally:
        run("losetup", "-d", device)


class Rig:
    def __init__(self, arguments):
        self.arguments = arguments
        self.dir = tempfile.mkdtemp(prefix="mdengine-powercut.")
        self.mount = f"{self.dir}/mnt"
        self.acks = f"{self.dir}/acks"
        os.makedirs(self.mount)
        os.makedirs(f"{self.dir}/nbd")

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def write(self):
        """Runs the workload on the logged disk; returns the disk before it."""
        base, log = f"{self.dir}/disk", f"{self.dir}/log"
        with open(base, "wb") as f:
            f.truncate(IMAGE_BYTES)
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", base)
        with open(base, "rb") as f:
            before = bytearray(f.read())
        with open(log, "wb") as f:
            f.truncate(1 << 30)
        server = subprocess.Popen(
            ["nbdfuse", f"{self.dir}/nbd/disk", "[", "qemu-nbd", "--image-opts",
             f"driver=blklogwrites,file.driver=file,file.filename={base},log.driver=file,log.filename={log},"
             f"log-sector-size={SECTOR}", "]"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(200):
                if os.path.exists(f"{self.dir}/nbd/disk"):
                    break
                time.sleep(0.05)
            else:
                cannot("nbdfuse shows no disk")
            with mounted(f"{self.dir}/nbd/disk", self.mount, self.arguments.mount):
                journal = f"{self.mount}/journal"
                os.makedirs(journal)
                os.sync()
                for phase in ("append", "recover", "tend"):
                    run(f"{self.arguments.bin}/tests/powercut_work", phase, journal, log, self.acks,
                        self.arguments.policy)
        finally:
            run("fusermount3", "-u", f"{self.dir}/nbd", check=False)
            server.wait(30)
        return before

    def entries(self):
        with open(f"{self.dir}/log", "rb") as f:
            _, _, cnt, _ = struct.unpack("<QQQQ", f.read(32))
            f.seek(SECTOR)
            for _ in range(cnt):
                sector, sector_cnt, flags, _ = struct.unpack("<QQQQ", f.read(SECTOR)[:32])
                data = b"" if flags & DISCARD else f.read(sector_cnt * SECTOR)
                yield sector, flags, data

    def check(self, image, entry_cnt):
        """None, or what is wrong; UNMOUNTABLE when even a repair gives no file system."""
        with open(f"{self.dir}/state", "wb") as f:
            f.write(image)
        # A superblock torn between its two sectors is repaired as at boot, from its copy.
        if run("e2fsck", "-p", f"{self.dir}/state", check=False).returncode >= 4:
            run("e2fsck", "-f", "-y", f"{self.dir}/state", check=False)
        if run("dumpe2fs", "-h", f"{self.dir}/state", check=False).returncode != 0:
            return UNMOUNTABLE
        with mounted(f"{self.dir}/state", self.mount, self.arguments.mount):
            done = run(f"{self.arguments.bin}/tests/powercut_check", f"{self.mount}/journal", self.acks, entry_cnt,
                       check=False)
        return None if done.returncode == 0 else done.stdout.strip() or f"status {done.returncode}"


def torn(rng, data):
    """The data, or its first sectors only."""
    if rng.random() < 0.7:
        return data
    return data[:SECTOR * rng.randint(0, len(data) // SECTOR)]


def states(before, entries, state_cnt, rng):
    """Yields (kind, image, entries that count as done)."""
    every = max(1, 2 * (len(entries) + 1) // state_cnt)
    image, flushed, flushed_at, pending = bytearray(before), bytearray(before), 0, []
    for k in range(len(entries) + 1):
        # A flush is the moment of truth: those prefixes first.
        if k % every == 0:
            yield "prefix", image, k
            if pending:
                left = bytearray(flushed)
                for sector, data in rng.sample(pending, rng.randint(0, len(pending))):
                    part = torn(rng, data)
                    left[sector * SECTOR:sector * SECTOR + len(part)] = part
                yield "reordered", left, flushed_at
        if k == len(entries):
            return
        sector, flags, data = entries[k]
        if flags & FLUSH:
            flushed, flushed_at, pending = bytearray(image), k + 1, []
        if data:
            image[sector * SECTOR:sector * SECTOR + len(data)] = data
            pending.append((sector, data))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("--states", type=int, default=300)
    parser.add_argument("--policy", default="batch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mount", default="")
    arguments = parser.parse_args()
    requirements()
    rig = Rig(arguments)
    try:
        before = rig.write()
        entries = list(rig.entries())
        promise_cnt = sum(1 for _ in open(rig.acks))
        begin, kinds, bad, gone = time.time(), {"prefix": 0, "reordered": 0}, [], 0
        for kind, image, entry_cnt in states(before, entries, arguments.states, random.Random(arguments.seed)):
            said = rig.check(image, entry_cnt)
            if said == UNMOUNTABLE and kind == "reordered":
                gone += 1  # ext4 itself does not stand this one: nothing is left to ask
                continue
            kinds[kind] += 1
            if said:
                bad.append(f"{kind} {entry_cnt}: {said}")
        for line in bad[:3]:
            print(line)
        total = sum(kinds.values())
        print(f"powercut {arguments.policy}: {total - len(bad)} of {total} states whole ({kinds['prefix']} prefixes, "
              f"{kinds['reordered']} reordered or torn, {gone} without a file system, of {len(entries)} writes and "
              f"{promise_cnt} promises; {total / (time.time() - begin):.1f} states/s)")
    finally:
        rig.close()
    return 1 if bad or total < arguments.states // 2 else 0


sys.exit(main())
