// SPDX-License-Identifier: Apache-2.0
// What mutexes, events and semaphores have in common: making, opening, names, kinds, modes, sections, sentences.
#include <comap/sync_object.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <comap/event.hpp>
#include <comap/mutex.hpp>
#include <comap/semaphore.hpp>
#include <comap/text.hpp>

#include "support/process.hpp"
#include "support/sleeper.hpp"

namespace comap::test {
namespace {

// One kind: how it is made, and something that a process does to it and another sees.
struct OfMutex {
    using Handle = Mutex;
    static constexpr Kind kind = Kind::mutex;
    static Result<Mutex> create(std::string_view name, const SyncOptions& options, Context& context) { return Mutex::create(name, options, context); }
    static Result<Mutex> open_or_create(std::string_view name, const SyncOptions& options, Context& context) { return Mutex::open_or_create(name, options, context); }
    static Result<Mutex> create_unnamed() { return Mutex::create_unnamed(); }
    static Result<Mutex> create_in(const Section& section, std::uint64_t offset) { return Mutex::create_in(section, offset); }
    static bool is_touched(const Mutex& mutex) {
        const auto end = mutex.lock(Deadline::passed());
        if (end && *end == Acquired::acquired) (void)mutex.unlock();
        return end && *end == Acquired::timed_out;
    }
    static bool touch(const Mutex& mutex) { return mutex.lock(Deadline::passed()).has_value(); }
};

struct OfEvent {
    using Handle = Event;
    static constexpr Kind kind = Kind::event;
    static EventOptions all(const SyncOptions& options) { return {.mode = options.mode, .keep = options.keep}; }
    static Result<Event> create(std::string_view name, const SyncOptions& options, Context& context) { return Event::create(name, all(options), context); }
    static Result<Event> open_or_create(std::string_view name, const SyncOptions& options, Context& context) { return Event::open_or_create(name, all(options), context); }
    static Result<Event> create_unnamed() { return Event::create_unnamed(); }
    static Result<Event> create_in(const Section& section, std::uint64_t offset) { return Event::create_in(section, offset); }
    static bool is_touched(const Event& event) { return *event.is_set(); }
    static bool touch(const Event& event) { return event.set().has_value(); }
};

struct OfSemaphore {
    using Handle = Semaphore;
    static constexpr Kind kind = Kind::semaphore;
    static SemaphoreOptions all(const SyncOptions& options) { return {.initial = 2, .maximum = 9, .mode = options.mode, .keep = options.keep}; }
    static Result<Semaphore> create(std::string_view name, const SyncOptions& options, Context& context) { return Semaphore::create(name, all(options), context); }
    static Result<Semaphore> open_or_create(std::string_view name, const SyncOptions& options, Context& context) {
        return Semaphore::open_or_create(name, all(options), context);
    }
    static Result<Semaphore> create_unnamed() { return Semaphore::create_unnamed(all({})); }
    static Result<Semaphore> create_in(const Section& section, std::uint64_t offset) { return Semaphore::create_in(section, offset, all({})); }
    static bool is_touched(const Semaphore& semaphore) { return *semaphore.count() == 3; }
    static bool touch(const Semaphore& semaphore) { return semaphore.release(1).has_value(); }
};

template <typename Of>
struct SyncObjectWaitableTest : ::testing::Test {
    using Made = typename Of::Handle;
    TempRoot root;
    Context& context = root.context();

