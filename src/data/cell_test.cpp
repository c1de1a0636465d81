// SPDX-License-Identifier: Apache-2.0
#include <comap/cell.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <comap/comap.hpp>

#include "object/header.hpp"
#include "support/process.hpp"
#include "support/refused_call.hpp"

namespace comap::test {
namespace {

struct Quote {
    double bid, ask;
    FixedText<16> symbol;
};
COMAP_RECORD(Quote, bid, ask, symbol);

struct OtherQuote {
    double bid, offer;
    FixedText<16> symbol;
};
COMAP_RECORD(OtherQuote, bid, offer, symbol);

struct LongQuote {
    double bid, ask;
    FixedText<16> symbol;
    std::int64_t size;
};
COMAP_RECORD(LongQuote, bid, ask, symbol, size);

struct Counter {
    std::uint64_t count;
};
COMAP_RECORD(Counter, count);

// A value that says of itself whether it is whole: all its words are the same.
template <std::size_t bytes>
struct Same {
    std::uint64_t words[bytes / 8];

    static Same of(std::uint64_t number) {
        Same value;
        for (std::uint64_t& word : value.words) word = number;
        return value;
    }
    bool is_whole() const {
        for (const std::uint64_t word : words)
            if (word != words[0]) return false;
        return true;
    }
};
using Same64 = Same<64>;
using Same4096 = Same<4096>;
COMAP_RECORD(Same64, words);
COMAP_RECORD(Same4096, words);

Deadline at_once() { return Deadline::passed(); }

struct CellTest : ::testing::Test {
    TempRoot root;
    Context& context = root.context();

