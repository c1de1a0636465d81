// SPDX-License-Identifier: Apache-2.0
#include "harness.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace comap::bench {
namespace {

constexpr double kMovedFactor = 1.5;

cpu_set_t allowed_at_start() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) != 0) give_up_errno("sched_getaffinity");
    return set;
}

const cpu_set_t& all_processors() {
    static const cpu_set_t set = allowed_at_start();
    return set;
}

Processors two_of(const cpu_set_t& set) {
    std::vector<int> found;
    for (int processor = 0; processor < CPU_SETSIZE && found.size() < 2; ++processor)
        if (CPU_ISSET(processor, &set)) found.push_back(processor);
    return {found.front(), found.back()};
}

// One value of a contender.
struct Series {
    std::string name;
    Measure measure;
    std::vector<double> values;
};

std::string number(double value) {
    if (!std::isfinite(value)) return "-";
    return fmt::format("{:.{}f}", value, value < 10 ? 2 : value < 100 ? 1 : 0);
}

std::string spread(const Quartiles& from) { return fmt::format("{} ({}-{})", number(from.median), number(from.low), number(from.high)); }

// A peer may lose its last message: then it is left out, and the others go on.
double measured(Series& one, bool is_peer) {
    try {
        return one.measure();
    } catch (const HasNotEnded&) {
        if (!is_peer) give_up(fmt::format("{}: a process of the benchmark has not ended", one.name));
        fmt::print("  {} is left out: a process of it has not ended\n", one.name);
        one.measure = [] { return NAN; };
        one.values.clear();
        return NAN;
    }
}

}  // namespace

// --- the machine

const Processors& processors() {
    static const Processors two = two_of(all_processors());
    return two;
}

std::string machine_name() {
    std::ifstream description("/proc/cpuinfo");
    std::string model = "unknown processor";
    for (std::string line; std::getline(description, line);) {
        if (!line.starts_with("model name")) continue;
        model = line.substr(std::min(line.find(": "), line.size() - 2) + 2);
        break;
    }
    struct utsname system = {};
    ::uname(&system);
    return fmt::format("{} processors, {}, {} {}, {}", CPU_COUNT(&all_processors()), model, system.sysname, system.release, system.machine);
}

void pin_to(int processor) {
    (void)all_processors();  // remembered before it is narrowed
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0) give_up_errno("sched_setaffinity");
}

void unpin() {
    if (::sched_setaffinity(0, sizeof(cpu_set_t), &all_processors()) != 0) give_up_errno("sched_setaffinity");
}

