// SPDX-License-Identifier: Apache-2.0
// Objects that a 32-bit program (peer32.cpp) and this one use together.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

#include <comap/cell.hpp>
#include <comap/event.hpp>
#include <comap/mutex.hpp>
#include <comap/semaphore.hpp>
#include <comap/text.hpp>

#include "support/process.hpp"

namespace comap::test {
namespace {

struct Bits32Test : ::testing::Test {
    TempRoot root;  // also the peer's, by COMAP_DIR
    Context& context = root.context();
};

// The 32-bit program at its part. Its standard output is the line to us.
struct Peer : Child {
    explicit Peer(const char* part)
        : Child([part](const Line& line) {
              ::dup2(line.write_fd(), STDOUT_FILENO);
              ::execl(PEER32, "peer32", part, static_cast<char*>(nullptr));
              ::perror(PEER32);
              return 127;
          }) {}
    bool is_ready() const { return line().hear_text() == "ready"; }
};

TEST_F(Bits32Test, BytesAndChanges) {
    const auto section = Section::create("bytes", 10000, {}, context);
    ASSERT_OK(section);
    const auto view = section->view();
    std::memcpy(view->data() + 9000, "from 64", 7);
    Peer peer("bytes");
    ASSERT_TRUE(peer.is_ready());
    wait_until([&] { return is_asleep(peer.pid()); }, "the peer sleeps");
    std::memcpy(view->data() + 9000, "again", 5);
    ASSERT_OK(section->publish());
    EXPECT_EQ(*section->wait(1, Deadline::forever()), Wait::changed);
    EXPECT_EQ(std::memcmp(view->data() + 5000, "from 32", 7), 0);
    EXPECT_EQ(peer.wait(), 0);
    EXPECT_EQ(*section->version(), 2u);
}

TEST_F(Bits32Test, TextsAreRead) {
    const auto text = Text::create("text", {}, context);
    ASSERT_OK(text->set("grüße"));
    Peer peer("text");
    ASSERT_TRUE(peer.is_ready());
    wait_until([&] { return is_asleep(peer.pid()); }, "the peer sleeps");
    ASSERT_OK(text->set("und tschüss"));
    EXPECT_EQ(peer.wait(), 0);
    EXPECT_EQ(text->get()->value, "und tschüss");
}

// Readers and writers of both widths; the record is no whole number of either's words.
TEST_F(Bits32Test, CellsAreLoadedAndStored) {
    const auto type = RecordType::from_list("count:u8,odd:u1[7]").value();
    for (const std::uint32_t writers : {1u, 3u}) {
        const std::string name = writers == 1 ? "cell" : "cell of several";
        const auto cell = RawCell::create(name, type, {.writers = writers}, context);
        ASSERT_OK(cell);
        std::array<std::byte, 15> value{};
        value[0] = value[14] = std::byte{1};
        ASSERT_OK(cell->store(value));
        cell->give_up_role();
        Peer peer(writers == 1 ? "cell" : "cells");
        ASSERT_TRUE(peer.is_ready());
        const auto change = [](std::byte* bytes, void*) {
            bytes[14] = bytes[0] = static_cast<std::byte>(std::to_integer<int>(bytes[0]) + 1);
        };
        for (int i = 0; i < 3000 && writers > 1; ++i) ASSERT_OK(cell->update(change, nullptr));
        ASSERT_EQ(peer.wait(), 0);
        ASSERT_OK(cell->load(value));
        EXPECT_EQ(value[0], value[14]);
        EXPECT_EQ(*cell->version(), 1u + 3000 + (writers > 1 ? 3000 : 0));
        EXPECT_EQ(std::to_integer<std::uint32_t>(value[0]), *cell->version() % 256);
    }
}

TEST_F(Bits32Test, AnEventGoesToAndFro) {
    const auto ping = Event::create("ping", {}, context);
    const auto pong = Event::create("pong", {}, context);
    Peer peer("event");
    ASSERT_TRUE(peer.is_ready());
    for (int i = 0; i < 2000; ++i) {
        ASSERT_OK(ping->set());
        ASSERT_EQ(*pong->wait(), Acquired::acquired);
    }
    EXPECT_EQ(peer.wait(), 0);
}

TEST_F(Bits32Test, ASemaphoreLosesNoToken) {
    const auto full = Semaphore::create("full", {}, context);
    const auto room = Semaphore::create("room", {.initial = 3, .maximum = 3}, context);
    Peer peer("semaphore");
    ASSERT_TRUE(peer.is_ready());
    for (int i = 0; i < 4000; ++i) {
        ASSERT_EQ(*room->acquire(), Acquired::acquired);
        ASSERT_OK(full->release());
    }
    EXPECT_EQ(peer.wait(), 0);
    EXPECT_EQ(*room->count(), 3u);
    EXPECT_EQ(*full->count(), 0x7fff'ffffu);
}

TEST_F(Bits32Test, AMutexIsRefusedWithASentence) {
    const auto mutex = Mutex::create("mutex", {}, context);
    Peer peer("mutex");
    EXPECT_TRUE(peer.is_ready());
    EXPECT_EQ(peer.wait(), 0);
    EXPECT_EQ(*mutex->lock(Deadline::passed()), Acquired::acquired);
    EXPECT_OK(mutex->unlock());
    EXPECT_EQ(root.file_count(), 1u);
}

TEST_F(Bits32Test, WaitsForAnyOfSeveral) {
    const auto event = Event::create("event", {}, context);
    const auto manual = Event::create("manual", {.reset = Reset::manual}, context);
    const auto semaphore = Semaphore::create("semaphore", {}, context);
    const auto section = Section::create("section", 100, {}, context);
    Peer peer("several");
    const auto expect_asleep = [&] {
        ASSERT_TRUE(peer.is_ready());
        wait_until([&] { return is_asleep(peer.pid()); }, "the peer sleeps");
    };
    expect_asleep();
    ASSERT_OK(semaphore->release());
    expect_asleep();
    ASSERT_OK(event->set());
    expect_asleep();
    ASSERT_OK(section->publish());
    EXPECT_TRUE(peer.is_ready());
    EXPECT_EQ(peer.wait(), 0);
    EXPECT_EQ(*semaphore->count(), 0u);
    EXPECT_TRUE(*event->is_set());
}

}  // namespace
}  // namespace comap::test
