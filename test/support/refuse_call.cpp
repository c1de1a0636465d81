// SPDX-License-Identifier: Apache-2.0
// refuse_call PROGRAM [ARGUMENT...]: runs it where the kernel does not know futex_waitv (before Linux 5.16, or in a sandbox that
// was made before). Exit code 77 where no such filter can be set.
#include <cerrno>
#include <cstdio>

#include "refused_call.hpp"

namespace {

constexpr int kCannot = 77;
constexpr unsigned kFutexWaitv = 449;  // the same number everywhere

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fputs("usage: refuse_call PROGRAM [ARGUMENT...]\n", stderr);
        return 2;
    }
    if (!comap::test::refuse_call(kFutexWaitv)) {
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