    template <typename T>
    Cell<T> create(const std::string& name, const CellOptions& options = {}) {
        auto made = Cell<T>::create(name, options, context);
        EXPECT_OK(made);
        return made ? std::move(*made) : Cell<T>();
    }
    template <typename T>
    Cell<T> open(const std::string& name, Access access = Access::read_write) {
        CellOpenOptions options;
        options.access = access;
        auto opened = Cell<T>::open(name, options, context);
        EXPECT_OK(opened);
        return opened ? std::move(*opened) : Cell<T>();
    }
    RawCell create_raw(const std::string& name, const std::string& list, const CellOptions& options = {}) {
        auto made = RawCell::create(name, RecordType::from_list(list).value(), options, context);
        EXPECT_OK(made);
        return made ? std::move(*made) : RawCell();
    }
    std::string path(const std::string& name) const { return root.local() + "/" + name; }
};

void expect_says(const Error& error, const std::string& words) { EXPECT_NE(error.message.find(words), std::string::npos) << error.message; }

TEST_F(CellTest, BeginsWithZerosAndIsStoredAndLoaded) {
    const Cell<Quote> cell = create<Quote>("c");
    EXPECT_TRUE(cell.raw().was_created());
    Quote value{1, 2, "x"};
    EXPECT_EQ(*cell.load(value), 0u);
    EXPECT_EQ(value.bid, 0.0);
    EXPECT_EQ(value.symbol.view(), "");
    EXPECT_EQ(*cell.store({1.5, 1.75, "ABC"}), 1u);
    const Cell<Quote> reader = open<Quote>("c", Access::read_only);
    EXPECT_FALSE(reader.raw().was_created());
    EXPECT_EQ(reader.load()->bid, 1.5);
    EXPECT_EQ(reader.load()->symbol.view(), "ABC");
    EXPECT_EQ(*reader.version(), 1u);
    for (std::uint32_t i = 2; i < 100; ++i) {
        ASSERT_EQ(*cell.store({static_cast<double>(i), 0, "ABC"}), i);
        ASSERT_EQ(*reader.load(value), i);
        ASSERT_EQ(value.bid, i);
    }
    EXPECT_EQ(cell.raw().type().format(), record_format<Quote>());
    EXPECT_EQ(cell.raw().name(), "c");
}

TEST_F(CellTest, OpenOrCreate) {
    EXPECT_CODE(Code::not_found, Cell<Quote>::open("c", {}, context));
    const auto made = Cell<Quote>::open_or_create("c", {}, context);
    ASSERT_OK(made);
    EXPECT_TRUE(made->raw().was_created());
    ASSERT_OK(made->store({1, 2, "A"}));
    const auto found = Cell<Quote>::open_or_create("c", {.history = 100}, context);
    ASSERT_OK(found);
    EXPECT_FALSE(found->raw().was_created());
    EXPECT_EQ(found->load()->ask, 2.0);
    EXPECT_CODE(Code::already_exists, Cell<Quote>::create("c", {}, context));
    EXPECT_CODE(Code::layout_mismatch, Cell<OtherQuote>::open_or_create("c", {}, context));
}

TEST_F(CellTest, InfoSaysWhatIsInIt) {
    const Cell<Quote> cell = create<Quote>("c", {.history = 5, .writers = 4, .mode = 0640, .keep = true});
    ASSERT_OK(cell.store({}));
    const auto info = cell.raw().info();
    ASSERT_OK(info);
    EXPECT_EQ(info->layout, Layout::cell);
    EXPECT_EQ(info->record_bytes, sizeof(Quote));
    EXPECT_EQ(info->record_format, record_format<Quote>());
    EXPECT_EQ(info->slot_count, 8u);
    EXPECT_EQ(info->size_bytes, 8u * 8 + 4u * 8 * 64);
    EXPECT_EQ(info->version, 1u);
    EXPECT_EQ(info->mode, 0640u);
    EXPECT_TRUE(info->keep);
    EXPECT_EQ(cell.raw().history(), 5u);
    EXPECT_EQ(cell.raw().writers(), 4u);
    auto raw = RawCell::open("c", {}, context);
    ASSERT_OK(raw->set_keep(false));
    EXPECT_FALSE(cell.raw().info()->keep);
    EXPECT_EQ(context.stat("c")->record_format, record_format<Quote>());
}

TEST_F(CellTest, AKeptCellKeepsItsValue) {
    {
        const Cell<Quote> cell = create<Quote>("c", {.keep = true});
        ASSERT_OK(cell.store({7, 8, "KEPT"}));
    }
    EXPECT_EQ(open<Quote>("c").load()->symbol.view(), "KEPT");
}

TEST_F(CellTest, OptionsOutOfRangeAreRefused) {
    EXPECT_CODE(Code::invalid_argument, Cell<Quote>::create("c", {.history = kCellHistoryMax + 1}, context));
    EXPECT_CODE(Code::invalid_argument, Cell<Quote>::create("c", {.history = UINT32_MAX}, context));
    EXPECT_CODE(Code::invalid_argument, Cell<Quote>::create("c", {.writers = 0}, context));
    EXPECT_CODE(Code::invalid_argument, Cell<Quote>::create("c", {.writers = kCellWritersMax + 1}, context));
    EXPECT_CODE(Code::invalid_argument, Cell<Quote>::create("c", {.writers = UINT32_MAX}, context));
    EXPECT_CODE(Code::invalid_argument, Cell<Quote>::create("c", {.mode = 0400}, context));
    EXPECT_CODE(Code::invalid_argument, RawCell::create("c", RecordType(), {}, context));
    EXPECT_EQ(root.file_count(), 0u);
    const Cell<Counter> longest = create<Counter>("c", {.history = kCellHistoryMax});
    EXPECT_EQ(longest.raw().history(), kCellHistoryMax);
    EXPECT_EQ(longest.raw().info()->slot_count, internal::kCellSlotsMax);
}

TEST_F(CellTest, OtherLayoutsAreRefusedInBothDirections) {
    const Cell<Quote> cell = create<Quote>("c");
    ASSERT_OK(cell.store({1, 2, "A"}));
    EXPECT_CODE(Code::layout_mismatch, Text::open("c", {}, context));
    EXPECT_CODE(Code::layout_mismatch, Text::open_or_create("c", {}, context));
    auto as_section = Section::open("c", {}, context);
    ASSERT_OK(as_section);
    EXPECT_CODE(Code::layout_mismatch, as_section->publish());
    EXPECT_CODE(Code::layout_mismatch, as_section->view());
    EXPECT_CODE(Code::layout_mismatch, as_section->grow(1 << 20));
    EXPECT_OK(as_section->view({.protection = Protection::read_only}));
    EXPECT_CODE(Code::kind_mismatch, Mutex::open("c", {}, context));

    const auto text = Text::create("t", {}, context);
    const auto section = Section::create("s", 4 * 64, {}, context);
    const auto mutex = Mutex::create("m", {}, context);
    for (const std::string name : {"t", "s"}) {
        EXPECT_CODE(Code::layout_mismatch, Cell<Quote>::open(name, {}, context));
        EXPECT_CODE(Code::layout_mismatch, RawCell::open(name, {}, context));
        EXPECT_CODE(Code::layout_mismatch, Cell<Quote>::open_or_create(name, {}, context));
    }
    EXPECT_CODE(Code::kind_mismatch, Cell<Quote>::open("m", {}, context));
    EXPECT_EQ(cell.load()->symbol.view(), "A");
    EXPECT_EQ(*cell.version(), 1u);
}

TEST_F(CellTest, AnotherRecordIsRefusedByItsField) {
    const Cell<Quote> cell = create<Quote>("c");
    const auto other = Cell<OtherQuote>::open("c", {}, context);
    EXPECT_CODE(Code::layout_mismatch, other);
    expect_says(other.error(), "field 2 is 'ask', not 'offer'");
    const auto counter = Cell<Counter>::open("c", {}, context);
    EXPECT_CODE(Code::layout_mismatch, counter);
    expect_says(counter.error(), "field 1 is 'bid', not 'count'");
    const auto longer = Cell<LongQuote>::open("c", {}, context);
    EXPECT_CODE(Code::layout_mismatch, longer);
    expect_says(longer.error(), "field 4, 'size' (i8), is missing");
    const auto raw = RawCell::open("c", {}, context);
    ASSERT_OK(raw);
    EXPECT_EQ(raw->type().format(), record_format<Quote>());
}

TEST_F(CellTest, ALongerRecordCanBeReadWhereThatIsAllowed) {
    const Cell<LongQuote> cell = create<LongQuote>("c");
    ASSERT_OK(cell.store({1, 2, "LONG", 3}));
    CellOpenOptions options;
    const auto strict = Cell<Quote>::open("c", options, context);
    EXPECT_CODE(Code::layout_mismatch, strict);
    expect_says(strict.error(), "field 4, 'size' (i8), is one too many");
    options.allow_longer = true;
    EXPECT_CODE(Code::invalid_argument, Cell<Quote>::open("c", options, context));
    options.access = Access::read_only;
    const auto reader = Cell<Quote>::open("c", options, context);
    ASSERT_OK(reader);
    EXPECT_EQ(reader->load()->symbol.view(), "LONG");
    EXPECT_EQ(reader->load_version(1)->ask, 2.0);
    EXPECT_FALSE(reader->store({}));
    EXPECT_CODE(Code::layout_mismatch, Cell<OtherQuote>::open("c", options, context));
    EXPECT_OK(Cell<LongQuote>::open("c", options, context));
    // A shorter one is never enough.
    const Cell<Quote> shorter = create<Quote>("d");
    EXPECT_CODE(Code::layout_mismatch, Cell<LongQuote>::open("d", options, context));
}

TEST_F(CellTest, EarlierValuesAreKeptAsManyAsAsked) {
    for (const std::uint32_t history : {0u, 1u, 2u, 5u, 6u, 100u}) {
        const Cell<Counter> cell = create<Counter>("c", {.history = history});
        const Cell<Counter> reader = open<Counter>("c", Access::read_only);
        const std::uint32_t kept = cell.raw().history();
        ASSERT_GE(kept, history);
        for (std::uint64_t count = 1; count <= 3u * kept + 9; ++count) {
            const std::uint32_t now = *cell.store({count});
            const std::uint32_t oldest = now > kept ? now - kept : 0;
            for (std::uint32_t version = 0; version <= now; ++version) {
                const auto value = reader.load_version(version);
                if (version < oldest) {
                    EXPECT_CODE(Code::not_found, value);
                } else {
                    ASSERT_OK(value);
                    ASSERT_EQ(value->count, version);
                }
            }
            EXPECT_CODE(Code::not_found, reader.load_version(now + 1));
        }
        EXPECT_CODE(Code::not_found, reader.load_version(1u << 30));
        EXPECT_CODE(Code::not_found, reader.load_version(0x7fff'ffff));
        EXPECT_CODE(Code::not_found, reader.load_version(0x8000'0000u | *reader.version()));
        EXPECT_CODE(Code::not_found, reader.load_version(UINT32_MAX));
        const auto future = reader.load_version(*reader.version() + 1);
        expect_says(future.error(), "its latest is " + std::to_string(*reader.version()));
    }
}

// A writer may be in it at any moment, and nobody sees him.
TEST_F(CellTest, TheSlotThatIsWrittenNextIsNotRead) {
    for (const std::uint32_t history : {0u, 5u, 100u}) {
        const Cell<Counter> cell = create<Counter>("c", {.history = history});
        const std::uint32_t slot_count = cell.raw().info()->slot_count;
        const internal::CellSlots& slots = cell.raw().slots();
        for (std::uint32_t now = 1; now < 4 * slot_count; ++now) {
            ASSERT_EQ(*cell.store({now}), now);
            Counter value{};
            ASSERT_EQ(slots.version(), now);
            for (std::uint32_t age = 0; age <= std::min(now, slot_count - 2); ++age) {
                ASSERT_TRUE(slots.copy(now - age, &value, sizeof value));
                ASSERT_EQ(value.count, now - age);
            }
            if (now + 1 >= slot_count) { ASSERT_FALSE(slots.copy(now + 1 - slot_count, &value, sizeof value)); }
            ASSERT_FALSE(slots.copy(now + 1, &value, sizeof value));
        }
    }
}

// The version has 31 bits and begins anew.
TEST_F(CellTest, TheVersionWrapsAround) {
    const Cell<Counter> cell = create<Counter>("c", {.history = 5});
    const int file = ::open(path("c").c_str(), O_RDWR);
    const std::uint32_t near_end = 0x7fff'fffdu << 1;
    ASSERT_EQ(::pwrite(file, &near_end, sizeof near_end, offsetof(internal::HeaderPage, change)), 4);
    ::close(file);
    for (std::uint32_t i = 1; i < 20; ++i) {
        const std::uint32_t wanted = (0x7fff'fffdu + i) & 0x7fff'ffffu;
        ASSERT_EQ(*cell.store({i}), wanted);
        ASSERT_EQ(cell.load()->count, i);
        for (std::uint32_t back = 0; back <= std::min(i - 1, 5u); ++back) {
            const auto earlier = cell.load_version((wanted - back) & 0x7fff'ffffu);
            ASSERT_OK(earlier);
            ASSERT_EQ(earlier->count, i - back);
        }
    }
}

void expect_waits_for_change(CellTest& test, const CellOptions& options_of_cell) {
    Context& context = test.context;
    const Cell<Counter> cell = test.create<Counter>("c", options_of_cell);
    EXPECT_EQ(*cell.wait(0, at_once()), Wait::timed_out);
    Child reader([&](const Line& line) {
        CellOpenOptions options;
        options.access = Access::read_only;
        const auto mine = Cell<Counter>::open("c", options, context);
        CHILD_CHECK(mine);
        line.say();
        CHILD_CHECK(*mine->wait(0, Deadline::forever()) == Wait::changed);
        CHILD_CHECK(mine->load()->count == 5);
        line.say();
        CHILD_CHECK(*mine->wait(1, Deadline::forever(), WaitFor::change_or_alone) == Wait::changed);
        CHILD_CHECK(mine->load_version(2)->count == 6);
        return 0;
    });
    ASSERT_EQ(reader.line().hear(), '.');
    wait_until([&] { return is_asleep(reader.pid()); }, "the reader sleeps");
    ASSERT_OK(cell.store({5}));
    ASSERT_EQ(reader.line().hear(), '.');
    ASSERT_OK(cell.update([](Counter& value) { ++value.count; }));
    EXPECT_EQ(reader.wait(), 0);
    EXPECT_EQ(*cell.wait(0, Deadline::forever()), Wait::changed);
    EXPECT_EQ(*cell.wait(*cell.version(), Deadline::forever(), WaitFor::change_or_alone), Wait::alone);
}

TEST_F(CellTest, WaitsForChange) {
    for (const std::uint32_t writers : {1u, 3u})
        for (const std::uint32_t mode : {0600u, 0644u}) expect_waits_for_change(*this, {.writers = writers, .mode = mode});
}

TEST_F(CellTest, WatchersAreToldOfEachStore) {
    for (const std::uint32_t writers : {1u, 3u})
        for (const std::uint32_t mode : {0600u, 0644u}) {
            const Cell<Counter> cell = create<Counter>("c", {.writers = writers, .mode = mode});
            auto watcher = Watcher::create();
            ASSERT_OK(watcher);
            ASSERT_OK(watcher->add(cell.raw(), 7, 0));
            for (std::uint32_t i = 1; i < 50; ++i) {
                ASSERT_EQ(*cell.store({i}), i);
                const auto changed = watcher->next();
                ASSERT_OK(changed);
                ASSERT_TRUE(changed->has_value());
                ASSERT_EQ((*changed)->version, i);
            }
        }
}

TEST_F(CellTest, AStoreThatNeverEndsHangsNobody) {
    const Cell<Counter> cell = create<Counter>("c");
    ASSERT_OK(cell.store({1}));
    auto watcher = Watcher::create();
    ASSERT_OK(watcher);
    ASSERT_OK(watcher->add(cell.raw(), 7, 0));
    ASSERT_TRUE(watcher->next()->has_value());
    // As a peer may leave it, or a writer who is stopped between two instructions of a store.
    const int fd = ::open(path("c").c_str(), O_RDWR);
    ASSERT_GE(fd, 0);
    const std::uint32_t begun = 4;
    ASSERT_EQ(::pwrite(fd, &begun, sizeof begun, offsetof(internal::HeaderPage, storing)), static_cast<ssize_t>(sizeof begun));
    ::close(fd);
    for (int look = 0; look < 3; ++look) {
        pollfd readable{watcher->descriptor(), POLLIN, 0};
        EXPECT_EQ(::poll(&readable, 1, 10'000), 1);
        EXPECT_FALSE(watcher->next()->has_value());
    }
    EXPECT_EQ(*cell.wait(1, Deadline::after(std::chrono::milliseconds(5))), Wait::timed_out);
    EXPECT_EQ(*cell.wait(1, Deadline::after(std::chrono::milliseconds(5)), WaitFor::change_or_alone), Wait::alone);
    ASSERT_EQ(*cell.store({2}), 2u);
    const auto changed = watcher->next();
    ASSERT_OK(changed);
    ASSERT_TRUE(changed->has_value());
    EXPECT_EQ((*changed)->version, 2u);
}

TEST_F(CellTest, WorkWhereTheKernelMakesNoBarriers) {
    constexpr std::uint64_t kRounds = 20;
    const Cell<Counter> there = create<Counter>("there");
    const Cell<Counter> back = create<Counter>("back");
    Child sandboxed([&](const Line& line) {
        const bool is_refused = refuse_call(SYS_membarrier);
        line.say(is_refused ? '.' : '-');
        if (!is_refused) return 0;
        const auto in = Cell<Counter>::open("there", {}, context);
        const auto out = Cell<Counter>::open("back", {}, context);
        CHILD_CHECK(in && out);
        for (std::uint32_t round = 1; round <= kRounds; ++round) {
            CHILD_CHECK(*in->wait(round - 1, Deadline::forever()) == Wait::changed);
            CHILD_CHECK(in->load()->count == round);
            CHILD_CHECK(*out->store({round}) == round);
        }
        auto watcher = Watcher::create();
        CHILD_CHECK(watcher);
        const auto added = watcher->add(in->raw(), 1, kRounds);
        CHILD_CHECK(!added && added.error().code == Code::unsupported);
        return 0;
    });
    if (sandboxed.line().hear() != '.') GTEST_SKIP() << "this system lets us set no filter";
    for (std::uint32_t round = 1; round <= kRounds; ++round) {
        ASSERT_EQ(*there.store({round}), round);
        ASSERT_EQ(*back.wait(round - 1, Deadline::forever()), Wait::changed);
        ASSERT_EQ(back.load()->count, round);
    }
    EXPECT_EQ(sandboxed.wait(), 0);
}

// --- the writer's role -----------------------------------------------------------------------------------------------------

TEST_F(CellTest, OneHandleHasTheRole) {
    const Cell<Counter> first = create<Counter>("c");
    const Cell<Counter> second = open<Counter>("c");
    ASSERT_OK(second.load());
    ASSERT_OK(first.store({1}));
    const auto refused = second.store({2});
    EXPECT_CODE(Code::busy, refused);
    expect_says(refused.error(), "has a writer");
    EXPECT_CODE(Code::busy, second.update([](Counter&) { ADD_FAILURE() << "called without the role"; }));
    EXPECT_EQ(second.load()->count, 1u);
    Child other([&](const Line&) {
        const auto mine = Cell<Counter>::open("c", {}, context);
        CHILD_CHECK(mine && mine->load()->count == 1);
        const auto stored = mine->store({3});
        CHILD_CHECK(!stored && stored.error().code == Code::busy);
        return 0;
    });
    EXPECT_EQ(other.wait(), 0);
    EXPECT_EQ(*first.store({4}), 2u);
    EXPECT_EQ(second.load()->count, 4u);
}

TEST_F(CellTest, TheRoleIsFreeAfterCloseAndGiveUp) {
    Cell<Counter> first = create<Counter>("c");
    const Cell<Counter> second = open<Counter>("c");
    ASSERT_OK(first.store({1}));
    first.raw().give_up_role();
    first.raw().give_up_role();
    ASSERT_OK(second.store({2}));
    EXPECT_CODE(Code::busy, first.store({3}));
    second.raw().give_up_role();
    ASSERT_OK(first.update([](Counter& value) { value.count += 10; }));
    EXPECT_CODE(Code::busy, second.store({3}));
    first.close();
    EXPECT_EQ(*second.store({20}), 4u);
    EXPECT_EQ(second.load()->count, 20u);
}

TEST_F(CellTest, TheRoleGoesWithAMovedHandle) {
    Cell<Counter> first = create<Counter>("c");
    ASSERT_OK(first.store({1}));
    Cell<Counter> moved = std::move(first);
    ASSERT_OK(moved.store({2}));
    EXPECT_CODE(Code::invalid_argument, first.store({3}));
    const Cell<Counter> second = open<Counter>("c");
    EXPECT_CODE(Code::busy, second.store({3}));
    moved = Cell<Counter>();
    EXPECT_OK(second.store({3}));
}

TEST_F(CellTest, TheRoleIsFreeAfterKill) {
    const Cell<Counter> cell = create<Counter>("c");
    for (std::uint64_t round = 1; round <= 20; ++round) {
        Child writer([&](const Line& line) {
            const auto mine = Cell<Counter>::open("c", {}, context);
            CHILD_CHECK(mine && mine->store({round}));
            line.say();
            for (;;) ::pause();
            return 0;
        });
        ASSERT_EQ(writer.line().hear(), '.');
        EXPECT_CODE(Code::busy, cell.store({0}));
        EXPECT_EQ(writer.kill(), 128 + SIGKILL);
        EXPECT_EQ(cell.load()->count, round);
        ASSERT_OK(cell.store({round + 100}));
        cell.raw().give_up_role();
    }
}

TEST_F(CellTest, AForkedChildDoesNotHaveTheRole) {
    const Cell<Counter> cell = create<Counter>("c");
    ASSERT_OK(cell.store({1}));
    Child child([&](const Line& line) {
        const auto stored = cell.store({2});
        CHILD_CHECK(!stored && stored.error().code == Code::busy);
        const auto updated = cell.update([](Counter&) { ::_exit(99); });
        CHILD_CHECK(!updated && updated.error().code == Code::busy);
        CHILD_CHECK(cell.load()->count == 1);
        cell.raw().give_up_role();  // what it does not have
        line.say();
        CHILD_CHECK(line.hear() == '.');
        CHILD_CHECK(cell.load()->count == 3);
        CHILD_CHECK(!cell.store({4}));
        return 0;
    });
    ASSERT_EQ(child.line().hear(), '.');
    const Cell<Counter> other = open<Counter>("c");
    EXPECT_CODE(Code::busy, other.store({5}));
    ASSERT_OK(cell.store({3}));
    child.line().say();
    EXPECT_EQ(child.wait(), 0);
    EXPECT_OK(cell.store({6}));
}

// A child of the writer that closes its handle, or ends, takes nothing from the writer.
TEST_F(CellTest, AForkedChildThatClosesLeavesTheRole) {
    Cell<Counter> cell = create<Counter>("c");
    ASSERT_OK(cell.store({1}));
    Child child([&](const Line&) {
        cell.close();
        return 0;
    });
    EXPECT_EQ(child.wait(), 0);
    EXPECT_CODE(Code::busy, open<Counter>("c").store({2}));
    EXPECT_OK(cell.store({3}));
}

// The role is the writer's, not that of the children it has.
TEST_F(CellTest, TheRoleIsFreeThoughAForkedChildLives) {
    Cell<Counter> cell = create<Counter>("c");
    ASSERT_OK(cell.store({1}));
    Child child([&](const Line& line) {
        line.say();
        return line.hear() == '.' ? 0 : 1;
    });
    ASSERT_EQ(child.line().hear(), '.');
    const Cell<Counter> other = open<Counter>("c");
    EXPECT_CODE(Code::busy, other.store({2}));
    cell.raw().give_up_role();
    EXPECT_OK(other.store({3}));
    other.raw().give_up_role();
    ASSERT_OK(cell.store({4}));
    cell.close();
    EXPECT_OK(other.store({5}));
    child.line().say();
    EXPECT_EQ(child.wait(), 0);
}

TEST_F(CellTest, TheRoleIsFreeAfterKillThoughAForkedChildLives) {
    const Cell<Counter> cell = create<Counter>("c");
    Child writer([&](const Line& line) {
        const auto mine = Cell<Counter>::open("c", {}, context);
        CHILD_CHECK(mine && mine->store({1}));
        const pid_t grandchild = ::fork();
        if (grandchild == 0) {
            ::alarm(60);  // nothing is left of a test that ends early
            for (;;) ::pause();
        }
        line.say_text(std::to_string(grandchild));
        for (;;) ::pause();
        return 0;
    });
    const std::string said = writer.line().hear_text();
    ASSERT_FALSE(said.empty());
    const auto grandchild = static_cast<pid_t>(std::stol(said));
    wait_until([&] { return is_asleep(grandchild); }, "the grandchild has let go of what it inherited");
    EXPECT_EQ(writer.kill(), 128 + SIGKILL);
    EXPECT_OK(cell.store({2}));
    ::kill(grandchild, SIGKILL);
}

// The child of a writer that is gone can write through the handle that it inherited.
TEST_F(CellTest, AForkedChildCanHaveTheRoleLater) {
    Cell<Counter> cell = create<Counter>("c");
    ASSERT_OK(cell.store({1}));
    Child child([&](const Line& line) {
        CHILD_CHECK(!cell.store({2}));
        line.say();
        CHILD_CHECK(line.hear() == '.');
        CHILD_CHECK(cell.store({3}));
        CHILD_CHECK(cell.store({4}));
        return 0;
    });
    ASSERT_EQ(child.line().hear(), '.');
    cell.close();
    child.line().say();
    EXPECT_EQ(child.wait(), 0);
}

// --- several writers -------------------------------------------------------------------------------------------------------

TEST_F(CellTest, SeveralStoreAtATime) {
    const Cell<Counter> first = create<Counter>("c", {.writers = 3});
    const Cell<Counter> second = open<Counter>("c");
    EXPECT_EQ(second.raw().writers(), 3u);
    EXPECT_EQ(*first.store({1}), 1u);
    EXPECT_EQ(*second.store({2}), 2u);
    EXPECT_EQ(*first.update([](Counter& value) { ++value.count; }), 3u);
    first.raw().give_up_role();
    EXPECT_EQ(*first.store({first.load()->count + 1}), 4u);
    Child child([&](const Line&) {
        CHILD_CHECK(first.update([](Counter& value) { ++value.count; }));  // through the handle that it inherited
        return 0;
    });
    EXPECT_EQ(child.wait(), 0);
    EXPECT_EQ(second.load()->count, 5u);
    EXPECT_EQ(*second.version(), 5u);
}

TEST_F(CellTest, NoMoreStoreThanTheCellHasWriters) {
    const Cell<Counter> first = create<Counter>("c", {.writers = 2});
    const Cell<Counter> second = open<Counter>("c");
    const Cell<Counter> third = open<Counter>("c");
    ASSERT_OK(first.store({1}));
    ASSERT_OK(second.store({2}));
    const auto refused = third.store({3});
    EXPECT_CODE(Code::busy, refused);
    expect_says(refused.error(), "has 2 writers, and no more");
    EXPECT_CODE(Code::busy, third.update([](Counter&) { ADD_FAILURE() << "called without a role"; }));
    EXPECT_EQ(third.load()->count, 2u);
    first.raw().give_up_role();
    EXPECT_EQ(*third.store({3}), 3u);
    EXPECT_CODE(Code::busy, first.store({4}));
    third.raw().give_up_role();
    Child writer([&](const Line& line) {
        const auto mine = Cell<Counter>::open("c", {}, context);
        CHILD_CHECK(mine && mine->store({5}));
        line.say();
        for (;;) ::pause();
        return 0;
    });
    ASSERT_EQ(writer.line().hear(), '.');
    EXPECT_CODE(Code::busy, first.store({6}));
    writer.kill();
    EXPECT_OK(first.store({6}));
}

TEST_F(CellTest, SixtyFourWriters) {
    const Cell<Counter> cell = create<Counter>("c", {.writers = kCellWritersMax});
    std::vector<Cell<Counter>> all;
    for (std::uint32_t i = 1; i <= kCellWritersMax; ++i) {
        all.push_back(open<Counter>("c"));
        ASSERT_EQ(*all.back().store({i}), i);
    }
    EXPECT_CODE(Code::busy, cell.store({0}));
    for (std::uint32_t round = 0; round < 20; ++round)
        for (const Cell<Counter>& one : all) {
            ASSERT_OK(one.update([](Counter& value) { ++value.count; }));
            ASSERT_EQ(cell.load()->count, *cell.version());
        }
}

// Whoever has a place next does not write over what can be read.
TEST_F(CellTest, EarlierValuesOfSeveralWritersAreKept) {
    for (const std::uint32_t history : {0u, 1u, 5u, 20u}) {
        const Cell<Counter> cell = create<Counter>("c", {.history = history, .writers = 3});
        const std::uint32_t kept = cell.raw().history();
        ASSERT_GE(kept, history);
        std::minstd_rand random(history + 1);
        std::vector<Cell<Counter>> writers(3);
        for (Cell<Counter>& one : writers) one = open<Counter>("c");
        for (std::uint32_t now = 1; now < 400; ++now) {
            const Cell<Counter>& writer = writers[random() % 3];
            ASSERT_EQ(*writer.store({now}), now);
            if (random() % 3 == 0) writer.raw().give_up_role();
            for (std::uint32_t age = 0; age <= std::min(now, kept + 1); ++age) {
                const auto value = cell.load_version(now - age);
                if (age > kept) {
                    EXPECT_CODE(Code::not_found, value);
                } else {
                    ASSERT_OK(value);
                    ASSERT_EQ(value->count, now - age);
                }
            }
        }
    }
}

// The version and the directory's entries have 31 bits and begin anew.
TEST_F(CellTest, TheVersionOfSeveralWritersWrapsAround) {
    const Cell<Counter> cell = create<Counter>("c", {.history = 1, .writers = 2});
    const Cell<Counter> other = open<Counter>("c");
    const int file = ::open(path("c").c_str(), O_RDWR);
    const std::uint32_t begin = 0x7fff'fffdu;
    const std::uint32_t word = begin << 1;
    const std::uint32_t slot_count = cell.raw().info()->slot_count;
    ASSERT_EQ(::pwrite(file, &word, sizeof word, offsetof(internal::HeaderPage, change)), 4);
    for (std::uint32_t version = begin - (slot_count - 1); version <= begin; ++version) {
        const std::uint64_t entry = version;
        ASSERT_EQ(::pwrite(file, &entry, sizeof entry, 4096 + 8 * (version % slot_count)), 8);
    }
    ::close(file);
    ASSERT_EQ(cell.load()->count, 0u);
    for (std::uint32_t i = 1; i < 20; ++i) {
        ASSERT_EQ(*(i % 3 == 0 ? other : cell).store({i}), (begin + i) & 0x7fff'ffffu);
        ASSERT_EQ(cell.load()->count, i);
        ASSERT_EQ(cell.load_version((begin + i - 1) & 0x7fff'ffffu)->count, i - 1);
    }
}

TEST_F(CellTest, ManyWritersLoseNoUpdate) {
    constexpr std::uint64_t kProcesses = 3;
    constexpr std::uint64_t kThreads = 3;
    constexpr std::uint64_t kUpdates = 20'000;
    const Cell<Counter> cell = create<Counter>("c", {.writers = 4});
    const auto count_up = [&](const Cell<Counter>& mine) {
        std::vector<std::thread> threads;
        std::atomic<bool> good{true};
        for (std::uint64_t t = 0; t < kThreads; ++t)
            threads.emplace_back([&] {
                for (std::uint64_t i = 0; i < kUpdates; ++i)
                    if (!mine.update([](Counter& value) { ++value.count; }, Deadline::forever())) good.store(false);
            });
        for (std::thread& thread : threads) thread.join();
        return good.load();
    };
    std::vector<std::unique_ptr<Child>> others;
    for (std::uint64_t p = 1; p < kProcesses; ++p)
        others.push_back(std::make_unique<Child>([&](const Line& line) {
            const auto mine = Cell<Counter>::open("c", {}, context);
            line.say();
            CHILD_CHECK(line.hear() == '.' && mine && count_up(*mine));
            return 0;
        }));
    for (const auto& other : others) ASSERT_EQ(other->line().hear(), '.');
    for (const auto& other : others) other->line().say();
    EXPECT_TRUE(count_up(cell));
    for (const auto& other : others) EXPECT_EQ(other->wait(), 0);
    EXPECT_EQ(cell.load()->count, kProcesses * kThreads * kUpdates);
    EXPECT_EQ(*cell.version(), kProcesses * kThreads * kUpdates);
}

// Each update is one version and one more, killed writers or not.
TEST_F(CellTest, KilledWritersOfManyLoseNoUpdate) {
    const Cell<Counter> cell = create<Counter>("c", {.writers = 4});
    const auto count_up = [&](const Line& line) {
        const auto mine = Cell<Counter>::open("c", {}, context);
        CHILD_CHECK(mine);
        line.say();
        for (;;) CHILD_CHECK(mine->update([](Counter& value) { ++value.count; }, Deadline::forever()));
        return 0;
    };
    std::minstd_rand random(3);
    Child steady(count_up);
    ASSERT_EQ(steady.line().hear(), '.');
    for (int round = 0; round < 150; ++round) {
        Child writer(count_up);
        ASSERT_EQ(writer.line().hear(), '.');
        pass_time(static_cast<std::uint32_t>(random() % 200'000));
        EXPECT_EQ(writer.kill(), 128 + SIGKILL);
        const std::uint32_t before = *cell.version();
        ASSERT_OK(cell.update([](Counter& value) { ++value.count; }, Deadline::after(std::chrono::seconds(60))));
        Counter value{};
        const auto version = cell.load(value);
        ASSERT_OK(version);
        ASSERT_EQ(value.count, *version);
        ASSERT_GT(*version, before);
    }
    EXPECT_EQ(steady.kill(), 128 + SIGKILL);
    EXPECT_EQ(cell.load()->count, *cell.version());
}

TEST_F(CellTest, AStoppedWriterDelaysNobody) {
    const Cell<Counter> cell = create<Counter>("c", {.writers = 4});
    ASSERT_OK(cell.store({1}));
    Child writer([&](const Line& line) {
        const auto mine = Cell<Counter>::open("c", {}, context);
        CHILD_CHECK(mine);
        bool stops = true;
        CHILD_CHECK(mine->update([&](Counter& value) {
            ++value.count;
            if (!std::exchange(stops, false)) return;
            line.say();
            ::raise(SIGSTOP);
        }));
        line.say();
        for (;;) ::pause();
        return 0;
    });
    ASSERT_EQ(writer.line().hear(), '.');
    wait_until([&] { return is_stopped(writer.pid()); }, "the writer is stopped");
    EXPECT_OK(cell.store({5}, at_once()));
    EXPECT_OK(cell.update([](Counter& value) { value.count += 2; }, at_once()));
    EXPECT_EQ(cell.load()->count, 7u);
    writer.signal(SIGCONT);
    ASSERT_EQ(writer.line().hear(), '.');
    EXPECT_EQ(cell.load()->count, 8u);  // made from the value that is the latest by then
    EXPECT_EQ(*cell.version(), 4u);
}

// What a writer leaves that dies after it has claimed a version: the next store completes it first.
TEST_F(CellTest, AClaimedVersionIsCompletedByTheNextStore) {
    const Cell<Counter> cell = create<Counter>("c", {.writers = 2});
    ASSERT_OK(cell.store({1}));
    const int file = ::open(path("c").c_str(), O_RDWR);
    const std::uint64_t entry = std::uint64_t{6} << 32 | 2;  // in the other place
    const std::uint64_t value = 2;
    ASSERT_EQ(::pwrite(file, &value, sizeof value, 4096 + 64 + 6 * 64), 8);
    ASSERT_EQ(::pwrite(file, &entry, sizeof entry, 4096 + 2 * 8), 8);
    ::close(file);
    EXPECT_EQ(cell.load()->count, 1u);
    const Cell<Counter> other = open<Counter>("c");
    EXPECT_EQ(*other.update([](Counter& latest) { ++latest.count; }), 3u);  // its place is the one with that slot
    EXPECT_EQ(cell.load()->count, 3u);
    EXPECT_EQ(cell.load_version(2)->count, 2u);
}

// What a writer leaves that dies after it has advanced the version and before it has woken anybody.
TEST_F(CellTest, AMissedWakeIsMadeGoodByLookingAgain) {
    const Cell<Counter> cell = create<Counter>("c", {.writers = 2});
    Child reader([&](const Line& line) {
        const auto mine = Cell<Counter>::open("c", {}, context);
        CHILD_CHECK(mine);
        line.say();
        CHILD_CHECK(*mine->wait(0, Deadline::forever()) == Wait::changed);
        line.say();
        const Waitable change(mine->raw(), 1);
        CHILD_CHECK(*wait_one(change) == Acquired::acquired);
        return 0;
    });
    const int file = ::open(path("c").c_str(), O_RDWR);
    for (std::uint32_t version = 1; version <= 2; ++version) {
        ASSERT_EQ(reader.line().hear(), '.');
        wait_until([&] { return is_asleep(reader.pid()); }, "the reader sleeps");
        const std::uint32_t word = version << 1 | 1;
        ASSERT_EQ(::pwrite(file, &word, sizeof word, offsetof(internal::HeaderPage, change)), 4);
    }
    ::close(file);
    EXPECT_EQ(reader.wait(), 0);
}

TEST_F(CellTest, AScribbledDirectoryIsAnswered) {
    const Cell<Counter> cell = create<Counter>("c", {.writers = 2});
    ASSERT_OK(cell.store({1}));
    const std::uint32_t slot_count = cell.raw().info()->slot_count;
    const int file = ::open(path("c").c_str(), O_RDWR);
    const auto scribble = [&](std::uint64_t entry) {
        for (std::uint32_t i = 0; i < slot_count; ++i) ASSERT_EQ(::pwrite(file, &entry, sizeof entry, 4096 + 8 * i), 8);
    };
    for (const std::uint64_t entry : {UINT64_MAX, std::uint64_t{2 * slot_count} << 32 | 1, std::uint64_t{0x8000'0000u} << 32, std::uint64_t{0}, std::uint64_t{77} << 32 | 77}) {
        scribble(entry);
        const auto loaded = cell.load();
        EXPECT_CODE(Code::corrupt, loaded);
        expect_says(loaded.error(), "directory");
        EXPECT_CODE(Code::not_found, cell.load_version(*cell.version()));
        ASSERT_OK(cell.store({9}));
        EXPECT_EQ(cell.load()->count, 9u);
    }
    ::close(file);
}

// Two processes go on while a third is stopped anywhere in its stores, again and again.
TEST_F(CellTest, WritersStoppedAnywhereDelayNobody) {
    const Cell<Same64> cell = create<Same64>("c", {.writers = 3});
    const Cell<Same64> second = open<Same64>("c");
    Child writer([&](const Line& line) {
        const auto mine = Cell<Same64>::open("c", {}, context);
        line.say();
        for (;;) CHILD_CHECK(mine && mine->update([](Same64& value) { value = Same64::of(value.words[0] + 1); }, Deadline::forever()));
        return 0;
    });
    ASSERT_EQ(writer.line().hear(), '.');
    std::minstd_rand random(12);
    for (int round = 0; round < 500; ++round) {
        pass_time(static_cast<std::uint32_t>(random() % 20'000));
        writer.signal(SIGSTOP);
        wait_until([&] { return is_stopped(writer.pid()); }, "the writer is stopped");
        for (const Cell<Same64>* one : {&cell, &second}) {
            Same64 value{};
            const auto before = one->load(value);
            ASSERT_OK(before);
            ASSERT_TRUE(value.is_whole());
            ASSERT_EQ(value.words[0], *before);
            // At most what the stopped one has claimed comes before it.
            const auto stored = one->update([](Same64& latest) { latest = Same64::of(latest.words[0] + 1); }, Deadline::after(std::chrono::seconds(60)));
            ASSERT_OK(stored);
            ASSERT_GE(*stored, *before + 1);
            ASSERT_LE(*stored, *before + 2);
            ASSERT_EQ(one->load()->words[0], *stored);
        }
        writer.signal(SIGCONT);
    }
}

// --- update ----------------------------------------------------------------------------------------------------------------

struct Refused : std::runtime_error {
    Refused() : std::runtime_error("refused") {}
};

TEST_F(CellTest, AnUpdateThatThrowsChangesNothing) {
    for (const bool many : {false, true}) {
        const Cell<Quote> cell = create<Quote>("c", {.writers = many ? 4u : 1u});
        ASSERT_OK(cell.store({1, 2, "OLD"}));
        const auto throwing = [](Quote& value) {
            value = {9, 9, "NEW"};
            throw Refused();
        };
        for (int i = 0; i < 3; ++i) EXPECT_THROW((void)cell.update(throwing), Refused);
        EXPECT_EQ(*cell.version(), 1u);
        EXPECT_EQ(cell.load()->symbol.view(), "OLD");
        EXPECT_EQ(*cell.update([](Quote& value) { value.bid += 1; }), 2u);
        EXPECT_EQ(cell.load()->bid, 2.0);
        EXPECT_EQ(*cell.store({1, 2, "NEW"}), 3u);  // no lock is left
        if (many) { EXPECT_OK(open<Quote>("c").store({})); }
    }
}

TEST_F(CellTest, AnUpdateInAnUpdateDoesNotHang) {
    const Cell<Counter> cell = create<Counter>("c", {.writers = 4});
    int calls = 0;
    ASSERT_OK(cell.update([&](Counter& value) {
        if (calls++ == 0) { EXPECT_OK(cell.update([](Counter& other) { other.count = 7; })); }
        ++value.count;
    }));
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(cell.load()->count, 8u);
    // One that always comes too late says so.
    const auto late = cell.update([&](Counter&) { EXPECT_OK(cell.store({1})); }, Deadline::after(std::chrono::milliseconds(10)));
    EXPECT_CODE(Code::busy, late);
    expect_says(late.error(), "too late");
    EXPECT_OK(cell.store({2}));
}

// --- whole values ----------------------------------------------------------------------------------------------------------

// A writer without pause, readers in this and another process, a handle with little history and one with much.
template <typename Value>
void expect_whole_values(CellTest& test, std::uint64_t stores) {
    for (const std::uint32_t history : {0u, 60u}) {
        const Cell<Value> cell = test.create<Value>("c", {.history = history});
        ASSERT_OK(cell.store(Value::of(1)));
        Child other([&](const Line& line) {
            CellOpenOptions options;
            options.access = Access::read_only;
            const auto mine = Cell<Value>::open("c", options, test.context);
            CHILD_CHECK(mine);
            line.say();
            Value value;
            std::uint32_t seen = 0;
            while (seen < stores) {
                const auto version = mine->load(value);
                if (!version && version.error().code == Code::busy) continue;
                CHILD_CHECK(version && value.is_whole() && value.words[0] == *version && *version >= seen);
                seen = *version;
                const std::uint32_t earlier = seen - std::min(seen, mine->raw().history());
                const auto old = mine->load_version(earlier);
                CHILD_CHECK(old ? old->is_whole() && old->words[0] == earlier : old.error().code == Code::not_found);
            }
            return 0;
        });
        ASSERT_EQ(other.line().hear(), '.');
        std::atomic<bool> done{false};
        std::atomic<std::uint64_t> reads{0};
        std::thread reader([&] {
            const Cell<Value> mine = test.open<Value>("c", Access::read_only);
            Value value;
            std::uint32_t seen = 0;
            while (!done.load(std::memory_order_relaxed) || reads.load() == 0) {
                const auto version = mine.load(value);
                if (!version && version.error().code == Code::busy) continue;
                ASSERT_OK(version);
                ASSERT_TRUE(value.is_whole()) << "version " << *version;
                ASSERT_EQ(value.words[0], *version);
                ASSERT_GE(*version, seen);
                seen = *version;
                reads.fetch_add(1);
            }
        });
        for (std::uint64_t number = 2; number <= stores; ++number) EXPECT_EQ(*cell.store(Value::of(number)), number);
        done.store(true, std::memory_order_relaxed);
        reader.join();
        EXPECT_EQ(other.wait(), 0);
    }
}

TEST_F(CellTest, SmallValuesAreAlwaysWhole) { expect_whole_values<Same64>(*this, 300'000); }
TEST_F(CellTest, LargeValuesAreAlwaysWhole) { expect_whole_values<Same4096>(*this, 30'000); }

// Writers are stopped, go on, are killed and replaced at any moment; the readers never notice, the next writer goes on.
template <typename Value>
void expect_whole_values_of_the_dying(CellTest& test, bool many) {
    const Cell<Value> cell = test.create<Value>("c", {.writers = many ? 4u : 1u});
    ASSERT_OK(cell.store(Value::of(1)));
    cell.raw().give_up_role();
    Child reader([&](const Line& line) {
        CellOpenOptions options;
        options.access = Access::read_only;
        const auto mine = Cell<Value>::open("c", options, test.context);
        CHILD_CHECK(mine);
        line.say();
        Value value;
        std::uint32_t seen = 0;
        for (;;) {
            const auto version = mine->load(value);
            if (!version && version.error().code == Code::busy) continue;
            CHILD_CHECK(version && *version >= seen && value.is_whole());
            if (value.words[0] == 0) return 0;  // the end
            CHILD_CHECK(value.words[0] == *version);
            seen = *version;
        }
    });
    ASSERT_EQ(reader.line().hear(), '.');
    std::minstd_rand random(many ? 5 : 4);
    for (int round = 0; round < 120; ++round) {
        Child writer([&](const Line& line) {
            const auto mine = Cell<Value>::open("c", {}, test.context);
            CHILD_CHECK(mine && mine->update([](Value& value) { value = Value::of(value.words[0] + 1); }));
            line.say();
            for (;;) {
                const std::uint64_t next = mine->load()->words[0] + 1;
                if (many) CHILD_CHECK(mine->update([](Value& value) { value = Value::of(value.words[0] + 1); }));
                else CHILD_CHECK(mine->store(Value::of(next)));
            }
            return 0;
        });
        ASSERT_EQ(writer.line().hear(), '.');
        for (auto stops = random() % 3; stops > 0; --stops) {
            pass_time(static_cast<std::uint32_t>(random() % 50'000));
            writer.signal(SIGSTOP);
            wait_until([&] { return is_stopped(writer.pid()); }, "the writer is stopped");
            Value value;
            const auto version = cell.load(value);
            ASSERT_OK(version);
            ASSERT_TRUE(value.is_whole());
            ASSERT_EQ(value.words[0], *version);
            ASSERT_EQ(*cell.version(), *version);
            if (many) { ASSERT_OK(cell.update([](Value& latest) { latest = Value::of(latest.words[0] + 1); })); }
            else { EXPECT_CODE(Code::busy, cell.store(Value::of(7))); }
            writer.signal(SIGCONT);
        }
        pass_time(static_cast<std::uint32_t>(random() % 50'000));
        EXPECT_EQ(writer.kill(), 128 + SIGKILL);
        Value value;
        const auto version = cell.load(value);
        ASSERT_OK(version);
        ASSERT_TRUE(value.is_whole());
        ASSERT_EQ(value.words[0], *version);
        const auto next = cell.update([](Value& latest) { latest = Value::of(latest.words[0] + 1); });
        ASSERT_OK(next);
        ASSERT_GE(*next, *version + 1);
        ASSERT_LE(*next, *version + (many ? 2 : 1));  // what the dead one claimed
        cell.raw().give_up_role();
    }
    ASSERT_OK(cell.store(Value::of(0)));
    EXPECT_EQ(reader.wait(), 0);
}

TEST_F(CellTest, SmallValuesOfDyingWritersAreWhole) { expect_whole_values_of_the_dying<Same64>(*this, false); }
TEST_F(CellTest, LargeValuesOfDyingWritersAreWhole) { expect_whole_values_of_the_dying<Same4096>(*this, false); }
TEST_F(CellTest, LargeValuesOfManyDyingWritersAreWhole) { expect_whole_values_of_the_dying<Same4096>(*this, true); }

// --- bytes -----------------------------------------------------------------------------------------------------------------

TEST_F(CellTest, EverySizeOfARecord) {
    for (std::uint32_t size = 1; size <= 140; ++size) {
        const RawCell cell = create_raw("c", "s:s" + std::to_string(size));
        std::string value(size, '\0');
        for (std::uint32_t round = 1; round < 8; ++round) {
            for (std::uint32_t i = 0; i < size; ++i) value[i] = static_cast<char>(round * 31 + i);
            ASSERT_EQ(*cell.store(std::as_bytes(std::span(value))), round);
            std::string loaded(size, 'x');
            ASSERT_OK(cell.load(std::as_writable_bytes(std::span(loaded))));
            ASSERT_EQ(loaded, value);
        }
        // Not a byte more than was asked for.
        for (std::uint32_t part = 0; part <= size; ++part) {
            std::string loaded(size + 1, 'x');
            ASSERT_OK(cell.load(std::as_writable_bytes(std::span(loaded)).first(part)));
            ASSERT_EQ(loaded, value.substr(0, part) + std::string(size + 1 - part, 'x'));
        }
    }
}

TEST_F(CellTest, SizesMustFit) {
    const RawCell cell = create_raw("c", "a:u1,x3,b:u4,s:s5");
    std::array<std::byte, 32> bytes{};
    const std::span<const std::byte> all = bytes;
    for (const std::size_t size : {0u, 1u, 12u, 14u, 32u}) {
        const auto stored = cell.store(all.first(size));
        EXPECT_CODE(Code::invalid_argument, stored);
        expect_says(stored.error(), "its record has 13");
    }
    EXPECT_OK(cell.store(all.first(13)));
    EXPECT_CODE(Code::invalid_argument, cell.load(std::span(bytes).first(14)));
    EXPECT_CODE(Code::invalid_argument, cell.load_version(1, std::span(bytes).first(14)));
    EXPECT_OK(cell.load(std::span(bytes).first(13)));
    EXPECT_OK(cell.load({}));
    EXPECT_OK(cell.load_version(1, {}));
}

TEST_F(CellTest, ReadOnlyHandlesOnlyRead) {
    const Cell<Counter> cell = create<Counter>("c");
    const Cell<Counter> reader = open<Counter>("c", Access::read_only);
    EXPECT_CODE(Code::permission_denied, reader.store({1}));
    EXPECT_CODE(Code::permission_denied, reader.update([](Counter&) { ADD_FAILURE() << "called"; }));
    EXPECT_EQ(*cell.version(), 0u);
    ASSERT_OK(cell.store({1}));
    EXPECT_EQ(reader.load()->count, 1u);
    reader.raw().give_up_role();
    EXPECT_CODE(Code::busy, open<Counter>("c").store({2}));
}

TEST_F(CellTest, ClosedHandlesSaySo) {
    Cell<Counter> cell;
    EXPECT_FALSE(cell);
    for (int turn = 0; turn < 2; ++turn) {
        EXPECT_CODE(Code::invalid_argument, cell.load());
        EXPECT_CODE(Code::invalid_argument, cell.load_version(0));
        EXPECT_CODE(Code::invalid_argument, cell.store({1}));
        EXPECT_CODE(Code::invalid_argument, cell.update([](Counter&) {}));
        EXPECT_CODE(Code::invalid_argument, cell.version());
        EXPECT_CODE(Code::invalid_argument, cell.wait(0, at_once()));
        EXPECT_CODE(Code::invalid_argument, cell.raw().info());
        EXPECT_CODE(Code::invalid_argument, RawCell().set_keep(true));
        EXPECT_EQ(cell.raw().name(), "");
        EXPECT_EQ(cell.raw().type().size_bytes(), 0u);
        EXPECT_EQ(cell.raw().history(), 0u);
        EXPECT_EQ(cell.raw().writers(), 0u);
        cell.raw().give_up_role();
        cell.close();
        cell = create<Counter>("c");
        cell.close();
        cell.close();
    }
    EXPECT_EQ(root.file_count(), 0u);
}

// --- enemies ---------------------------------------------------------------------------------------------------------------

struct Wrong {
    const char* what;
    std::size_t offset;
    std::string bytes;
};

template <typename T>
std::string raw(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

TEST_F(CellTest, ImpossibleHeadersAreCorrupt) {
    using internal::HeaderPage;
    create<Quote>("c", {.history = 5, .keep = true}).close();
    const std::string good = read_file(path("c"));
    const std::size_t slots = offsetof(HeaderPage, slot_count);
    const std::size_t format_size = offsetof(HeaderPage, format_size_bytes);
    const std::size_t format = offsetof(HeaderPage, record_format);
    const std::size_t capacity = offsetof(HeaderPage, capacity_bytes);
    const std::vector<Wrong> all = {
        {"0 slots", slots, raw(0u)},
        {"1 slot", slots, raw(1u)},
        {"2 slots", slots, raw(2u)},
        {"3 slots", slots, raw(3u)},
        {"4 slots, but a body of 8", slots, raw(4u)},
        {"7 slots", slots, raw(7u)},
        {"16 slots, but a body of 8", slots, raw(16u)},
        {"2^16 slots", slots, raw(1u << 16)},
        {"2^17 slots", slots, raw(1u << 17)},
        {"2^31 slots", slots, raw(1u << 31)},
        {"2^32-1 slots", slots, raw(UINT32_MAX)},
        {"no format", format_size, raw(0u)},
        {"a format cut off", format_size, raw(5u)},
        {"a format with a NUL", format_size, raw(static_cast<std::uint32_t>(record_format<Quote>().size() + 1))},
        {"a format over all its room", format_size, raw(static_cast<std::uint32_t>(kRecordFormatMax))},
        {"a format too long", format_size, raw(static_cast<std::uint32_t>(kRecordFormatMax + 1))},
        {"a format as long as the page", format_size, raw(4096u)},
        {"a huge format", format_size, raw(UINT32_MAX)},
        {"a format of garbage", format, std::string(record_format<Quote>().size(), '\xee')},
        {"a format of zeros", format, std::string(record_format<Quote>().size(), '\0')},
        {"a record of another size", format + record_format<Quote>().find("16s"), "26s"},
        {"a record of 0 bytes", capacity, raw(std::uint64_t{0})},
        {"a record of 33 bytes", capacity, raw(std::uint64_t{33})},
        {"a record of 31 bytes", capacity, raw(std::uint64_t{31})},
        {"a record of 65 bytes", capacity, raw(std::uint64_t{65})},
        {"a record of 2^30+1 bytes", capacity, raw((std::uint64_t{1} << 30) + 1)},
        {"a record of 2^64-1 bytes", capacity, raw(UINT64_MAX)},
        {"a record of 2^64-32 bytes", capacity, raw(UINT64_MAX - 31)},
        {"another body", offsetof(HeaderPage, size_bytes), raw(std::uint64_t{64})},
        {"a longer body", offsetof(HeaderPage, size_bytes), raw(std::uint64_t{16} * 64)},
        {"flags", offsetof(HeaderPage, flags), raw(0x100u)},
        {"a file", offsetof(HeaderPage, flags), raw(internal::kFlagFile)},
        {"a layout", offsetof(HeaderPage, layout), raw(3u)},
    };
    for (const Wrong& wrong : all) {
        std::string bytes = good;
        bytes.replace(wrong.offset, wrong.bytes.size(), wrong.bytes);
        if (bytes == good) continue;
        write_file(path("c"), bytes);
        const auto typed = Cell<Quote>::open("c", {}, context);
        EXPECT_FALSE(typed) << wrong.what;
        if (!typed) { EXPECT_EQ(code_name(typed.error().code), code_name(Code::corrupt)) << wrong.what << ": " << typed.error().message; }
        const auto raw_cell = RawCell::open("c", {}, context);
        EXPECT_FALSE(raw_cell) << wrong.what;
        EXPECT_FALSE(RawCell::open_or_create("c", RecordType::parse(record_format<Quote>()).value(), {}, context)) << wrong.what;
        (void)context.stat("c");
    }
    // Its body is cut off.
    for (const std::size_t size : {std::size_t{4096}, std::size_t{4097}, good.size() - 1, std::size_t{3000}, std::size_t{0}}) {
        write_file(path("c"), good.substr(0, size));
        EXPECT_CODE(Code::corrupt, Cell<Quote>::open("c", {}, context));
    }
    write_file(path("c"), good);
    EXPECT_OK(Cell<Quote>::open("c", {}, context));
}

TEST_F(CellTest, ImpossibleNumbersOfWritersAreCorrupt) {
    using internal::HeaderPage;
    create<Quote>("c", {.history = 5, .writers = 4, .keep = true}).close();
    const std::string good = read_file(path("c"));
    const std::size_t flags = offsetof(HeaderPage, flags);
    const std::size_t writers = offsetof(HeaderPage, writer_count);
    const std::vector<Wrong> all = {
        {"no writers", writers, raw(0u)}, {"1 writer", writers, raw(1u)}, {"3 writers", writers, raw(3u)}, {"5 writers", writers, raw(5u)},
        {"65 writers", writers, raw(65u)}, {"2^32-1 writers", writers, raw(UINT32_MAX)}, {"2^30+4 writers", writers, raw((1u << 30) + 4)},
        {"one writer", flags, raw(0u)}, {"fewer slots", offsetof(HeaderPage, slot_count), raw(4u)},
    };
    for (const Wrong& wrong : all) {
        std::string bytes = good;
        bytes.replace(wrong.offset, wrong.bytes.size(), wrong.bytes);
        write_file(path("c"), bytes);
        const auto opened = RawCell::open("c", {}, context);
        EXPECT_FALSE(opened) << wrong.what;
        if (!opened) { EXPECT_EQ(code_name(opened.error().code), code_name(Code::corrupt)) << wrong.what << ": " << opened.error().message; }
    }
    write_file(path("c"), good);
    EXPECT_EQ(RawCell::open("c", {}, context)->writers(), 4u);
    // Of a cell for one writer these bytes are reserved.
    create<Quote>("d", {.keep = true}).close();
    std::string bytes = read_file(path("d"));
    bytes.replace(writers, 4, raw(7u));
    write_file(path("d"), bytes);
    EXPECT_EQ(RawCell::open("d", {}, context)->writers(), 1u);
}

TEST_F(CellTest, AnyHeaderIsAnswered) {
    create<Quote>("c", {.history = 5, .keep = true}).close();
    const std::string good = read_file(path("c"));
    std::minstd_rand random(8);
    for (int round = 0; round < 3000; ++round) {
        std::string bytes = good;
        for (std::size_t change = 1 + random() % 3; change > 0; --change) {
            const std::size_t at = random() % 2 == 0 ? 8 + random() % 64 : 2048 + random() % 40;
            bytes[at] = static_cast<char>(random() % 3 == 0 ? random() % 128 : random());
        }
        write_file(path("c"), bytes);
        ASSERT_EQ(::chmod(path("c").c_str(), 01600), 0);
        const auto cell = RawCell::open("c", {}, context);
        if (!cell) continue;
        std::vector<std::byte> value(static_cast<std::size_t>(cell->type().size_bytes()));
        EXPECT_OK(cell->load(value));
        EXPECT_OK(cell->store(value));
        EXPECT_OK(cell->load_version(*cell->version(), value));
    }
}

// Somebody writes anything anywhere into a cell that is in use. What was checked when it was opened is not read again.
TEST_F(CellTest, ScribblesAreSurvived) {
    for (const bool many : {false, true}) {
        const Cell<Same64> cell = create<Same64>("c", {.history = 3, .writers = many ? 2u : 1u});
        const Cell<Same64> reader = open<Same64>("c", Access::read_only);
        ASSERT_OK(cell.store(Same64::of(1)));
        const int file = ::open(path("c").c_str(), O_RDWR);
        const std::string good = read_file(path("c")).substr(0, 4096);
        std::minstd_rand random(many ? 10 : 9);
        for (int round = 0; round < 2000; ++round) {
            for (int change = 0; change < 4; ++change) {
                std::string garbage(1 + random() % 64, '\0');
                for (char& byte : garbage) byte = static_cast<char>(random());
                const auto at = static_cast<off_t>(random() % (4096 + (many ? 64 + 16 * 64 : 8 * 64) - 64));
                ASSERT_EQ(::pwrite(file, garbage.data(), garbage.size(), at), static_cast<ssize_t>(garbage.size()));
            }
            Same64 value;
            (void)reader.load(value);
            (void)reader.load_version(static_cast<std::uint32_t>(random()));
            (void)reader.raw().info();
            (void)reader.version();
            (void)cell.store(Same64::of(2), at_once());
            (void)cell.update([](Same64& one) { ++one.words[0]; }, at_once());
            EXPECT_EQ(reader.raw().type().size_bytes(), sizeof(Same64));
            EXPECT_EQ(reader.raw().history(), 5u);
        }
        ASSERT_EQ(::pwrite(file, good.data(), good.size(), 0), 4096);
        ::close(file);
        ASSERT_OK(cell.store(Same64::of(3)));
        EXPECT_TRUE(reader.load()->is_whole());
        EXPECT_EQ(reader.load()->words[0], 3u);
    }
}

// Each cell has a writer of its own.
TEST_F(CellTest, AProcessCanWriteSeveral) {
    const Cell<Counter> first = create<Counter>("a");
    const Cell<Counter> second = create<Counter>("b");
    ASSERT_OK(first.store({1}));
    ASSERT_OK(second.store({2}));  // a role in each
    EXPECT_EQ(first.load()->count, 1u);
    EXPECT_EQ(second.load()->count, 2u);
}

}  // namespace
}  // namespace comap::test
