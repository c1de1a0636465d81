// SPDX-License-Identifier: Apache-2.0
#include "win32/win32_test.hpp"

#include <sys/stat.h>

namespace comap::test {
namespace {

struct NamesTest : Win32Test {
    // What each of these answers: 0 if it made or found one.
    DWORD created(const std::string& given) { return ended(CreateEventA(nullptr, FALSE, FALSE, given.c_str())); }
    DWORD created(const std::u16string& given) { return ended(CreateEventW(nullptr, FALSE, FALSE, given.c_str())); }
    DWORD opened(const std::string& given) {
        const Handle handle = OpenEventA(SYNCHRONIZE, FALSE, given.c_str());
        return handle ? ERROR_SUCCESS : error();
    }
    // The name by which comap knows the only object there is.
    std::string native(Scope scope = Scope::local) {
        std::string found;
        EXPECT_OK(context().list(scope, false, [&](const ListEntry& entry) { return (found = entry.name, true); }));
        return found;
    }

  private:
    DWORD ended(HANDLE handle) {
        const Handle closed = handle;
        return handle ? ERROR_SUCCESS : error();
    }
};

std::string repeated(const char* text, std::size_t count) {
    std::string all;
    while (count-- > 0) all += text;
    return all;
}

struct Answer {
    const char* name;
    DWORD code;
};

TEST_F(NamesTest, PrefixesAndWhatIsRefused) {
    for (const Answer& one : std::initializer_list<Answer>{
             {"", 0},          {"a\\b", 3},         {"\\x", 161},           {"a\\", 3},         {"\\", 161},        {"a/b", 0},
             {" ", 0},         {".", 0},            {"..", 0},              {"a*?<>|:", 0},     {"Global\\x", 0},    {"Local\\x", 0},
             {"global\\x", 3}, {"GLOBAL\\x", 3},    {"local\\x", 3},        {"Global\\", 123},  {"Local\\", 123},   {"Global", 6},
             {"Local", 6},     {"Global\\a\\b", 3}, {"Local\\a\\b", 3},     {"Session\\0\\x", 0}, {"Session\\1\\x", 0}, {"Session\\2\\x", 3},
             {"Global/x", 0},  {"Global\\Global\\x", 0}, {"Global\\Local", 6}, {"Session\\1\\", 123}, {"Globalx", 0}, {"Local\\Global\\x", 0}})
        EXPECT_EQ(created(std::string(one.name)), one.code) << one.name;
}

TEST_F(NamesTest, OpeningWithoutAName) {
    EXPECT_EQ(OpenEventA(SYNCHRONIZE, FALSE, nullptr), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(OpenEventW(SYNCHRONIZE, FALSE, nullptr), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(opened(""), DWORD{ERROR_INVALID_HANDLE});
    EXPECT_EQ(opened("nothing"), DWORD{ERROR_FILE_NOT_FOUND});
    EXPECT_EQ(opened("Global\\nothing"), DWORD{ERROR_FILE_NOT_FOUND});
}

TEST_F(NamesTest, WhichSpellingsAreOne) {
    const Handle local = CreateEventA(nullptr, FALSE, FALSE, "q");
    for (const char* same : {"Local\\q", "Session\\1\\q", "Local\\Local\\q"}) EXPECT_EQ(opened(same), DWORD{ERROR_SUCCESS}) << same;
    for (const char* other : {"Global\\q", "Session\\0\\q", "Q"}) EXPECT_EQ(opened(other), DWORD{ERROR_FILE_NOT_FOUND}) << other;
    const Handle global = CreateEventA(nullptr, FALSE, FALSE, "Global\\q");
    EXPECT_EQ(error(), DWORD{ERROR_SUCCESS});
    for (const char* same : {"Session\\0\\q", "Global\\Global\\q", "Local\\Global\\q", "Global\\Local\\q"}) EXPECT_EQ(opened(same), DWORD{ERROR_SUCCESS}) << same;
    EXPECT_EQ(native(Scope::global), "Global\\q");
    EXPECT_EQ(native(), "q");
}

TEST_F(NamesTest, BothWidthsMeanTheSame) {
    const Handle wide = CreateEventW(nullptr, FALSE, FALSE, u"Grüße 🎈");
    EXPECT_EQ(error(), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(opened("Local\\Gr\u00fc\u00dfe \U0001F388"), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(native(), "Gr\u00fc\u00dfe \U0001F388");
}

TEST_F(NamesTest, MalformedTextIsNoName) {
    const char16_t lone[] = {u'a', 0xd800, u'b', 0};
    EXPECT_EQ(created(std::u16string(lone)), DWORD{ERROR_INVALID_NAME});
    for (const char* bad : {"a\x80", "\xc3", "\xed\xa0\x80", "\xff"}) EXPECT_EQ(created(std::string(bad)), DWORD{ERROR_INVALID_NAME}) << bad;
}

TEST_F(NamesTest, LengthsCountThePrefix) {
    EXPECT_EQ(created(std::string(259, 'x')), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(created(std::string(260, 'x')), DWORD{ERROR_FILENAME_EXCED_RANGE});
    EXPECT_EQ(created("Global\\" + std::string(252, 'x')), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(created("Global\\" + std::string(253, 'x')), DWORD{ERROR_FILENAME_EXCED_RANGE});
    EXPECT_EQ(created(std::u16string(260, u'x')), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(created(std::u16string(261, u'x')), DWORD{ERROR_FILENAME_EXCED_RANGE});
    EXPECT_EQ(created(std::string(40'000, 'x')), DWORD{ERROR_FILENAME_EXCED_RANGE});
}

// The native name ends in a hash of the whole, so two that only differ at the end are two.
TEST_F(NamesTest, LongNamesKeepTheirBeginningAndAHash) {
    const std::string long_name(241, 'x');
    {
        const Handle handle = CreateEventA(nullptr, FALSE, FALSE, long_name.c_str());
        EXPECT_EQ(native().size(), 240u);
        EXPECT_EQ(native().substr(0, 207), long_name.substr(0, 207));
        EXPECT_EQ(native()[207], '~');
        EXPECT_EQ(native().find_first_not_of("0123456789abcdef", 208), std::string::npos);
        EXPECT_EQ(opened(long_name), DWORD{ERROR_SUCCESS});
        EXPECT_EQ(opened(std::string(240, 'x') + 'y'), DWORD{ERROR_FILE_NOT_FOUND});
        EXPECT_EQ(opened(std::string(240, 'x')), DWORD{ERROR_FILE_NOT_FOUND});
    }
    const Handle exact = CreateEventA(nullptr, FALSE, FALSE, long_name.substr(1).c_str());
    EXPECT_EQ(native(), long_name.substr(1));
}

TEST_F(NamesTest, LongNamesAreCutBetweenCharacters) {
    for (const char* character : {"\u00fc", "\u20ac", "\U0001F388"}) {
        const std::string given = repeated(character, 259 / std::string(character).size());
        const Handle handle = CreateEventA(nullptr, FALSE, FALSE, given.c_str());
        ASSERT_NE(handle, nullptr) << error();
        const std::string kept = native().substr(0, native().find('~'));
        EXPECT_EQ(kept.size() % std::string(character).size(), 0u);
        EXPECT_GT(kept.size(), 200u);
        EXPECT_EQ(given.substr(0, kept.size()), kept);
    }
}

TEST_F(NamesTest, OneNameSpaceForAllKinds) {
    const Handle mutex = CreateMutexA(nullptr, FALSE, "kinds");
    EXPECT_EQ(CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, 1, "kinds"), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
    EXPECT_EQ(OpenFileMappingA(FILE_MAP_READ, FALSE, "kinds"), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
    EXPECT_EQ(created(std::string("kinds")), DWORD{ERROR_INVALID_HANDLE});
    EXPECT_EQ(opened("kinds"), DWORD{ERROR_INVALID_HANDLE});
    EXPECT_EQ(CreateSemaphoreA(nullptr, 0, 1, "kinds"), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
}

// --- who may ----------------------------------------------------------------------------------------------------------

TEST_F(NamesTest, ModesFollowTheDescriptor) {
    const auto mode_with = [&](void* descriptor) {
        SECURITY_ATTRIBUTES attributes = {sizeof attributes, descriptor, FALSE};
        const Handle handle = CreateMutexA(&attributes, FALSE, "guarded");
        const auto info = context().stat("guarded");
        return info ? info->mode : 0;
    };
    SECURITY_DESCRIPTOR descriptor;
    EXPECT_EQ(mode_with(nullptr), 0600u);
    ASSERT_TRUE(InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION));
    EXPECT_EQ(mode_with(&descriptor), 0600u);
    ASSERT_TRUE(SetSecurityDescriptorDacl(&descriptor, TRUE, nullptr, FALSE));
    EXPECT_EQ(mode_with(&descriptor), 0666u);
    ASSERT_TRUE(SetSecurityDescriptorDacl(&descriptor, FALSE, nullptr, FALSE));
    EXPECT_EQ(mode_with(&descriptor), 0600u);
}

TEST_F(NamesTest, OtherDescriptorsAreRefused) {
    ACL list = {};
    SECURITY_DESCRIPTOR descriptor;
    EXPECT_FALSE(InitializeSecurityDescriptor(&descriptor, 2));
    EXPECT_EQ(error(), DWORD{ERROR_UNKNOWN_REVISION});
    EXPECT_FALSE(IsValidSecurityDescriptor(nullptr));
    ASSERT_TRUE(InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION));
    ASSERT_TRUE(SetSecurityDescriptorDacl(&descriptor, TRUE, &list, FALSE));
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, &descriptor, FALSE};
    EXPECT_EQ(CreateMutexA(&attributes, FALSE, "refused"), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_SECURITY_DESCR});
    EXPECT_EQ(CreateFileMappingA(INVALID_HANDLE_VALUE, &attributes, PAGE_READWRITE, 0, 1, "refused"), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_SECURITY_DESCR});
    descriptor.Revision = 9;
    EXPECT_FALSE(SetSecurityDescriptorDacl(&descriptor, TRUE, nullptr, FALSE));
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_SECURITY_DESCR});
}

}  // namespace
}  // namespace comap::test
