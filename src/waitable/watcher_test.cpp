// SPDX-License-Identifier: Apache-2.0
#include <comap/watcher.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <string>

#include "support/process.hpp"

namespace comap::test {
namespace {

bool readable(const Watcher& watcher, int timeout_ms) {
    struct pollfd waiting = {watcher.descriptor(), POLLIN, 0};
    return ::poll(&waiting, 1, timeout_ms) == 1;
}

std::map<std::uint64_t, std::uint32_t> take_all(Watcher& watcher) {
    std::map<std::uint64_t, std::uint32_t> taken;
    for (;;) {
        const auto next = watcher.next();
        EXPECT_OK(next);
        if (!next || !*next) return taken;
        taken[(*next)->tag] = (*next)->version;
    }
}

using Taken = std::map<std::uint64_t, std::uint32_t>;

struct WatcherTest : ::testing::Test {
    TempRoot root;
    Context& context = root.context();
    Watcher watcher = std::move(*Watcher::create());
    Section section(const std::string& name, std::uint32_t mode = 0600) {
        auto made = Section::open_or_create(name, 100, {.mode = mode}, context);
        EXPECT_OK(made);
        return std::move(*made);
    }
};

TEST_F(WatcherTest, NamesTheChangedOneOfMany) {
    const Section a = section("a");
    const Section b = section("b");
    const auto text = Text::create("t", {}, context);
    ASSERT_OK(watcher.add(a, 1, 0));
    ASSERT_OK(watcher.add(b, 2, 0));
    ASSERT_OK(watcher.add(*text, 3, 0));
    EXPECT_FALSE(readable(watcher, 0));
    EXPECT_EQ(take_all(watcher), Taken{});
    ASSERT_OK(b.publish());
    EXPECT_TRUE(readable(watcher, 60000));
    EXPECT_EQ(take_all(watcher), (Taken{{2, 1}}));
    EXPECT_FALSE(readable(watcher, 0));
    ASSERT_OK(a.publish());
    ASSERT_OK(a.publish());
    ASSERT_OK(text->set("x"));
    EXPECT_EQ(take_all(watcher), (Taken{{1, 2}, {3, 1}}));
}

TEST_F(WatcherTest, WhatChangedBeforeAddIsReported) {
    const Section a = section("a");
    ASSERT_OK(a.publish());
    ASSERT_OK(watcher.add(a, 1, 0));
    EXPECT_TRUE(readable(watcher, 60000));
    EXPECT_EQ(take_all(watcher), (Taken{{1, 1}}));
}

TEST_F(WatcherTest, TagsAreTheCallersAndRemoved) {
    const Section a = section("a");
    const Section same = section("a");
    ASSERT_OK(watcher.add(a, 1, 0));
    EXPECT_CODE(Code::invalid_argument, watcher.add(a, 1, 0));
    ASSERT_OK(watcher.add(same, 2, 0));
    ASSERT_OK(a.publish());
    EXPECT_EQ(take_all(watcher), (Taken{{1, 1}, {2, 1}}));
    ASSERT_OK(watcher.remove(1));
    EXPECT_CODE(Code::not_found, watcher.remove(1));
    ASSERT_OK(a.publish());
    EXPECT_EQ(take_all(watcher), (Taken{{2, 2}}));
    ASSERT_OK(watcher.remove(2));
    ASSERT_OK(a.publish());
    EXPECT_EQ(take_all(watcher), Taken{});
    EXPECT_CODE(Code::invalid_argument, watcher.add(Section(), 1, 0));
}

TEST_F(WatcherTest, HoldsWhatItWatches) {
    Section a = section("a");
    ASSERT_OK(watcher.add(a, 1, 0));
    a.close();
    EXPECT_OK(context.stat("a"));
    ASSERT_OK(watcher.remove(1));
    EXPECT_CODE(Code::not_found, context.stat("a"));
}

// Publishers in other processes never wait for the watcher; whatever it missed in between, it ends up with the last version.
TEST_F(WatcherTest, NoChangeIsLost) {
    const Section a = section("a");
    const Section b = section("b");
    ASSERT_OK(watcher.add(a, 1, 0));
    ASSERT_OK(watcher.add(b, 2, 0));
    constexpr std::uint32_t kChanges = 30000;
    const auto publish_all = [&](const char* name) {
        return [&, name](const Line&) {
            const auto mine = Section::open(name, {}, context);
            CHILD_CHECK(mine);
            for (std::uint32_t i = 0; i < kChanges; ++i) CHILD_CHECK(mine->publish());
            return 0;
        };
    };
    Child one(publish_all("a")), two(publish_all("b")), three(publish_all("b"));
    Taken last;
    while (last[1] != kChanges || last[2] != 2 * kChanges) {
        ASSERT_TRUE(readable(watcher, 60000)) << "a change was lost at " << last[1] << " and " << last[2];
        for (const auto& [tag, version] : take_all(watcher)) {
            ASSERT_GE(version, last[tag]);
            last[tag] = version;
        }
    }
    for (Child* child : {&one, &two, &three}) EXPECT_EQ(child->wait(), 0);
}

// A publisher killed between advancing the version and telling: its death tells.
TEST_F(WatcherTest, AKilledPublishersLastChangeArrives) {
    const Section a = section("a");
    ASSERT_OK(watcher.add(a, 1, 0));
    for (int round = 0; round < 100; ++round) {
        Child publisher([&](const Line& line) {
            const auto mine = Section::open("a", {}, context);
            CHILD_CHECK(mine);
            line.say();
            for (;;) CHILD_CHECK(mine->publish());
            return 0;
        });
        ASSERT_EQ(publisher.line().hear(), '.');
        pass_time(static_cast<std::uint32_t>(round) * 1000);
        publisher.kill();
        const std::uint32_t final_version = *a.version();
        std::uint32_t seen = final_version;
        while (true) {
            const Taken taken = take_all(watcher);
            if (taken.contains(1)) seen = taken.at(1);
            if (!readable(watcher, 0)) break;
        }
        ASSERT_EQ(seen, final_version);
    }
}

// A descriptor that was opened for writing stays so in the hands of a user whom the file's mode would not let in.
TEST_F(WatcherTest, APublisherWithoutRightsToTheFileIsHeard) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
    const auto unnamed = Section::create_unnamed(100);
    ASSERT_OK(unnamed);
    ASSERT_OK(watcher.add(*unnamed, 1, 0));
    for (std::uint32_t version = 1; version <= 3; ++version) {
        Child publisher([&](const Line&) {
            CHILD_CHECK(::setgid(65534) == 0 && ::setuid(65534) == 0);
            CHILD_CHECK(unnamed->publish());
            return 0;
        });
        EXPECT_EQ(publisher.wait(), 0);
        ASSERT_TRUE(readable(watcher, 60000));
        EXPECT_EQ(take_all(watcher), (Taken{{1, version}}));
    }
}

TEST_F(WatcherTest, ReadersWhoMayNotWriteAreWokenToo) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
    TempRoot open_root(0755);
    ASSERT_OK(open_root.context().setup_global());
    auto shared = Section::create("Global\\s", 100, {.mode = 0644}, open_root.context());
    auto secret = Section::create("Global\\p", 100, {.mode = 0600}, open_root.context());
    ASSERT_OK(shared);
    Child reader([&](const Line& line) {
        CHILD_CHECK(::setgid(65534) == 0 && ::setuid(65534) == 0);
        Context mine(ContextOptions{.root = open_root.path()});
        CHILD_CHECK(Section::open("Global\\p", {.access = Access::read_only}, mine).error().code == Code::permission_denied);
        CHILD_CHECK(Section::open("Global\\s", {}, mine).error().code == Code::permission_denied);
        const auto section = Section::open("Global\\s", {.access = Access::read_only}, mine);
        CHILD_CHECK(section);
        auto own_watcher = Watcher::create();
        CHILD_CHECK(own_watcher && own_watcher->add(*section, 5, 0));
        line.say();
        CHILD_CHECK(*section->wait(0, Deadline::forever()) == Wait::changed);
        CHILD_CHECK(readable(*own_watcher, 60000));
        CHILD_CHECK((take_all(*own_watcher) == Taken{{5, 1}}));
        CHILD_CHECK(*section->wait(1, Deadline::forever(), WaitFor::change_or_alone) == Wait::changed);
        return 0;
    });
    ASSERT_EQ(reader.line().hear(), '.');
    wait_until([&] { return is_asleep(reader.pid()); }, "the reader sleeps");
    ASSERT_OK(shared->publish());
    wait_until([&] { return is_asleep(reader.pid()) || *shared->version() > 1; }, "the reader sleeps again");
    ASSERT_OK(shared->publish());
    EXPECT_EQ(reader.wait(), 0);
}

}  // namespace
}  // namespace comap::test