    Made create(const std::string& name, const SyncOptions& options = {}) {
        auto made = Of::create(name, options, context);
        EXPECT_OK(made);
        return std::move(*made);
    }
};
using Kinds = ::testing::Types<OfMutex, OfEvent, OfSemaphore>;
TYPED_TEST_SUITE(SyncObjectWaitableTest, Kinds);

TYPED_TEST(SyncObjectWaitableTest, IsMadeOpenedAndEndsWithItsLastHandle) {
    using Handle = typename TypeParam::Handle;
    EXPECT_CODE(Code::not_found, Handle::open("x", {}, this->context));
    auto made = this->create("x");
    EXPECT_TRUE(made);
    EXPECT_TRUE(made.was_created());
    EXPECT_EQ(made.name(), "x");
    EXPECT_EQ(made.access(), Access::read_write);
    auto opened = Handle::open("Local\\x", {}, this->context);
    ASSERT_OK(opened);
    EXPECT_FALSE(opened->was_created());
    const auto again = TypeParam::create("x", {}, this->context);
    EXPECT_CODE(Code::already_exists, again);
    EXPECT_NE(again.error().message.find(kind_name(TypeParam::kind)), std::string::npos) << again.error().message;
    EXPECT_FALSE(TypeParam::is_touched(made));
    EXPECT_EQ(this->root.file_count(), 1u);
    made.close();
    EXPECT_FALSE(made);
    EXPECT_EQ(this->root.file_count(), 1u);
    Handle moved = std::move(*opened);
    EXPECT_FALSE(*opened);
    EXPECT_TRUE(Handle::open("x", {}, this->context));
    moved.close();
    EXPECT_EQ(this->root.file_count(), 0u);
    EXPECT_CODE(Code::not_found, Handle::open("x", {}, this->context));
}

TYPED_TEST(SyncObjectWaitableTest, ExactlyOneOfEightProcessesMakesIt) {
    for (int round = 0; round < 15; ++round) {
        std::vector<std::unique_ptr<Child>> children;
        for (int i = 0; i < 8; ++i)
            children.push_back(std::make_unique<Child>([&](const Line& line) {
                line.say();
                line.hear();
                const auto mine = TypeParam::open_or_create("race", {}, this->context);
                CHILD_CHECK(mine);
                line.say(mine->was_created() ? 'c' : 'o');
                line.hear();
                return 0;
            }));
        for (const auto& child : children) ASSERT_EQ(child->line().hear(), '.');
        for (const auto& child : children) child->line().say();
        int created = 0;
        for (const auto& child : children) created += child->line().hear() == 'c';
        EXPECT_EQ(created, 1);
        for (const auto& child : children) child->line().say();
        for (const auto& child : children) EXPECT_EQ(child->wait(), 0);
    }
    EXPECT_EQ(this->root.file_count(), 0u);
}

TYPED_TEST(SyncObjectWaitableTest, AnUnnamedOneGoesByDescriptor) {
    using Handle = typename TypeParam::Handle;
    const Post post;
    Child child([&](const Line& line) {
        const auto mine = Handle::from_descriptor(post.receive(), {}, this->context);
        CHILD_CHECK(mine);
        CHILD_CHECK(mine->name().empty() && !mine->was_created());
        CHILD_CHECK(TypeParam::touch(*mine));
        line.say();
        line.hear();
        return 0;
    });
    auto made = TypeParam::create_unnamed();
    ASSERT_OK(made);
    EXPECT_EQ(made->name(), "");
    const auto descriptor = made->share_descriptor(Access::read_write);
    ASSERT_OK(descriptor);
    post.send(*descriptor);
    ::close(*descriptor);
    ASSERT_EQ(child.line().hear(), '.');
    EXPECT_TRUE(TypeParam::is_touched(*made));
    child.line().say();
    EXPECT_EQ(child.wait(), 0);
    EXPECT_CODE(Code::invalid_argument, Handle::from_descriptor(-1, {}, this->context));
    EXPECT_CODE(Code::invalid_argument, Handle::from_descriptor(child.line().read_fd(), {}, this->context));
    const auto section = Section::create_unnamed(100);
    const auto of_section = section->share_descriptor(Access::read_write);
    EXPECT_CODE(Code::kind_mismatch, Handle::from_descriptor(*of_section, {}, this->context));
    ::close(*of_section);
}

TYPED_TEST(SyncObjectWaitableTest, ADescriptorForReadingOnlyWritesNothing) {
    using Handle = typename TypeParam::Handle;
    auto made = this->create("x");
    const auto descriptor = made.share_descriptor(Access::read_only);
    ASSERT_OK(descriptor);
    EXPECT_CODE(Code::permission_denied, Handle::from_descriptor(*descriptor, {}, this->context));
    auto reader = Handle::from_descriptor(*descriptor, {.access = Access::read_only}, this->context);
    ASSERT_OK(reader);
    EXPECT_EQ(reader->name(), "x");
    EXPECT_CODE(Code::permission_denied, reader->share_descriptor(Access::read_write));
    EXPECT_FALSE(TypeParam::touch(*reader));
    EXPECT_FALSE(TypeParam::is_touched(made));
    ::close(*descriptor);
}

// Of one process: a handle for reading first, then one for writing.
TYPED_TEST(SyncObjectWaitableTest, AHandleForReadingDoesNotHinderOneForWriting) {
    using Handle = typename TypeParam::Handle;
    const Post post;
    Child child([&](const Line& line) {
        const int descriptor = post.receive();
        auto reader = Handle::from_descriptor(descriptor, {.access = Access::read_only}, this->context);
        CHILD_CHECK(reader);
        auto writer = Handle::open("x", {}, this->context);
        CHILD_CHECK(writer);
        CHILD_CHECK(TypeParam::touch(*writer));
        CHILD_CHECK(!TypeParam::touch(*reader));
        line.say();
        line.hear();
        return 0;
    });
    auto made = this->create("x");
    const auto descriptor = made.share_descriptor(Access::read_only);
    ASSERT_OK(descriptor);
    post.send(*descriptor);
    ::close(*descriptor);
    ASSERT_EQ(child.line().hear(), '.');
    EXPECT_TRUE(TypeParam::is_touched(made));
    child.line().say();
    EXPECT_EQ(child.wait(), 0);
}

TYPED_TEST(SyncObjectWaitableTest, LiesInASection) {
    using Handle = typename TypeParam::Handle;
    const std::string file = this->root.path() + "/body";
    write_file(file, std::string(5000, '\0'));
    for (const bool in_file : {false, true}) {
        const CreateOptions options = {.mode = 0600, .file = in_file ? file : ""};
        Child child([&](const Line& line) {
            line.hear();
            const auto section = Section::open("s", {}, this->context);
            CHILD_CHECK(section);
            const auto none = Handle::open_in(*section, sync_offset(0));
            CHILD_CHECK(!none && none.error().code == Code::not_found);
            const auto mine = Handle::open_in(*section, sync_offset(1));
            CHILD_CHECK(mine);
            CHILD_CHECK(!mine->was_created() && mine->name().empty());
            CHILD_CHECK(TypeParam::touch(*mine));
            line.say();
            line.hear();
            return 0;
        });
        auto section = Section::create("s", 2 * 4096 + 100, options, this->context);
        ASSERT_OK(section);
        EXPECT_CODE(Code::not_found, Handle::open_in(*section, sync_offset(1)));
        auto made = TypeParam::create_in(*section, sync_offset(1));
        ASSERT_OK(made);
        EXPECT_TRUE(made->was_created());
        EXPECT_EQ(made->name(), "");
        EXPECT_EQ(made->info()->kind, Kind::section);
        EXPECT_CODE(Code::already_exists, TypeParam::create_in(*section, sync_offset(1)));
        EXPECT_EQ(TypeParam::kind == Kind::mutex, Mutex::open_in(*section, sync_offset(1)).has_value());
        EXPECT_EQ(TypeParam::kind == Kind::event, Event::open_in(*section, sync_offset(1)).has_value());
        EXPECT_EQ(TypeParam::kind == Kind::semaphore, Semaphore::open_in(*section, sync_offset(1)).has_value());
        if (TypeParam::kind == Kind::mutex) { EXPECT_CODE(Code::kind_mismatch, Event::open_in(*section, sync_offset(1))); }
        if (TypeParam::kind != Kind::mutex) { EXPECT_CODE(Code::kind_mismatch, Mutex::open_in(*section, sync_offset(1))); }
        for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{4031}, std::uint64_t{4096}, std::uint64_t{4064}, sync_offset(2), sync_offset(1000), UINT64_MAX, UINT64_MAX - 63}) {
            EXPECT_CODE(Code::invalid_argument, TypeParam::create_in(*section, offset));
            EXPECT_CODE(Code::invalid_argument, Handle::open_in(*section, offset));
        }
        section->close();  // the handle holds it
        EXPECT_CODE(Code::invalid_argument, TypeParam::create_in(*section, sync_offset(0)));
        child.line().say();
        ASSERT_EQ(child.line().hear(), '.');
        EXPECT_TRUE(TypeParam::is_touched(*made));
        child.line().say();
        EXPECT_EQ(child.wait(), 0);
        made->close();
        EXPECT_CODE(Code::not_found, Section::open("s", {}, this->context));
    }
}

