// SPDX-License-Identifier: Apache-2.0
#include "checkup.hpp"

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format.hpp"
#include "machine.hpp"
#include "system.hpp"

namespace comap::tool {
namespace {

constexpr int kKernelMajor = 5;  // older ones were never tried
constexpr int kKernelMinor = 10;
constexpr std::uint64_t kSmallMemoryBytes = 64ull << 20;  // what containers give by default
constexpr std::uint64_t kFewInotifyInstances = 64;

Finding good(std::string name, std::string detail) { return {std::move(name), Health::ok, std::move(detail), ""}; }

Finding bad(std::string name, std::string detail, std::string advice) {
    return {std::move(name), Health::fail, std::move(detail), std::move(advice)};
}

Finding doubtful(std::string name, std::string detail, std::string advice) {
    return {std::move(name), Health::warn, std::move(detail), std::move(advice)};
}

Finding check_kernel(Context&) {
    const auto release = kernel_release();
    char* rest = nullptr;
    const long major = std::strtol(release.c_str(), &rest, 10);
    const long minor = *rest == '.' ? std::strtol(rest + 1, nullptr, 10) : 0;
    if (major > kKernelMajor || (major == kKernelMajor && minor >= kKernelMinor)) return good("kernel", "Linux " + release);
    return doubtful("kernel", "Linux " + release, fmt::format("comap was never tried before Linux {}.{}", kKernelMajor, kKernelMinor));
}

Finding check_directory(Context& context) {
    const auto path = context.directory(Scope::local);
    const auto done = context.check(Scope::local);
    if (!done) return bad("namespace", done.error().message, "do what the message says");
    struct stat state = {};
    if (::stat(path.c_str(), &state) != 0) return bad("namespace", path + ": " + system_text(errno), "look at its mode and owner");
    return good("namespace", fmt::format("{}, mode {}, of {}", path, octal(state.st_mode & 07777), user_name(state.st_uid)));
}

Descriptor unnamed_file(Context& context) {
    return Descriptor(::open(context.directory(Scope::local).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

Finding check_unnamed_file(Context& context) {
    constexpr const char* advice = "the namespace must be on tmpfs, ext4, xfs or btrfs: set COMAP_DIR to a directory there";
    const Descriptor file = unnamed_file(context);
    if (!file) return bad("O_TMPFILE", "files without a name cannot be made: " + system_text(errno), advice);
    const auto from = fmt::format("/proc/self/fd/{}", file.number());
    const auto to = fmt::format("{}/.comap-doctor-{}", context.directory(Scope::local), ::getpid());
    if (::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), AT_SYMLINK_FOLLOW) != 0)
        return bad("O_TMPFILE", "a file without a name cannot be given one: " + system_text(errno),
                   errno == ENOENT ? "mount /proc: the link goes through /proc/self/fd" : advice);
    ::unlink(to.c_str());
    return good("O_TMPFILE", "a file appears under its name in one step");
}

int lock_command(int descriptor, int command, struct flock& lock) { return ::fcntl(descriptor, command, &lock); }

Finding check_locks(Context& context) {
    constexpr const char* advice = "Linux 3.15 or later has them; a sandbox may forbid them";
    const Descriptor holder = unnamed_file(context);
    const Descriptor other(holder ? ::open(fmt::format("/proc/self/fd/{}", holder.number()).c_str(), O_RDWR | O_CLOEXEC) : -1);
    if (!other) return bad("OFD locks", "there is no file to try them on: " + system_text(errno), advice);
    struct flock lock = {};
    lock.l_type = F_RDLCK;
    lock.l_len = 1;
    if (lock_command(holder.number(), F_OFD_SETLK, lock) != 0) return bad("OFD locks", "cannot be taken: " + system_text(errno), advice);
    lock.l_type = F_WRLCK;
    lock.l_pid = 0;
    if (lock_command(other.number(), F_OFD_GETLK, lock) != 0) return bad("OFD locks", "cannot be asked for: " + system_text(errno), advice);
    if (lock.l_type != F_RDLCK) return bad("OFD locks", "a lock is not seen by others", advice);
    return good("OFD locks", "a holder is seen by others");
}

Finding check_allocation(Context& context) {
    const Descriptor file = unnamed_file(context);
    if (file && ::fallocate(file.number(), 0, 0, 4096) == 0) return good("fallocate", "memory can be taken in advance");
    return bad("fallocate", "memory cannot be taken in advance: " + system_text(errno),
               errno == ENOSPC ? "free memory in the namespace's file system" : "set COMAP_DIR to a directory on tmpfs, ext4, xfs or btrfs");
}

Finding check_futex(Context&) {
    std::uint32_t word = 0;
    std::uint32_t other = 0;
    const auto add_two_wake_all = FUTEX_OP(FUTEX_OP_ADD, 2, FUTEX_OP_CMP_EQ, 0);
    const auto woken = ::syscall(SYS_futex, &word, FUTEX_WAKE_OP, INT32_MAX, 0, &other, add_two_wake_all);
    if (woken >= 0 && other == 2) return good("futex", "sleepers can be woken");
    return bad("futex", "FUTEX_WAKE_OP does not work: " + system_text(errno), "a sandbox (seccomp) may forbid it: allow the futex call");
}

Finding check_inotify(Context&) {
    const Descriptor inotify(::inotify_init1(IN_CLOEXEC));
    const auto instances = inotify_limit("max_user_instances").value_or(0);
    const auto watches = inotify_limit("max_user_watches").value_or(0);
    const auto detail = fmt::format("{} and {} watches per user", counted(instances, "instance"), watches);
    constexpr const char* advice = "raise fs.inotify.max_user_instances (sysctl), or end programs that use many";
    if (!inotify) return bad("inotify", "no instance can be made: " + system_text(errno), advice);
    return instances < kFewInotifyInstances ? doubtful("inotify", detail, advice) : good("inotify", detail);
}

Finding check_memory(Context& context) {
    const auto space = space_of(context.root());
    if (!space) return bad("memory", context.root() + " cannot be examined: " + system_text(errno), "look at the directory");
    const auto detail = fmt::format("{}: {} free of {}", context.root(), human_size(space->available), human_size(space->total));
    if (space->available == 0) return bad("memory", detail, "comap gc; then see 'comap ls' for what is large");
    if (space->total <= kSmallMemoryBytes)
        return doubtful("memory", detail, "give it more: docker run --shm-size=1g, or mount -o remount,size=1G " + context.root());
    if (space->available < space->total / 10) return doubtful("memory", detail, "nearly full: comap gc; then see 'comap ls' for what is large");
    return good("memory", detail);
}

Finding check_global(Context& context) {
    const auto done = context.check(Scope::global);
    if (done) return good("Global", context.directory(Scope::global));
    struct stat state = {};
    if (::lstat(context.directory(Scope::global).c_str(), &state) == 0) return doubtful("Global", done.error().message, "do what the message says");
    return doubtful("Global", "objects for all users are not set up", "if you want them, run once as root: comap setup-global");
}

Finding check_logout(Context&) {
    if (!logout_removes_objects()) return good("RemoveIPC", "logging out leaves objects alone");
    return doubtful("RemoveIPC", "logging out of the last session removes this user's objects",
                    "for services: loginctl enable-linger, or RemoveIPC=no in /etc/systemd/logind.conf");
}

Finding check_cgroup(Context&) {
    const auto limit = cgroup_memory_limit_bytes();
    if (!limit) return good("cgroup", "no memory limit");
    const auto detail = fmt::format("memory is limited to {}, shared memory included", human_size(*limit));
    if (*limit > kSmallMemoryBytes) return good("cgroup", detail);
    return doubtful("cgroup", detail, "raise memory.max (MemoryMax=, docker --memory) if sections are to be larger");
}

}  // namespace

std::string_view health_name(Health health) {
    switch (health) {
        case Health::ok: return "ok";
        case Health::warn: return "warn";
        case Health::fail: return "fail";
    }
    return "fail";
}

std::vector<Finding> check_up(Context& context) {
    std::vector<Finding> findings;
    for (const auto check : {check_kernel, check_directory, check_unnamed_file, check_locks, check_allocation, check_futex, check_inotify,
                             check_memory, check_global, check_logout, check_cgroup})
        findings.push_back(check(context));
    return findings;
}

}  // namespace comap::tool
