// SPDX-License-Identifier: Apache-2.0
#include <comap/section.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>

#include "support/process.hpp"

namespace comap::test {
namespace {

constexpr OpenOptions kReadOnly = {.access = Access::read_only};

struct SectionTest : ::testing::Test {
    TempRoot root;
    Context& context = root.context();

    Section create(const std::string& name, std::uint64_t size, const CreateOptions& options = {}) {
        auto made = Section::create(name, size, options, context);
        EXPECT_OK(made);
        return std::move(*made);
    }
    Section open(const std::string& name, const OpenOptions& options = {}) {
        auto opened = Section::open(name, options, context);
        EXPECT_OK(opened);
        return std::move(*opened);
    }
    static View view(const Section& section, const ViewOptions& options = {}) {
        auto mapped = section.view(options);
        EXPECT_OK(mapped);
        return std::move(*mapped);
    }
};

TEST_F(SectionTest, IsSharedAndZeroAndOfTheSizeAskedFor) {
    for (const std::uint64_t size : {std::uint64_t{1}, std::uint64_t{4095}, std::uint64_t{4096}, std::uint64_t{1} << 20}) {
        const Section made = create("a", size);
        EXPECT_TRUE(made.was_created());
        const Section opened = open("a");
        EXPECT_FALSE(opened.was_created());
        EXPECT_EQ(*opened.size_bytes(), size);
        const View here = view(made);
        const View there = view(opened);
        ASSERT_EQ(here.size(), size);
        ASSERT_EQ(there.size(), size);
        for (const std::byte byte : there.bytes()) ASSERT_EQ(byte, std::byte{0});
        here.writable_bytes()[size - 1] = std::byte{42};
        EXPECT_EQ(there.bytes()[size - 1], std::byte{42});
    }
}

TEST_F(SectionTest, CreateOfAnExistingNameSaysWhatIsThere) {
    const Section made = create("a", 100);
    const auto again = Section::create("a", 5, {}, context);
    EXPECT_CODE(Code::already_exists, again);
    EXPECT_NE(again.error().message.find("section, 100 bytes"), std::string::npos) << again.error().message;
    EXPECT_EQ(*made.size_bytes(), 100u);
}

TEST_F(SectionTest, OpenOfAMissingNameNamesTheDirectory) {
    const auto missing = Section::open("nobody", {}, context);
    EXPECT_CODE(Code::not_found, missing);
    EXPECT_NE(missing.error().message.find(root.local()), std::string::npos);
    EXPECT_EQ(missing.error().object, "nobody");
}

TEST_F(SectionTest, OpenOrCreateSaysWhich) {
    auto first = Section::open_or_create("a", 100, {}, context);
    auto second = Section::open_or_create("a", 200, {}, context);
    ASSERT_OK(first);
    ASSERT_OK(second);
    EXPECT_TRUE(first->was_created());
    EXPECT_FALSE(second->was_created());
    EXPECT_EQ(*second->size_bytes(), 100u);
}

TEST_F(SectionTest, ImpossibleSizesAreRefused) {
    EXPECT_CODE(Code::invalid_argument, Section::create("a", 0, {}, context));
    EXPECT_CODE(Code::invalid_argument, Section::create("a", UINT64_MAX, {}, context));
    EXPECT_CODE(Code::invalid_argument, Section::create("a", static_cast<std::uint64_t>(-1000), {}, context));
    const auto huge = Section::create("a", std::uint64_t{1} << 50, {}, context);
    EXPECT_CODE(Code::no_space, huge);
    EXPECT_NE(huge.error().message.find("1125899906842624"), std::string::npos);
    EXPECT_NE(huge.error().message.find("available are"), std::string::npos);
    EXPECT_EQ(root.file_count(), 0u);
}

TEST_F(SectionTest, BeyondFourGigabytesWhenLazy) {
    const std::uint64_t size = (std::uint64_t{5} << 30) + 3;
    const Section made = create("big", size, {.mode = 0600, .keep = false, .lazy = true});
    EXPECT_EQ(*made.size_bytes(), size);
    const View end = view(made, {.offset_bytes = size - 3, .size_bytes = 3});
    end.writable_bytes()[2] = std::byte{9};
    EXPECT_EQ(view(open("big"), {.offset_bytes = size - 1, .size_bytes = 1}).bytes()[0], std::byte{9});
}

TEST_F(SectionTest, TheModeIsExactWhateverTheUmask) {
    const mode_t before = ::umask(0277);
    const Section made = create("a", 1, {.mode = 0664});
    const Section plain = create("b", 1);
    ::umask(before);
    EXPECT_EQ(made.info()->mode, 0664u);
    EXPECT_EQ(plain.info()->mode, 0600u);
    EXPECT_CODE(Code::invalid_argument, Section::create("c", 1, {.mode = 0700}, context));
    EXPECT_CODE(Code::invalid_argument, Section::create("c", 1, {.mode = 0400}, context));
    EXPECT_CODE(Code::invalid_argument, Section::create("c", 1, {.mode = 01600}, context));
}

TEST_F(SectionTest, AKeptObjectOutlivesItsHoldersUntilRemoved) {
    create("k", 10, {.mode = 0600, .keep = true}).close();
    EXPECT_EQ(context.stat("k")->presence, Presence::kept);
    {
        const Section opened = open("k");
        EXPECT_EQ(*context.remove("k"), Removed::when_last_holder_ends);
        EXPECT_FALSE(context.stat("k")->keep);
        EXPECT_EQ(context.stat("k")->presence, Presence::held);
    }
    EXPECT_CODE(Code::not_found, context.stat("k"));
    create("k", 10, {.mode = 0600, .keep = true}).close();
    EXPECT_EQ(*context.remove("k"), Removed::gone);
    EXPECT_CODE(Code::not_found, context.remove("k"));
    EXPECT_EQ(root.file_count(), 0u);
}

TEST_F(SectionTest, KeepCanBeSetAndTakenBack) {
    Section made = create("k", 10);
    ASSERT_OK(made.set_keep(true));
    EXPECT_TRUE(made.info()->keep);
    made.close();
    Section again = open("k");
    ASSERT_OK(again.set_keep(false));
    again.close();
    EXPECT_CODE(Code::not_found, context.stat("k"));
}

TEST_F(SectionTest, RemoveLeavesAHeldObjectToItsHolders) {
    const Section made = create("a", 10);
    EXPECT_EQ(*context.remove("a"), Removed::when_last_holder_ends);
    EXPECT_OK(Section::open("a", {}, context));
}

TEST_F(SectionTest, WritingThroughAReadOnlyOpenIsRefusedBeforeItFaults) {
    const Section made = create("a", 10);
    Section reader = open("a", kReadOnly);
    EXPECT_CODE(Code::permission_denied, reader.view({.offset_bytes = 0, .size_bytes = 0, .protection = Protection::read_write}));
    EXPECT_CODE(Code::permission_denied, reader.publish());
    EXPECT_CODE(Code::permission_denied, reader.grow(20));
    EXPECT_CODE(Code::permission_denied, reader.share_descriptor(Access::read_write));
    const View seen = view(reader);
    EXPECT_EQ(seen.protection(), Protection::read_only);
    EXPECT_TRUE(seen.writable_bytes().empty());
    EXPECT_TRUE(seen.as<int>().empty());
    EXPECT_EQ(seen.as<const int>().size(), 2u);
}

TEST_F(SectionTest, CopyOnWriteStaysPrivate) {
    const Section made = create("a", 4096);
    const View mine = view(made, {.offset_bytes = 0, .size_bytes = 0, .protection = Protection::copy_on_write});
    mine.writable_bytes()[0] = std::byte{1};
    EXPECT_EQ(view(made).bytes()[0], std::byte{0});
    EXPECT_CODE(Code::invalid_argument, mine.flush());
    const Section reader = open("a", kReadOnly);
    view(reader, {.offset_bytes = 0, .size_bytes = 0, .protection = Protection::copy_on_write}).writable_bytes()[0] = std::byte{2};
}

TEST_F(SectionTest, ViewsOfAnyRange) {
    const Section made = create("a", 20000);
    const View all = view(made);
    for (std::size_t i = 0; i < all.size(); ++i) all.writable_bytes()[i] = static_cast<std::byte>(i % 251);
    for (const std::uint64_t offset : {0u, 1u, 4095u, 4096u, 4097u, 19999u})
        for (const std::uint64_t size : {1u, 4096u, 10000u}) {
            if (offset + size > 20000) continue;
            const View part = view(made, {.offset_bytes = offset, .size_bytes = size});
            ASSERT_EQ(part.size(), size);
            EXPECT_EQ(part.offset(), offset);
            EXPECT_EQ(std::memcmp(part.data(), all.data() + offset, size), 0);
        }
}

TEST_F(SectionTest, ViewsBeyondTheEndSayBothNumbers) {
    const Section made = create("a", 100);
    for (const ViewOptions& options : {ViewOptions{.offset_bytes = 100, .size_bytes = 1},
                                       ViewOptions{.offset_bytes = 99, .size_bytes = 2},
                                       ViewOptions{.offset_bytes = 101, .size_bytes = 0},
                                       ViewOptions{.offset_bytes = 1, .size_bytes = UINT64_MAX},
                                       ViewOptions{.offset_bytes = UINT64_MAX, .size_bytes = 2}}) {
        const auto outside = made.view(options);
        EXPECT_CODE(Code::invalid_argument, outside);
        EXPECT_NE(outside.error().message.find("100 bytes"), std::string::npos) << outside.error().message;
    }
}

TEST_F(SectionTest, ViewsMoveAndKeepTheObject) {
    Section made = create("a", 100);
    View first = view(made);
    made.close();
    View second = std::move(first);
    EXPECT_EQ(first.data(), nullptr);
    first = std::move(second);
    first.writable_bytes()[0] = std::byte{7};
    EXPECT_EQ(view(open("a")).bytes()[0], std::byte{7});
    first.close();
    EXPECT_CODE(Code::not_found, context.stat("a"));
}

TEST_F(SectionTest, GrowsAndOthersSeeItByAsking) {
    Section made = create("a", 100);
    const Section other = open("a");
    const View old = view(other);
    ASSERT_OK(made.grow(1 << 20));
    EXPECT_EQ(*other.size_bytes(), std::uint64_t{1} << 20);
    old.writable_bytes()[99] = std::byte{5};
    const View fresh = view(other);
    ASSERT_EQ(fresh.size(), std::size_t{1} << 20);
    EXPECT_EQ(fresh.bytes()[99], std::byte{5});
    fresh.writable_bytes()[fresh.size() - 1] = std::byte{6};
    EXPECT_EQ(*made.version(), 1u);
    EXPECT_CODE(Code::invalid_argument, made.grow(100));
    EXPECT_OK(made.grow(1 << 20));
    EXPECT_CODE(Code::no_space, made.grow(std::uint64_t{1} << 50));
    EXPECT_EQ(*made.size_bytes(), std::uint64_t{1} << 20);
}

TEST_F(SectionTest, UnnamedAndPassedByDescriptor) {
    auto made = Section::create_unnamed(5000);
    ASSERT_OK(made);
    EXPECT_EQ(made->name(), "");
    view(*made).writable_bytes()[4999] = std::byte{3};
    const auto writable = made->share_descriptor(Access::read_write);
    const auto readable = made->share_descriptor(Access::read_only);
    ASSERT_OK(writable);
    ASSERT_OK(readable);
    auto same = Section::from_descriptor(*writable, {}, context);
    ASSERT_OK(same);
    ASSERT_OK(same->publish());
    EXPECT_EQ(*made->version(), 1u);
    auto reader = Section::from_descriptor(*readable, kReadOnly, context);
    ASSERT_OK(reader);
    EXPECT_EQ(view(*reader).bytes()[4999], std::byte{3});
    EXPECT_CODE(Code::permission_denied, Section::from_descriptor(*readable, {}, context));
    ::close(*writable);
    ::close(*readable);
    EXPECT_CODE(Code::invalid_argument, Section::from_descriptor(-1, {}, context));
    EXPECT_CODE(Code::invalid_argument, Section::from_descriptor(0x7fff, {}, context));
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    EXPECT_CODE(Code::invalid_argument, Section::from_descriptor(ends[0], kReadOnly, context));
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_F(SectionTest, ADescriptorOfANamedSectionHoldsIt) {
    Section made = create("a", 10);
    const auto descriptor = made.share_descriptor(Access::read_write);
    ASSERT_OK(descriptor);
    made.close();
    EXPECT_OK(context.stat("a"));
    {
        auto same = Section::from_descriptor(*descriptor, {}, context);
        ASSERT_OK(same);
        EXPECT_EQ(same->name(), "a");
        ::close(*descriptor);
        EXPECT_OK(context.stat("a"));
    }
    EXPECT_CODE(Code::not_found, context.stat("a"));
    EXPECT_EQ(root.file_count(), 0u);
}

TEST_F(SectionTest, TheBodysFileKeepsTheMemoryButNotTheName) {
    Section section = create("s", 5000);
    const auto body = section.body_file(Access::read_write);
    ASSERT_OK(body);
    void* const map = ::mmap(nullptr, 5000, PROT_READ | PROT_WRITE, MAP_SHARED, body->descriptor, static_cast<off_t>(body->offset_bytes));
    ASSERT_NE(map, MAP_FAILED);
    std::memcpy(map, "kept", 5);
    EXPECT_STREQ(reinterpret_cast<const char*>(section.view()->data()), "kept");
    section.close();
    EXPECT_EQ(Section::open("s", {}, context).error().code, Code::not_found);
    EXPECT_STREQ(static_cast<const char*>(map), "kept");
    ::munmap(map, 5000);
    ::close(body->descriptor);
}

TEST_F(SectionTest, TheBodysFileIsNotWrittenThroughAReadOnlyHandle) {
    const Section owner = create("s", 100);
    const auto reader = Section::open("s", kReadOnly, context);
    EXPECT_EQ(reader->body_file(Access::read_write).error().code, Code::permission_denied);
    const auto body = reader->body_file(Access::read_only);
    ASSERT_TRUE(body);
    EXPECT_EQ(::mmap(nullptr, 100, PROT_WRITE, MAP_SHARED, body->descriptor, static_cast<off_t>(body->offset_bytes)), MAP_FAILED);
    ::close(body->descriptor);
}

TEST_F(SectionTest, TheSectionsOwnBodyFileHoldsTheName) {
    Section section = create("s", 5000);
    const auto body = section.own_body_file(Access::read_write);
    ASSERT_OK(body);
    EXPECT_EQ(body->size_bytes, 5000u);
    void* const map = ::mmap(nullptr, 5000, PROT_READ | PROT_WRITE, MAP_SHARED, body->descriptor, static_cast<off_t>(body->offset_bytes));
    ASSERT_NE(map, MAP_FAILED);
    std::memcpy(map, "held", 5);
    section.close();
    const auto opened = Section::open("s", {}, context);
    ASSERT_OK(opened);
    EXPECT_STREQ(reinterpret_cast<const char*>(opened->view()->data()), "held");
    EXPECT_CODE(Code::permission_denied, Section::open("s", kReadOnly, context)->own_body_file(Access::read_write));
    ::munmap(map, 5000);
}

TEST_F(SectionTest, PrefaultAndHugePagesOnRequest) {
    const Section made = create("a", 8 << 20);
    EXPECT_OK(made.view({.offset_bytes = 0, .size_bytes = 0, .prefault = true}));
    EXPECT_OK(made.view({.offset_bytes = 5, .size_bytes = 77, .protection = Protection::read_only, .prefault = true}));
    const auto huge = made.view({.offset_bytes = 0, .size_bytes = 0, .prefault = false, .huge_pages = true});
    if (huge) EXPECT_GE(huge->huge_page_bytes(), std::uint64_t{2} << 20);
    else EXPECT_CODE(Code::unsupported, huge);  // a kernel without them
    EXPECT_CODE(Code::unsupported, made.view({.offset_bytes = 0, .size_bytes = 4096, .prefault = false, .huge_pages = true}));
}

TEST_F(SectionTest, ClosedHandlesAnswerInWords) {
    Section nothing;
    EXPECT_CODE(Code::invalid_argument, nothing.view());
    EXPECT_CODE(Code::invalid_argument, nothing.publish());
    EXPECT_CODE(Code::invalid_argument, nothing.version());
    EXPECT_CODE(Code::invalid_argument, nothing.size_bytes());
    EXPECT_EQ(nothing.name(), "");
    nothing.close();
}

TEST_F(SectionTest, OfAnotherOwnerIsRefusedOnDemand) {
    const Section made = create("a", 10);
    EXPECT_OK(Section::open("a", {.access = Access::read_write, .owner_uid = ::geteuid(), .file = {}}, context));
    EXPECT_CODE(Code::permission_denied, Section::open("a", {.access = Access::read_write, .owner_uid = ::geteuid() + 1, .file = {}}, context));
}

// --- notification -------------------------------------------------------------------------------------------------------

TEST_F(SectionTest, WaitEndsAsChangedOrTimedOut) {
    const Section made = create("a", 10);
    EXPECT_EQ(*made.version(), 0u);
    EXPECT_EQ(*made.wait(0, Deadline::passed()), Wait::timed_out);
    EXPECT_EQ(*made.wait(0, Deadline::after(std::chrono::milliseconds(5))), Wait::timed_out);
    ASSERT_OK(made.publish());
    EXPECT_EQ(*made.version(), 1u);
    EXPECT_EQ(*made.wait(0, Deadline::passed()), Wait::changed);
    EXPECT_EQ(*made.wait(1, Deadline::passed()), Wait::timed_out);
}

TEST_F(SectionTest, ASleepingReaderIsWokenByEachPublish) {
    const Section made = create("a", 10);
    Child reader([&](const Line& line) {
        const auto section = Section::open("a", kReadOnly, context);
        CHILD_CHECK(section);
        for (std::uint32_t seen = 0; seen < 50; ++seen) {
            line.say();
            const auto end = section->wait(seen, Deadline::forever());
            CHILD_CHECK(end && *end == Wait::changed);
            CHILD_CHECK(*section->version() == seen + 1);
        }
        return 0;
    });
    for (int i = 0; i < 50; ++i) {
        ASSERT_EQ(reader.line().hear(), '.');
        if (i % 2 == 0) wait_until([&] { return is_asleep(reader.pid()); }, "the reader sleeps");
        ASSERT_OK(made.publish());
    }
    EXPECT_EQ(reader.wait(), 0);
}

TEST_F(SectionTest, ManyWaitersAndPublishersLoseNothing) {
    const Section made = create("a", 10);
    constexpr std::uint32_t kPublishers = 3;
    constexpr std::uint32_t kEach = 20000;
    const auto publish_all = [&](const Line&) {
        const auto section = Section::open("a", {}, context);
        CHILD_CHECK(section);
        for (std::uint32_t i = 0; i < kEach; ++i) CHILD_CHECK(section->publish());
        return 0;
    };
    const auto wait_for_all = [&](const Line&) {
        const auto section = Section::open("a", kReadOnly, context);
        CHILD_CHECK(section);
        std::uint32_t seen = *section->version();
        while (seen != kPublishers * kEach) {
            CHILD_CHECK(*section->wait(seen, Deadline::forever()) == Wait::changed);
            const std::uint32_t now = *section->version();
            CHILD_CHECK(now > seen);
            seen = now;
        }
        return 0;
    };
    Child w1(wait_for_all), w2(wait_for_all), w3(wait_for_all);
    Child p1(publish_all), p2(publish_all), p3(publish_all);
    for (Child* child : {&p1, &p2, &p3, &w1, &w2, &w3}) EXPECT_EQ(child->wait(), 0);
    EXPECT_EQ(*made.version(), kPublishers * kEach);
}

TEST_F(SectionTest, ASignalInterruptsAWait) {
    const Section made = create("a", 10);
    for (const int flags : {0, SA_RESTART})
        for (const WaitFor what : {WaitFor::change, WaitFor::change_or_alone}) {
            const Section second = open("a");  // so that the child, who shares our handle, is not alone
            Child waiter([&](const Line& line) {
                struct sigaction action = {};
                action.sa_handler = [](int) {};
                action.sa_flags = flags;
                ::sigaction(SIGUSR1, &action, nullptr);
                line.say();
                const auto end = made.wait(0, Deadline::forever(), what);
                CHILD_CHECK(end);
                return *end == Wait::interrupted ? 0 : 1;
            });
            ASSERT_EQ(waiter.line().hear(), '.');
            wait_until([&] { return is_asleep(waiter.pid()); }, "the waiter sleeps");
            waiter.signal(SIGUSR1);
            EXPECT_EQ(waiter.wait(), 0);
        }
}

TEST_F(SectionTest, AWaiterLearnsThatItIsTheOnlyHolderLeft) {
    const Section made = create("a", 10);
    EXPECT_TRUE(*made.is_only_holder());
    EXPECT_EQ(*made.wait(0, Deadline::forever(), WaitFor::change_or_alone), Wait::alone);
    Child holder([&](const Line& line) {
        const auto section = Section::open("a", {}, context);
        CHILD_CHECK(section);
        line.say('h');
        line.hear();
        CHILD_CHECK(section->publish());
        line.hear();
        return 0;
    });
    ASSERT_EQ(holder.line().hear(), 'h');
    EXPECT_FALSE(*made.is_only_holder());
    EXPECT_EQ(*made.wait(0, Deadline::after(std::chrono::milliseconds(10)), WaitFor::change_or_alone), Wait::timed_out);
    holder.line().say();
    EXPECT_EQ(*made.wait(0, Deadline::forever(), WaitFor::change_or_alone), Wait::changed);
    std::thread killer([&] {
        wait_until([&] { return is_asleep(holder.pid()); }, "the holder sleeps");
        holder.signal(SIGKILL);
    });
    EXPECT_EQ(*made.wait(1, Deadline::forever(), WaitFor::change_or_alone), Wait::alone);
    killer.join();
    EXPECT_TRUE(*made.is_only_holder());
}

// --- files --------------------------------------------------------------------------------------------------------------

struct FileSectionTest : SectionTest {
    std::string file = root.path() + "/data.bin";
    void SetUp() override {
        std::string bytes(20000, '\0');
        for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>('a' + i % 26);
        write_file(file, bytes);
    }
};

TEST_F(FileSectionTest, AWholeFileAndARegionOfIt) {
    const Section whole = create("whole", 20000, {.mode = 0600, .keep = false, .lazy = false, .file = file});
    const Section region = create("region", 1000, {.mode = 0600, .keep = false, .lazy = false, .file = file, .file_offset = 8192});
    EXPECT_EQ(view(whole).bytes()[8192], view(region).bytes()[0]);
    const View there = view(open("region"));
    ASSERT_EQ(there.size(), 1000u);
    std::memcpy(there.data(), "CHANGED", 7);
    EXPECT_EQ(std::memcmp(view(whole).data() + 8192, "CHANGED", 7), 0);
    EXPECT_OK(there.flush(true));
    EXPECT_OK(there.flush(false));
    EXPECT_EQ(read_file(file).substr(8192, 7), "CHANGED");
    EXPECT_EQ(region.info()->file, file);
    EXPECT_EQ(region.info()->file_offset, 8192u);
    EXPECT_EQ(context.stat("region")->file, file);
}

TEST_F(FileSectionTest, BadOffsetsAndFilesAreRefused) {
    const auto misaligned = Section::create("a", 10, {.mode = 0600, .keep = false, .lazy = false, .file = file, .file_offset = 100}, context);
    EXPECT_CODE(Code::invalid_argument, misaligned);
    EXPECT_NE(misaligned.error().message.find("100"), std::string::npos);
    EXPECT_NE(misaligned.error().message.find("4096"), std::string::npos);
    EXPECT_CODE(Code::not_found, Section::create("a", 10, {.mode = 0600, .keep = false, .lazy = false, .file = root.path() + "/none"}, context));
    EXPECT_CODE(Code::invalid_argument, Section::create("a", 10, {.mode = 0600, .keep = false, .lazy = false, .file = root.path()}, context));
    EXPECT_CODE(Code::invalid_argument, Section::create("a", 10, {.mode = 0600, .keep = false, .lazy = false, .file = "/dev/zero"}, context));
}

TEST_F(FileSectionTest, AShorterFileIsExtendedWhereItMayBeWritten) {
    CreateOptions options = {.mode = 0600, .keep = false, .lazy = false, .file = file, .file_offset = 0, .access = Access::read_only};
    EXPECT_CODE(Code::invalid_argument, Section::create("a", 30000, options, context));
    options.access = Access::read_write;
    const Section made = create("a", 30000, options);
    EXPECT_EQ(read_file(file).size(), 30000u);
    EXPECT_EQ(view(made).bytes()[29999], std::byte{0});
    Section writer = open("a");
    ASSERT_OK(writer.grow(50000));
    EXPECT_EQ(read_file(file).size(), 50000u);
}

TEST_F(FileSectionTest, AReadOnlyFileCanBeShownReadOnly) {
    ::chmod(file.c_str(), 0400);
    const Section made = create("a", 20000, {.mode = 0600, .keep = false, .lazy = false, .file = file, .file_offset = 0, .access = Access::read_only});
    EXPECT_EQ(view(made).bytes()[1], std::byte{'b'});
    EXPECT_CODE(Code::permission_denied, made.view({.offset_bytes = 0, .size_bytes = 0, .protection = Protection::read_write}));
    EXPECT_EQ(view(open("a", kReadOnly)).bytes()[2], std::byte{'c'});
}

TEST_F(FileSectionTest, AFileReplacedRemovedOrShortenedIsAnErrorAtOpen) {
    const Section made = create("a", 20000, {.mode = 0600, .keep = false, .lazy = false, .file = file});
    ASSERT_EQ(::truncate(file.c_str(), 5000), 0);
    EXPECT_CODE(Code::file_changed, Section::open("a", {}, context));
    ASSERT_EQ(::truncate(file.c_str(), 20000), 0);
    EXPECT_OK(Section::open("a", {}, context));
    const std::string moved = file + ".moved";
    ASSERT_EQ(::rename(file.c_str(), moved.c_str()), 0);
    EXPECT_CODE(Code::file_changed, Section::open("a", {}, context));
    write_file(file, std::string(20000, 'z'));
    EXPECT_CODE(Code::file_changed, Section::open("a", {}, context));
    EXPECT_OK(context.stat("a"));
}

TEST_F(FileSectionTest, TheFileMustBeNamedWhereThePathCannotBeBelieved) {
    const Section made = create("a", 1000, {.mode = 0666, .keep = false, .lazy = false, .file = file});
    EXPECT_CODE(Code::permission_denied, Section::open("a", {}, context));
    EXPECT_OK(Section::open("a", {.access = Access::read_write, .owner_uid = {}, .file = file}, context));
    EXPECT_CODE(Code::file_changed, Section::open("a", {.access = Access::read_write, .owner_uid = {}, .file = "/etc/hostname"}, context));
}

TEST_F(SectionTest, NoObjectGetsTheNumberOfAClosedStandardStream) {
    Child child([&](const Line&) {
        for (const int stream : {0, 1, 2}) ::close(stream);
        Context own({.root = context.root()});
        const auto section = Section::create("a", 4096, {}, own);
        const auto other = Section::open("a", {}, own);
        const auto shared = section ? section->share_descriptor(Access::read_write) : Result<int>(-1);
        for (const int stream : {0, 1, 2})
            if (::fcntl(stream, F_GETFD) >= 0) return 10 + stream;
        return section && other && shared && *shared >= 3 ? 0 : 1;
    });
    EXPECT_EQ(child.wait(), 0);
}

}  // namespace
}  // namespace comap::test
