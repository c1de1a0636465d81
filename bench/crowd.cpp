// SPDX-License-Identifier: Apache-2.0
// A hundred thousand objects: what an open costs among them, and what it costs to list them.
#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <cmath>
#include <memory>
#include <random>

#include "harness.hpp"
#include "raw.hpp"

namespace comap::bench {
namespace {

constexpr std::uint32_t kFewCount = 10;
constexpr std::uint32_t kCrowdCount = 100'000;

std::string object_name(std::uint32_t number) { return fmt::format("object-{:06}", number); }

// A context of its own with so many kept objects of one byte.
struct Crowd {
    Crowd(const Bench& bench, std::string_view directory_name, std::uint32_t object_count)
        : count(object_count), root(fmt::format("{}/{}", bench.directory(), directory_name)), context(made(root)) {
        CreateOptions options;
        options.keep = true;
        options.lazy = true;  // a page less for each
        for (std::uint32_t i = 0; i < count; ++i) must(Section::create(object_name(i), 1, options, context));
    }
    static ContextOptions made(const std::string& root) {
        must_fd(::mkdir(root.c_str(), 0700), "mkdir");
        return {root};
    }
    std::uint32_t count;
    std::string root;
    Context context;
};

// Opens `names` in turn, held all at once; closing them is not timed. Nanoseconds an open.
double open_ns(Context& context, const std::vector<std::string>& names, std::uint32_t repeat_count) {
    std::uint64_t total_ns = 0;
    std::vector<Section> held(names.size());
    for (std::uint32_t repeat = 0; repeat < repeat_count; ++repeat) {
        const std::uint64_t begin_ns = now_ns();
        for (std::size_t i = 0; i < names.size(); ++i) held[i] = must(Section::open(names[i], {}, context));
        total_ns += now_ns() - begin_ns;
        for (auto& section : held) section.close();
    }
    return static_cast<double>(total_ns) / static_cast<double>(names.size() * repeat_count);
}

std::vector<std::string> first_names(std::uint32_t count) {
    std::vector<std::string> names;
    for (std::uint32_t i = 0; i < count; ++i) names.push_back(object_name(i));
    return names;
}

std::vector<std::string> random_names(std::uint32_t count, std::uint32_t below, std::uint32_t seed) {
    std::minstd_rand random(seed);
    std::vector<std::string> names;
    for (std::uint32_t i = 0; i < count; ++i) names.push_back(object_name(static_cast<std::uint32_t>(random() % below)));
    return names;
}

double raw_open_ns(const std::string& directory, const std::vector<std::string>& names) {
    const int directory_fd = must_fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open");
    std::vector<int> held(names.size());
    const std::uint64_t begin_ns = now_ns();
    for (std::size_t i = 0; i < names.size(); ++i) held[i] = must_fd(::openat(directory_fd, names[i].c_str(), O_RDWR | O_CLOEXEC), "openat");
    const std::uint64_t end_ns = now_ns();
    for (const int fd : held) ::close(fd);
    ::close(directory_fd);
    return static_cast<double>(end_ns - begin_ns) / static_cast<double>(names.size());
}

// --- listing

// Visits every object; the sum is only there to be used.
std::uint64_t list_all(Context& context) {
    std::uint64_t count = 0;
    must(context.list(Scope::local, false, [&](const ListEntry& entry) {
        if (entry.info) ++count;
        return true;
    }));
    return count;
}

std::uint64_t read_all(const std::string& path) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory) give_up_errno(path);
    std::uint64_t count = 0;
    std::array<char, 512> bytes;
    while (const dirent* const entry = ::readdir(directory.get())) {
        if (entry->d_name[0] == '.') continue;
        const int fd = must_fd(::openat(::dirfd(directory.get()), entry->d_name, O_RDONLY | O_CLOEXEC), "openat");
        if (::read(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())) ++count;
        ::close(fd);
    }
    return count;
}

template <typename Visit>
double visiting_ms(std::uint32_t wanted, const Visit& visit) {
    const std::uint64_t begin_ns = now_ns();
    const std::uint64_t found = visit();
    const double ms = static_cast<double>(now_ns() - begin_ns) / 1e6;
    if (found != wanted) give_up(fmt::format("{} objects were listed, {} were there", found, wanted));
    return ms;
}

double command_ms(const Bench& bench, const Crowd& crowd) {
    const std::uint64_t begin_ns = now_ns();
    Child command = start_program({bench.options().comap_path, "ls"}, {{"COMAP_DIR", crowd.root}});
    command.join();
    return static_cast<double>(now_ns() - begin_ns) / 1e6;
}

// --- the rows

struct Names {
    std::string open, random_open, list, command;
};

void measure_opens(Bench& bench, const Names& names, Crowd& few, Crowd& crowd) {
    constexpr std::uint32_t kRepeats = 200;
    const auto repeats = static_cast<std::uint32_t>(bench.scaled(kRepeats));
    const auto ten = first_names(kFewCount);
    bench.run({names.open, "us", 1.1, "limit: ours too, where there are only ten; the same ten names; opening alone, not leaving",
               [&] { return open_ns(crowd.context, ten, repeats) / 1000; }, [&] { return open_ns(few.context, ten, repeats) / 1000; }, {}});
    std::uint32_t seed = 1;
    const std::string directory = crowd.context.directory(Scope::local);
    const auto random = [&] { return random_names(500, crowd.count, ++seed); };
    bench.run({names.random_open, "us", std::nullopt, "limit: a bare openat of random ones: what the processor's caches do not hold costs everybody",
               [&] { return open_ns(crowd.context, random(), 1) / 1000; }, [&] { return raw_open_ns(directory, random()) / 1000; }, {}});
}

void measure_lists(Bench& bench, const Names& names, Crowd& crowd) {
    const std::string directory = crowd.context.directory(Scope::local);
    const auto limit = [&] { return visiting_ms(crowd.count, [&] { return read_all(directory); }); };
    bench.run({names.list, "ms", 3.0, "limit: readdir, openat, read of 512 bytes, close, for the same files",
               [&] { return visiting_ms(crowd.count, [&] { return list_all(crowd.context); }); }, limit, {}});
    if (bench.options().comap_path.empty()) {
        if (bench.wants(names.command)) bench.note("the comap command was not found (--comap PATH): its `ls` is not measured");
        return;
    }
    bench.run({names.command, "ms", 3.0, "the whole command, from fork to its end, printing to /dev/null; limit: as above",
               [&] { return command_ms(bench, crowd); }, limit, {}});
}

}  // namespace

void measure_crowd(Bench& bench) {
    const auto count = static_cast<std::uint32_t>(bench.scaled(kCrowdCount));
    const std::string shown = fmt::format("{},{:03}", count / 1000, count % 1000);
    const Names names = {"open among " + shown + " objects", "open a random one of " + shown, "list " + shown + " objects", "comap ls of " + shown + " objects"};
    if (!bench.wants_any({names.open, names.random_open, names.list, names.command})) return;
    Crowd few(bench, "few", kFewCount);
    Crowd crowd(bench, "crowd", count);
    measure_opens(bench, names, few, crowd);
    measure_lists(bench, names, crowd);
}

}  // namespace comap::bench
