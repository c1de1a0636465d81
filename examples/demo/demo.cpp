// SPDX-License-Identifier: Apache-2.0
// Shows the main job with real processes and checks every claim it makes: a publisher and a reader that share a text by its
// name, the tools that see them, and what is left when they are killed. Ends with 1 if a claim failed.
//   usage: comap_demo [PUBLISHER READER COMAP]   (the programs; by default those that were built with this one)
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>
#include <comap/comap.hpp>

#include "process.hpp"

namespace {

using demo::Clock;
using demo::Process;
using demo::Usage;

constexpr auto kTimeForAll = std::chrono::seconds(18);
constexpr const char* kName = "machine";

struct Programs {
    std::string publisher;
    std::string reader;
    std::string comap;
};

double milliseconds_since(Clock::time_point began) {
    return std::chrono::duration<double, std::milli>(Clock::now() - began).count();
}

template <typename... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
    fmt::print("{}\n", fmt::format(format, std::forward<Args>(args)...));
    std::fflush(stdout);
}

// Counts the claims and prints whether each holds.
class Claims {
  public:
    void check(bool holds, const std::string& claim) {
        ++count_;
        if (!holds) ++failed_count_;
        say("   {} {}", holds ? "[ok]" : "[FAILED]", claim);
    }
    int count() const { return count_; }
    int failed_count() const { return failed_count_; }

  private:
    int count_ = 0;
    int failed_count_ = 0;
};

// A directory of our own for the objects, so that nothing else on the machine is touched. Removed with everything in it.
class ObjectsDirectory {
  public:
    ObjectsDirectory() {
        std::string path = "/dev/shm/comap-demo.XXXXXX";
        if (mkdtemp(path.data()) == nullptr) {
            std::perror(path.c_str());
            std::exit(1);
        }
        path_ = path;
        setenv("COMAP_DIR", path_.c_str(), 1);
    }
    ~ObjectsDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    ObjectsDirectory(const ObjectsDirectory&) = delete;
    ObjectsDirectory& operator=(const ObjectsDirectory&) = delete;

  private:
    std::string path_;
};

struct Contents {
    int file_count = 0;
    long memory_kib = 0;
};