TYPED_TEST(SyncObjectWaitableTest, BytesThatAreInUseAreLeftAsTheyAre) {
    auto section = Section::create("s", 16 * 4096, {}, this->context);
    ASSERT_OK(section);
    const auto view = section->view();
    ASSERT_OK(view);
    std::uint64_t page = 0;
    for (const std::size_t where : {0, 4, 8, 12, 16, 32}) {  // kind, parameter, both halves of the state, mark, lock word
        const std::span<std::byte> block = view->writable_bytes().subspan(sync_offset(page), kSyncBytes);
        block[where] = std::byte{1};
        EXPECT_CODE(Code::already_exists, TypeParam::create_in(*section, sync_offset(page)));
        for (std::size_t i = 0; i < kSyncBytes; ++i) EXPECT_EQ(block[i], i == where ? std::byte{1} : std::byte{0}) << where << " " << i;
        ++page;
    }
}

TYPED_TEST(SyncObjectWaitableTest, ASectionForReadingOnlyOrATextHasNoRoomForIt) {
    using Handle = typename TypeParam::Handle;
    auto section = Section::create("s", 8192, {.mode = 0644}, this->context);
    auto made = TypeParam::create_in(*section, sync_offset(0));
    ASSERT_OK(made);
    const auto reader = Section::open("s", {.access = Access::read_only}, this->context);
    EXPECT_CODE(Code::permission_denied, TypeParam::create_in(*reader, sync_offset(1)));
    const auto handle = Handle::open_in(*reader, sync_offset(0));
    ASSERT_OK(handle);
    EXPECT_EQ(handle->access(), Access::read_only);
    EXPECT_FALSE(TypeParam::touch(*handle));
    EXPECT_FALSE(TypeParam::is_touched(*made));
    const auto text = Text::create("t", {.capacity_bytes = 20000}, this->context);
    const auto as_section = Section::open("t", {}, this->context);
    ASSERT_OK(as_section);
    EXPECT_CODE(Code::layout_mismatch, TypeParam::create_in(*as_section, sync_offset(0)));
    EXPECT_CODE(Code::layout_mismatch, Handle::open_in(*as_section, sync_offset(0)));
}

