// SPDX-License-Identifier: Apache-2.0
// refuse_call PROGRAM [ARGUMENT...]: runs it where the kernel does not know futex_waitv (before Linux 5.16, or in a sandbox that
// was made before). Exit code 77 where no such filter can be set.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>

namespace {

constexpr int kCannot = 77;
constexpr unsigned kFutexWaitv = 449;  // the same number everywhere

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fputs("usage: refuse_call PROGRAM [ARGUMENT...]\n", stderr);
        return 2;
    }
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kFutexWaitv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {sizeof steps / sizeof steps[0], steps};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        std::perror("refuse_call: this system lets us set no filter");
        return kCannot;
    }
    errno = 0;
    if (::syscall(kFutexWaitv, nullptr, 0, 0, nullptr, 0) != -1 || errno != ENOSYS) {
        std::fputs("refuse_call: the filter does not work\n", stderr);
        return 1;
    }
    ::execv(argv[1], argv + 1);
    std::perror(argv[1]);
    return 127;
}
