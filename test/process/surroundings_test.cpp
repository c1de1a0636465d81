// SPDX-License-Identifier: Apache-2.0
// Full memory, other users, other containers: each in namespaces of the kernel that the test makes for itself.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "support/process.hpp"

namespace comap::test {
namespace {

constexpr int kCannot = 77;

// Root of a user namespace of its own (or real root), with a mount namespace of its own.
bool become_mounter() {
    const std::string uid = std::to_string(::geteuid());
    const std::string gid = std::to_string(::getegid());
    if (::geteuid() == 0) return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", "0 " + uid + " 1");
    write_file("/proc/self/gid_map", "0 " + gid + " 1");
    return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// In a child with a 1 MiB tmpfs at the root of its objects.
int in_small_memory(const std::string& root, int (*body)(Context&)) {
    if (!become_mounter() || ::mount("small", root.c_str(), "tmpfs", 0, "size=1m") != 0) return kCannot;
    Context context(ContextOptions{.root = root});
    return body(context);
}

void expect_in_small_memory(int (*body)(Context&)) {
    TempRoot root;
    Child child([&](const Line&) { return in_small_memory(root.path(), body); });
    const int code = child.wait();
    if (code == kCannot) GTEST_SKIP() << "this system lets us mount nothing";
    EXPECT_EQ(code, 0);
}

TEST(FullMemory, CreateSaysWhatWasAskedAndWhatThereIs) {
    expect_in_small_memory([](Context& context) {
        const auto larger = Section::create("a", 2 << 20, {}, context);
        CHILD_CHECK(!larger && larger.error().code == Code::no_space);
        CHILD_CHECK(larger.error().message.find("2097152") != std::string::npos);
        CHILD_CHECK(larger.error().message.find("available are") != std::string::npos);
        const auto fits = Section::create("a", 512 << 10, {}, context);
        CHILD_CHECK(fits);
        const auto full = Section::create("b", 768 << 10, {}, context);
        CHILD_CHECK(!full && full.error().code == Code::no_space);
        const auto text = Text::create("t", {.capacity_bytes = 1 << 20}, context);
        CHILD_CHECK(!text && text.error().code == Code::no_space);
        // What was created can be written to the last byte.
        const auto view = fits->view();
        CHILD_CHECK(view);
        for (std::byte& byte : view->writable_bytes()) byte = std::byte{1};
        return 0;
    });
}

TEST(FullMemory, GrowingLeavesEverythingAsItWas) {
    expect_in_small_memory([](Context& context) {
        auto section = Section::create("a", 256 << 10, {}, context);
        CHILD_CHECK(section);
        const auto view = section->view();
        CHILD_CHECK(view);
        for (std::byte& byte : view->writable_bytes()) byte = std::byte{1};
        const auto grown = section->grow(2 << 20);
        CHILD_CHECK(!grown && grown.error().code == Code::no_space);
        CHILD_CHECK(*section->size_bytes() == 256 << 10);
        CHILD_CHECK(section->grow(512 << 10));
        const auto all = section->view();
        CHILD_CHECK(all && all->size() == 512 << 10);
        for (std::byte& byte : all->writable_bytes()) byte = std::byte{2};
        return 0;
    });
}

TEST(FullMemory, LazySectionsPrefaultIntoAnErrorNotASignal) {
    expect_in_small_memory([](Context& context) {
        const auto lazy = Section::create("a", 8 << 20, {.lazy = true}, context);
        CHILD_CHECK(lazy);
        const auto view = lazy->view({.prefault = true});
        CHILD_CHECK(!view && view.error().code == Code::no_space);
        CHILD_CHECK(lazy->view({.offset_bytes = 0, .size_bytes = 65536, .prefault = true}));
        return 0;
    });
}

TEST(FullMemory, WhatTheDeadHaveIsTakenFirst) {
    expect_in_small_memory([](Context& context) {
        Context* const shared = &context;
        CHILD_CHECK(Section::create("first", 1, {}, context));  // this second's sweep is spent
        Child dead([&](const Line&) {
            auto* const section = new Result<Section>(Section::create("dead", 768 << 10, {}, *shared));
            CHILD_CHECK(*section);
            return 0;
        });
        CHILD_CHECK(dead.wait() == 0);
        CHILD_CHECK(Section::create("next", 768 << 10, {}, context));
        return 0;
    });
}

// --- other users --------------------------------------------------------------------------------------------------------

struct OtherUsers : ::testing::Test {
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become other users";
        ASSERT_OK(root.context().setup_global());
    }
    TempRoot root{0755};

    // Runs the body as user 65534 with a context of its own.
    int as_nobody(const std::function<int(Context&)>& body) {
        Child child([&](const Line&) {
            CHILD_CHECK(::setgid(65534) == 0 && ::setuid(65534) == 0);
            Context context(ContextOptions{.root = root.path()});
            return body(context);
        });
        return child.wait();
    }
};

TEST_F(OtherUsers, CannotOpenWhatIsPrivate) {
    const auto made = Section::create("Global\\private", 100, {}, root.context());
    ASSERT_OK(made);
    EXPECT_EQ(as_nobody([](Context& context) {
        CHILD_CHECK(Section::open("Global\\private", {}, context).error().code == Code::permission_denied);
        CHILD_CHECK(Section::open("Global\\private", {.access = Access::read_only}, context).error().code == Code::permission_denied);
        CHILD_CHECK(Section::create("Global\\private", 5, {}, context).error().code == Code::permission_denied);
        CHILD_CHECK(context.remove("Global\\private").error().code == Code::permission_denied);
        return 0;
    }), 0);
}

TEST_F(OtherUsers, CanReadWhatIsReadableAndBlockNobodyByIt) {
    auto made = Section::create("Global\\shown", 100, {.mode = 0644}, root.context());
    ASSERT_OK(made);
    Child reader([&](const Line& line) {
        CHILD_CHECK(::setgid(65534) == 0 && ::setuid(65534) == 0);
        Context context(ContextOptions{.root = root.path()});
        const auto section = Section::open("Global\\shown", {.access = Access::read_only}, context);
        CHILD_CHECK(section);
        CHILD_CHECK(!section->view({.protection = Protection::read_write}));
        CHILD_CHECK(section->view());
        // All he can do to the file: read locks, everywhere.
        const int file = ::open((root.path() + "/comap/shown").c_str(), O_RDONLY);
        CHILD_CHECK(file >= 0);
        struct flock lock = {};
        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        CHILD_CHECK(::fcntl(file, F_OFD_SETLK, &lock) != 0);
        lock.l_type = F_RDLCK;
        CHILD_CHECK(::fcntl(file, F_OFD_SETLK, &lock) == 0);
        line.say();
        line.hear();
        return 0;
    });
    ASSERT_EQ(reader.line().hear(), '.');
    EXPECT_OK(Section::open("Global\\shown", {}, root.context()));
    EXPECT_OK(made->publish());
    EXPECT_OK(made->grow(10000));
    made->close();
    EXPECT_OK(root.context().stat("Global\\shown"));  // he holds it
    reader.kill();
    EXPECT_CODE(Code::not_found, root.context().stat("Global\\shown"));
    EXPECT_OK(Section::create("Global\\shown", 100, {}, root.context()));
}

TEST_F(OtherUsers, ADeadObjectOfAnotherIsNamedAsSuch) {
    Child creator([&](const Line&) {
        auto* const section = new Result<Section>(Section::create("Global\\left", 100, {.mode = 0666}, root.context()));
        CHILD_CHECK(*section);
        return 0;
    });
    ASSERT_EQ(creator.wait(), 0);
    EXPECT_EQ(as_nobody([](Context& context) {
        CHILD_CHECK(Section::open("Global\\left", {}, context).error().code == Code::not_found);
        const auto taken = Section::create("Global\\left", 100, {}, context);
        CHILD_CHECK(!taken && taken.error().code == Code::permission_denied);
        CHILD_CHECK(taken.error().message.find("user 0") != std::string::npos);
        CHILD_CHECK(context.collect(Scope::global)->refused_count == 1);
        return 0;
    }), 0);
    EXPECT_EQ(root.context().collect(Scope::global)->removed_count, 1u);
}

TEST_F(OtherUsers, CannotOpenAnotherUsersLocalDirectory) {
    ASSERT_OK(Section::create("x", 1, {.mode = 0666, .keep = true}, root.context()));
    EXPECT_EQ(as_nobody([&](Context&) {
        CHILD_CHECK(::open((root.path() + "/comap-0/x").c_str(), O_RDONLY) < 0);
        return 0;
    }), 0);
}

// --- containers -----------------------------------------------------------------------------------------------------------

TEST(Containers, HoldersInAnotherPidNamespaceCount) {
    TempRoot root;
    Child outer([&](const Line& line) {
        if (!enter_new_pid_namespace()) return kCannot;
        const pid_t inner = ::fork();
        if (inner == 0) {
            CHILD_CHECK(::getpid() == 1);
            Context context(ContextOptions{.root = root.path()});
            const auto section = Section::create("inside", 100, {}, context);
            CHILD_CHECK(section);
            line.say();
            line.hear();
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(inner, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
    });
    if (outer.line().hear() < 0) {
        EXPECT_EQ(outer.wait(), kCannot);
        GTEST_SKIP() << "this system lets us make no PID namespace";
    }
    EXPECT_EQ(root.context().stat("inside")->presence, Presence::held);
    EXPECT_OK(Section::open("inside", {}, root.context()));
    EXPECT_EQ(root.context().collect(Scope::local)->removed_count, 0u);
    outer.line().say();
    EXPECT_EQ(outer.wait(), 0);
    EXPECT_CODE(Code::not_found, Section::open("inside", {}, root.context()));
}

}  // namespace
}  // namespace comap::test
