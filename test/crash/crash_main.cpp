// SPDX-License-Identifier: Apache-2.0
// Kills a process everywhere in a library call, and looks at what it left.
//   calls         before and after every system call of each operation
//   instructions  after instructions of each operation: a sample, or with --exhaustive after each
//   tool PATH     before and after every system call of the command
// Exit code: 0 all was as it must be; 1 something was not; 2 the test itself could not work; 77 no process may trace here.
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <sys/syscall.h>

#include "operations.hpp"
#include "traced.hpp"

namespace comap::crash {
namespace {

constexpr std::uint64_t kSampleKills = 100;
constexpr unsigned kHangSeconds = 300;        // no run takes a hundredth of that
constexpr int kSkipped = 77;

struct Arguments {
    std::string mode;
    std::string tool;
    std::string only;      // operation; empty: all
    bool exhaustive = false;
    std::uint64_t seed = 1;
    bool plain = false;    // step all the way from the last system call, without landmarks
    std::uint64_t kills = kSampleKills;  // per operation, of a sample
    std::optional<std::uint64_t> at_stop;  // replay: of the calls' stops
    std::uint64_t at_step = 0;             // then so many instructions
};

char hung_place[256] = "";  // for the watchdog's signal handler

void report_hang(int) {
    constexpr char kText[] = "HUNG: nothing moved for minutes after: ";
    (void)!::write(2, kText, sizeof kText - 1);
    (void)!::write(2, hung_place, std::strlen(hung_place));
    (void)!::write(2, "\n", 1);
    ::_exit(1);
}

void set_place(World& world, std::string place) {
    std::snprintf(hung_place, sizeof hung_place, "%s", place.c_str());
    world.verdict.set_place(std::move(place));
    ::alarm(kHangSeconds);
}

Traced start(const World& world, const Operation& operation) {
    return Traced::fork([&] {
        auto* const actor = new Actor;  // never destroyed: a killed process closes nothing
        actor->root = world.root;
        if (!operation.prepare(*actor)) ::_exit(3);
        begin_mark();
        const auto acted = operation.act(*actor);
        end_mark();
        if (!acted) std::fprintf(stderr, "%s\n", acted.error().message.c_str());
        ::_exit(acted ? 0 : 4);
    });
}

// What has been done, for the line that is printed.
struct Tally {
    std::uint64_t kills = 0;
    std::uint64_t steps = 0;
    std::uint64_t elsewhere = 0;  // kills at another instruction than was meant: the child took another way this time
};

// Where to kill: at stop number `stop` (0: where the call begins), and then so many instructions later.
struct KillPoint {
    std::uint64_t stop = 0;
    std::uint64_t step = 0;
    std::uint64_t place = 0;  // of the instruction that is not done any more; 0: any
    // A place on the way that is passed only once: to be run to, instead of stepping all the way.
    std::uint64_t landmark_step = 0;
    std::uint64_t landmark = 0;  // 0: none
};

// Leads the child to the point. False if it has completed the call before.
bool lead_to(Traced& child, const KillPoint& point, Tally& tally) {
    for (std::uint64_t stop = 0; stop < point.stop; ++stop) {
        const Stop reached = child.next_call_stop();
        if (reached == Stop::mark || reached == Stop::ended) return false;
    }
    std::uint64_t step = 0;
    if (point.landmark != 0 && child.run_to(point.landmark)) step = point.landmark_step;
    for (; step < point.step && !child.has_ended(); ++step, ++tally.steps) child.step();
    if (child.has_ended()) return false;
    tally.elsewhere += point.place != 0 && child.place() != point.place ? 1 : 0;
    return true;
}

// One run that is killed at the point or completes before. Returns whether it was killed.
bool run_and_kill(World& world, const Operation& operation, const KillPoint& point, Tally& tally) {
    set_place(world, std::string("--operation ") + operation.name + " --at " + std::to_string(point.stop) + ":" + std::to_string(point.step));
    world.begin_run();
    operation.arrange(world);
    bool killed = false;
    {
        Traced child = start(world, operation);
        killed = lead_to(child, point, tally);
        world.killed_at_begin = killed && point.stop == 0 && point.step == 0;
        world.killed_in_place = killed && (point.place == 0 || child.place() == point.place);
        if (killed && operation.meanwhile) operation.meanwhile(world);
        if (killed) child.kill();
        else child.run_to_its_end();
        world.expect(killed || child.exit_status() == 0, "the call works when it is not killed");
    }
    tally.kills += killed ? 1 : 0;
    operation.inspect(world, !killed);
    world.end_run();
    return killed;
}

std::uint64_t kill_at_each_call(World& world, const Operation& operation) {
    Tally tally;
    KillPoint point;
    world.verdict.begin_order();
    while (run_and_kill(world, operation, point, tally)) ++point.stop;
    std::printf("%-22s killed at each of %3llu begins and ends of system calls\n", operation.name, static_cast<unsigned long long>(tally.kills));
    return tally.kills;
}

// The places of the instructions between two stops, in the order in which they are done; the last is the system call.
using Path = std::vector<std::uint64_t>;

// Steps through the whole call: [n] is the path from stop n on.
std::vector<Path> record_paths(World& world, const Operation& operation) {
    set_place(world, std::string("--operation ") + operation.name + ", recording");
    world.begin_run();
    operation.arrange(world);
    std::vector<Path> paths;
    {
        Traced child = start(world, operation);
        Stop reached = Stop::call_ends;
        while (reached == Stop::call_ends) {
            Path& path = paths.emplace_back();
            path.push_back(child.place());
            while (!child.is_before_call() && child.step()) path.push_back(child.place());
            if (child.has_ended()) break;
            reached = child.next_call_stop();
            if (reached != Stop::call_begins) break;
            paths.emplace_back();  // between its begin and its end there is only the kernel
            reached = child.next_call_stop();
        }
        world.expect(reached == Stop::mark, "the call can be stepped through");
        if (!child.has_ended()) child.run_to_its_end();
        world.expect(child.exit_status() == 0, "the call works when it is not killed");
    }
    operation.inspect(world, true);
    world.end_run();
    return paths;
}

// All points after at least one instruction. What is passed the first time on this path can be a landmark.
std::vector<KillPoint> all_points(const std::vector<Path>& paths, bool plain) {
    std::vector<KillPoint> points;
    for (std::uint64_t stop = 0; stop < paths.size(); ++stop) {
        std::unordered_set<std::uint64_t> passed;
        KillPoint point;
        point.stop = stop;
        for (point.step = 0; point.step < paths[stop].size(); ++point.step) {
            point.place = paths[stop][point.step];
            if (passed.insert(point.place).second && point.step > 0 && !plain) {
                point.landmark_step = point.step;
                point.landmark = point.place;
            }
            if (point.step > 0) points.push_back(point);
        }
    }
    return points;
}

std::uint64_t kill_at_instructions(World& world, const Operation& operation, const Arguments& arguments) {
    Tally warm_up;  // the first run of all takes other ways through the allocator than the later ones
    KillPoint never;
    never.stop = UINT64_MAX;
    run_and_kill(world, operation, never, warm_up);
    const auto points = all_points(record_paths(world, operation), arguments.plain);
    const std::uint64_t stride = arguments.exhaustive ? 1 : std::max<std::uint64_t>(1, points.size() / arguments.kills);
    Tally tally;
    world.verdict.begin_order();
    for (std::size_t i = arguments.seed % stride; i < points.size(); i += stride) run_and_kill(world, operation, points[i], tally);
    std::printf("%-22s killed after %5llu of %5llu instructions, %llu steps, %llu elsewhere\n", operation.name,
                static_cast<unsigned long long>(tally.kills), static_cast<unsigned long long>(points.size()),
                static_cast<unsigned long long>(tally.steps), static_cast<unsigned long long>(tally.elsewhere));
    std::fflush(stdout);
    return tally.kills;
}

// --- the command -----------------------------------------------------------------------------------------------------------

bool is_wait(std::uint64_t call) {
#ifdef SYS_poll
    if (call == SYS_poll || call == SYS_epoll_wait) return true;
#endif
    return call == SYS_ppoll || call == SYS_epoll_pwait;
}

// As run_and_kill. A program that never ends is killed for good when all is done and it is about to wait.
bool run_and_kill_tool(World& world, const ToolOperation& operation, const std::string& tool, std::uint64_t at_stop) {
    set_place(world, std::string("--operation '") + operation.name + "' --at " + std::to_string(at_stop));
    world.begin_run();
    operation.arrange(world);
    bool completed = false;
    bool failed = false;
    {
        std::vector<std::string> arguments = {tool};
        arguments.insert(arguments.end(), operation.arguments.begin(), operation.arguments.end());
        Traced child = Traced::execute(arguments, {"COMAP_DIR=" + world.root, "LC_ALL=C.UTF-8"});
        for (std::uint64_t stop = 0; stop < at_stop && !completed; ++stop) {
            const Stop reached = child.next_call_stop();
            const bool waits = reached == Stop::call_begins && is_wait(child.call_number());
            completed = reached == Stop::ended || (operation.is_done && waits && operation.is_done(world));
        }
        failed = completed && child.exit_status() > 0;
        child.kill();
    }
    world.expect(!failed, "the command works when it is not killed");
    operation.inspect(world, completed);
    world.end_run();
    return !completed;
}

std::uint64_t kill_tool_at_each_call(World& world, const ToolOperation& operation, const std::string& tool) {
    std::uint64_t stop = 0;
    while (run_and_kill_tool(world, operation, tool, stop)) ++stop;
    std::printf("%-22s killed at each of %3llu begins and ends of system calls\n", operation.name, static_cast<unsigned long long>(stop));
    std::fflush(stdout);
    return stop;
}

// --- all of it -------------------------------------------------------------------------------------------------------------

// Returns the number of kills.
std::uint64_t run(World& world, const Arguments& arguments) {
    std::uint64_t kills = 0;
    const auto is_wanted = [&](const char* name) { return arguments.only.empty() || arguments.only == name; };
    if (arguments.mode == "tool") {
        for (const auto& operation : tool_operations())
            if (!is_wanted(operation.name)) continue;
            else if (arguments.at_stop) kills += run_and_kill_tool(world, operation, arguments.tool, *arguments.at_stop) ? 1 : 0;
            else kills += kill_tool_at_each_call(world, operation, arguments.tool);
        return kills;
    }
    auto all = operations();
    all.insert(all.end(), sync_operations().begin(), sync_operations().end());
    all.insert(all.end(), cell_operations().begin(), cell_operations().end());
    all.insert(all.end(), ring_operations().begin(), ring_operations().end());
    for (const auto& operation : all) {
        if (!is_wanted(operation.name)) continue;
        Tally tally;
        if (arguments.at_stop) kills += run_and_kill(world, operation, {*arguments.at_stop, arguments.at_step, 0, 0, 0}, tally) ? 1 : 0;
        else if (arguments.mode == "calls") kills += kill_at_each_call(world, operation);
        else if (!operation.only_at_calls) kills += kill_at_instructions(world, operation, arguments);
    }
    return kills;
}

[[noreturn]] void explain_usage() {
    std::fprintf(stderr,
                 "usage: comap_crash calls|instructions|tool PATH [--operation NAME] [--at STOP[:STEP]]\n"
                 "                   [--exhaustive] [--plain] [--seed N] [--kills N]\n");
    std::exit(2);
}

Arguments parse(int count, char** words) {
    Arguments arguments;
    const std::vector<std::string> all(words + 1, words + count);
    std::size_t at = 0;
    const auto next = [&]() -> std::string {
        if (at >= all.size()) explain_usage();
        return all[at++];
    };
    arguments.mode = next();
    if (arguments.mode == "tool") arguments.tool = next();
    else if (arguments.mode != "calls" && arguments.mode != "instructions") explain_usage();
    const char* const exhaustive = std::getenv("COMAP_CRASH_EXHAUSTIVE");
    arguments.exhaustive = exhaustive && std::string_view(exhaustive) == "1";
    while (at < all.size()) {
        const std::string word = next();
        if (word == "--exhaustive") arguments.exhaustive = true;
        else if (word == "--operation") arguments.only = next();
        else if (word == "--seed") arguments.seed = std::strtoull(next().c_str(), nullptr, 10);
        else if (word == "--plain") arguments.plain = true;
        else if (word == "--kills") arguments.kills = std::max(1ull, std::strtoull(next().c_str(), nullptr, 10));
        else if (word == "--at") {
            const std::string place = next();
            char* rest = nullptr;
            arguments.at_stop = std::strtoull(place.c_str(), &rest, 10);
            if (*rest == ':') arguments.at_step = std::strtoull(rest + 1, nullptr, 10);
        } else explain_usage();
    }
    return arguments;
}

}  // namespace
}  // namespace comap::crash

int main(int count, char** words) {
    using namespace comap::crash;
    const Arguments arguments = parse(count, words);
    if (!Traced::is_possible()) {
        std::printf("SKIPPED: this process may not trace its children (ptrace), so nothing can be killed at chosen places\n");
        return kSkipped;
    }
    ::signal(SIGALRM, report_hang);
    Verdict verdict;
    double longest_wait_ms = 0;
    std::uint64_t kills = 0;
    {
        World world(verdict);
        kills = run(world, arguments);
        longest_wait_ms = static_cast<double>(world.longest_wait_ns) / 1e6;
    }
    std::printf("%s: %llu kills, %llu failures (seed %llu); the next process waited at most %.2f ms\n", arguments.mode.c_str(),
                static_cast<unsigned long long>(kills), static_cast<unsigned long long>(verdict.failure_count()),
                static_cast<unsigned long long>(arguments.seed), longest_wait_ms);
    if (verdict.failure_count() > 0)
        std::printf("replay one with: comap_crash %s%s%s --operation NAME --at STOP:STEP\n", arguments.mode.c_str(),
                    arguments.tool.empty() ? "" : " ", arguments.tool.c_str());
    return verdict.failure_count() == 0 ? 0 : 1;
}