TYPED_TEST(SyncObjectWaitableTest, AFileSectionForReadingDoesNotHinderOneForWriting) {
    using Handle = typename TypeParam::Handle;
    const std::string file = this->root.path() + "/body";
    write_file(file, std::string(4096, '\0'));
    Child child([&](const Line& line) {
        line.hear();
        const auto reading = Section::open("s", {.access = Access::read_only}, this->context);
        CHILD_CHECK(reading);
        const auto reader = Handle::open_in(*reading, sync_offset(0));
        CHILD_CHECK(reader);
        const auto writing = Section::open("s", {}, this->context);
        CHILD_CHECK(writing);
        const auto writer = Handle::open_in(*writing, sync_offset(0));
        CHILD_CHECK(writer);
        CHILD_CHECK(TypeParam::touch(*writer));
        line.say();
        line.hear();
        return 0;
    });
    auto section = Section::create("s", 4096, {.file = file}, this->context);
    ASSERT_OK(section);
    const auto made = TypeParam::create_in(*section, sync_offset(0));
    ASSERT_OK(made);
    child.line().say();
    ASSERT_EQ(child.line().hear(), '.');
    EXPECT_TRUE(TypeParam::is_touched(*made));
    child.line().say();
    EXPECT_EQ(child.wait(), 0);
}

