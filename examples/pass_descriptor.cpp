// SPDX-License-Identifier: Apache-2.0
// A section without a name, given to one other process over a UNIX socket: only who gets the descriptor can reach it.
// The child receives the descriptor, adds the numbers in the section, writes the sum into it and publishes.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <comap/comap.hpp>

namespace {

struct Sum {
    std::array<std::uint32_t, 1000> numbers;
    std::uint64_t result;
};

template <typename T>
T must(comap::Result<T> result) {
    if (!result) {
        std::fprintf(stderr, "pass_descriptor: %s\n", result.error().message.c_str());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// A message of one byte that carries one descriptor.
struct Message {
    char byte = 0;
    iovec part = {&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
    msghdr header = {};

    Message() {
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
    }
};

bool send_descriptor(int socket, int descriptor) {
    Message message;
    cmsghdr* control = CMSG_FIRSTHDR(&message.header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(control), &descriptor, sizeof descriptor);
    return sendmsg(socket, &message.header, 0) == 1;
}

// -1 if none came.
int receive_descriptor(int socket) {
    Message message;
    if (recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC) != 1) return -1;
    const cmsghdr* control = CMSG_FIRSTHDR(&message.header);
    if (control == nullptr || control->cmsg_type != SCM_RIGHTS) return -1;
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(control), sizeof descriptor);
    return descriptor;
}

int run_child(int socket) {
    const int descriptor = receive_descriptor(socket);
    if (descriptor < 0) return 1;
    const comap::Section section = must(comap::Section::from_descriptor(descriptor));
    close(descriptor);  // the section has its own
    const comap::View view = must(section.view());
    Sum& sum = view.as<Sum>().front();
    sum.result = std::accumulate(sum.numbers.begin(), sum.numbers.end(), std::uint64_t{0});
    must(section.publish());
    return 0;
}

}  // namespace

int main() {
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) return 1;
    const pid_t child = fork();  // before the section is made: the child can only get it through the socket
    if (child < 0) return 1;
    if (child == 0) {
        close(sockets[0]);
        _exit(run_child(sockets[1]));
    }
    close(sockets[1]);

    const comap::Section section = must(comap::Section::create_unnamed(sizeof(Sum)));
    const comap::View view = must(section.view());
    Sum& sum = view.as<Sum>().front();
    std::iota(sum.numbers.begin(), sum.numbers.end(), 1U);

    const int descriptor = must(section.share_descriptor(comap::Access::read_write));
    const std::uint32_t seen = must(section.version());
    if (!send_descriptor(sockets[0], descriptor)) return 1;
    close(descriptor);

    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) return 1;
    const comap::Wait end = must(section.wait(seen, comap::Deadline::passed()));
    std::printf("The child says that 1 + 2 + ... + 1000 is %llu.\n", static_cast<unsigned long long>(sum.result));
    return end == comap::Wait::changed && sum.result == 500'500 ? 0 : 1;
}
