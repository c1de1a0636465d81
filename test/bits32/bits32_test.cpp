// SPDX-License-Identifier: Apache-2.0
// Objects that a 32-bit program (peer32.cpp) and this one use together.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <string>

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
