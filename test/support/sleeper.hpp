// SPDX-License-Identifier: Apache-2.0
// For tests: threads that are seen to sleep, and descriptors sent to processes that were forked before.
#pragma once

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>

#include "support/process.hpp"

namespace comap::test {

// A thread that is going to sleep in the library. Joined by the destructor.
class Sleeper {
  public:
    explicit Sleeper(std::function<void()> body)
        : thread_([this, work = std::move(body)] {
              number_.store(::gettid());
              work();
              is_done_.store(true);
          }) {}
    ~Sleeper() { join(); }
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;

    bool is_done() const { return is_done_.load(); }
    void wait_until_asleep() const {
        wait_until([&] { return is_done() || (number_.load() != 0 && is_asleep(number_.load())); }, "the thread sleeps");
    }
    void join() {
        if (thread_.joinable()) thread_.join();
    }
    // Sends the signal again and again until the thread has ended.
    void disturb(int number) {
        wait_until_asleep();
        wait_until([&] { return is_done() || (::pthread_kill(thread_.native_handle(), number), false); }, "a signal ends the wait");
    }

  private:
    std::atomic<pid_t> number_{0};
    std::atomic<bool> is_done_{false};
    std::thread thread_;
};

// While one lives, that signal is handled, and nothing is done.
class Handled {
  public:
    Handled(int number, bool restarts) : number_(number) {
        struct sigaction action = {};
        action.sa_handler = [](int) {};
        action.sa_flags = restarts ? SA_RESTART : 0;
        ::sigaction(number, &action, &before_);
    }
    ~Handled() { ::sigaction(number_, &before_, nullptr); }
    Handled(const Handled&) = delete;
    Handled& operator=(const Handled&) = delete;

  private:
    int number_;
    struct sigaction before_ = {};
};

// Two connected sockets, made before the fork, through which descriptors go from the parent to the child.
class Post {
  public:
    Post() {
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_) != 0) std::abort();
    }
    ~Post() {
        ::close(ends_[0]);
        ::close(ends_[1]);
    }
    Post(const Post&) = delete;
    Post& operator=(const Post&) = delete;

    void send(int descriptor) const {
        Envelope envelope;
        std::memcpy(CMSG_DATA(envelope.descriptor_header()), &descriptor, sizeof descriptor);
        if (::sendmsg(ends_[0], &envelope.message, 0) != 1) std::abort();
    }
    int receive() const {
        Envelope envelope;
        int descriptor = -1;
        if (::recvmsg(ends_[1], &envelope.message, MSG_CMSG_CLOEXEC) != 1) return -1;
        std::memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&envelope.message)), sizeof descriptor);
        return descriptor;
    }

  private:
    struct Envelope {
        char byte = '.';
        struct iovec part = {&byte, 1};
        alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        struct msghdr message = {};
        Envelope() {
            message.msg_iov = &part;
            message.msg_iovlen = 1;
            message.msg_control = control;
            message.msg_controllen = sizeof control;
        }
        struct cmsghdr* descriptor_header() {
            struct cmsghdr* const header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(int));
            return header;
        }
    };
    int ends_[2];
};

// The last 64 bytes of a page of an object's file, where the words of a mutex, an event or a semaphore are.
inline std::string sync_block(const std::string& path, std::size_t page = 0) { return read_file(path).substr(page * 4096 + 4032, 64); }

}  // namespace comap::test
