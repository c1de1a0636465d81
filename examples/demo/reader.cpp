// SPDX-License-Identifier: Apache-2.0
// Prints each update of the publisher's text, and sleeps in between until there is another. Ends when it learns that it is
// the only holder left: then the publisher is gone, whatever became of it.
//   usage: reader NAME
#include <chrono>
#include <cstdio>
#include <string>

#include <comap/comap.hpp>
#include <nlohmann/json.hpp>

namespace {

int fail(const comap::Error& error) {
    std::fprintf(stderr, "reader: %s\n", error.message.c_str());
    return 1;
}

void print(const comap::TextValue& update) {
    const auto now_ns = std::chrono::steady_clock::now().time_since_epoch().count();
    const auto line = nlohmann::json::parse(update.value);
    const double gib = 1024.0 * 1024.0;
    const double total_gib = line.at("memory_total_kib").get<double>() / gib;
    const double used_gib = total_gib - line.at("memory_available_kib").get<double>() / gib;
    const double age_us = static_cast<double>(now_ns - line.at("published_ns").get<std::int64_t>()) / 1000.0;
    std::printf("update %u: load %.2f, memory %.2f of %.2f GiB in use (here %.0f us after it was taken)\n",
                update.version, line.at("load").get<double>(), used_gib, total_gib, age_us);
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: reader NAME\n", stderr);
        return 2;
    }
    const auto text = comap::Text::open(argv[1], {.access = comap::Access::read_only});
    if (!text) return fail(text.error());

    for (;;) {
        const auto update = text->get();
        if (!update) return fail(update.error());
        print(*update);
        const auto end = text->wait(update->version, comap::Deadline::forever(), comap::WaitFor::change_or_alone);
        if (!end) return fail(end.error());
        if (*end == comap::Wait::alone) break;
    }
    std::puts("I am the only holder left, so the publisher is gone. I leave too.");
    return 0;
}
