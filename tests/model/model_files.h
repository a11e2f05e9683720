/* model_files.h - a file system of one folder for the models of the segment.
 *
 * segment.c and segment_join.c are compiled with this header before them, so that their system
 * calls come here: files are pieces of static memory, a mapping is the file itself. The kernel's
 * own ordering is left out on purpose: what a reader of a mapping may rely on is magic and state.
 */
#ifndef TESTS_MODEL_MODEL_FILES_H
#define TESTS_MODEL_MODEL_FILES_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* model_files_reset empties the folder; model_files_at returns the memory of a file, by number in
 * the order of making. */
void  model_files_reset(void);
void *model_files_at(unsigned i);

int   model_open(const char *path, int flags, ...);
int   model_close(int fd);
int   model_fstat(int fd, struct stat *st);
int   model_lstat(const char *path, struct stat *st);
int   model_unlink(const char *path);
int   model_rename(const char *from, const char *to);
int   model_fallocate(int fd, off_t from, off_t bytes);
void *model_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t off);
int   model_munmap(void *at, size_t bytes);
int   model_fchmod(int fd, mode_t mode);
int   model_flock(int fd, int what);
int   model_fcntl(int fd, int what, ...);
int   model_ftruncate(int fd, off_t bytes);
int   model_statvfs(const char *path, struct statvfs *fs);
FILE *model_fopen(const char *path, const char *mode);

#ifndef MODEL_FILES_OWN
#define open             model_open
#define close            model_close
#define fstat            model_fstat
#define lstat            model_lstat
#define unlink           model_unlink
#define rename           model_rename
#define posix_fallocate  model_fallocate
#define mmap             model_mmap
#define munmap           model_munmap
#define fchmod           model_fchmod
#define flock(fd, what)  model_flock((fd), (what)) /* flock is a struct too */
#define fcntl            model_fcntl
#define ftruncate        model_ftruncate
#define statvfs(path, s) model_statvfs((path), (s)) /* so is statvfs */
#define fopen            model_fopen
#endif

#endif
