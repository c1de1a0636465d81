// SPDX-License-Identifier: Apache-2.0
// Words that somebody wrote over: every call answers, nobody crashes, nobody waits longer than he wanted, and the process ends as
// it should, whatever it had locked.
#include "waitable/core.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <comap/event.hpp>
#include <comap/mutex.hpp>
#include <comap/semaphore.hpp>

#include "sync/event_word.hpp"
#include "sync/mutex_word.hpp"
#include "sync/semaphore_word.hpp"
#include "support/process.hpp"
#include "support/sleeper.hpp"

namespace comap::test {
namespace {

using namespace std::chrono_literals;
using internal::SyncBlock;
using List = std::vector<Waitable>;

constexpr std::size_t kLockAt = internal::kSyncBlockInPage + offsetof(SyncBlock, lock);
constexpr std::size_t kMarkAt = internal::kSyncBlockInPage + offsetof(SyncBlock, mark);
constexpr std::size_t kStateAt = internal::kSyncBlockInPage + offsetof(SyncBlock, state);
constexpr std::size_t kKindAt = internal::kSyncBlockInPage;
constexpr std::size_t kParameterAt = internal::kSyncBlockInPage + offsetof(SyncBlock, parameter);
constexpr std::uint32_t kImpossible = (1u << 22) + 5;    // no thread has such a number
constexpr std::uint32_t kNobody = 4'000'000;             // one could, but has not
constexpr std::uint32_t kWrongMark = internal::kMarkTag | 77;

struct DamageWaitableTest : ::testing::Test {
    TempRoot root;
    Context& context = root.context();

    template <typename T>
    void put(const std::string& name, std::size_t offset, const T& value) const {
        const int file = ::open((root.local() + "/" + name).c_str(), O_RDWR | O_CLOEXEC);
        if (::pwrite(file, &value, sizeof value, static_cast<off_t>(offset)) != static_cast<ssize_t>(sizeof value)) std::abort();
        ::close(file);
    }