TYPED_TEST(SyncObjectWaitableTest, AKeptOneOutlivesItsHandlesWithItsState) {
    using Handle = typename TypeParam::Handle;
    {
        auto made = this->create("k", {.mode = 0600, .keep = true});
        if (TypeParam::kind != Kind::mutex) { EXPECT_TRUE(TypeParam::touch(made)); }
    }
    EXPECT_EQ(this->context.stat("k")->presence, Presence::kept);
    auto opened = Handle::open("k", {}, this->context);
    ASSERT_OK(opened);
    EXPECT_EQ(TypeParam::is_touched(*opened), TypeParam::kind != Kind::mutex);
    EXPECT_TRUE(opened->info()->keep);
    ASSERT_OK(opened->set_keep(false));
    EXPECT_FALSE(opened->info()->keep);
    opened->close();
    EXPECT_EQ(this->root.file_count(), 0u);
    auto next = this->create("k");
    ASSERT_OK(next.set_keep(true));
    EXPECT_EQ(*this->context.remove("k"), Removed::when_last_holder_ends);
    ASSERT_OK(next.set_keep(true));
    next.close();
    EXPECT_EQ(*this->context.remove("k"), Removed::gone);
    EXPECT_CODE(Code::not_found, Handle::open("k", {}, this->context));
}

TYPED_TEST(SyncObjectWaitableTest, TheNameEndsWithAKilledHolder) {
    using Handle = typename TypeParam::Handle;
    Child child([&](const Line& line) {
        const auto mine = TypeParam::create("x", {}, this->context);
        CHILD_CHECK(mine && TypeParam::touch(*mine));
        line.say();
        ::pause();
        return 0;
    });
    ASSERT_EQ(child.line().hear(), '.');
    EXPECT_OK(Handle::open("x", {}, this->context));
    EXPECT_EQ(child.kill(), 128 + SIGKILL);
    EXPECT_CODE(Code::not_found, Handle::open("x", {}, this->context));
    const auto next = this->create("x");
    EXPECT_FALSE(TypeParam::is_touched(next));
}

TYPED_TEST(SyncObjectWaitableTest, TheModeIsExact) {
    auto made = this->create("x", {.mode = 0664});
    EXPECT_EQ(made.info()->mode, 0664u);
    EXPECT_CODE(Code::invalid_argument, TypeParam::create("y", {.mode = 0700}, this->context));
    EXPECT_CODE(Code::invalid_argument, TypeParam::create("y", {.mode = 0400}, this->context));
    EXPECT_CODE(Code::invalid_argument, TypeParam::open_or_create("y", {.mode = 01600}, this->context));
    EXPECT_EQ(this->root.file_count(), 1u);
}

TYPED_TEST(SyncObjectWaitableTest, BadNamesAndOwners) {
    using Handle = typename TypeParam::Handle;
    EXPECT_CODE(Code::invalid_argument, TypeParam::create("", {}, this->context));
    EXPECT_CODE(Code::invalid_argument, TypeParam::create("a\\b\\c", {}, this->context));
    EXPECT_CODE(Code::invalid_argument, Handle::open(std::string(241, 'x'), {}, this->context));
    const auto made = this->create("x");
    EXPECT_OK(Handle::open("x", {.owner_uid = ::geteuid()}, this->context));
    EXPECT_CODE(Code::permission_denied, Handle::open("x", {.owner_uid = ::geteuid() + 1}, this->context));
}

// --- all kinds against each other

struct KindsWaitableTest : ::testing::Test {
    TempRoot root;
    Context& context = root.context();
};

