// SPDX-License-Identifier: Apache-2.0
// Runs one of the races. Exit code: 0 as it must be; 1 not; 2 the test itself could not work; 77 it needs root.
// With --notice it must be the other way round: the library's rules are broken, and a run must report a violation.
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "race.hpp"

namespace comap::race {
namespace {

constexpr int kSkipped = 77;
constexpr std::uint64_t kLongTimes = 10;  // so many times as many with COMAP_RACE_LONG=1

struct Scenario {
    const char* name;
    void (*run)(const Run&);
    std::uint64_t count;  // generations or rounds, if no other number is asked for
    bool needs_root;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kGenerations = 3'000;  // several times slower
#else
constexpr std::uint64_t kGenerations = 15'000;
#endif

constexpr Scenario kScenarios[] = {
    {"plain", run_plain, kGenerations, false},
    {"mixed", run_mixed, kGenerations, false},
    {"dead", run_dead, 2'000, false},
    {"keep", run_keep, 20'000, false},
    {"fork_and_die", run_fork_and_die, 500, false},
    {"bare_clone", run_bare_clone, 200, false},
    {"readers", run_readers, 50'000, false},
    {"readers_of_others", run_readers_of_others, 50'000, true},
};

struct Arguments {
    const Scenario* scenario = nullptr;
    std::uint64_t count = 0;
    std::uint64_t seed = 1;
    bool must_notice = false;
};

[[noreturn]] void explain_usage() {
    std::fprintf(stderr, "usage: comap_race SCENARIO [--count N] [--seed N] [--notice]\nscenarios:");
    for (const auto& scenario : kScenarios) std::fprintf(stderr, " %s", scenario.name);
    std::fprintf(stderr, "\n");
    std::exit(2);
}

Arguments parse(int count, char** words) {
    const std::vector<std::string> all(words + 1, words + count);
    Arguments arguments;
    if (all.empty()) explain_usage();
    for (const auto& scenario : kScenarios)
        if (all[0] == scenario.name) arguments.scenario = &scenario;
    if (!arguments.scenario) explain_usage();
    const char* const is_long = std::getenv("COMAP_RACE_LONG");
    arguments.count = arguments.scenario->count * (is_long && std::string_view(is_long) == "1" ? kLongTimes : 1);
    for (std::size_t at = 1; at < all.size(); ++at) {
        const bool has_value = at + 1 < all.size();
        if (all[at] == "--notice") arguments.must_notice = true;
        else if (all[at] == "--count" && has_value) arguments.count = std::strtoull(all[++at].c_str(), nullptr, 10);
        else if (all[at] == "--seed" && has_value) arguments.seed = std::strtoull(all[++at].c_str(), nullptr, 10);
        else explain_usage();
    }
    return arguments;
}

std::string make_root() {
    std::string path = "/dev/shm/comap-race.XXXXXX";
    if (!::mkdtemp(path.data())) {
        std::perror(path.c_str());
        std::exit(2);
    }
    return path;
}

std::vector<std::string> names_in(const std::string& path) {
    std::vector<std::string> names;
    DIR* const directory = ::opendir(path.c_str());
    if (!directory) return names;
    while (const dirent* const entry = ::readdir(directory))
        if (std::string_view(entry->d_name) != "." && std::string_view(entry->d_name) != "..") names.push_back(path + "/" + entry->d_name);
    ::closedir(directory);
    return names;
}

// With what a broken rule has left in it.
void remove_root(const std::string& root) {
    for (const auto& place : names_in(root)) {
        for (const auto& file : names_in(place)) ::unlink(file.c_str());
        ::rmdir(place.c_str());
    }
    ::rmdir(root.c_str());
}

double seconds_since(const struct timespec& began) {
    struct timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec - began.tv_sec) + static_cast<double>(now.tv_nsec - began.tv_nsec) / 1e9;
}

unsigned long long number(const std::atomic<std::uint64_t>& counter) { return counter.load(std::memory_order_relaxed); }

void print_numbers(const Board& board) {
    std::printf("  %llu generations, %llu found, %llu found none; %llu kills, %llu stops, %llu forks, %llu removals, %llu keeps; %llu busy; %llu rounds\n",
                number(board.generations), number(board.found), number(board.missing), number(board.kills), number(board.stops),
                number(board.forks), number(board.removals), number(board.keeps), number(board.busy), number(board.rounds));
}

int judge(const Arguments& arguments, const Board& board, double seconds) {
    const char* const broken = std::getenv("COMAP_BREAK");
    std::printf("%s, seed %llu, %s: %s in %.1f s%s%s\n", arguments.scenario->name, static_cast<unsigned long long>(arguments.seed),
                broken ? broken : "every rule kept", board.has_violation() ? "a violation" : "no violation", seconds,
                board.has_violation() ? ": " : "", board.has_violation() ? board.violation : "");
    print_numbers(board);
    if (board.has_violation() == arguments.must_notice) return 0;
    std::printf(arguments.must_notice ? "NOT NOTICED: a rule was broken, and the check saw nothing\n" : "FAILED; replay with: comap_race %s --seed %llu --count %llu\n",
                arguments.scenario->name, static_cast<unsigned long long>(arguments.seed), static_cast<unsigned long long>(arguments.count));
    return 1;
}

}  // namespace
}  // namespace comap::race

int main(int count, char** words) {
    using namespace comap::race;
    const Arguments arguments = parse(count, words);
    if (arguments.scenario->needs_root && ::geteuid() != 0) {
        std::printf("SKIPPED: %s needs root, to have processes of two users\n", arguments.scenario->name);
        return kSkipped;
    }
    Board& board = Board::make();
    Run run;
    run.root = make_root();
    run.board = &board;
    run.seed = arguments.seed;
    run.count = arguments.count;
    struct timespec began;
    ::clock_gettime(CLOCK_MONOTONIC, &began);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);  // children of the killed come to us
    arguments.scenario->run(run);
    while (::waitpid(-1, nullptr, 0) > 0) {}
    const double seconds = seconds_since(began);
    remove_root(run.root);
    return judge(arguments, board, seconds);
}
