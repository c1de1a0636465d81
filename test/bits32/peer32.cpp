// SPDX-License-Identifier: Apache-2.0
// The 32-bit side of bits32_test.cpp: `peer32 PART` does its part with the objects that the 64-bit side made. Says "ready" when it
// has opened them; exit code 0 if all was as it must be.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <comap/comap.hpp>
#include <comap/event.hpp>
#include <comap/mutex.hpp>
#include <comap/semaphore.hpp>
#include <comap/waiting.hpp>

namespace {

using namespace comap;

static_assert(sizeof(void*) == 4);

#define PEER_CHECK(condition)                                                              \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);   \
            ::_exit(1);                                                                    \
        }                                                                                  \
    } while (false)

void say_ready() { PEER_CHECK(::write(STDOUT_FILENO, "ready\n", 6) == 6); }

template <typename T>
bool is_unsupported(const Result<T>& result, const char* says) {
    if (result || result.error().code != Code::unsupported) return false;
    if (result.error().message.find(says) != std::string::npos) return true;
    std::fprintf(stderr, "%s\n", result.error().message.c_str());
    return false;
}

void bytes() {
    const auto section = Section::open("bytes");
    PEER_CHECK(section && *section->size_bytes() == 10000);
    const auto view = section->view();
    PEER_CHECK(view && view->size() == 10000);
    PEER_CHECK(std::memcmp(view->data() + 9000, "from 64", 7) == 0);
    const std::uint32_t seen = *section->version();
    say_ready();
    PEER_CHECK(*section->wait(seen, Deadline::forever()) == Wait::changed);
    PEER_CHECK(std::memcmp(view->data() + 9000, "again", 5) == 0);
    std::memcpy(view->data() + 5000, "from 32", 7);
    PEER_CHECK(section->publish());
}

void text() {
    const auto text = Text::open("text", {.access = Access::read_only});
    PEER_CHECK(text && text->get()->value == "grüße");
    const auto version = *text->version();
    say_ready();
    PEER_CHECK(*text->wait(version, Deadline::forever()) == Wait::changed);
    PEER_CHECK(text->get()->value == "und tschüss");
    const auto writer = Text::open("text");
    if (writer) PEER_CHECK(is_unsupported(writer->set("x"), "64-bit"));
    else PEER_CHECK(is_unsupported(writer, "64-bit"));
}

// Counts up in the first byte, and shows that it is whole by the last.
void cell(const char* name) {
    const auto cell = RawCell::open(name);
    PEER_CHECK(cell && cell->type().size_bytes() == 15);
    std::array<std::byte, 15> value;
    PEER_CHECK(cell->load(value) && value[0] != std::byte{0} && value[0] == value[14]);
    say_ready();
    const auto change = [](std::byte* bytes, void*) {
        PEER_CHECK(bytes[0] == bytes[14]);
        bytes[14] = bytes[0] = static_cast<std::byte>(std::to_integer<int>(bytes[0]) + 1);
    };
    for (int i = 0; i < 3000; ++i) {
        PEER_CHECK(cell->update(change, nullptr));
        PEER_CHECK(cell->load(value) && value[0] == value[14]);
    }
}

void event() {
    const auto ping = Event::open("ping");
    const auto pong = Event::open("pong");
    PEER_CHECK(ping && pong);
    say_ready();
    for (int i = 0; i < 2000; ++i) {
        PEER_CHECK(*ping->wait() == Acquired::acquired);
        PEER_CHECK(pong->set());
    }
}

void semaphore() {
    const auto full = Semaphore::open("full");
    const auto room = Semaphore::open("room");
    PEER_CHECK(full && room && full->maximum() == kSemaphoreCountMax);
    say_ready();
    for (int i = 0; i < 4000; ++i) {
        PEER_CHECK(*full->acquire() == Acquired::acquired);
        PEER_CHECK(room->release());
    }
    PEER_CHECK(*full->count() == 0);
    PEER_CHECK(*full->release(0x7fff'ffff) == 0);
}

void mutex() {
    const char* const why = "64-bit program";
    PEER_CHECK(is_unsupported(Mutex::open("mutex"), why));
    PEER_CHECK(is_unsupported(Mutex::create("new"), why));
    PEER_CHECK(is_unsupported(Mutex::open_or_create("mutex"), why));
    PEER_CHECK(is_unsupported(Mutex::create_unnamed(), why));
    const auto missing = Mutex::open("missing");
    PEER_CHECK(!missing && missing.error().code == Code::not_found);
    const auto other_kind = Event::open("mutex");
    PEER_CHECK(!other_kind && other_kind.error().code == Code::kind_mismatch);
    const auto section = Section::create("place", 8192);
    PEER_CHECK(section);
    PEER_CHECK(is_unsupported(Mutex::create_in(*section, sync_offset(0)), why));
    PEER_CHECK(is_unsupported(Mutex::open_or_create_in(*section, sync_offset(0)), why));
    PEER_CHECK(Event::create_in(*section, sync_offset(0)));  // nothing was left there
    const auto gone = Context::standard().stat("new");
    PEER_CHECK(!gone && gone.error().code == Code::not_found);
    PEER_CHECK(Context::standard().stat("mutex")->kind == Kind::mutex);
    say_ready();
}

void several() {
    const auto event = Event::open("event");
    const auto manual = Event::open("manual");
    const auto semaphore = Semaphore::open("semaphore");
    const auto section = Section::open("section");
    PEER_CHECK(event && manual && semaphore && section);
    const std::vector<Waitable> list = {*event, *semaphore, {*section, 0}};
    PEER_CHECK(wait_any(list, Deadline::passed())->end == Acquired::timed_out);
    PEER_CHECK(wait_any(list, Deadline::after(std::chrono::milliseconds(5)))->end == Acquired::timed_out);
    for (const std::size_t wanted : {std::size_t{1}, std::size_t{0}, std::size_t{2}}) {
        say_ready();
        const auto waited = wait_any(list);
        PEER_CHECK(waited && waited->end == Acquired::acquired && waited->index == wanted);
    }
    PEER_CHECK(event->set() && semaphore->release());
    const auto all = wait_all(list, Deadline::passed());
    PEER_CHECK(is_unsupported(all, "64-bit program"));
    PEER_CHECK(*event->is_set() && *semaphore->count() == 1);
    PEER_CHECK(wait_all(std::vector<Waitable>{*semaphore})->end == Acquired::acquired);
    PEER_CHECK(manual->set());
    PEER_CHECK(wait_all(std::vector<Waitable>{*manual, {*section, 0}}, Deadline::passed())->end == Acquired::acquired);
    say_ready();
}

}  // namespace

int main(int argc, char** argv) {
    const std::string part = argc == 2 ? argv[1] : "";
    if (part == "bytes") bytes();
    else if (part == "text") text();
    else if (part == "cell") cell("cell");
    else if (part == "cells") cell("cell of several");
    else if (part == "event") event();
    else if (part == "semaphore") semaphore();
    else if (part == "mutex") mutex();
    else if (part == "several") several();
    else return 2;
    return 0;
}