TEST_F(KindsWaitableTest, ANameOfAnotherKindIsNamedAsSuch) {
    const auto section = Section::create("section", 100, {}, context);
    const auto text = Text::create("text", {}, context);
    const auto mutex = Mutex::create("mutex", {}, context);
    const auto event = Event::create("event", {}, context);
    const auto semaphore = Semaphore::create("semaphore", {.initial = 3, .maximum = 5}, context);
    const auto expect_both = [&](const std::string& name, std::string_view kind, const auto& opened, const auto& opened_or_created) {
        const bool is_same = name == kind || (name == "text" && kind == "section");
        EXPECT_EQ(opened.has_value(), is_same) << name << " as " << kind;
        EXPECT_EQ(opened_or_created.has_value(), is_same) << name << " as " << kind;
        if (is_same) return;
        for (const Error& error : {opened.error(), opened_or_created.error()}) {
            EXPECT_EQ(code_name(error.code), "kind_mismatch") << error.message;
            EXPECT_EQ(error.object, name);
            const std::string article = kind == "event" ? "an " : "a ";
            EXPECT_NE(error.message.find("'" + name + "' is "), std::string::npos) << error.message;
            EXPECT_NE(error.message.find("not " + article + std::string(kind)), std::string::npos) << error.message;
        }
    };
    for (const std::string name : {"section", "text", "mutex", "event", "semaphore"}) {
        expect_both(name, "section", Section::open(name, {}, context), Section::open_or_create(name, 100, {}, context));
        expect_both(name, "mutex", Mutex::open(name, {}, context), Mutex::open_or_create(name, {}, context));
        expect_both(name, "event", Event::open(name, {}, context), Event::open_or_create(name, {}, context));
        expect_both(name, "semaphore", Semaphore::open(name, {}, context), Semaphore::open_or_create(name, {}, context));
        if (name != "text" && name != "section") {
            EXPECT_CODE(Code::kind_mismatch, Text::open(name, {}, context));
            EXPECT_CODE(Code::kind_mismatch, Text::open_or_create(name, {}, context));
        }
        EXPECT_CODE(Code::already_exists, Section::create(name, 5, {}, context));
        EXPECT_CODE(Code::already_exists, Mutex::create(name, {}, context));
        EXPECT_CODE(Code::already_exists, Event::create(name, {}, context));
        EXPECT_CODE(Code::already_exists, Semaphore::create(name, {}, context));
    }
    EXPECT_EQ(*semaphore->count(), 3u);
    EXPECT_FALSE(*event->is_set());
    EXPECT_EQ(root.file_count(), 5u);
}

TEST_F(KindsWaitableTest, StatListAndInfoTellTheState) {
    const auto mutex = Mutex::create("mutex", {}, context);
    const auto automatic = Event::create("automatic", {}, context);
    const auto manual = Event::create("manual", {.reset = Reset::manual, .initially_set = true}, context);
    const auto semaphore = Semaphore::create("semaphore", {.initial = 3, .maximum = 5}, context);
    const auto stat = [&](const char* name) { return *context.stat(name); };
    EXPECT_EQ(stat("mutex").kind, Kind::mutex);
    EXPECT_EQ(stat("mutex").size_bytes, 0u);
    EXPECT_EQ(stat("mutex").presence, Presence::held);
    EXPECT_EQ(stat("mutex").owner_thread, 0u);
    ASSERT_OK(mutex->lock(Deadline::forever()));
    EXPECT_EQ(stat("mutex").owner_thread, static_cast<std::uint32_t>(::gettid()));
    EXPECT_EQ(mutex->info()->owner_thread, static_cast<std::uint32_t>(::gettid()));
    EXPECT_FALSE(stat("mutex").is_abandoned);
    ASSERT_OK(mutex->unlock_abandoned());
    EXPECT_TRUE(stat("mutex").is_abandoned);
    EXPECT_TRUE(mutex->info()->is_abandoned);
    EXPECT_EQ(stat("mutex").owner_thread, 0u);
    EXPECT_EQ(*mutex->lock(Deadline::forever()), Acquired::acquired_abandoned);
    EXPECT_FALSE(stat("mutex").is_abandoned);
    ASSERT_OK(mutex->unlock());
    EXPECT_EQ(stat("automatic").kind, Kind::event);
    EXPECT_FALSE(stat("automatic").is_manual);
    EXPECT_FALSE(stat("automatic").is_set);
    ASSERT_OK(automatic->set());
    EXPECT_TRUE(stat("automatic").is_set);
    EXPECT_TRUE(stat("manual").is_manual);
    EXPECT_TRUE(manual->info()->is_set);
    EXPECT_EQ(stat("semaphore").kind, Kind::semaphore);
    EXPECT_EQ(stat("semaphore").count, 3u);
    EXPECT_EQ(stat("semaphore").maximum, 5u);
    EXPECT_FALSE(stat("semaphore").may_have_sleepers);
    ASSERT_OK(semaphore->release(2));
    int listed = 0;
    ASSERT_OK(context.list(Scope::local, false, [&](const ListEntry& entry) {
        ++listed;
        EXPECT_OK(entry.info);
        EXPECT_EQ(entry.info->mode, 0600u);
        EXPECT_EQ(entry.info->uid, ::geteuid());
        if (entry.name == "semaphore") { EXPECT_EQ(entry.info->count, 5u); }
        if (entry.name == "manual") { EXPECT_TRUE(entry.info->is_manual && entry.info->is_set); }
        return true;
    }));
    EXPECT_EQ(listed, 4);
}

