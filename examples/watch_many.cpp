// SPDX-License-Identifier: Apache-2.0
// One descriptor for many objects: what an event loop wants. A child process changes three texts in turn; this one sleeps in
// poll() on a single descriptor and is told which of them changed.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <comap/comap.hpp>

namespace {

const std::vector<std::string> kNames = {"watch/apples", "watch/pears", "watch/plums"};

// Ends the program if a call failed. (A real program would handle what it can act on.)
template <typename T>
T must(comap::Result<T> result) {
    if (!result) {
        std::fprintf(stderr, "watch_many: %s\n", result.error().message.c_str());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// Opens each text by its name and gives it a last value.
void write_all() {
    for (const std::string& name : kNames) must(must(comap::Text::open(name)).set("ripe"));
}

}  // namespace

int main() {
    comap::Watcher watcher = must(comap::Watcher::create());
    std::vector<comap::Text> texts;
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        texts.push_back(must(comap::Text::create(kNames[i], {.capacity_bytes = 100})));
        must(watcher.add(texts[i], i, must(texts[i].version())));  // the tag is ours: the index
    }

    const pid_t writer = fork();
    if (writer < 0) return 1;
    if (writer == 0) {
        write_all();
        _exit(0);
    }

    for (std::size_t ripe_count = 0; ripe_count < kNames.size();) {
        pollfd loop = {.fd = watcher.descriptor(), .events = POLLIN, .revents = 0};
        if (poll(&loop, 1, 10'000) <= 0) return 1;           // ten seconds of silence: it has failed
        while (const auto changed = must(watcher.next())) {  // until there is nothing more
            const comap::Text& text = texts[changed->tag];
            std::printf("%s: %s (version %u)\n", text.name().c_str(), must(text.get()).value.c_str(), changed->version);
            ++ripe_count;
        }
    }

    int status = 0;
    if (waitpid(writer, &status, 0) != writer) return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
