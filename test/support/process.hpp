// SPDX-License-Identifier: Apache-2.0
// For tests: directories of their own, and real child processes to talk to.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include <comap/comap.hpp>

namespace comap::test {

// A fresh root under /dev/shm (or $COMAP_TEST_TMP), set as COMAP_DIR, removed with everything in it at the end.
class TempRoot {
  public:
    explicit TempRoot(std::uint32_t mode = 0700);
    ~TempRoot();
    TempRoot(const TempRoot&) = delete;
    TempRoot& operator=(const TempRoot&) = delete;

    const std::string& path() const { return path_; }
    Context& context() { return context_; }
    std::string local() const { return context_.directory(Scope::local); }

    // Files in the Local namespace's directory.
    std::size_t file_count() const;

  private:
    static std::string make(std::uint32_t mode);
    std::string path_;
    Context context_;
};

// A line of single bytes between parent and child, both ways. Reads give -1 when the other side has ended.
class Line {
  public:
    Line(int read_fd, int write_fd) : read_fd_(read_fd), write_fd_(write_fd) {}
    void say(char byte = '.') const;
    int hear() const;
    std::string hear_text() const;  // up to a newline
    void say_text(const std::string& text) const;
    int read_fd() const { return read_fd_; }
    int write_fd() const { return write_fd_; }

  private:
    int read_fd_;
    int write_fd_;
};

// Runs a function in a forked child, which then exits with what it returned (without running the parent's clean-up).
// The destructor kills a child that still runs.
class Child {
  public:
    explicit Child(const std::function<int(const Line&)>& body);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    pid_t pid() const { return pid_; }
    const Line& line() const { return line_; }
    void signal(int number) const;
    int wait();  // the exit code, or 128 + the signal that ended it
    int kill();  // SIGKILL, then wait

  private:
    pid_t pid_ = -1;
    Line line_{-1, -1};
};

// Ends the test program with a message if `condition` does not come true within a minute: for states of the kernel that
// come by themselves. Returns how many times it looked.
int wait_until(const std::function<bool()>& condition, const char* what);

// Passes a short, random time: so that what follows hits another process anywhere in its work.
void pass_time(std::uint32_t turns);

// The children that this process forks from now on are in a PID namespace of their own; who is not root gets a user namespace
// for it too. False: the system does not allow that.
bool enter_new_pid_namespace();

// The process sleeps in the kernel (state S in /proc).
bool is_asleep(pid_t pid);
bool is_stopped(pid_t pid);

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& bytes);

}  // namespace comap::test

// For results of the library: the error's sentence is shown.
#define ASSERT_OK(result) ASSERT_TRUE((result).has_value()) << (result).error().message
#define EXPECT_OK(result) EXPECT_TRUE((result).has_value()) << (result).error().message
#define EXPECT_CODE(wanted, result)                                                                    \
    do {                                                                                               \
        const auto& expect_code_ = (result);                                                           \
        if (expect_code_.has_value()) ADD_FAILURE() << #result << " succeeded, expected " #wanted;      \
        else EXPECT_EQ(::comap::code_name(wanted), ::comap::code_name(expect_code_.error().code)) << expect_code_.error().message; \
    } while (false)
// In child processes: ends with this line's number (modulo 200, plus 1) if it is not so.
#define CHILD_CHECK(condition) \
    do {                       \
        if (!(condition)) {    \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            ::_exit(__LINE__ % 100 + 1); \
        }                      \
    } while (false)