std::uint64_t now_ns() {
    struct timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

void spin_for_ns(std::uint64_t duration_ns) {
    const std::uint64_t end_ns = now_ns() + duration_ns;
    while (now_ns() < end_ns) pause_turn();
}

// --- other processes

Child::Child(const std::function<void()>& body) : pid_(-1) {
    const pid_t parent = ::getpid();
    std::fflush(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) give_up_errno("fork");
    if (pid_ > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    body();
    std::fflush(nullptr);
    ::_exit(0);
}

Child::~Child() {
    if (pid_ > 0) kill();
}

void Child::kill() {
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
}

void Child::join() {
    constexpr int kLongestMs = 180'000;
    const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    struct pollfd ended = {handle, POLLIN, 0};
    const int found = handle < 0 ? 1 : ::poll(&ended, 1, kLongestMs);
    if (handle >= 0) ::close(handle);
    if (found == 0) throw HasNotEnded();
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {}
    pid_ = -1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) give_up("a process of the benchmark failed");
}

Child start_program(const std::vector<std::string>& words, const std::vector<std::pair<std::string, std::string>>& environment) {
    return Child([&] {
        unpin();
        for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
        const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
        ::dup2(nowhere, STDOUT_FILENO);
        std::vector<char*> arguments;
        for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
        ::execv(arguments[0], arguments.data());
        give_up_errno(words[0]);
    });
}

void* shared_bytes(std::size_t size_bytes) {
    void* const bytes = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (bytes == MAP_FAILED) give_up_errno("mmap");
    return bytes;
}

void unshare_bytes(void* bytes, std::size_t size_bytes) { ::munmap(bytes, size_bytes); }

void stay_for_ever() {
    for (;;) ::pause();
}

std::uint64_t kill_at_once(pid_t process) {
    const std::uint64_t begin_ns = now_ns();
    ::kill(process, SIGKILL);
    return begin_ns;
}

void give_up(std::string_view what) {
    fmt::print(stderr, "comap_bench: {}\n", what);
    std::fflush(nullptr);
    ::_exit(1);
}

void give_up_errno(std::string_view what) { give_up(fmt::format("{}: {}", what, std::strerror(errno))); }

// --- measuring

Quartiles quartiles(std::vector<double> values) {
    if (values.empty()) return {NAN, NAN, NAN};
    std::sort(values.begin(), values.end());
    const auto at = [&](double share) {
        const double place = share * static_cast<double>(values.size() - 1);
        const auto below = static_cast<std::size_t>(place);
        const std::size_t above = std::min(below + 1, values.size() - 1);
        return values[below] + (values[above] - values[below]) * (place - static_cast<double>(below));
    };
    return {at(0.25), at(0.5), at(0.75)};
}

Bench::Bench(Options options, std::string directory)
    : options_(std::move(options)), directory_(std::move(directory)), context_(ContextOptions{directory_}) {
    pin_to(processors().first);
}

std::string Bench::unique_name(std::string_view what) const {
    return fmt::format("{}-{}", directory_.substr(directory_.rfind('/') + 1), what);
}

bool Bench::wants_any(std::initializer_list<std::string_view> row_names) const {
    return std::any_of(row_names.begin(), row_names.end(), [&](std::string_view name) { return wants(name); });
}

double Bench::measure_cache_line() {
    if (!processors().are_two()) return NAN;
    constexpr std::uint32_t kTurns = 20'000;
    struct Lines {
        alignas(128) std::atomic<std::uint32_t> there;
        alignas(128) std::atomic<std::uint32_t> back;
    };
    auto& lines = shared<Lines>();
    Child other([&] {
        pin_to(processors().second);
        for (std::uint32_t turn = 1; turn <= kTurns + 1; ++turn) {
            while (lines.there.load(std::memory_order_acquire) != turn) {}
            lines.back.store(turn, std::memory_order_release);
        }
    });
    std::uint32_t turn = 0;
    const auto there_and_back = [&] {
        lines.there.store(++turn, std::memory_order_release);
        while (lines.back.load(std::memory_order_acquire) != turn) {}
    };
    there_and_back();  // the other is there
    const double ns = ns_per_turn(kTurns, there_and_back);
    other.join();
    ::munmap(&lines, sizeof lines);
    if (best_line_ns_ == 0 || ns < best_line_ns_) best_line_ns_ = ns;
    return ns;
}

bool Bench::moved(const Row& row) const {
    return std::max(row.line_before_ns, row.line_after_ns) > kMovedFactor * best_line_ns_;
}

void Bench::run(const Plan& plan) {
    if (!wants(plan.name)) return;
    std::vector<Series> all = {{"comap", plan.ours, {}}, {"limit", plan.limit, {}}};
    for (const auto& peer : plan.peers) all.push_back({peer.name, peer.measure, {}});
    Row row = {plan.name, plan.unit, plan.target, {}, {}, {}, {}, 0, 0, plan.least};
    row.line_before_ns = measure_cache_line();
    for (std::size_t i = 0; i < all.size(); ++i) (void)measured(all[i], i >= 2);  // not counted: everything is there and warm
    std::vector<double> ratios;
    for (std::uint32_t round = 0; round < options_.round_count; ++round) {
        // Ours and the limit right after one another, for the machine may change in between; each round begins with another of each kind,
        // so that nobody is always the one after the slow one.
        const std::size_t peer_count = all.size() - 2;
        for (std::size_t i = 0; i < all.size(); ++i) {
            auto& one = all[i < 2 ? (round + i) % 2 : 2 + (round + i) % peer_count];
            one.values.push_back(measured(one, i >= 2));
        }
        ratios.push_back(all[0].values.back() / all[1].values.back());
    }
    row.line_after_ns = measure_cache_line();
    row.ours = quartiles(all[0].values);
    row.limit = quartiles(all[1].values);
    row.ratio = quartiles(ratios);
    for (std::size_t i = 2; i < all.size(); ++i) {
        const double median = quartiles(all[i].values).median;
        if (std::isfinite(median)) row.peers.emplace_back(all[i].name, median);
    }
    const std::string verdict = !row.has_goal() ? "" : fmt::format("  target {}: {}", row.goal(), row.met() ? "met" : "NOT MET");
    fmt::print("{} [{}]\n  ours {}   limit {}   ratio {}{}\n", row.name, row.unit, spread(row.ours), spread(row.limit), spread(row.ratio), verdict);
    for (const auto& [name, value] : row.peers) fmt::print("  {} {}   ({:.1f} x ours)\n", name, number(value), value / row.ours.median);
    fmt::print("  {}\n  cache line there and back: {} ns before, {} ns after{}\n", plan.note, number(row.line_before_ns),
               number(row.line_after_ns), moved(row) ? "  [the machine moved]" : "");
    std::fflush(stdout);
    rows_.push_back(std::move(row));
}

void Bench::note(std::string_view text) {
    fmt::print("  {}\n", text);
    std::fflush(stdout);
}

}  // namespace comap::bench
