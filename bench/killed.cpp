// SPDX-License-Identifier: Apache-2.0
// How soon memory comes back after its only holder was killed with SIGKILL, with the janitor at work.
#include <limits.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <array>
#include <cmath>
#include <cstring>
#include <map>

#include "harness.hpp"
#include "raw.hpp"

namespace comap::bench {
namespace {

constexpr char kSmallRow[] = "memory back after SIGKILL, 4 KiB";
constexpr char kLargeRow[] = "memory back after SIGKILL, 64 MiB";
constexpr std::uint64_t kPatienceNs = 5'000'000'000u;

// Spins until it is so; milliseconds since `begin_ns`.
template <typename IsSo>
double ms_until(std::uint64_t begin_ns, const IsSo& is_so) {
    while (!is_so())
        if (now_ns() - begin_ns > kPatienceNs) give_up("a killed process's memory did not come back within five seconds");
    return static_cast<double>(now_ns() - begin_ns) / 1e6;
}

std::uint64_t free_bytes(const std::string& directory) {
    struct statvfs found;
    must_fd(::statvfs(directory.c_str(), &found), "statvfs");
    return static_cast<std::uint64_t>(found.f_bfree) * found.f_frsize;
}

// From the signal until the name is gone and the file system has its memory again (within a tenth: others use it too).
double ours_ms(Bench& bench, std::size_t size_bytes) {
    const std::string path = must(bench.context().object_path("killed"));
    const Holder holder([&](const auto& stay) {
        const Section section = must(Section::create("killed", size_bytes, {}, bench.context()));
        const View view = must(section.view());
        std::memset(view.data(), 1, view.size());
        stay();
    });
    spin_for_ns(1'000'000);  // the janitor has seen it come
    const std::uint64_t wanted_free_bytes = free_bytes(bench.directory()) + size_bytes / 10 * 9;
    const bool is_large = size_bytes >= (std::size_t{1} << 20);
    return ms_until(holder.kill_now(), [&] {
        struct stat ignored;
        if (::stat(path.c_str(), &ignored) == 0) return false;
        return !is_large || free_bytes(bench.directory()) >= wanted_free_bytes;
    });
}

// From the signal until the kernel says that the dead process's lock is gone.
double limit_ms(const Bench& bench, std::size_t size_bytes) {
    const raw::Shm memory("/" + bench.unique_name("killed"), size_bytes);
    const Holder holder([&](const auto& stay) {
        const int fd = must_fd(::shm_open(memory.name().c_str(), O_RDWR, 0), "shm_open");
        raw::hold(fd);
        std::memset(raw::map(fd, size_bytes), 1, size_bytes);
        stay();
    });
    spin_for_ns(1'000'000);
    return ms_until(holder.kill_now(), [&] { return raw::is_free(memory.fd()); });
}

// --- a small janitor, where the command is not there

std::string name_of_inode(const std::map<std::uint64_t, std::string>& names, const char* file_name) {
    if (file_name[0] != '#') return file_name;
    const auto found = names.find(std::strtoull(file_name + 1, nullptr, 10));
    return found == names.end() ? "" : found->second;
}

void small_janitor(Bench& bench) {
    unpin();
    must(bench.context().check(Scope::local));
    const std::string directory = bench.context().directory(Scope::local);
    const int events = must_fd(::inotify_init1(IN_CLOEXEC), "inotify_init1");
    must_fd(::inotify_add_watch(events, directory.c_str(), IN_CREATE | IN_CLOSE), "inotify_add_watch");
    std::map<std::uint64_t, std::string> names;
    for (;;) {
        alignas(inotify_event) std::array<char, 64 * 1024> buffer;
        const ssize_t count = ::read(events, buffer.data(), buffer.size());
        for (ssize_t at = 0; at < count;) {
            inotify_event event;
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const char* const file_name = buffer.data() + at + sizeof event;
            at += static_cast<ssize_t>(sizeof event + event.len);
            if (event.len == 0) continue;
            struct stat state;
            if ((event.mask & IN_CREATE) != 0 && ::stat((directory + "/" + file_name).c_str(), &state) == 0) names[state.st_ino] = file_name;
            const std::string name = (event.mask & IN_CLOSE) != 0 ? name_of_inode(names, file_name) : "";
            if (!name.empty()) (void)bench.context().collect_file(Scope::local, name);
        }
    }
}

Child start_janitor(Bench& bench) {
    must(bench.context().check(Scope::local));
    if (bench.options().comap_path.empty()) return Child([&] { small_janitor(bench); });
    return start_program({bench.options().comap_path, "janitor"}, {{"COMAP_DIR", bench.directory()}});
}

void measure_one(Bench& bench, const char* row_name, std::size_t size_bytes) {
    const std::string who = bench.options().comap_path.empty() ? "a small janitor in this program (the comap command was not found)" : "`comap janitor`";
    bench.run({row_name, "ms", 10.0, fmt::format("ours: until {} has removed it; limit: until F_OFD_GETLK says that the dead process's lock is gone", who),
               [&] { return ours_ms(bench, size_bytes); }, [&] { return limit_ms(bench, size_bytes); }, {}});
}

}  // namespace

void measure_killed(Bench& bench) {
    if (!processors().are_two() || !bench.wants_any({kSmallRow, kLargeRow})) return;
    const Child janitor = start_janitor(bench);
    spin_for_ns(300'000'000);  // it has begun
    measure_one(bench, kSmallRow, 4096);
    measure_one(bench, kLargeRow, std::size_t{64} << 20);
}

}  // namespace comap::bench
