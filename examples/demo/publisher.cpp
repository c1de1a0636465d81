// SPDX-License-Identifier: Apache-2.0
// Publishes this machine's load and memory five times a second, in a text that others open by its name. Runs until it is
// killed; it needs no clean-up of its own.
//   usage: publisher NAME
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include <comap/comap.hpp>
#include <nlohmann/json.hpp>

namespace {

constexpr auto kPeriod = std::chrono::milliseconds(200);

int fail(const comap::Error& error) {
    std::fprintf(stderr, "publisher: %s\n", error.message.c_str());
    return 1;
}

// The number after "KEY:" in /proc/meminfo, in KiB; 0 if it is not there.
std::uint64_t memory_kib(const std::string& key) {
    std::ifstream file("/proc/meminfo");
    std::string line;
    while (std::getline(file, line))
        if (line.starts_with(key + ":")) return std::stoull(line.substr(key.size() + 1));
    return 0;
}

double load_of_last_minute() {
    std::ifstream file("/proc/loadavg");
    double load = 0;
    file >> load;
    return load;
}

// One line of JSON. published_ns, of the monotonic clock, lets a reader say how long the news took.
std::string figures() {
    nlohmann::ordered_json line;
    line["load"] = load_of_last_minute();
    line["memory_available_kib"] = memory_kib("MemAvailable");
    line["memory_total_kib"] = memory_kib("MemTotal");
    line["published_ns"] = std::chrono::steady_clock::now().time_since_epoch().count();
    return line.dump();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: publisher NAME\n", stderr);
        return 2;
    }
    const auto text = comap::Text::create(argv[1]);
    if (!text) return fail(text.error());

    auto next_time = std::chrono::steady_clock::now();
    for (bool is_first = true;; is_first = false) {
        if (const auto version = text->set(figures()); !version) return fail(version.error());
        if (is_first) {
            std::puts("ready");
            std::fflush(stdout);
        }
        next_time += kPeriod;
        std::this_thread::sleep_until(next_time);
    }
}
