// SPDX-License-Identifier: Apache-2.0
// What every row of the benchmark needs. A row has contenders: ours, the raw limit, the peers. They are measured in turn, in
// many rounds, so that a machine that slows down slows all of them; the ratio is the median of the rounds' own ratios.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <comap/comap.hpp>
#include <fmt/format.h>

namespace comap::bench {

struct Options {
    std::string json_path;
    std::string rows;        // part of a row's name; empty: all
    std::string comap_path;  // the command; empty: none
    std::uint32_t round_count = 21;
    bool quick = false;
};

// Measures once; the value is in the row's unit. Not a number: this contender cannot run here.
using Measure = std::function<double()>;

struct Contender {
    std::string name;
    Measure measure;
};

struct Plan {
    std::string name;
    std::string unit;
    std::optional<double> target;  // ours / limit; none: for the context
    std::string note;              // how it is measured
    Measure ours;
    Measure limit;
    std::vector<Contender> peers;
    std::optional<double> least = {};  // instead of a target: ours itself is not below this
};

struct Quartiles {
    double low, median, high;
};
Quartiles quartiles(std::vector<double> values);

struct Row {
    std::string name;
    std::string unit;
    std::optional<double> target;
    Quartiles ours, limit, ratio;
    std::vector<std::pair<std::string, double>> peers;
    double line_before_ns, line_after_ns;  // a cache line there and back
    std::optional<double> least = {};
    bool has_goal() const { return target || least; }
    bool met() const { return least ? ours.median >= *least : target && ratio.median <= *target; }
    std::string goal() const { return least ? fmt::format(">={:.0f}", *least) : target ? fmt::format("{:.2f}", *target) : "-"; }
};

class Bench {
  public:
    // Makes the directory for the objects; whoever made the Bench's process removes it.
    Bench(Options options, std::string directory);

    const Options& options() const { return options_; }
    const std::string& directory() const { return directory_; }  // a tmpfs directory that is ours alone
    Context& context() { return context_; }                      // below it

    // For raw shared memory, message queues and the peers: unique to this run, removed after it.
    std::string unique_name(std::string_view what) const;

    bool wants(std::string_view row_name) const { return row_name.find(options_.rows) != row_name.npos; }
    bool wants_any(std::initializer_list<std::string_view> row_names) const;
    std::uint64_t scaled(std::uint64_t count) const { return options_.quick ? (count + 9) / 10 : count; }

    // Measures and prints the row, if it is wanted.
    void run(const Plan& plan);
    void note(std::string_view text);

    const std::vector<Row>& rows() const { return rows_; }

    // The machine moved while the row was measured: the cache line took half as long again as at its best in this run.
    bool moved(const Row& row) const;

  private:
    double measure_cache_line();
    Options options_;
    std::string directory_;
    Context context_;
    std::vector<Row> rows_;
    double best_line_ns_ = 0;
};

// --- the machine

// Two processors that we may use; the same one twice if there is only one.
struct Processors {
    int first, second;
    bool are_two() const { return first != second; }
};
const Processors& processors();
std::string machine_name();  // processors and kernel, for figures that are shown elsewhere
void pin_to(int processor);
void unpin();

std::uint64_t now_ns();  // CLOCK_MONOTONIC: one clock for all processors
inline void pause_turn() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory");
#endif
}
void spin_for_ns(std::uint64_t duration_ns);

// Nanoseconds per turn of `body`: the median of some parts of the turns, so that a part in which somebody else had the
// processor does not count.
template <typename Body>
double ns_per_turn(std::uint64_t turn_count, const Body& body) {
    const std::uint64_t part_count = turn_count < 25 ? turn_count : 25;
    std::vector<double> parts_ns;
    for (std::uint64_t part = 0; part < part_count; ++part) {
        const std::uint64_t part_turns = turn_count * (part + 1) / part_count - turn_count * part / part_count;
        const std::uint64_t begin_ns = now_ns();
        for (std::uint64_t turn = 0; turn < part_turns; ++turn) body();
        parts_ns.push_back(static_cast<double>(now_ns() - begin_ns) / static_cast<double>(part_turns));
    }
    return quartiles(std::move(parts_ns)).median;
}

// --- other processes

struct HasNotEnded {};

// A child that runs `body` and ends; killed with us. Waited for by join(), or killed and waited for by the destructor.
class Child {
  public:
    explicit Child(const std::function<void()>& body);
    Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
    ~Child();
    pid_t pid() const { return pid_; }
    void join();  // ends the benchmark if the child failed; throws HasNotEnded after some minutes
    void kill();

  private:
    pid_t pid_;
};

// Starts a program on all processors, its output thrown away.
Child start_program(const std::vector<std::string>& words, const std::vector<std::pair<std::string, std::string>>& environment);

// Zeroed memory that children share.
void* shared_bytes(std::size_t size_bytes);
void unshare_bytes(void* bytes, std::size_t size_bytes);
template <typename T>
T& shared() {
    return *static_cast<T*>(shared_bytes(sizeof(T)));
}
template <typename T>
void unshare(T& value) {
    unshare_bytes(&value, sizeof value);
}

[[noreturn]] void stay_for_ever();
std::uint64_t kill_at_once(pid_t process);  // sends SIGKILL; when that began

// A process that does `hold` and then stays. Ready when the constructor returns.
class Holder {
  public:
    template <typename Hold>
    explicit Holder(const Hold& hold)
        : ready_(shared<std::atomic<bool>>()), child_([&] {
              pin_to(processors().second);
              hold([this] {
                  ready_.store(true, std::memory_order_release);
                  stay_for_ever();
              });
          }) {
        while (!ready_.load(std::memory_order_acquire)) pause_turn();
    }
    ~Holder() { unshare(ready_); }
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;

    std::uint64_t kill_now() const { return kill_at_once(child_.pid()); }
    pid_t pid() const { return child_.pid(); }

  private:
    std::atomic<bool>& ready_;
    Child child_;
};

// --- when something cannot be: ends the benchmark with a message

[[noreturn]] void give_up(std::string_view what);
[[noreturn]] void give_up_errno(std::string_view what);

template <typename T>
T must(Result<T> result) {
    if (!result) give_up(result.error().message);
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}
inline int must_fd(int result, const char* what) {
    if (result < 0) give_up_errno(what);
    return result;
}

// --- the families of rows
void measure_lifecycle(Bench& bench);
void measure_notification(Bench& bench);
void measure_text(Bench& bench);
void measure_cells(Bench& bench);
void measure_crowd(Bench& bench);
void measure_killed(Bench& bench);
void measure_locks(Bench& bench);
void measure_rings(Bench& bench);
void measure_win32(Bench& bench);

}  // namespace comap::bench
