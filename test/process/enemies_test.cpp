// SPDX-License-Identifier: Apache-2.0
// Whatever lies in the namespace directory, whatever a peer writes into an object: a clear error or a working object, never a
// hang, a crash or a write elsewhere.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <functional>
#include <random>
#include <string>

#include "support/process.hpp"

namespace comap::test {
namespace {

struct EnemiesTest : ::testing::Test {
    TempRoot root;
    Context& context = root.context();
    std::string victim = root.path() + "/victim";

    void SetUp() override {
        ASSERT_OK(context.check(Scope::local));
        write_file(victim, "precious");
    }
    void TearDown() override { EXPECT_EQ(read_file(victim), "precious"); }
    std::string place(const std::string& file_name) const { return root.local() + "/" + file_name; }

    // Every call that takes a name; none may do anything but fail with this code. (rm is the way out, tested apart.)
    void expect_all(Code code, const std::string& name) {
        EXPECT_CODE(code, Section::open(name, {}, context));
        EXPECT_CODE(code, Section::open(name, {.access = Access::read_only}, context));
        EXPECT_CODE(code, Section::create(name, 100, {}, context));
        EXPECT_CODE(code, Section::open_or_create(name, 100, {}, context));
        EXPECT_CODE(code, Text::open_or_create(name, {}, context));
        EXPECT_CODE(code, context.stat(name));
        EXPECT_OK(context.collect(Scope::local));
        int listed = 0;
        EXPECT_OK(context.list(Scope::local, true, [&](const ListEntry& entry) {
            EXPECT_CODE(code, entry.info);
            return ++listed < 10;
        }));
        EXPECT_EQ(listed, 1);
    }
};

TEST_F(EnemiesTest, ASymbolicLinkIsNotFollowed) {
    ASSERT_EQ(::symlink(victim.c_str(), place("x").c_str()), 0);
    expect_all(Code::corrupt, "x");
    EXPECT_CODE(Code::corrupt, context.remove("x"));
    ::unlink(place("x").c_str());
    ASSERT_EQ(::symlink("nowhere", place("x").c_str()), 0);
    expect_all(Code::corrupt, "x");
}

TEST_F(EnemiesTest, AFifoDoesNotHang) {
    ASSERT_EQ(::mkfifo(place("x").c_str(), 0600), 0);
    expect_all(Code::corrupt, "x");
    EXPECT_CODE(Code::corrupt, context.remove("x"));
}

TEST_F(EnemiesTest, ADirectoryAndASocket) {
    ASSERT_EQ(::mkdir(place("x").c_str(), 0700), 0);
    expect_all(Code::corrupt, "x");
    EXPECT_CODE(Code::corrupt, context.remove("x"));
    ::rmdir(place("x").c_str());
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    ASSERT_LT(place("x").size(), sizeof address.sun_path);
    std::strcpy(address.sun_path, place("x").c_str());
    ASSERT_EQ(::bind(socket, reinterpret_cast<struct sockaddr*>(&address), sizeof address), 0);
    expect_all(Code::corrupt, "x");
    ::close(socket);
}

TEST_F(EnemiesTest, ForeignFilesAreLeftAloneUntilRemovedByName) {
    for (const std::string& bytes : {std::string(), std::string("hello"), std::string(8192, '\0'), std::string(5000, 'x'), std::string("COMAPOB")}) {
        write_file(place("x"), bytes);
        expect_all(Code::corrupt, "x");
        EXPECT_EQ(read_file(place("x")), bytes);
        EXPECT_EQ(*context.remove("x"), Removed::gone);
    }
}

// Headers that begin like an object's: dead ones are removed whatever follows, kept ones are refused.
TEST_F(EnemiesTest, TruncatedAndRandomHeaders) {
    std::minstd_rand random(21);
    for (int round = 0; round < 1500; ++round) {
        std::string bytes(random() % 9000, '\0');
        for (char& byte : bytes) byte = static_cast<char>(random());
        bytes.replace(0, std::min<std::size_t>(bytes.size(), 8), "COMAPOBJ");
        if (bytes.size() >= 24 && random() % 2 == 0) bytes.replace(8, 16, std::string("\1\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0", 16));
        write_file(place("x"), bytes);
        const bool keep = random() % 2 == 0;
        ::chmod(place("x").c_str(), keep ? 01600 : 0600);
        const auto opened = Section::open("x", {}, context);
        if (opened) {
            EXPECT_OK(opened->size_bytes());
            continue;
        }
        const Code code = opened.error().code;
        EXPECT_TRUE(code == Code::corrupt || code == Code::version_mismatch || code == Code::not_found || code == Code::kind_mismatch) << opened.error().message;
        if (keep) { EXPECT_NE(code, Code::not_found); }
        (void)context.remove("x");
        EXPECT_OK(Section::create("x", 100, {}, context));
    }
}

// A peer with write access scribbles over the whole file of a live object.
TEST_F(EnemiesTest, ScribblingOverALiveObject) {
    std::minstd_rand random(22);
    for (int round = 0; round < 300; ++round) {
        auto section = Section::create("s", 5000, {}, context);
        auto text = Text::create("t", {.capacity_bytes = 500}, context);
        ASSERT_OK(section);
        ASSERT_OK(text);
        ASSERT_OK(text->set("before"));
        ASSERT_OK(section->version());
        for (const char* const name : {"s", "t"}) {
            const int file = ::open(place(name).c_str(), O_RDWR);
            struct stat state;
            ASSERT_EQ(::fstat(file, &state), 0);
            std::string garbage(static_cast<std::size_t>(state.st_size), '\0');
            for (char& byte : garbage) byte = static_cast<char>(random());
            const std::size_t keep_front = random() % 3 == 0 ? 416 : 0;
            ASSERT_GT(::pwrite(file, garbage.data() + keep_front, garbage.size() - keep_front, static_cast<off_t>(keep_front)), 0);
            ::close(file);
        }
        (void)section->publish();
        (void)section->wait(1, Deadline::passed());
        (void)section->size_bytes();
        (void)section->view();
        (void)section->grow(6000);
        (void)section->info();
        (void)text->get();
        (void)text->append("x", Deadline::passed());
        (void)text->set("after", Deadline::passed());
        (void)text->get();
        (void)text->wait(1, Deadline::passed());
        (void)Section::open("s", {}, context);
        (void)Text::open("t", {}, context);
        (void)context.stat("s");
        section->close();
        text->close();
        (void)context.remove("s");
        (void)context.remove("t");
    }
}

struct Quote {
    std::uint64_t number;
    double price;
};
COMAP_RECORD(Quote, number, price);

// The same over what is in messages and records, while somebody reads, and with writers, publishers and takers at it.
TEST_F(EnemiesTest, ScribblingOverCellsChannelsAndQueuesInUse) {
    std::minstd_rand random(23);
    const Deadline soon = Deadline::after(std::chrono::milliseconds(1));
    for (int round = 0; round < 400; ++round) {
        const auto cell = Cell<Quote>::create("cell", {.history = 3, .writers = round % 2 == 0 ? 1u : 3u}, context);
        const auto channel = RawChannel::create("channel", {.message_bytes = round % 3 == 0 ? 64u : 300u, .capacity = 8, .many_publishers = round % 2 == 0, .subscribers_waited_for = round % 4 < 2 ? 0u : 2u, .patience = {}}, context);
        const auto queue = RawQueue::create("queue", {.message_bytes = 64, .capacity = 8, .patience = {}}, context);
        ASSERT_OK(cell);
        ASSERT_OK(channel);
        ASSERT_OK(queue);
        auto subscription = channel->subscribe(From::oldest);
        ASSERT_OK(subscription);
        for (int i = 0; i < 5; ++i) {
            ASSERT_OK(cell->store({static_cast<std::uint64_t>(i), 1}));
            ASSERT_OK(channel->publish("message"));
            ASSERT_OK(queue->push("message"));
        }
        auto item = queue->take(Deadline::passed());
        ASSERT_OK(item);
        for (const char* const name : {"cell", "channel", "queue"}) {
            const int file = ::open(place(name).c_str(), O_RDWR);
            struct stat state;
            ASSERT_EQ(::fstat(file, &state), 0);
            // Everything, or some words here and there; the header only sometimes, for its words are checked elsewhere.
            const auto begin = static_cast<std::size_t>(random() % 2 == 0 ? 4096 : 64);
            const auto size = static_cast<std::size_t>(state.st_size) - begin;
            if (random() % 3 == 0) {
                std::string garbage(size, '\0');
                for (char& byte : garbage) byte = static_cast<char>(random());
                ASSERT_GT(::pwrite(file, garbage.data(), garbage.size(), static_cast<off_t>(begin)), 0);
            } else {
                for (auto count = random() % 40; count > 0; --count) {
                    const std::uint64_t word = random() % 4 == 0 ? random() % 100 : random() % 4 == 1 ? ~std::uint64_t{0} : std::uint64_t{random()} << 32 | random();
                    const std::size_t at = random() % 2 == 0 ? random() % std::min<std::size_t>(size, 5000) : random() % size;
                    ASSERT_GT(::pwrite(file, &word, std::min<std::size_t>(sizeof word, size - at), static_cast<off_t>(begin + at)), 0);
                }
            }
            ::close(file);
        }
        std::array<std::byte, 300> out;
        for (int i = 0; i < 10; ++i) {
            (void)cell->load();
            (void)cell->load_version(static_cast<std::uint32_t>(i));
            (void)cell->store({1, 1}, Deadline::passed());
            (void)cell->update([](Quote& quote) { ++quote.number; }, Deadline::passed());
            (void)subscription->receive(out, soon);
            (void)subscription->borrow(Deadline::passed());
            (void)subscription->release();
            (void)channel->publish("more", Deadline::passed());
            (void)channel->publish_batch(std::span(out).first(60), 6, nullptr, Deadline::passed());
            (void)channel->published();
            (void)channel->subscribers();
            for (const From from : {From::oldest, From::latest, From::next}) (void)channel->subscribe(from);
            (void)queue->push("more", Deadline::passed());
            (void)queue->pop(out, soon);
            (void)queue->take(Deadline::passed());
            (void)queue->counts();
            (void)queue->wait(soon);
        }
        (void)item->confirm();
        for (const char* const name : {"cell", "channel", "queue"}) (void)context.stat(name);
        (void)Cell<Quote>::open("cell", {}, context);
        (void)RawChannel::open("channel", {}, context);
        (void)RawQueue::open("queue", {}, context);
    }
}

TEST_F(EnemiesTest, NamesOfEveryKindStayInTheDirectory) {
    std::string umlauts;
    while (umlauts.size() < 240) umlauts += "ä";
    for (const std::string& name : {std::string(".."), std::string("."), std::string("a/b"), std::string("../../../tmp/x"), std::string("/etc/passwd"),
                                    umlauts, std::string(240, '/'), std::string("\x01\x02\n\t\x7f"), std::string("-rf"), std::string(" "), std::string("%2E%2E"), std::string("*")}) {
        const auto made = Section::create(name, 100, {}, context);
        ASSERT_OK(made);
        EXPECT_EQ(root.file_count(), 1u) << name;
        EXPECT_EQ(Section::open(name, {}, context)->name(), name);
        EXPECT_EQ(context.stat(name)->name, name);
    }
    EXPECT_EQ(root.file_count(), 0u);
}

TEST_F(EnemiesTest, AnObjectOfAnotherKindOrFormatIsNamedAsSuch) {
    const auto made = Event::create("x", {}, context);
    ASSERT_OK(made);
    const int file = ::open(place("x").c_str(), O_RDWR);
    const std::uint32_t mutex = 2, next_format = 2;
    const auto is_event = Mutex::open("x", {}, context);
    EXPECT_CODE(Code::kind_mismatch, is_event);
    EXPECT_NE(is_event.error().message.find("is an event, not a mutex"), std::string::npos);
    ASSERT_EQ(::pwrite(file, &mutex, sizeof mutex, 12), 4);  // the header says one thing, the block behind it another
    EXPECT_CODE(Code::corrupt, Mutex::open("x", {}, context));
    const auto other_kind = Section::open("x", {}, context);
    EXPECT_CODE(Code::kind_mismatch, other_kind);
    EXPECT_NE(other_kind.error().message.find("is a mutex, not a section"), std::string::npos);
    EXPECT_CODE(Code::kind_mismatch, Text::open_or_create("x", {}, context));
    EXPECT_EQ(context.stat("x")->kind, Kind::mutex);
    ASSERT_EQ(::pwrite(file, &next_format, sizeof next_format, 8), 4);
    EXPECT_CODE(Code::version_mismatch, Section::open("x", {}, context));
    EXPECT_CODE(Code::version_mismatch, context.stat("x"));
    ::close(file);
}

TEST_F(EnemiesTest, AFileUnderAnothersNameIsRefused) {
    const auto made = Section::create("real", 100, {}, context);
    ASSERT_EQ(::link(place("real").c_str(), place("fake").c_str()), 0);
    EXPECT_CODE(Code::corrupt, Section::open("fake", {}, context));
    EXPECT_CODE(Code::corrupt, context.stat("fake"));
    EXPECT_OK(Section::open("real", {}, context));
}

}  // namespace
}  // namespace comap::test
