// SPDX-License-Identifier: Apache-2.0
// What the crash tests work on: a root directory of their own, what the driver holds in it, and the checks on what a killed
// process left behind. The driver is another process than the killed one, so what it does is what the next comer does.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include <comap/comap.hpp>

namespace comap::crash {

inline constexpr const char* kName = "it";
inline constexpr std::uint64_t kSize = 5000;        // bytes, of the sections: no whole pages
inline constexpr std::uint64_t kGrownSize = 21000;

// Collects what is not as it must be.
class Verdict {
  public:
    void expect(bool holds, const std::string& what);
    void set_place(std::string place) { place_ = std::move(place); }
    const std::string& place() const { return place_; }

    // Of the kill points of one operation in their order: what has happened at one of them has happened at every later one.
    void begin_order() { has_happened_ = false; }
    void expect_order(bool happened, const std::string& what);
    std::uint64_t failure_count() const { return failure_count_; }

  private:
    std::string place_;  // operation and kill point: also how to replay it
    std::uint64_t failure_count_ = 0;
    bool has_happened_ = false;
};

struct World {
    explicit World(Verdict& verdict);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    Verdict& verdict;
    std::string root;
    std::unique_ptr<Context> context;  // a new one for each run
    Section held;                      // what the driver holds during a run
    Text held_text;
    Mutex held_mutex;
    Event held_event;
    Semaphore held_semaphore;
    RawCell held_cell;
    RawChannel held_channel;
    RawSubscription held_subscription;
    RawQueue held_queue;
    pid_t holder = -1;                 // a process that holds kName until it is killed
    pid_t waiter = -1;                 // a process that waits for something and then ends
    int waiter_code = -1;              // what it ended with
    bool killed_at_begin = false;      // of the call: it has done nothing
    bool killed_in_place = false;      // after the instructions that were meant, on the way that was recorded
    std::uint64_t longest_wait_ns = 0;  // of a next comer, for information

    void expect(bool holds, const std::string& what) const { verdict.expect(holds, what); }

    template <typename T>
    bool expect_ok(const Result<T>& result, const std::string& what) const {
        expect(result.has_value(), what + (result ? "" : ": " + result.error().message));
        return result.has_value();
    }

    std::string namespace_path() const { return context->directory(Scope::local); }
    std::string body_path() const { return root + "/body"; }
    std::set<std::string> file_names() const;  // in the namespace's directory

    void begin_run();
    // Everyone leaves; then gc and the removal of what is kept leave nothing.
    void end_run();

    // Runs `make` in a process that then ends without closing what it holds.
    void in_process_that_dies(const std::function<bool(Context&)>& make);
    // A process that holds the section kName until kill_holder().
    void start_holder();
    void kill_holder();

    // A process that runs `wait` and ends with what that returns. Returns when it sleeps in it or has ended.
    void start_waiter(const std::function<int()>& wait);
    bool waiter_has_ended();
    void await_waiter(const std::function<void()>& help);  // calls `help` now and then until it has ended; gives up after a minute

    // Calls the next comer's function and notes how long it took.
    template <typename Call>
    auto timed(const Call& call) {
        const std::uint64_t began_ns = now_ns();
        auto result = call();
        note_wait(now_ns() - began_ns);
        return result;
    }

  private:
    void close_held();
    static std::uint64_t now_ns();
    void note_wait(std::uint64_t wait_ns);
};

// The bytes that whole sections begin with.
std::string pattern(std::uint64_t size_bytes);

// Writes the pattern to the first `size_bytes` of the section.
bool fill(const Section& section, std::uint64_t size_bytes);

// The section has `size_bytes`, begins with the pattern for `pattern_bytes`, and is zero behind it.
void expect_whole(const World& world, const Section& section, std::uint64_t size_bytes, std::uint64_t pattern_bytes);

}  // namespace comap::crash
