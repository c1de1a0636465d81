// SPDX-License-Identifier: Apache-2.0
#include <comap/context.hpp>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>

#include "support/process.hpp"

namespace comap::test {
namespace {

struct ContextTest : ::testing::Test {
    TempRoot root;
    Context& context = root.context();

    void leave_dead(const std::string& name, std::uint64_t size = 4096) {
        Child creator([&](const Line&) {
            auto* const section = new Section(std::move(*Section::create(name, size, {}, context)));
            CHILD_CHECK(*section);
            return 0;  // ends without closing
        });
        ASSERT_EQ(creator.wait(), 0);
    }
    std::map<std::string, ObjectInfo> list(bool include_dead) {
        std::map<std::string, ObjectInfo> objects;
        EXPECT_OK(context.list(Scope::local, include_dead, [&](const ListEntry& entry) {
            EXPECT_OK(entry.info);
            if (entry.info) objects[entry.name] = *entry.info;
            return true;
        }));
        return objects;
    }
};

TEST_F(ContextTest, ListsWhatIsThere) {
    const auto plain = Section::create("plain", 100, {.mode = 0640}, context);
    const auto odd = Section::create("odd/name\n..", 5, {}, context);
    const auto hashed = Section::create(std::string(120, '/'), 5, {}, context);
    const auto text = Text::create("text", {.capacity_bytes = 10, .keep = true}, context);
    ASSERT_OK(text);
    leave_dead("dead");
    const auto living = list(false);
    EXPECT_EQ(living.size(), 4u);
    EXPECT_EQ(living.at("plain").mode, 0640u);
    EXPECT_EQ(living.at("plain").size_bytes, 100u);
    EXPECT_EQ(living.at("plain").uid, ::geteuid());
    EXPECT_EQ(living.at("odd/name\n..").size_bytes, 5u);
    EXPECT_EQ(living.at(std::string(120, '/')).presence, Presence::held);
    EXPECT_EQ(living.at("text").layout, Layout::text);
    EXPECT_TRUE(living.at("text").keep);
    EXPECT_EQ(living.at("text").text_capacity_bytes, 10u);
    const auto all = list(true);
    EXPECT_EQ(all.size(), 5u);
    EXPECT_EQ(all.at("dead").presence, Presence::dead);
    EXPECT_EQ(list(true).size(), 5u);  // looking changes nothing
    int visited = 0;
    ASSERT_OK(context.list(Scope::local, true, [&](const ListEntry&) { return ++visited < 2; }));
    EXPECT_EQ(visited, 2);
}

TEST_F(ContextTest, CollectRemovesTheDeadOnly) {
    const auto held = Section::create("held", 100, {}, context);
    ASSERT_OK(Section::create("kept", 100, {.keep = true}, context));
    leave_dead("dead1");
    leave_dead("dead2", 1 << 20);
    const auto collected = context.collect(Scope::local);
    ASSERT_OK(collected);
    EXPECT_EQ(collected->examined_count, 4u);
    EXPECT_EQ(collected->removed_count, 2u);
    EXPECT_GE(collected->removed_bytes, (std::uint64_t{1} << 20));
    EXPECT_EQ(collected->refused_count, 0u);
    EXPECT_EQ(root.file_count(), 2u);
    EXPECT_EQ(context.collect(Scope::local)->removed_count, 0u);
}

TEST_F(ContextTest, CollectFileIsForJanitors) {
    const auto held = Section::create("held", 100, {}, context);
    leave_dead("dead");
    EXPECT_TRUE(*context.collect_file(Scope::local, "dead"));
    EXPECT_FALSE(*context.collect_file(Scope::local, "dead"));
    EXPECT_FALSE(*context.collect_file(Scope::local, "held"));
    EXPECT_CODE(Code::invalid_argument, context.collect_file(Scope::local, "../x"));
    EXPECT_CODE(Code::invalid_argument, context.collect_file(Scope::local, ".."));
}

TEST_F(ContextTest, ACreateSweepsWhatTheDeadLeft) {
    leave_dead("dead1");
    leave_dead("dead2");
    EXPECT_EQ(root.file_count(), 1u);  // the second creator's first create swept the first's
    ASSERT_OK(Section::create("new", 100, {}, context));
    EXPECT_EQ(root.file_count(), 0u);
}

TEST_F(ContextTest, RemoveOfADeadObjectSaysNotFoundAndFreesIt) {
    leave_dead("dead");
    EXPECT_EQ(root.file_count(), 1u);
    EXPECT_CODE(Code::not_found, context.remove("dead"));
    EXPECT_EQ(root.file_count(), 0u);
}

TEST_F(ContextTest, ADirectoryRemovedUnderneathIsMadeAgain) {
    ASSERT_OK(Section::create("a", 100, {}, context));
    std::filesystem::remove_all(root.local());
    EXPECT_CODE(Code::not_found, Section::open("a", {}, context));
    const auto again = Section::create("a", 100, {}, context);
    EXPECT_OK(again);
    std::filesystem::remove_all(root.local());
    EXPECT_OK(Section::open_or_create("a", 100, {}, context));
}

TEST_F(ContextTest, UnusableDirectoriesAreNamedWithTheWayOut) {
    const std::string local = root.local();
    const auto message_of = [&] {
        Context fresh(ContextOptions{.root = root.path()});
        const auto refused = Section::create("a", 1, {}, fresh);
        EXPECT_CODE(Code::no_namespace, refused);
        return refused ? std::string() : refused.error().message;
    };
    ASSERT_EQ(::mkdir(local.c_str(), 0755), 0);
    ::chmod(local.c_str(), 0755);
    EXPECT_NE(message_of().find("chmod 700 " + local), std::string::npos);
    ::rmdir(local.c_str());
    ASSERT_EQ(::symlink("/tmp", local.c_str()), 0);
    EXPECT_NE(message_of().find("not a directory"), std::string::npos);
    ::unlink(local.c_str());
    write_file(local, "a file");
    EXPECT_NE(message_of().find("not a directory"), std::string::npos);
    ::unlink(local.c_str());
    if (::geteuid() == 0) {
        ASSERT_EQ(::mkdir(local.c_str(), 0700), 0);
        ASSERT_EQ(::chown(local.c_str(), 12345, 12345), 0);
        EXPECT_NE(message_of().find("belongs to user 12345"), std::string::npos);
    }
    Context nowhere(ContextOptions{.root = root.path() + "/missing"});
    EXPECT_CODE(Code::no_namespace, Section::create("a", 1, {}, nowhere));
    EXPECT_CODE(Code::no_namespace, nowhere.stat("a"));
    EXPECT_CODE(Code::no_namespace, nowhere.setup_global());
}

TEST_F(ContextTest, GlobalNeedsItsDirectoryFirst) {
    const auto before = Section::create("Global\\a", 1, {}, context);
    EXPECT_CODE(Code::no_namespace, before);
    EXPECT_NE(before.error().message.find("comap setup-global"), std::string::npos);
    EXPECT_TRUE(*context.setup_global());
    EXPECT_FALSE(*context.setup_global());
    const auto global = Section::create("Global\\a", 1, {}, context);
    ASSERT_OK(global);
    EXPECT_EQ(global->name(), "Global\\a");
    EXPECT_CODE(Code::not_found, Section::open("a", {}, context));
    EXPECT_EQ(*context.object_path("Global\\a"), root.path() + "/comap/a");
    EXPECT_EQ(context.stat("Global\\a")->name, "Global\\a");
    ::chmod(context.directory(Scope::global).c_str(), 0777);
    Context fresh(ContextOptions{.root = root.path()});
    EXPECT_CODE(Code::no_namespace, Section::open("Global\\a", {}, fresh));
}

TEST_F(ContextTest, TheEnvironmentMovesTheStandardRoot) {
    EXPECT_EQ(Context().root(), root.path());
    ::setenv("COMAP_DIR", "/somewhere/else/", 1);
    EXPECT_EQ(Context().root(), "/somewhere/else");
    ::unsetenv("COMAP_DIR");
    EXPECT_EQ(Context().root(), "/dev/shm");
}

}  // namespace
}  // namespace comap::test
