// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace comap::crash {
namespace {

constexpr std::uint64_t kShownFailuresMax = 20;
constexpr std::uint64_t kHangNs = 60'000'000'000u;

std::set<std::string> names_in(const std::string& path) {
    std::set<std::string> names;
    DIR* const directory = ::opendir(path.c_str());
    if (!directory) return names;
    while (const dirent* const entry = ::readdir(directory)) names.insert(entry->d_name);
    ::closedir(directory);
    names.erase(".");
    names.erase("..");
    return names;
}

// Its files too, but no directories in it.
void remove_directory(const std::string& path) {
    for (const auto& name : names_in(path)) ::unlink((path + "/" + name).c_str());
    ::rmdir(path.c_str());
}

void pause_a_moment() {
    const struct timespec moment = {0, 50'000};
    ::nanosleep(&moment, nullptr);
}

bool is_asleep(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string stat;
    std::getline(file, stat);
    const std::size_t after_name = stat.rfind(')');
    return after_name != std::string::npos && stat[after_name + 2] == 'S';
}

[[noreturn]] void give_up(const std::string& what) {
    std::perror(what.c_str());
    std::exit(2);
}

}  // namespace

void Verdict::expect(bool holds, const std::string& what) {
    if (holds) return;
    if (++failure_count_ <= kShownFailuresMax) std::fprintf(stderr, "NOT SO: %s\n        after: %s\n", what.c_str(), place_.c_str());
}

void Verdict::expect_order(bool happened, const std::string& what) {
    expect(happened || !has_happened_, what + ", though it had happened when it was killed earlier in the same call");
    has_happened_ = has_happened_ || happened;
}

World::World(Verdict& verdict_in) : verdict(verdict_in) {
    std::string name = "/dev/shm/comap-crash.XXXXXX";
    if (!::mkdtemp(name.data())) give_up(name);
    root = name;
}

World::~World() {
    close_held();
    kill_holder();
    context.reset();
    for (const auto& name : names_in(root)) remove_directory(root + "/" + name);
    remove_directory(root);
}

std::set<std::string> World::file_names() const { return names_in(namespace_path()); }

void World::begin_run() { context = std::make_unique<Context>(ContextOptions{.root = root}); }

void World::close_held() {
    held.close();
    held_text.close();
    held_mutex.close();
    held_event.close();
    held_semaphore.close();
    held_cell.close();
    held_subscription.close();
    held_channel.close();
    held_queue.close();
}

void World::end_run() {
    close_held();
    kill_holder();
    for (const auto& name : file_names())
        if (const auto info = context->stat(name); info && info->keep) expect_ok(context->remove(name), "the kept object " + name + " can be removed");
    const bool has_namespace = ::access(namespace_path().c_str(), F_OK) == 0;
    if (has_namespace) expect_ok(context->collect(Scope::local), "gc works");
    const auto left = file_names();
    expect(left.empty(), "gc leaves nothing, but there is " + (left.empty() ? std::string() : *left.begin()));
    for (const auto& name : left) ::unlink((namespace_path() + "/" + name).c_str());  // the next run begins clean
    ::unlink(body_path().c_str());
    context.reset();
    ::rmdir((root + "/comap-" + std::to_string(::geteuid())).c_str());
}

void World::in_process_that_dies(const std::function<bool(Context&)>& make) {
    const pid_t pid = ::fork();
    if (pid < 0) give_up("fork");
    if (pid == 0) {
        Context own({.root = root});
        ::_exit(make(own) ? 0 : 1);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    expect(status == 0, "the process that dies could make what it should");
}

void World::start_holder() {
    std::array<int, 2> ready;
    if (::pipe2(ready.data(), O_CLOEXEC) < 0) give_up("pipe");
    holder = ::fork();
    if (holder < 0) give_up("fork");
    if (holder == 0) {
        Context own({.root = root});
        const auto section = Section::open_or_create(kName, kSize, {}, own);
        if (section && ::write(ready[1], ".", 1) == 1) for (;;) ::pause();
        ::_exit(1);
    }
    ::close(ready[1]);
    char byte = 0;
    expect(::read(ready[0], &byte, 1) == 1, "a process holds the section");
    ::close(ready[0]);
}

void World::kill_holder() {
    if (holder < 0) return;
    ::kill(holder, SIGKILL);
    ::waitpid(holder, nullptr, 0);
    holder = -1;
}

void World::start_waiter(const std::function<int()>& wait) {
    std::array<int, 2> ready;
    if (::pipe2(ready.data(), O_CLOEXEC) < 0) give_up("pipe");
    waiter_code = -1;
    waiter = ::fork();
    if (waiter < 0) give_up("fork");
    if (waiter == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::write(ready[1], ".", 1) != 1) ::_exit(99);
        ::_exit(wait());
    }
    ::close(ready[1]);
    char byte = 0;
    expect(::read(ready[0], &byte, 1) == 1, "the waiter has begun");
    ::close(ready[0]);
    while (!waiter_has_ended() && !is_asleep(waiter)) pause_a_moment();
}

bool World::waiter_has_ended() {
    if (waiter < 0) return true;
    int status = 0;
    if (::waitpid(waiter, &status, WNOHANG) != waiter) return false;
    waiter_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    waiter = -1;
    return true;
}

void World::await_waiter(const std::function<void()>& help) {
    const std::uint64_t began_ns = now_ns();
    for (std::uint64_t turn = 1; !waiter_has_ended(); ++turn) {
        pause_a_moment();
        if (turn % 16 == 0) help();
        if (now_ns() - began_ns < kHangNs) continue;
        expect(false, "the waiter gets on");
        ::kill(waiter, SIGKILL);
        while (!waiter_has_ended()) pause_a_moment();
    }
}

std::uint64_t World::now_ns() {
    struct timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

void World::note_wait(std::uint64_t wait_ns) { longest_wait_ns = std::max(longest_wait_ns, wait_ns); }

std::string pattern(std::uint64_t size_bytes) {
    std::string bytes(size_bytes, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(1 + i % 251);
    return bytes;
}

bool fill(const Section& section, std::uint64_t size_bytes) {
    const auto view = section.view({.offset_bytes = 0, .size_bytes = size_bytes, .protection = {}});
    if (!view) return false;
    const std::string bytes = pattern(size_bytes);
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(view->data()));
    return true;
}

void expect_whole(const World& world, const Section& section, std::uint64_t size_bytes, std::uint64_t pattern_bytes) {
    const auto size = section.size_bytes();
    if (!world.expect_ok(size, "the size is known")) return;
    world.expect(*size == size_bytes, "the section has " + std::to_string(size_bytes) + " bytes, not " + std::to_string(*size));
    const auto view = section.view();
    if (!world.expect_ok(view, "the section can be viewed")) return;
    const std::string_view bytes(reinterpret_cast<const char*>(view->data()), view->size());
    world.expect(bytes.size() == size_bytes, "the view has the section's size");
    world.expect(bytes.substr(0, pattern_bytes) == pattern(pattern_bytes), "the section's bytes are what was written");
    world.expect(bytes.find_first_not_of('\0', pattern_bytes) == bytes.npos, "the rest of the section is zero");
}

}  // namespace comap::crash