// What is in the directory of the namespace, and the memory it takes.
Contents namespace_contents() {
    Contents contents;
    std::error_code missing;
    const std::string path = comap::Context::standard().directory(comap::Scope::local);
    for (const auto& entry : std::filesystem::directory_iterator(path, missing)) {
        struct stat file {};
        if (lstat(entry.path().c_str(), &file) != 0) continue;
        ++contents.file_count;
        contents.memory_kib += file.st_blocks / 2;
    }
    return contents;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

bool is_not_found(const comap::Error& error) { return error.code == comap::Code::not_found; }

// The tale, in order. Each part leaves what the next one needs.
class Demo {
  public:
    explicit Demo(Programs programs) : programs_(std::move(programs)) {}

    int run() {
        say("comap shows its main job: memory shared by name, which lives exactly as long as someone holds it.\n");
        {
            Process publisher({programs_.publisher, kName});
            start(publisher);
            Process reader({programs_.reader, kName});
            follow(reader);
            look(publisher, reader);
            kill_publisher(publisher, reader);
        }
        kill_everyone();
        say("");
        if (claims_.failed_count() > 0) {
            say("{} of {} claims FAILED.", claims_.failed_count(), claims_.count());
            return 1;
        }
        say("All {} claims hold. This took {:.1f} s.", claims_.count(), milliseconds_since(began_) / 1000);
        return 0;
    }

  private:
    void start(Process& publisher) {
        const auto began = Clock::now();
        say("A publisher writes this machine's load and memory figures into a text named \"{}\", five times a second.",
            kName);
        const auto line = publisher.next_line(deadline_);
        claims_.check(line == "ready",
                      fmt::format("process {} runs, and the name was there {:.1f} ms after we started it",
                                  publisher.pid(), milliseconds_since(began)));
    }

    // Reads the next line of the reader; counts it if it is the update after the last one.
    void take_update(Process& reader) {
        const auto line = reader.next_line(deadline_);
        say("   reader {}: {}", reader.pid(), line.value_or("(nothing)"));
        unsigned number = 0;
        if (!line || std::sscanf(line->c_str(), "update %u:", &number) != 1) return;
        if (last_update_ != 0 && number != last_update_ + 1) ++lost_count_;
        last_update_ = number;
        ++update_count_;
    }

    void follow(Process& reader) {
        say("\nA second process opens it by that name, read-only, and sleeps until there is an update.");
        for (int i = 0; i < 3; ++i) take_update(reader);
        const Usage before = reader.usage();
        const auto began = Clock::now();
        const int slept_for = 10;
        for (int i = 0; i < slept_for; ++i) take_update(reader);
        const Usage after = reader.usage();
        const double elapsed_ms = milliseconds_since(began);
        claims_.check(update_count_ == 3 + slept_for && lost_count_ == 0,
                      fmt::format("the reader saw {} updates, each once and in order", update_count_));
        const long sleep_count = after.sleep_count - before.sleep_count;
        const double processor_ms = after.processor_ms - before.processor_ms;
        claims_.check(
            sleep_count >= slept_for - 1 && sleep_count <= 4 * slept_for && processor_ms < elapsed_ms / 4,
            fmt::format("it does not poll: for the last {} updates it went to sleep {} times and used {:.1f} ms of "
                        "processor time in {:.0f} ms",
                        slept_for, sleep_count, processor_ms, elapsed_ms));
    }

    // Runs the comap command and shows its output, which it returns; nothing if the command failed.
    std::string show(const std::vector<std::string>& arguments) {
        std::string shown = "comap";
        std::vector<std::string> command = {programs_.comap};
        for (const std::string& argument : arguments) {
            shown += " " + argument;
            command.push_back(argument);
        }
        const auto began = Clock::now();
        const demo::Ran ran = demo::run(command, deadline_);
        say("   $ {}   ({:.1f} ms)", shown, milliseconds_since(began));
        std::string output;
        for (const std::string& line : ran.lines) {
            say("     {}", line);
            output += line + "\n";
        }
        if (ran.status == 0) return output;
        say("     (it ended with status {})", ran.status);
        return {};
    }

    void look(Process& publisher, Process& reader) {
        say("\nAnyone who may can look.");
        const bool shows_value = contains(show({"get", kName}), "\"load\":");
        const bool shows_name = contains(show({"ls"}), kName);
        claims_.check(shows_value && shows_name, "the text is listed, and its value can be read");
        const std::string holders = show({"who", kName});
        claims_.check(
            contains(holders, std::to_string(publisher.pid())) && contains(holders, std::to_string(reader.pid())),
            fmt::format("its holders are named: processes {} and {}", publisher.pid(), reader.pid()));
    }

    void kill_publisher(Process& publisher, Process& reader) {
        say("\nThe publisher is killed with SIGKILL: it can clean up nothing.");
        const auto began = Clock::now();
        publisher.kill();
        std::string last_line;
        while (const auto line = reader.next_line(deadline_)) last_line = *line;
        const double heard_ms = milliseconds_since(began);
        const int status = reader.wait(deadline_);
        say("   reader {}: {}", reader.pid(), last_line);
        claims_.check(status == 0 && contains(last_line, "only holder"),
                      fmt::format("the reader learned of it and left, {:.1f} ms after the kill", heard_ms));
        check_name_is_gone(began);
        claims_.check(namespace_contents().file_count == 0, "nothing is left behind, and nobody had to clean up");
    }

    void check_name_is_gone(Clock::time_point killed) {
        const auto before_open = Clock::now();
        const auto opened = comap::Text::open(kName);
        const double open_ms = milliseconds_since(before_open);
        claims_.check(!opened && is_not_found(opened.error()),
                      fmt::format("the name is gone: {:.1f} ms after the kill, open said not_found (in {:.3f} ms)",
                                  milliseconds_since(killed), open_ms));
    }

    void kill_everyone() {
        say("\nOnce more; now the publisher and the reader are killed in the same moment, so that no holder can tidy "
            "up.");
        Process publisher({programs_.publisher, kName});
        publisher.next_line(deadline_);
        Process reader({programs_.reader, kName});
        const bool runs = reader.next_line(deadline_).has_value();
        const Contents held = namespace_contents();
        claims_.check(runs && held.file_count == 1 && held.memory_kib > 0,
                      fmt::format("processes {} and {} share it again: {} KiB of memory", publisher.pid(), reader.pid(),
                                  held.memory_kib));
        const auto began = Clock::now();
        ::kill(publisher.pid(), SIGKILL);
        ::kill(reader.pid(), SIGKILL);
        publisher.kill();  // waits until it is gone
        reader.kill();
        const auto found = comap::Context::standard().stat(kName);
        claims_.check(!found && is_not_found(found.error()),
                      fmt::format("the name is gone {:.1f} ms after the kill, although nobody was left to remove it",
                                  milliseconds_since(began)));
        const bool collected = !show({"gc"}).empty();
        const Contents left = namespace_contents();
        claims_.check(collected && left.file_count == 0 && left.memory_kib == 0,
                      "the memory is back: the directory is empty");
        check_name_is_gone(began);
    }

    Programs programs_;
    Claims claims_;
    Clock::time_point began_ = Clock::now();
    Clock::time_point deadline_ = began_ + kTimeForAll;  // of everything; a wait that reaches it makes its claim fail
    unsigned last_update_ = 0;
    int update_count_ = 0;
    int lost_count_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 1 && argc != 4) {
        std::fputs("usage: comap_demo [PUBLISHER READER COMAP]\n", stderr);
        return 2;
    }
    Programs programs = {DEMO_PUBLISHER, DEMO_READER, DEMO_COMAP};
    if (argc == 4) programs = {argv[1], argv[2], argv[3]};
    const ObjectsDirectory objects;
    return Demo(programs).run();
}
