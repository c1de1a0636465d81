// SPDX-License-Identifier: Apache-2.0
// The lifetime matrix: an object is gone exactly when its last holder is, never before, however he ends, whatever he has.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>

#include "support/process.hpp"

namespace comap::test {
namespace {

enum class End { close, exit_without_close, kill, fork_then_parent_dies, exec };
enum class Has { handle, view, both };
enum class Role { creator, opener };
enum class Body { memory, file, file_region };

constexpr std::uint64_t kSize = 8192;
constexpr char kName[] = "matrix";

struct Row {
    End end;
    Has has;
    Role role;
    Protection protection;
    Body body;
};

std::string describe(const Row& row) {
    static const char* const ends[] = {"close", "exit without close", "SIGKILL", "fork then parent dies", "exec"};
    static const char* const has[] = {"handle", "view", "both"};
    static const char* const protections[] = {"read-only", "read-write", "copy-on-write"};
    static const char* const bodies[] = {"memory", "file", "file region"};
    return std::string(ends[static_cast<int>(row.end)]) + ", " + has[static_cast<int>(row.has)] + ", " +
           (row.role == Role::creator ? "creator" : "opener") + ", " + protections[static_cast<int>(row.protection)] + ", " +
           bodies[static_cast<int>(row.body)];
}

CreateOptions create_options(const Row& row, const std::string& file) {
    CreateOptions options;
    if (row.body != Body::memory) options.file = file;
    if (row.body == Body::file_region) options.file_offset = 4096;
    return options;
}

// What the holder has; never destroyed unless the row says close.
struct Held {
    Section section;
    View view;
};

// In the holder's process.
void take(const Row& row, const std::string& file, Context& context, Held& held) {
    auto section = row.role == Role::creator
                       ? Section::create(kName, kSize, create_options(row, file), context)
                       : Section::open(kName, {.access = row.protection == Protection::read_write ? Access::read_write : Access::read_only}, context);
    CHILD_CHECK(section);
    held.section = std::move(*section);
    if (row.has != Has::handle) {
        auto view = held.section.view({.offset_bytes = 0, .size_bytes = 0, .protection = row.protection});
        CHILD_CHECK(view);
        held.view = std::move(*view);
        CHILD_CHECK(held.view.size() == kSize);
    }
    if (row.has == Has::view) held.section.close();
}

// Becomes another program, which says what it hears.
[[noreturn]] void become_cat(const Line& line) {
    ::dup2(line.read_fd(), 0);
    ::dup2(line.write_fd(), 1);
    ::execl("/bin/cat", "cat", static_cast<char*>(nullptr));
    ::_exit(127);
}

int hold(const Row& row, const std::string& file, const std::string& root, const Line& line) {
    auto* const context = new Context({.root = root});
    auto* const held = new Held;
    take(row, file, *context, *held);
    line.say('h');
    CHILD_CHECK(line.hear() == 'e');
    switch (row.end) {
        case End::close:
            held->view.close();
            held->section.close();
            line.say('c');
            line.hear();
            return 0;
        case End::exit_without_close:
            ::_exit(0);
        case End::fork_then_parent_dies: {
            const pid_t child = ::fork();
            CHILD_CHECK(child >= 0);
            if (child > 0) ::pause();
            line.say('f');
            line.hear();  // until the test closes the line
            ::_exit(0);
        }
        case End::exec:
            become_cat(line);
        case End::kill:
            ::pause();
    }
    return 0;
}

void expect_held(TempRoot& root) {
    const auto info = root.context().stat(kName);
    ASSERT_OK(info);
    EXPECT_EQ(info->presence, Presence::held);
    EXPECT_EQ(info->size_bytes, kSize);
    {
        const auto opened = Section::open(kName, {}, root.context());
        ASSERT_OK(opened);
        EXPECT_FALSE(opened->was_created());
    }
    EXPECT_OK(root.context().stat(kName));  // our own leaving did not end it
}

void expect_gone(TempRoot& root, bool file_is_gone_too) {
    EXPECT_CODE(Code::not_found, root.context().stat(kName));
    if (file_is_gone_too) {
        EXPECT_EQ(root.file_count(), 0u);
    }
    EXPECT_CODE(Code::not_found, Section::open(kName, {}, root.context()));
    EXPECT_EQ(root.file_count(), 0u);  // the open has removed what a killed holder left
}

void run(const Row& row) {
    SCOPED_TRACE(describe(row));
    TempRoot root;
    const std::string file = root.path() + "/body";
    write_file(file, std::string(3 * kSize, 'b'));
    std::optional<Section> first;
    if (row.role == Role::opener) {
        auto made = Section::create(kName, kSize, create_options(row, file), root.context());
        ASSERT_OK(made);
        first.emplace(std::move(*made));
    }
    Child holder([&](const Line& line) {
        first.reset();  // the inherited handle is let go in the child, where it is not the last
        return hold(row, file, root.path(), line);
    });
    ASSERT_EQ(holder.line().hear(), 'h');
    first.reset();
    expect_held(root);
    holder.line().say('e');
    switch (row.end) {
        case End::close:
            ASSERT_EQ(holder.line().hear(), 'c');
            expect_gone(root, true);
            break;
        case End::exit_without_close:
            EXPECT_EQ(holder.wait(), 0);
            expect_gone(root, false);
            break;
        case End::kill:
            EXPECT_EQ(holder.kill(), 128 + SIGKILL);
            expect_gone(root, false);
            break;
        case End::fork_then_parent_dies: {
            ASSERT_EQ(holder.line().hear(), 'f');
            EXPECT_EQ(holder.kill(), 128 + SIGKILL);
            expect_held(root);
            holder.line().say('x');  // the grandchild hears it and exits
            while (holder.line().hear() >= 0) {}
            wait_until([&] { return !root.context().stat(kName); }, "the forked holder has ended");
            expect_gone(root, false);
            break;
        }
        case End::exec:
            holder.line().say('x');
            ASSERT_EQ(holder.line().hear(), 'x');  // the new program runs
            expect_gone(root, false);
            break;
    }
    EXPECT_EQ(read_file(file), std::string(3 * kSize, 'b'));
}

TEST(LifetimeMatrix, GoneExactlyWithTheLastHolder) {
    int rows = 0;
    for (const End end : {End::close, End::exit_without_close, End::kill, End::fork_then_parent_dies, End::exec})
        for (const Has has : {Has::handle, Has::view, Has::both})
            for (const Role role : {Role::creator, Role::opener})
                for (const Protection protection : {Protection::read_write, Protection::read_only, Protection::copy_on_write})
                    for (const Body body : {Body::memory, Body::file, Body::file_region}) {
                        run({end, has, role, protection, body});
                        ++rows;
                    }
    std::printf("%d rows of the lifetime matrix\n", rows);
}

}  // namespace
}  // namespace comap::test
