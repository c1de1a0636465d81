// SPDX-License-Identifier: Apache-2.0
// Runs one of the storms, or all. Exit code: 0 as it must be; 1 not; 2 the test itself could not work.
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "cells.hpp"
#include "rings.hpp"
#include "storm.hpp"
#include "support/process.hpp"

namespace comap::storm {
namespace {

enum class On : std::uint8_t { things, cell, cell_of_many, ring };

struct Named {
    const char* name;
    Scenario scenario = Scenario::mutex;
    On on = On::things;
    RingKind ring = {};
};
constexpr Named kScenarios[] = {
    {"mutex", Scenario::mutex}, {"event", Scenario::event}, {"semaphore", Scenario::semaphore}, {"all", Scenario::all}, {"any", Scenario::any},
    {"cell", {}, On::cell}, {"cell_many", {}, On::cell_of_many},
    {"channel", {}, On::ring, RingKind::channel}, {"channel_many", {}, On::ring, RingKind::channel_many},
    {"channel_overrun", {}, On::ring, RingKind::channel_overrun}, {"queue", {}, On::ring, RingKind::queue},
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kKills = 100;  // a process takes several times longer to begin
#else
constexpr std::uint64_t kKills = 1500;
#endif

struct Arguments {
    std::vector<Named> scenarios;
    std::uint64_t kills = kKills;  // of each scenario
    std::uint64_t seed = 1;
};

[[noreturn]] void explain_usage() {
    std::fprintf(stderr, "usage: comap_storm [--scenario NAME]... [--kills N] [--seed N]\n");
    std::fprintf(stderr, "$COMAP_STORM_KILLS is the number of kills of each scenario if --kills is not given\nscenarios:");
    for (const auto& one : kScenarios) std::fprintf(stderr, " %s", one.name);
    std::fprintf(stderr, "\n");
    std::exit(2);
}

Named named(std::string_view name) {
    for (const auto& one : kScenarios)
        if (name == one.name) return one;
    explain_usage();
}

Arguments parse(int count, char** words) {
    Arguments arguments;
    if (const char* const kills = std::getenv("COMAP_STORM_KILLS")) arguments.kills = std::strtoull(kills, nullptr, 10);
    for (int at = 1; at + 1 < count; at += 2) {
        const std::string_view word = words[at];
        if (word == "--scenario") arguments.scenarios.push_back(named(words[at + 1]));
        else if (word == "--kills") arguments.kills = std::strtoull(words[at + 1], nullptr, 10);
        else if (word == "--seed") arguments.seed = std::strtoull(words[at + 1], nullptr, 10);
        else explain_usage();
    }
    if (count % 2 == 0) explain_usage();
    if (arguments.scenarios.empty()) arguments.scenarios.assign(std::begin(kScenarios), std::end(kScenarios));
    return arguments;
}

double seconds_since(const struct timespec& began) {
    struct timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec - began.tv_sec) + static_cast<double>(now.tv_nsec - began.tv_nsec) / 1e9;
}

unsigned long long number(std::uint64_t value) { return value; }

void print_end(const Named& named, const Arguments& arguments, const Board& board) {
    if (board.has_violation())
        std::printf("replay with: comap_storm --scenario %s --kills %llu --seed %llu\n", named.name, number(arguments.kills), number(arguments.seed));
    std::fflush(stdout);
}

bool run_on_cell(const Named& named, const Arguments& arguments, const Run& run, const test::TempRoot& root) {
    struct timespec began;
    ::clock_gettime(CLOCK_MONOTONIC, &began);
    Board& board = *run.board;
    const CellTally tally = storm_on_cell(run, named.on == On::cell_of_many);
    const std::size_t left = root.file_count();
    if (left != 0) board.report(std::to_string(left) + " files are left in the namespace's directory");
    std::printf("%s, seed %llu: %llu kills (%llu of stopped ones), %llu stops in %.1f s: %s%s\n", named.name, number(arguments.seed), number(tally.kills),
                number(tally.kills_of_stopped), number(tally.stops), seconds_since(began), board.has_violation() ? "A VIOLATION: " : "all as it must be",
                board.has_violation() ? board.violation : "");
    std::printf("  %llu stores, %llu loads; after %llu of the kills the next writer and a reader were awaited\n", number(tally.stores), number(tally.loads),
                number(tally.awaited));
    print_end(named, arguments, board);
    return !board.has_violation();
}

bool run_on_ring(const Named& named, const Arguments& arguments, const Run& run, const test::TempRoot& root) {
    struct timespec began;
    ::clock_gettime(CLOCK_MONOTONIC, &began);
    Board& board = *run.board;
    const RingTally tally = storm_on_ring(run, named.ring);
    const std::size_t left = root.file_count();
    if (left != 0) board.report(std::to_string(left) + " files are left in the namespace's directory");
    std::printf("%s, seed %llu: %llu kills (%llu of stopped ones), %llu stops in %.1f s: %s%s\n", named.name, number(arguments.seed), number(tally.kills),
                number(tally.kills_of_stopped), number(tally.stops), seconds_since(began), board.has_violation() ? "A VIOLATION: " : "all as it must be",
                board.has_violation() ? board.violation : "");
    if (named.ring == RingKind::queue)
        std::printf("  %llu messages pushed for certain, %llu done, %llu takings of redelivered ones; %llu lost with one that was killed while it popped\n", number(tally.sent),
                    number(tally.received), number(tally.redelivered), number(tally.lost_by_dead));
    else
        std::printf("  %llu messages sent for certain, %llu received by the one that is not killed, %llu missed by it\n", number(tally.sent), number(tally.received), number(tally.missed));
    print_end(named, arguments, board);
    return !board.has_violation();
}

bool run_one(const Named& named, const Arguments& arguments) {
    const test::TempRoot root;
    Board& board = Board::make();
    Run run;
    run.scenario = named.scenario;
    run.root = root.path();
    run.board = &board;
    run.seed = arguments.seed;
    run.kills = arguments.kills;
    if (named.on == On::ring) return run_on_ring(named, arguments, run, root);
    if (named.on != On::things) return run_on_cell(named, arguments, run, root);
    struct timespec began;
    ::clock_gettime(CLOCK_MONOTONIC, &began);
    const Tally tally = storm(run);
    const double seconds = seconds_since(began);
    const std::size_t left = root.file_count();
    if (left != 0) board.report(std::to_string(left) + " files are left in the namespace's directory");
    std::printf("%s, seed %llu: %llu kills (%llu with everybody stopped) in %.1f s: %s%s\n", named.name, number(arguments.seed),
                number(tally.kills), number(tally.kills_of_stopped), seconds, board.has_violation() ? "A VIOLATION: " : "all as it must be",
                board.has_violation() ? board.violation : "");
    std::printf("  threads killed: %llu having, %llu in a call that takes, %llu in one that gives, %llu elsewhere; %llu stops, %llu signals\n",
                number(tally.dead_having), number(tally.dead_taking), number(tally.dead_giving), number(tally.dead_idle),
                number(tally.stops), number(tally.signals));
    std::printf("  told as abandoned: %llu of owners, %llu of others; lost and made good: %llu events, %llu tokens; ",
                number(board.told_of_owner), number(board.told_of_other), number(tally.lost_events), number(tally.lost_tokens));
    std::printf("the books were checked %llu times\n", number(tally.breaks));
    std::printf("  %llu operations: %llu took something, %llu timed out, %llu interrupted\n", number(tally.operations),
                number(board.taken), number(board.timed_out), number(board.interrupted));
    print_end(named, arguments, board);
    return !board.has_violation();
}

}  // namespace
}  // namespace comap::storm

int main(int count, char** words) {
    using namespace comap::storm;
    const Arguments arguments = parse(count, words);
    bool good = true;
    for (const auto& named : arguments.scenarios) good = run_one(named, arguments) && good;
    return good ? 0 : 1;
}
