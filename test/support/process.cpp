// SPDX-License-Identifier: Apache-2.0
#include "support/process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace comap::test {
namespace {

void must(bool condition, const char* what) {
    if (condition) return;
    std::perror(what);
    std::abort();
}

}  // namespace

std::string TempRoot::make(std::uint32_t mode) {
    const char* const parent = std::getenv("COMAP_TEST_TMP");
    std::string path = std::string(parent ? parent : "/dev/shm") + "/comap-test-XXXXXX";
    must(::mkdtemp(path.data()) != nullptr, "mkdtemp");
    must(::chmod(path.c_str(), mode) == 0, "chmod");
    ::setenv("COMAP_DIR", path.c_str(), 1);
    return path;
}

TempRoot::TempRoot(std::uint32_t mode) : path_(make(mode)), context_(ContextOptions{.root = path_}) {}

TempRoot::~TempRoot() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::size_t TempRoot::file_count() const {
    std::error_code none;
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(local(), none)) ++count;
    return count;
}

void Line::say(char byte) const { must(::write(write_fd_, &byte, 1) == 1, "say"); }

int Line::hear() const {
    unsigned char byte = 0;
    ssize_t count = 0;
    do count = ::read(read_fd_, &byte, 1);
    while (count < 0 && errno == EINTR);
    return count == 1 ? byte : -1;
}

std::string Line::hear_text() const {
    std::string text;
    for (int byte = hear(); byte >= 0 && byte != '\n'; byte = hear()) text += static_cast<char>(byte);
    return text;
}

void Line::say_text(const std::string& text) const {
    const std::string whole = text + "\n";
    must(::write(write_fd_, whole.data(), whole.size()) == static_cast<ssize_t>(whole.size()), "say_text");
}

Child::Child(const std::function<int(const Line&)>& body) {
    int down[2];
    int up[2];
    must(::pipe2(down, O_CLOEXEC) == 0 && ::pipe2(up, O_CLOEXEC) == 0, "pipe");
    pid_ = ::fork();
    must(pid_ >= 0, "fork");
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nothing is left of a test that ends early
        ::close(down[1]);
        ::close(up[0]);
        ::_exit(body(Line(down[0], up[1])));
    }
    ::close(down[0]);
    ::close(up[1]);
    line_ = Line(up[0], down[1]);
}

Child::~Child() {
    if (pid_ > 0) kill();
    ::close(line_.read_fd());
    ::close(line_.write_fd());
}

void Child::signal(int number) const { must(::kill(pid_, number) == 0, "kill"); }

int Child::wait() {
    int status = 0;
    pid_t waited = 0;
    do waited = ::waitpid(pid_, &status, 0);
    while (waited < 0 && errno == EINTR);
    must(waited == pid_, "waitpid");
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int Child::kill() {
    signal(SIGKILL);
    return wait();
}

int wait_until(const std::function<bool()>& condition, const char* what) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    for (int looks = 1;; ++looks) {
        if (condition()) return looks;
        if (std::chrono::steady_clock::now() > end) {
            std::fprintf(stderr, "waited a minute in vain until: %s\n", what);
            std::abort();
        }
        const struct timespec nap = {0, 200'000};
        ::nanosleep(&nap, nullptr);
    }
}

void pass_time(std::uint32_t turns) {
    for (std::uint32_t turn = 0; turn < turns; ++turn) asm volatile("");
}

namespace {

char state_of(pid_t pid) {
    const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
    const std::size_t after_name = stat.rfind(')');
    return after_name == std::string::npos ? '?' : stat[after_name + 2];
}

}  // namespace

bool is_asleep(pid_t pid) { return state_of(pid) == 'S'; }
bool is_stopped(pid_t pid) { return state_of(pid) == 'T' || state_of(pid) == 't'; }

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    return bytes.str();
}

void write_file(const std::string& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    must(file.good(), path.c_str());
}

bool enter_new_pid_namespace() {
    const int flags = ::geteuid() == 0 ? CLONE_NEWPID : CLONE_NEWUSER | CLONE_NEWPID;
    const std::string uid = std::to_string(::geteuid());  // before: afterwards they are nobody's
    const std::string gid = std::to_string(::getegid());
    if (::unshare(flags) != 0) return false;
    if ((flags & CLONE_NEWUSER) != 0) {
        write_file("/proc/self/setgroups", "deny");
        write_file("/proc/self/uid_map", uid + " " + uid + " 1");
        write_file("/proc/self/gid_map", gid + " " + gid + " 1");
    }
    return true;
}

}  // namespace comap::test
