// SPDX-License-Identifier: Apache-2.0
#include <comap/text.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <random>
#include <string>
#include <thread>

#include "object/header.hpp"
#include "support/process.hpp"

namespace comap::test {
namespace {

struct TextTest : ::testing::Test {
    TempRoot root;
    Context& context = root.context();

    Text create(const std::string& name, const TextOptions& options = {}) {
        auto made = Text::create(name, options, context);
        EXPECT_OK(made);
        return std::move(*made);
    }
    Text open(const std::string& name, Access access = Access::read_write) {
        auto opened = Text::open(name, {.access = access}, context);
        EXPECT_OK(opened);
        return std::move(*opened);
    }
};

// A value that says of itself whether it is whole: one letter, repeated, its count at the front.
std::string whole_value(std::uint32_t number, std::size_t length) {
    std::string value = std::to_string(number) + ":";
    value.resize(std::max(value.size(), length), static_cast<char>('a' + number % 26));
    return value;
}

bool is_whole(const std::string& value) {
    const std::size_t colon = value.find(':');
    if (colon == std::string::npos) return value.empty();
    const auto number = static_cast<std::uint32_t>(std::stoul(value.substr(0, colon)));
    return value == whole_value(number, value.size());
}

TEST_F(TextTest, StartsEmptyAndIsSetGottenAppended) {
    const Text text = create("t");
    EXPECT_EQ(text.get()->value, "");
    EXPECT_EQ(text.get()->version, 0u);
    EXPECT_EQ(text.capacity_bytes(), 65536u);
    EXPECT_EQ(*text.set("grüße"), 1u);
    EXPECT_EQ(*text.append(", 世界"), 2u);
    EXPECT_EQ(open("t", Access::read_only).get()->value, "grüße, 世界");
    EXPECT_EQ(*text.set(""), 3u);
    EXPECT_EQ(text.get()->value, "");
    EXPECT_EQ(text.get()->version, 3u);
    const std::string with_nul("a\0b", 3);
    ASSERT_OK(text.set(with_nul));
    EXPECT_EQ(text.get()->value, with_nul);
}

TEST_F(TextTest, AppendAtEveryAlignment) {
    const Text text = create("t", {.capacity_bytes = 4096});
    std::string expected;
    for (std::size_t length = 0; length < 40; ++length) {
        const std::string part(length, static_cast<char>('a' + length % 26));
        expected += part;
        ASSERT_OK(text.append(part));
        ASSERT_EQ(text.get()->value, expected);
    }
}

TEST_F(TextTest, TooLongSaysBothLengthsAndCutsNothing) {
    const Text text = create("t", {.capacity_bytes = 10});
    ASSERT_OK(text.set("0123456789"));
    const auto set = text.set("0123456789A");
    EXPECT_CODE(Code::too_long, set);
    EXPECT_NE(set.error().message.find("11 bytes"), std::string::npos) << set.error().message;
    EXPECT_NE(set.error().message.find("10"), std::string::npos);
    const auto appended = text.append("ab");
    EXPECT_CODE(Code::too_long, appended);
    EXPECT_NE(appended.error().message.find("12 bytes"), std::string::npos) << appended.error().message;
    EXPECT_EQ(text.get()->value, "0123456789");
    EXPECT_EQ(*text.version(), 1u);
    char small[5];
    EXPECT_CODE(Code::too_long, text.get(std::span<char>(small)));
    char exact[10];
    EXPECT_EQ(text.get(std::span<char>(exact))->length_bytes, 10u);
}

TEST_F(TextTest, WhatIsNotUtf8IsRefused) {
    const Text text = create("t");
    ASSERT_OK(text.set("good"));
    EXPECT_CODE(Code::invalid_argument, text.set("\xff"));
    EXPECT_CODE(Code::invalid_argument, text.append("caf\xc3"));
    EXPECT_EQ(text.get()->value, "good");
}

TEST_F(TextTest, ReadOnlyHandlesOnlyRead) {
    const Text text = create("t");
    const Text reader = open("t", Access::read_only);
    EXPECT_CODE(Code::permission_denied, reader.set("x"));
    EXPECT_CODE(Code::permission_denied, reader.append("x"));
    EXPECT_EQ(*reader.version(), 0u);
}

TEST_F(TextTest, IsASectionOfAnotherLayout) {
    const Text text = create("t");
    EXPECT_CODE(Code::layout_mismatch, Text::open("s", {}, context).or_else([&](const Error&) {
        auto section = Section::create("s", 100, {}, context);
        return Text::open("s", {}, context);
    }));
    const auto as_section = Section::open("t", {}, context);
    ASSERT_OK(as_section);
    EXPECT_CODE(Code::layout_mismatch, as_section->publish());
    EXPECT_CODE(Code::layout_mismatch, as_section->view());
    EXPECT_OK(as_section->view({.protection = Protection::read_only}));
    EXPECT_EQ(text.info()->layout, Layout::text);
    EXPECT_CODE(Code::invalid_argument, Text::create("u", {.capacity_bytes = 0}, context));
    EXPECT_CODE(Code::invalid_argument, Text::create("u", {.capacity_bytes = 0xffff'ffff}, context));
}

TEST_F(TextTest, WaitsForChange) {
    const Text text = create("t");
    Child reader([&](const Line& line) {
        const auto mine = Text::open("t", {.access = Access::read_only}, context);
        CHILD_CHECK(mine);
        line.say();
        CHILD_CHECK(*mine->wait(0, Deadline::forever()) == Wait::changed);
        CHILD_CHECK(mine->get()->value == "news");
        return 0;
    });
    ASSERT_EQ(reader.line().hear(), '.');
    ASSERT_OK(text.set("news"));
    EXPECT_EQ(reader.wait(), 0);
}

// Readers in other processes, some of them slow, against writers that never pause and values of very different lengths.
TEST_F(TextTest, ReadersAlwaysGetOneWholeValue) {
    const Text text = create("t", {.capacity_bytes = 20000});
    const auto write_all = [&](std::uint32_t first) {
        return [&, first](const Line&) {
            const auto mine = Text::open("t", {}, context);
            CHILD_CHECK(mine);
            std::minstd_rand random(first);
            for (std::uint32_t i = 0; i < 20000; ++i)
                CHILD_CHECK(mine->set(whole_value(first + i, random() % 4 == 0 ? random() % 20000 : random() % 100)));
            return 0;
        };
    };
    Child one(write_all(1000));  // before there are threads: forking one that allocates would hang under AddressSanitizer
    Child two(write_all(500000));
    std::atomic<bool> done{false};
    std::uint64_t reads = 0;
    std::thread reader([&] {
        const Text mine = open("t", Access::read_only);
        std::uint32_t seen = 0;
        while (!done.load(std::memory_order_relaxed)) {
            const auto value = mine.get();
            ASSERT_OK(value);
            ASSERT_TRUE(is_whole(value->value)) << value->value.substr(0, 100);
            ASSERT_GE(value->version, seen);
            seen = value->version;
            ++reads;
        }
    });
    EXPECT_EQ(one.wait(), 0);
    EXPECT_EQ(two.wait(), 0);
    done.store(true, std::memory_order_relaxed);
    reader.join();
    EXPECT_EQ(*text.version(), 40000u);
    EXPECT_GT(reads, 0u);
}

// Writers are killed at any moment; the others go on at once, the value stays whole, no version is lost or doubled.
TEST_F(TextTest, KilledWritersHurtNobody) {
    const Text text = create("t", {.capacity_bytes = 5000});
    std::minstd_rand random(7);
    for (int round = 0; round < 150; ++round) {
        Child writer([&](const Line& line) {
            const auto mine = Text::open("t", {}, context);
            CHILD_CHECK(mine);
            line.say();
            for (std::uint32_t i = 0;; ++i) CHILD_CHECK(mine->set(whole_value(i, 5000)));
            return 0;
        });
        ASSERT_EQ(writer.line().hear(), '.');
        const auto before = *text.version();
        pass_time(static_cast<std::uint32_t>(random() % 100000));
        EXPECT_EQ(writer.kill(), 128 + SIGKILL);
        const auto value = text.get();
        ASSERT_OK(value);
        ASSERT_TRUE(is_whole(value->value));
        EXPECT_GE(value->version, before);
        const auto set = text.set(whole_value(99, 50));
        ASSERT_OK(set);
        EXPECT_EQ(*set, value->version + 1);
    }
}

TEST_F(TextTest, AStoppedWriterMakesOthersBusyAndReadersDoNotNotice) {
    const Text text = create("t");
    ASSERT_OK(text.set("before"));
    // A writer that owns the lock and is stopped: the lock word says so, whoever it is.
    const auto section = Section::open("t", {}, context);
    const int file = ::open((root.local() + "/t").c_str(), O_RDWR);
    const std::uint32_t somebody = 1;
    ASSERT_EQ(::pwrite(file, &somebody, sizeof somebody, offsetof(internal::HeaderPage, sync) + offsetof(internal::SyncBlock, lock)), 4);
    EXPECT_CODE(Code::busy, text.set("after", Deadline::after(std::chrono::milliseconds(20))));
    EXPECT_EQ(text.get()->value, "before");
    const std::uint32_t dead = 1u << 30;
    ASSERT_EQ(::pwrite(file, &dead, sizeof dead, offsetof(internal::HeaderPage, sync) + offsetof(internal::SyncBlock, lock)), 4);
    EXPECT_OK(text.set("after"));
    EXPECT_EQ(text.get()->value, "after");
    ::close(file);
}

TEST_F(TextTest, GarbageInTheBodyIsCorruptAndNextSetMendsIt) {
    const Text text = create("t", {.capacity_bytes = 100});
    ASSERT_OK(text.set("fine"));
    const int file = ::open((root.local() + "/t").c_str(), O_RDWR);
    std::minstd_rand random(11);
    for (int round = 0; round < 500; ++round) {
        std::string garbage(4 * 192, '\0');
        for (char& byte : garbage) byte = static_cast<char>(random());
        ASSERT_EQ(::pwrite(file, garbage.data(), garbage.size(), 4096), static_cast<ssize_t>(garbage.size()));
        EXPECT_CODE(Code::corrupt, text.get());
        const auto appended = text.append("x");
        if (!appended) { EXPECT_CODE(Code::corrupt, appended); }
        ASSERT_OK(text.set("mended"));
        ASSERT_EQ(text.get()->value, "mended");
    }
    ::close(file);
}

TEST_F(TextTest, ThreadsOfOneProcessShareAHandle) {
    const Text text = create("t", {.capacity_bytes = 100000});
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 2000; ++i) ASSERT_OK(text.append("x"));
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(text.get()->value, std::string(8000, 'x'));
    EXPECT_EQ(*text.version(), 8000u);
}

TEST_F(TextTest, AForkedChildWritesThroughTheInheritedHandle) {
    const Text text = create("t");
    ASSERT_OK(text.set("parent"));
    Child child([&](const Line&) {
        CHILD_CHECK(text.append(" and child"));
        return 0;
    });
    EXPECT_EQ(child.wait(), 0);
    ASSERT_OK(text.append(" again"));
    EXPECT_EQ(text.get()->value, "parent and child again");
}

}  // namespace
}  // namespace comap::test