    // In a child, which is ended by an alarm if a call does not come back.
    static void expect_ends(const std::function<void()>& body) {
        Child child([&](const Line&) {
            ::alarm(60);
            body();
            return 0;
        });
        EXPECT_EQ(child.wait(), 0);
    }
};

// One of several ways to spoil a block.
std::array<unsigned char, 64> spoiled(std::minstd_rand& random, const std::string& before) {
    std::array<unsigned char, 64> bytes;
    std::memcpy(bytes.data(), before.data(), bytes.size());
    const auto fill = [&](std::size_t from, std::size_t count) {
        for (std::size_t i = from; i < from + count; ++i) bytes[i] = static_cast<unsigned char>(random() >> 8);
    };
    const auto put32 = [&](std::size_t at, std::uint32_t value) { std::memcpy(bytes.data() + at, &value, sizeof value); };
    switch (random() % 8) {
        case 0:
            fill(0, 64);
            break;
        case 1:
            fill(8, 56);
            break;
        case 2:
            fill(8, 8);  // the state
            break;
        case 3:
            fill(32, 4);  // the lock word
            break;
        case 4:
            put32(32, static_cast<std::uint32_t>(random()) % 100'000);  // somebody has it, and there is a mark or not
            put32(16, random() % 2 == 0 ? 0 : kWrongMark);
            break;
        case 5:
            put32(32, 0);
            break;
        case 6:
            put32(32, 1u << (30 + random() % 2));
            break;
        default:
            put32(8, static_cast<std::uint32_t>(random()) % 256);
            put32(32, static_cast<std::uint32_t>(random()) % 5);
            break;
    }
    return bytes;
}

TEST_F(DamageWaitableTest, EveryCallAnswers) {
    expect_ends([&] {
        std::minstd_rand random(41);
        for (int round = 0; round < 400; ++round) {
            auto mutex = Mutex::create("m", {}, context);
            auto automatic = Event::create("a", {}, context);
            auto manual = Event::create("n", {.reset = Reset::manual}, context);
            auto semaphore = Semaphore::create("s", {.initial = 1, .maximum = 5}, context);
            auto bystander = Mutex::create("b", {}, context);
            CHILD_CHECK(mutex && automatic && manual && semaphore && bystander);
            const bool owns = random() % 2 == 0;
            CHILD_CHECK(bystander->lock(Deadline::passed()));
            if (owns) CHILD_CHECK(mutex->lock(Deadline::passed()));
            for (const char* name : {"m", "a", "n", "s"}) put(name, internal::kSyncBlockInPage, spoiled(random, sync_block(root.local() + "/" + name)));
            const auto soon = [&] { return random() % 2 == 0 ? Deadline::passed() : Deadline::after(std::chrono::microseconds(random() % 1500)); };
            (void)mutex->lock(soon());
            (void)mutex->unlock();
            (void)mutex->unlock_abandoned();
            (void)mutex->lock(soon());
            (void)mutex->info();
            (void)automatic->wait(soon());
            (void)automatic->is_set();
            (void)automatic->set();
            (void)automatic->wait(soon());
            (void)manual->wait(soon());
            (void)manual->set();
            if (round % 40 == 0) {  // these wait for a reservation to end
                (void)automatic->pulse();
                (void)automatic->reset();
                (void)manual->pulse();
                (void)manual->reset();
            }
            (void)manual->wait(soon());
            (void)semaphore->count();
            (void)semaphore->acquire(soon());
            (void)semaphore->release();
            (void)semaphore->release(3);
            (void)semaphore->acquire(soon());
            List list = {*mutex, *automatic, *semaphore, *manual};
            std::shuffle(list.begin(), list.end(), random);
            (void)wait_any(list, soon());
            (void)wait_all(list, soon());
            (void)wait_all(List{*automatic, *semaphore}, soon());
            for (const char* name : {"m", "a", "n", "s"}) (void)context.stat(name);
            if (random() % 2 == 0) (void)mutex->unlock();
            mutex->close();
            CHILD_CHECK(bystander->is_owned() && bystander->unlock());
        }
    });
}

// The same while another thread uses the same handles.
TEST_F(DamageWaitableTest, EveryCallAnswersToSeveralThreads) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "a lock word that somebody overwrites lets two owners in: what they then race for is seen, rightly";
#endif
    expect_ends([&] {
        std::minstd_rand random(43);
        for (int round = 0; round < 60; ++round) {
            const auto mutex = Mutex::create("m", {}, context);
            const auto other = Mutex::create("o", {}, context);
            const auto automatic = Event::create("a", {}, context);
            const auto semaphore = Semaphore::create("s", {.initial = 1, .maximum = 5}, context);
            CHILD_CHECK(mutex && other && automatic && semaphore);
            const auto use = [&] {
                for (int i = 0; i < 40; ++i) {
                    const Deadline soon = Deadline::after(300us);
                    (void)other->lock(soon);
                    (void)mutex->lock(soon);
                    (void)other->unlock();
                    (void)automatic->set();
                    (void)wait_any(List{*semaphore, *automatic, *other}, soon);
                    (void)other->unlock();
                    (void)mutex->unlock();
                    (void)wait_all(List{*automatic, *mutex, *semaphore}, soon);
                    (void)mutex->unlock();
                    (void)semaphore->release();
                }
            };
            std::thread one(use), two(use);
            for (int i = 0; i < 20; ++i) {
                for (const char* name : {"m", "a", "s"}) put(name, internal::kSyncBlockInPage, spoiled(random, sync_block(root.local() + "/" + name)));
                pass_time(static_cast<std::uint32_t>(random() % 50000));
            }
            one.join();
            two.join();
        }
    });
}

TEST_F(DamageWaitableTest, AnImpossibleOwnerIsCorruptAtOnce) {
    expect_ends([&] {
        const auto mutex = Mutex::create("m", {}, context);
        const auto event = Event::create("e", {}, context);
        const auto never = Event::create("never", {}, context);
        const auto set = Event::create("set", {.initially_set = true}, context);
        for (const std::uint32_t word : {kImpossible, kImpossible | 1u << 31, kImpossible | 1u << 30, 0x3fff'ffffu, 0xffff'ffffu}) {
            put("m", kLockAt, word);
            const auto locked = mutex->lock(Deadline::forever());
            CHILD_CHECK(!locked && locked.error().code == Code::corrupt);
            CHILD_CHECK(locked.error().message.find("'m'") != std::string::npos);
            const auto any = wait_any(List{*never, *mutex}, Deadline::forever());
            CHILD_CHECK(!any && any.error().code == Code::corrupt);
            CHILD_CHECK(any.error().message.find("at 1 in the list") != std::string::npos);
            const auto all = wait_all(List{*set, *mutex}, Deadline::forever());
            CHILD_CHECK(!all && all.error().code == Code::corrupt);
            CHILD_CHECK(*set->is_set());
            put("e", kLockAt, word);
            CHILD_CHECK(event->set());
            const auto reserved = wait_all(List{*set, *event}, Deadline::forever());
            CHILD_CHECK(!reserved && reserved.error().code == Code::corrupt);
            CHILD_CHECK(*set->is_set());
        }
        put("m", kLockAt, 0u);
        put("m", kMarkAt, 0u);
        CHILD_CHECK(*mutex->lock(Deadline::forever()) == Acquired::acquired && mutex->unlock());
    });
}

TEST_F(DamageWaitableTest, AReservationOfAnImpossibleOwnerIsCorrupt) {
    for (const bool is_semaphore : {false, true})
        expect_ends([&] {
            const auto event = Event::create("e", {}, context);
            const auto semaphore = Semaphore::create("s", {.initial = 3, .maximum = 9}, context);
            ::alarm(10);
            put("e", kStateAt, internal::kEventSet | internal::kEventReserved);
            put("e", kLockAt, kImpossible);
            put("s", kStateAt, 3 * internal::kSemaphoreOneToken | internal::kSemaphoreReserved);
            put("s", kLockAt, kImpossible);
            const auto end = is_semaphore ? semaphore->acquire(Deadline::forever()) : event->wait(Deadline::forever());
            CHILD_CHECK(!end && end.error().code == Code::corrupt);
        });
}

TEST_F(DamageWaitableTest, AMarkThatContradictsTheOwnerIsCorruptAfterAWhile) {
    expect_ends([&] {
        const auto mutex = Mutex::create("m", {}, context);
        const auto set = Event::create("set", {.reset = Reset::manual, .initially_set = true}, context);
        const auto never = Event::create("never", {}, context);
        put("m", kLockAt, kNobody);
        put("m", kMarkAt, kWrongMark);
        CHILD_CHECK(*mutex->lock(Deadline::after(100ms)) == Acquired::timed_out);
        const auto locked = mutex->lock(Deadline::forever());
        CHILD_CHECK(!locked && locked.error().code == Code::corrupt);
        const auto any = wait_any(List{*never, *mutex}, Deadline::forever());
        CHILD_CHECK(!any && any.error().code == Code::corrupt);
        const auto all = wait_all(List{*set, *mutex}, Deadline::forever());
        CHILD_CHECK(!all && all.error().code == Code::corrupt);
    });
}

TEST_F(DamageWaitableTest, TooManyTokensAreCorrupt) {
    const auto semaphore = Semaphore::create("s", {.initial = 1, .maximum = 5}, context);
    ASSERT_OK(semaphore);
    put("s", kStateAt, 6 * internal::kSemaphoreOneToken);
    EXPECT_CODE(Code::corrupt, semaphore->acquire(Deadline::forever()));
    EXPECT_CODE(Code::corrupt, semaphore->release());
    EXPECT_CODE(Code::corrupt, semaphore->count());
    EXPECT_CODE(Code::corrupt, wait_any(List{*semaphore}, Deadline::forever()));
    const auto set = Event::create("set", {.initially_set = true}, context);
    EXPECT_CODE(Code::corrupt, wait_all(List{*set, *semaphore}, Deadline::forever()));
    EXPECT_TRUE(*set->is_set());
    put("s", kStateAt, 5 * internal::kSemaphoreOneToken);
    EXPECT_EQ(*semaphore->acquire(Deadline::forever()), Acquired::acquired);
}

TEST_F(DamageWaitableTest, WhoOwnsASpoiledMutexIsToldAtUnlock) {
    const auto mutex = Mutex::create("m", {}, context);
    for (const std::uint32_t word : {0u, kNobody, kImpossible, 1u << 31, 1u << 30}) {
        put("m", kLockAt, 0u);
        put("m", kMarkAt, 0u);
        ASSERT_EQ(*mutex->lock(Deadline::forever()), Acquired::acquired);
        put("m", kLockAt, word);
        EXPECT_TRUE(mutex->is_owned());
        EXPECT_EQ(*mutex->lock(Deadline::passed()), Acquired::acquired);
        EXPECT_OK(mutex->unlock());
        EXPECT_CODE(Code::corrupt, mutex->unlock());
        EXPECT_FALSE(mutex->is_owned());
        EXPECT_CODE(Code::not_owner, mutex->unlock());
    }
}

// The owner's process ends, or goes on with other locks, while the word of one it has is anything.
TEST_F(DamageWaitableTest, AnOwnerWhoseWordWasSpoiledEndsAsOthersDo) {
    for (const std::uint32_t word : {0u, 1u, kNobody, kImpossible, 1u << 31, 1u << 30, 0xffff'ffffu}) {
        const auto after = Mutex::create("after", {}, context);
        const auto before = Mutex::create("before", {}, context);
        expect_ends([&] {
            auto mine = Mutex::create("m", {}, context);
            CHILD_CHECK(before->lock(Deadline::passed()) && mine->lock(Deadline::passed()) && after->lock(Deadline::passed()));
            put("m", kLockAt, word);
        });
        EXPECT_EQ(*after->lock(Deadline::after(10s)), Acquired::acquired_abandoned);
        EXPECT_EQ(*before->lock(Deadline::after(10s)), Acquired::acquired_abandoned);
        EXPECT_OK(after->unlock());
        EXPECT_OK(before->unlock());
    }
}

// A closed handle of a mutex that is owned: what the kernel's list needs stays, whatever the shared word says.
TEST_F(DamageWaitableTest, AClosedButOwnedOneMayBeSpoiledToo) {
    for (const std::uint32_t word : {0u, 1u, kNobody, kImpossible, 0xffff'ffffu}) {
        const auto others = Mutex::create("others", {}, context);
        expect_ends([&] {
            CHILD_CHECK(others->lock(Deadline::passed()));
            std::vector<Mutex> mutexes;
            for (int i = 0; i < 8; ++i) {
                const std::string name = "m" + std::to_string(i);
                mutexes.push_back(*Mutex::create(name, {}, context));
                CHILD_CHECK(mutexes.back().lock(Deadline::passed()));
                put(name, kLockAt, word);
                put(name, kMarkAt, word);
            }
            mutexes.clear();
            const auto next = Mutex::create("next", {}, context);
            for (int i = 0; i < 3; ++i) CHILD_CHECK(*next->lock(Deadline::passed()) == Acquired::acquired && next->unlock());
            CHILD_CHECK(others->unlock() && others->lock(Deadline::passed()));
        });
        EXPECT_EQ(*others->lock(Deadline::after(10s)), Acquired::acquired_abandoned);
        EXPECT_OK(others->unlock());
    }
}

// A peer frees the word of a mutex that one thread owns; another thread of the process asks for it.
TEST_F(DamageWaitableTest, AFreedWordDoesNotMixUpTheListsOfTwoThreads) {
    for (const std::uint32_t word : {0u, 1u << 30, 1u << 31})
        expect_ends([&] {
            ::alarm(10);
            const auto first = Mutex::create("first", {}, context);
            const auto spoiled_one = Mutex::create("m", {}, context);
            CHILD_CHECK(first->lock(Deadline::passed()) && spoiled_one->lock(Deadline::passed()));
            put("m", kLockAt, word);
            Sleeper other([&] {
                (void)spoiled_one->lock(Deadline::after(20ms));
                (void)spoiled_one->unlock();
                (void)spoiled_one->lock(Deadline::after(20ms));
            });
            other.join();
            CHILD_CHECK(first->unlock());
            (void)spoiled_one->unlock();
            CHILD_CHECK(first->lock(Deadline::passed()) && first->unlock());
        });
}

TEST_F(DamageWaitableTest, ASpoiledBlockIsNotOpened) {
    const struct {
        std::size_t offset;
        std::uint32_t value;
        bool mutex, event, semaphore;  // whether it is damage for such an object
    } cases[] = {{kKindAt, 0, true, true, true},       {kKindAt, 1, true, true, true},    {kKindAt, 5, true, true, true},
                 {kKindAt, 0xffff'ffff, true, true, true}, {kParameterAt, 2, true, true, false}, {kParameterAt, 0, false, false, true},
                 {kParameterAt, 0x8000'0000, true, true, true}};
    for (const auto& one : cases) {
        Child opener([&](const Line& line) {
            line.hear();
            const auto is = [&](bool spoiled_one, const auto& opened) { return spoiled_one ? !opened && opened.error().code == Code::corrupt : opened.has_value(); };
            CHILD_CHECK(is(one.mutex, Mutex::open("m", {}, context)));
            CHILD_CHECK(is(one.event, Event::open("e", {}, context)));
            CHILD_CHECK(is(one.semaphore, Semaphore::open("s", {}, context)));
            CHILD_CHECK(is(one.mutex, Mutex::open_or_create("m", {}, context)));
            return 0;
        });
        const auto mutex = Mutex::create("m", {}, context);
        const auto event = Event::create("e", {.reset = Reset::manual}, context);
        const auto semaphore = Semaphore::create("s", {.maximum = 5}, context);
        for (const char* name : {"m", "e", "s"}) put(name, one.offset, one.value);
        opener.line().say();
        EXPECT_EQ(opener.wait(), 0) << one.offset << " " << one.value;
    }
}

TEST_F(DamageWaitableTest, GarbageInASectionIsNotOpened) {
    std::minstd_rand random(47);
    const auto section = Section::create("s", 8192, {}, context);
    const auto view = section->view();
    const auto block = view->writable_bytes().subspan(sync_offset(1), kSyncBytes);
    for (int round = 0; round < 2000; ++round) {
        for (std::byte& byte : block) byte = static_cast<std::byte>(random() >> 8);
        if (round % 2 == 0) {
            const std::uint32_t kind = static_cast<std::uint32_t>(random()) % 6;
            std::memcpy(block.data(), &kind, sizeof kind);
        }
        const auto expect_refused = [&](const auto& opened) {
            if (opened) return;  // it happens to be one
            const Code code = opened.error().code;
            EXPECT_TRUE(code == Code::corrupt || code == Code::kind_mismatch || code == Code::not_found) << opened.error().message;
        };
        expect_refused(Mutex::open_in(*section, sync_offset(1)));
        expect_refused(Event::open_in(*section, sync_offset(1)));
        expect_refused(Semaphore::open_in(*section, sync_offset(1)));
        const auto before = std::vector<std::byte>(block.begin(), block.end());
        if (before[0] != std::byte{0}) { EXPECT_CODE(Code::already_exists, Event::create_in(*section, sync_offset(1))); }
        EXPECT_TRUE(std::equal(before.begin(), before.end(), block.begin()) || before[0] == std::byte{0});
    }
}

}  // namespace
}  // namespace comap::test
