// SPDX-License-Identifier: Apache-2.0
// Every scenario with many seeds. A failure says how to see that run again:
//   model_tests --scenario NAME --seed S [--kill ACTOR:STEP] [--trace]
// COMAP_MODEL_SEEDS=N: so many seeds for each scenario, instead of a few; best with --gtest_filter, as one seed of one_dies_anywhere
// is some hundred runs. COMAP_MODEL_TELL=1: the mutants say how they were noticed.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "runs.hpp"

namespace comap::model {
namespace {

std::uint64_t seeds_or(std::uint64_t usual) {
    const char* const wanted = std::getenv("COMAP_MODEL_SEEDS");
    return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : usual;
}

class Model : public testing::TestWithParam<Entry> {
  protected:
    void run_seeds(std::uint64_t count, Deaths deaths) {
        Totals totals;
        for (std::uint64_t seed = 1; seed <= count; ++seed) {
            const std::string failure = run_seed(GetParam(), seed, deaths, totals);
            ASSERT_TRUE(failure.empty()) << failure;
        }
        RecordProperty("runs", std::to_string(totals.runs));
        RecordProperty("accesses", std::to_string(totals.turns));
        RecordProperty("rechecks", std::to_string(totals.rechecks));
        if (std::getenv("COMAP_MODEL_SEEDS") != nullptr)
            std::printf("%llu runs, %llu accesses, %llu rechecks\n", static_cast<unsigned long long>(totals.runs), static_cast<unsigned long long>(totals.turns), static_cast<unsigned long long>(totals.rechecks));
    }
};

TEST_P(Model, nobody_dies) { run_seeds(seeds_or(8000 / GetParam().cost), Deaths::none); }
TEST_P(Model, one_dies_anywhere) { run_seeds(seeds_or(120 / GetParam().cost), Deaths::each); }
TEST_P(Model, one_is_stopped_anywhere) {
    if (GetParam().survives_stops) run_seeds(seeds_or(120 / GetParam().cost), Deaths::stops);
}
TEST_P(Model, two_die) { run_seeds(seeds_or(1200 / GetParam().cost), Deaths::random); }

INSTANTIATE_TEST_SUITE_P(scenarios, Model, testing::ValuesIn(scenarios().begin(), scenarios().end()),
                         [](const testing::TestParamInfo<Entry>& entry) { return std::string(entry.param.name); });

int replay_one(int argc, char** argv) {
    const Entry* entry = nullptr;
    std::uint64_t seed = 1;
    std::vector<Kill> kills;
    bool trace = false;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        const char* const value = i + 1 < argc ? argv[i + 1] : "";
        if (option == "--trace") {
            trace = true;
            continue;
        }
        ++i;
        if (option == "--scenario") {
            entry = find_scenario(value);
        } else if (option == "--seed") {
            seed = std::strtoull(value, nullptr, 10);
        } else if (option == "--kill" || option == "--stop") {
            char* rest = nullptr;
            const int actor = static_cast<int>(std::strtol(value, &rest, 10));
            if (*rest != ':' && *rest != '@') {
                entry = nullptr;
                break;
            }
            kills.push_back({actor, std::strtoull(rest + 1, nullptr, 10), *rest == '@', option == "--stop"});
        } else {
            entry = nullptr;
            break;
        }
    }
    if (entry == nullptr) {
        std::fputs("usage: model_tests --scenario NAME [--seed S] [--kill ACTOR:STEP | --kill ACTOR@STEP_OF_ALL | --stop ACTOR:STEP]... [--trace]\nscenarios:", stderr);
        for (const Entry& each : scenarios()) std::fprintf(stderr, " %s", each.name);
        std::fputs("\n", stderr);
        return 2;
    }
    const Report report = run(*entry, seed, kills, {}, trace);
    if (report.failure.empty()) {
        std::printf("no failure; %llu accesses, %u deaths, %u rechecks\n", static_cast<unsigned long long>(report.turns), report.deaths, report.rechecks);
        return 0;
    }
    std::printf("%s\n%s", report.failure.c_str(), report.trace.c_str());
    return 1;
}

}  // namespace

void PrintTo(const Entry& entry, std::ostream* out) { *out << entry.name; }

}  // namespace comap::model

int main(int argc, char** argv) {
    if (argc > 1 && std::strncmp(argv[1], "--gtest", 7) != 0) return comap::model::replay_one(argc, argv);
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
