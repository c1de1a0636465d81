// SPDX-License-Identifier: Apache-2.0
// comap_bench: how fast comap is, next to the bare system calls and to others, measured in the same run.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "harness.hpp"

namespace comap::bench {
namespace {

constexpr char kMemoryDirectory[] = "/dev/shm";

constexpr char kUsage[] =
    "Usage: comap_bench [OPTION]...\n"
    "Compares comap with the raw limit and with others in interleaved rounds.\n\n"
    "  --json FILE     also write the rows to FILE\n"
    "  --rows TEXT     only the rows whose name contains TEXT\n"
    "  --rounds N      rounds of each row (21)\n"
    "  --quick         fewer rounds and turns, a smaller crowd: to see that it works, not for figures\n"
    "  --comap PATH    the comap command (default: the one that was built with this program)\n"
    "  --help          this text\n";

[[noreturn]] void wrong_usage(std::string_view what) {
    fmt::print(stderr, "comap_bench: {}\n{}", what, kUsage);
    std::exit(2);
}

std::string built_comap() {
    std::error_code ignored;
    const auto own = std::filesystem::read_symlink("/proc/self/exe", ignored);
    const auto tool = own.parent_path().parent_path() / "tools" / "comap" / "comap";
    return std::filesystem::is_regular_file(tool, ignored) ? tool.string() : "";
}

std::uint32_t parse_count(std::string_view text) {
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{} || end != text.data() + text.size() || count == 0) wrong_usage("--rounds needs a number above 0");
    return count;
}

Options parse_options(const std::vector<std::string>& words) {
    Options options;
    std::optional<std::uint32_t> round_count;
    options.comap_path = built_comap();
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto value = [&] {
            if (i + 1 == words.size()) wrong_usage(words[i] + " needs a value");
            return words[++i];
        };
        if (words[i] == "--json") options.json_path = value();
        else if (words[i] == "--rows") options.rows = value();
        else if (words[i] == "--rounds") round_count = parse_count(value());
        else if (words[i] == "--comap") options.comap_path = std::filesystem::absolute(value());
        else if (words[i] == "--quick") options.quick = true;
        else if (words[i] == "--help" || words[i] == "-h") {
            fmt::print("{}", kUsage);
            std::exit(0);
        } else wrong_usage("there is no option " + words[i]);
    }
    options.round_count = round_count.value_or(options.quick ? 5 : options.round_count);
    return options;
}

nlohmann::ordered_json json_of(const Row& row) {
    const auto value = [](double number) { return std::isfinite(number) ? nlohmann::ordered_json(number) : nlohmann::ordered_json(nullptr); };
    nlohmann::ordered_json peers = nlohmann::ordered_json::object();
    for (const auto& [name, median] : row.peers) peers[name] = median;
    const auto optional = [](std::optional<double> number) { return number ? nlohmann::ordered_json(*number) : nlohmann::ordered_json(nullptr); };
    const nlohmann::ordered_json met = row.has_goal() ? nlohmann::ordered_json(row.met()) : nlohmann::ordered_json(nullptr);
    return {{"name", row.name}, {"unit", row.unit}, {"ours", value(row.ours.median)}, {"limit", value(row.limit.median)},
            {"peers", peers}, {"ratio", value(row.ratio.median)}, {"target", optional(row.target)}, {"least", optional(row.least)}, {"met", met}};
}

void write_json(const Bench& bench) {
    nlohmann::ordered_json document = {{"schema", 1}, {"machine", machine_name()}, {"rows", nlohmann::ordered_json::array()}};
    for (const auto& row : bench.rows()) document["rows"].push_back(json_of(row));
    std::ofstream file(bench.options().json_path);
    file << document.dump(1) << "\n";
    if (!file.flush()) give_up_errno(bench.options().json_path);
}

void print_summary(const Bench& bench) {
    fmt::print("\n{:<52} {:>10} {:>10} {:>7} {:>7}  {}\n", "", "ours", "limit", "ratio", "target", "");
    std::size_t missed = 0;
    for (const auto& row : bench.rows()) {
        missed += row.has_goal() && !row.met() ? 1 : 0;
        fmt::print("{:<52} {:>10.2f} {:>10.2f} {:>7.2f} {:>7}  {}{}\n", fmt::format("{} [{}]", row.name, row.unit), row.ours.median,
                   row.limit.median, row.ratio.median, row.goal(), !row.has_goal() ? "" : row.met() ? "met" : "NOT MET",
                   bench.moved(row) ? " (the machine moved)" : "");
    }
    fmt::print("Medians of {} interleaved rounds; ratio: median of the rounds' ratios. {} of the targets missed.\n",
               bench.options().round_count, missed);
}

void measure_all(const Options& options, const std::string& directory) {
    Bench bench(options, directory);
    if (!processors().are_two()) fmt::print("Only one processor: rows that need two are left out.\n");
    measure_lifecycle(bench);
    measure_notification(bench);
    measure_text(bench);
    measure_cells(bench);
    measure_crowd(bench);
    measure_killed(bench);
    measure_locks(bench);
    measure_rings(bench);
    measure_win32(bench);
    if (bench.rows().empty()) give_up("no row has such a name");
    print_summary(bench);
    if (!options.json_path.empty()) write_json(bench);
}

// Whatever a run may have left under its unique name, also if it was killed.
void clean_up(const std::string& directory) {
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
    const std::string prefix = directory.substr(directory.rfind('/') + 1) + "-";
    std::vector<std::filesystem::path> left;
    for (const char* const place : {kMemoryDirectory, "/dev/mqueue"})
        for (const auto& entry : std::filesystem::directory_iterator(place, ignored))
            for (const std::string& begin : {prefix, "sem." + prefix})  // the C library's named semaphores
                if (entry.path().filename().string().starts_with(begin)) left.push_back(entry.path());
    for (const auto& path : left) std::filesystem::remove(path, ignored);
}

pid_t worker = -1;
void end_worker(int) {
    if (worker > 0) ::kill(worker, SIGKILL);
}

// Works in a child, so that everything can be removed whatever ends it: a signal, an error, the end.
int run(const Options& options) {
    std::string directory = fmt::format("{}/comap-bench-XXXXXX", kMemoryDirectory);
    if (!::mkdtemp(directory.data())) give_up_errno(directory);
    for (const int ending : {SIGINT, SIGTERM, SIGHUP}) ::signal(ending, SIG_IGN);
    const pid_t own = ::getpid();
    worker = ::fork();
    if (worker < 0) give_up_errno("fork");
    if (worker == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != own) ::_exit(1);
        measure_all(options, directory);
        std::fflush(nullptr);
        ::_exit(0);
    }
    struct sigaction action = {};
    action.sa_handler = end_worker;
    for (const int ending : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(ending, &action, nullptr);
    int status = 0;
    while (::waitpid(worker, &status, 0) < 0 && errno == EINTR) {}
    worker = -1;
    clean_up(directory);
    if (WIFSIGNALED(status)) fmt::print(stderr, "comap_bench: ended by a signal; everything was removed\n");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace
}  // namespace comap::bench

int main(int count, char** words) {
    return comap::bench::run(comap::bench::parse_options(std::vector<std::string>(words + 1, words + count)));
}
