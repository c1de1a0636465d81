// SPDX-License-Identifier: Apache-2.0
// Two processes share memory by name. Start this program twice: the first makes the section and waits, the second opens it,
// writes a greeting and publishes. When both have ended, the section is gone; nobody has to remove it.
#include <cstdio>
#include <cstring>

#include <unistd.h>

#include <comap/comap.hpp>

namespace {

struct Greeting {
    int from_process;
    char text[60];
};

int fail(const comap::Error& error) {
    std::fprintf(stderr, "hello: %s\n", error.message.c_str());
    return 1;
}

}  // namespace

int main() {
    auto section = comap::Section::open_or_create("hello", sizeof(Greeting));
    if (!section) return fail(section.error());
    auto view = section->view();
    if (!view) return fail(view.error());
    Greeting& greeting = view->as<Greeting>().front();

    if (section->was_created()) {
        std::puts("I made the section. Start me again, in another terminal.");
        std::fflush(stdout);
        const auto end = section->wait(0, comap::Deadline::forever());  // a new section is at version 0
        if (!end) return fail(end.error());
        std::printf("Process %d says: %.60s\n", greeting.from_process, greeting.text);
    } else {
        greeting.from_process = getpid();
        std::strncpy(greeting.text, "hello from another process", sizeof greeting.text - 1);
        if (const auto published = section->publish(); !published) return fail(published.error());
        std::puts("I wrote a greeting and published it.");
    }
    return 0;
}