TEST_F(KindsWaitableTest, StatShowsSleepers) {
    const auto mutex = Mutex::create("mutex", {}, context);
    const auto event = Event::create("event", {}, context);
    const auto semaphore = Semaphore::create("semaphore", {}, context);
    ASSERT_OK(mutex->lock(Deadline::forever()));
    for (const char* name : {"mutex", "event", "semaphore"}) EXPECT_FALSE(context.stat(name)->may_have_sleepers) << name;
    Sleeper one([&] {
        EXPECT_EQ(*mutex->lock(Deadline::forever()), Acquired::acquired);
        EXPECT_OK(mutex->unlock());
    });
    Sleeper two([&] { EXPECT_EQ(*event->wait(), Acquired::acquired); });
    Sleeper three([&] { EXPECT_EQ(*semaphore->acquire(), Acquired::acquired); });
    for (Sleeper* sleeper : {&one, &two, &three}) sleeper->wait_until_asleep();
    for (const char* name : {"mutex", "event", "semaphore"}) EXPECT_TRUE(context.stat(name)->may_have_sleepers) << name;
    EXPECT_OK(mutex->unlock());
    EXPECT_OK(event->set());
    EXPECT_OK(semaphore->release());
}

TEST_F(KindsWaitableTest, ClosedHandlesSaySo) {
    const Mutex mutex;
    const Event event;
    const Semaphore semaphore;
    EXPECT_CODE(Code::invalid_argument, mutex.lock(Deadline::passed()));
    EXPECT_CODE(Code::invalid_argument, mutex.unlock());
    EXPECT_CODE(Code::invalid_argument, mutex.unlock_abandoned());
    EXPECT_FALSE(mutex.is_owned());
    EXPECT_FALSE(mutex.was_abandoned());
    EXPECT_THROW((void)mutex.try_lock(), std::system_error);
    EXPECT_CODE(Code::invalid_argument, event.set());
    EXPECT_CODE(Code::invalid_argument, event.reset());
    EXPECT_CODE(Code::invalid_argument, event.pulse());
    EXPECT_CODE(Code::invalid_argument, event.is_set());
    EXPECT_CODE(Code::invalid_argument, event.wait(Deadline::passed()));
    EXPECT_CODE(Code::invalid_argument, semaphore.release());
    EXPECT_CODE(Code::invalid_argument, semaphore.acquire(Deadline::passed()));
    EXPECT_CODE(Code::invalid_argument, semaphore.count());
    EXPECT_EQ(semaphore.maximum(), 0u);
    EXPECT_CODE(Code::invalid_argument, mutex.info());
    EXPECT_CODE(Code::invalid_argument, event.share_descriptor(Access::read_only));
    EXPECT_CODE(Code::invalid_argument, Semaphore().set_keep(true));
    EXPECT_EQ(mutex.name(), "");
}

TEST_F(KindsWaitableTest, EverySentenceNamesTheObject) {
    const auto mutex = Mutex::create("the-name", {}, context);
    const auto event = Event::create("the-name-of-event", {.reset = Reset::manual}, context);
    const auto semaphore = Semaphore::create("the-name-of-semaphore", {.initial = 1, .maximum = 1}, context);
    const auto section = Section::create("the-name-of-section", 8192, {}, context);
    const auto of = [&](Kind kind) -> int {
        if (kind == Kind::mutex) return *mutex->share_descriptor(Access::read_only);
        return kind == Kind::event ? *event->share_descriptor(Access::read_only) : *semaphore->share_descriptor(Access::read_only);
    };
    const int descriptors[] = {of(Kind::mutex), of(Kind::event), of(Kind::semaphore)};
    const OpenOptions reading = {.access = Access::read_only};
    const auto mutex_reader = Mutex::from_descriptor(descriptors[0], reading, context);
    const auto event_reader = Event::from_descriptor(descriptors[1], reading, context);
    const auto semaphore_reader = Semaphore::from_descriptor(descriptors[2], reading, context);
    const auto error_of = [](const auto& result) { return result ? Error{} : result.error(); };
    const Waitable readers[] = {*mutex_reader, *semaphore_reader};
    const Waitable twice[] = {*mutex, *mutex};
    const struct {
        const char* what;
        Error error;
        Code code;
        const char* says;
    } cases[] = {
        {"unlock", error_of(mutex->unlock()), Code::not_owner, "not locked by this thread"},
        {"unlock_abandoned", error_of(mutex->unlock_abandoned()), Code::not_owner, "not locked by this thread"},
        {"lock reader", error_of(mutex_reader->lock(Deadline::passed())), Code::permission_denied, "reading only"},
        {"unlock reader", error_of(mutex_reader->unlock()), Code::permission_denied, "reading only"},
        {"set reader", error_of(event_reader->set()), Code::permission_denied, "reading only"},
        {"reset reader", error_of(event_reader->reset()), Code::permission_denied, "reading only"},
        {"pulse reader", error_of(event_reader->pulse()), Code::permission_denied, "reading only"},
        {"release reader", error_of(semaphore_reader->release()), Code::permission_denied, "reading only"},
        {"acquire reader", error_of(semaphore_reader->acquire(Deadline::passed())), Code::permission_denied, "reading only"},
        {"release 0", error_of(semaphore->release(0)), Code::invalid_argument, "1 or more"},
        {"release 1", error_of(semaphore->release(1)), Code::limit_reached, "maximum is 1"},
        {"open", error_of(Mutex::open("the-name-of-nobody", {}, context)), Code::not_found, "the-name-of-nobody"},
        {"create", error_of(Mutex::create("the-name", {}, context)), Code::already_exists, "mutex"},
        {"kind", error_of(Event::open("the-name", {}, context)), Code::kind_mismatch, "is a mutex, not an event"},
        {"in", error_of(Mutex::open_in(*section, sync_offset(1))), Code::not_found, "at byte 8128 of"},
        {"at", error_of(Mutex::create_in(*section, 64)), Code::invalid_argument, "last 64 bytes"},
        {"maximum", error_of(Semaphore::create("the-name-of-new", {.maximum = 0}, context)), Code::invalid_argument, "from 1 to 2147483647"},
        {"initial", error_of(Semaphore::create("the-name-of-new", {.initial = 2, .maximum = 1}, context)), Code::invalid_argument, "its maximum is 1"},
        {"wait readers", error_of(wait_any(readers, Deadline::passed())), Code::permission_denied, "reading only"},
        {"wait twice", error_of(wait_all(twice, Deadline::passed())), Code::invalid_argument, "(at 0 and 1)"},
    };
    for (const auto& one : cases) {
        EXPECT_EQ(code_name(one.error.code), code_name(one.code)) << one.what << ": " << one.error.message;
        EXPECT_EQ(one.error.object.substr(0, 8), "the-name") << one.what;
        EXPECT_NE(one.error.message.find(one.says), std::string::npos) << one.what << ": " << one.error.message;
        if (std::string(one.what) != "wait twice") {
            EXPECT_NE(one.error.message.find("'" + one.error.object + "'"), std::string::npos) << one.what << ": " << one.error.message;
        }
    }
    for (const int descriptor : descriptors) ::close(descriptor);
}

}  // namespace
}  // namespace comap::test
