// SPDX-License-Identifier: Apache-2.0
#define UNICODE  // the wide functions of tchar.h
#include <tchar.h>
#include <sys/wait.h>
#include <windows.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace {

using namespace std::string_view_literals;

constexpr DWORD kPoison = 0xdeadbeef;

// What a conversion gave, or the error; also checks that asking for the size gives the same.
template <typename To, typename Convert>
std::basic_string<To> converted(Convert convert) {
    SetLastError(kPoison);
    const int needed = convert(nullptr, 0);
    std::basic_string<To> out(static_cast<std::size_t>(needed), To{'?'});
    if (needed > 0) {
        EXPECT_EQ(convert(out.data(), needed), needed);
        EXPECT_EQ(GetLastError(), kPoison);
    }
    return out;
}

std::u16string wide(std::string_view text, UINT code_page = CP_UTF8, DWORD flags = 0) {
    return converted<WCHAR>([&](WCHAR* out, int count) {
        return MultiByteToWideChar(code_page, flags, text.data(), static_cast<int>(text.size()), out, count);
    });
}

std::string narrow(std::u16string_view text, UINT code_page = CP_UTF8, DWORD flags = 0) {
    return converted<char>([&](char* out, int count) {
        return WideCharToMultiByte(code_page, flags, text.data(), static_cast<int>(text.size()), out, count, nullptr, nullptr);
    });
}

TEST(Win32Text, ConvertsEveryWidth) {
    const std::string_view utf8 = "a\u00e4\u20ac\U0001d11e\0z"sv;
    const std::u16string_view utf16 = u"a\u00e4\u20ac\U0001d11e\0z"sv;
    EXPECT_EQ(wide(utf8), utf16);
    EXPECT_EQ(wide(utf8, CP_ACP, MB_PRECOMPOSED), utf16);
    EXPECT_EQ(narrow(utf16), utf8);
    EXPECT_EQ(narrow(utf16, CP_ACP), utf8);
}

TEST(Win32Text, EveryCodePointGoesThereAndBack) {
    for (char32_t c = 1; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 61) {
        if (c >= 0xD800 && c < 0xE000) continue;
        std::u16string text;
        if (c < 0x10000) {
            text += static_cast<WCHAR>(c);
        } else {
            text += static_cast<WCHAR>(0xD7C0 + (c >> 10));
            text += static_cast<WCHAR>(0xDC00 + (c & 0x3FF));
        }
        ASSERT_EQ(wide(narrow(text), CP_UTF8, MB_ERR_INVALID_CHARS), text) << static_cast<std::uint32_t>(c);
    }
}

TEST(Win32Text, MalformedTextIsMendedOrRefused) {
    struct Case {
        std::string_view bytes;
        std::u16string_view mended;
    };
    for (const Case& c : {Case{"\xff", u"\ufffd"}, Case{"a\xc3", u"a\ufffd"}, Case{"\xc0\xaf", u"\ufffd\ufffd"},
                          Case{"\xe2\x82z", u"\ufffdz"}, Case{"\xed\xa0\x80", u"\ufffd\ufffd\ufffd"}, Case{"\xf4\x90\x80\x80", u"\ufffd\ufffd\ufffd\ufffd"},
                          Case{"\xf0\x9f\x98", u"\ufffd"}, Case{"\x80", u"\ufffd"}}) {
        EXPECT_EQ(wide(c.bytes), c.mended);
        EXPECT_EQ(wide(c.bytes, CP_UTF8, MB_ERR_INVALID_CHARS), u"");
        EXPECT_EQ(GetLastError(), DWORD{ERROR_NO_UNICODE_TRANSLATION});
    }
    for (const std::u16string_view& text : {u"\xd800"sv, u"\xdc00"sv, u"\xd800z"sv, u"\xdc00\xd800"sv}) {
        EXPECT_NE(narrow(text).find("\ufffd"), std::string::npos);
        EXPECT_EQ(narrow(text, CP_UTF8, WC_ERR_INVALID_CHARS), "");
        EXPECT_EQ(GetLastError(), DWORD{ERROR_NO_UNICODE_TRANSLATION});
    }
}

TEST(Win32Text, CountsTheEndWhereTheLengthIsLeftOut) {
    std::array<WCHAR, 8> out{};
    EXPECT_EQ(MultiByteToWideChar(CP_UTF8, 0, "ab", -1, out.data(), 8), 3);
    EXPECT_EQ(std::u16string_view(out.data()), u"ab");
    EXPECT_EQ(MultiByteToWideChar(CP_UTF8, 0, "", -1, nullptr, 0), 1);
    EXPECT_EQ(WideCharToMultiByte(CP_UTF8, 0, u"ab", -1, nullptr, 0, nullptr, nullptr), 3);
}

TEST(Win32Text, ConversionsFailWithTheDocumentedCodes) {
    std::array<WCHAR, 8> out;
    std::array<char, 8> bytes;
    out.fill(u'#');
    BOOL used = 7;
    const auto to_wide = [&](UINT page, DWORD flags, const char* text, int count, WCHAR* target, int target_count) {
        SetLastError(kPoison);
        EXPECT_EQ(MultiByteToWideChar(page, flags, text, count, target, target_count), 0);
        EXPECT_EQ(out.front(), u'#');
        return GetLastError();
    };
    const auto to_narrow = [&](UINT page, DWORD flags, const WCHAR* text, int count, char* target, int target_count, BOOL* used_default) {
        SetLastError(kPoison);
        EXPECT_EQ(WideCharToMultiByte(page, flags, text, count, target, target_count, nullptr, used_default), 0);
        return GetLastError();
    };
    EXPECT_EQ(to_wide(CP_UTF8, 0, "abc", 3, out.data(), 2), DWORD{ERROR_INSUFFICIENT_BUFFER});
    EXPECT_EQ(to_wide(CP_UTF8, 0, nullptr, 3, out.data(), 8), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(to_wide(CP_UTF8, 0, "abc", 0, out.data(), 8), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(to_wide(CP_UTF8, 0, "abc", 3, out.data(), -1), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(to_wide(CP_UTF8, 0, "abc", 3, nullptr, 8), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(to_wide(CP_UTF7, 0, "abc", 3, out.data(), 8), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(to_wide(12345, 0, "abc", 3, out.data(), 8), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(to_wide(CP_UTF8, MB_PRECOMPOSED, "abc", 3, out.data(), 8), DWORD{ERROR_INVALID_FLAGS});
    EXPECT_EQ(to_wide(CP_ACP, 0x10000, "abc", 3, out.data(), 8), DWORD{ERROR_INVALID_FLAGS});
    EXPECT_EQ(to_narrow(CP_UTF8, 0, u"abc", 3, bytes.data(), 2, nullptr), DWORD{ERROR_INSUFFICIENT_BUFFER});
    EXPECT_EQ(to_narrow(CP_UTF8, 0, u"abc", 3, bytes.data(), 8, &used), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(to_narrow(CP_UTF8, 0x10000, u"abc", 3, bytes.data(), 8, nullptr), DWORD{ERROR_INVALID_FLAGS});
    EXPECT_EQ(used, 7);
}

TEST(Win32Text, DefaultCharacterOfTheSystemCodePage) {
    std::array<char, 8> out{};
    BOOL used = 7;
    EXPECT_EQ(WideCharToMultiByte(CP_ACP, 0, u"a\xd800", -1, out.data(), 8, "?", &used), 3);
    EXPECT_EQ(std::string_view(out.data()), "a?");
    EXPECT_EQ(used, TRUE);
    EXPECT_EQ(WideCharToMultiByte(CP_ACP, 0, u"a", -1, out.data(), 8, "?", &used), 2);
    EXPECT_EQ(used, FALSE);
}

TEST(Win32Text, LstrCalls) {
    std::array<char, 16> a{};
    std::array<WCHAR, 16> w{};
    EXPECT_EQ(lstrcpyA(a.data(), "abc"), a.data());
    EXPECT_EQ(lstrcatA(a.data(), "def"), a.data());
    EXPECT_STREQ(a.data(), "abcdef");
    EXPECT_EQ(lstrcpynA(a.data(), "xyz", 3), a.data());
    EXPECT_STREQ(a.data(), "xy");
    EXPECT_EQ(lstrcpyW(w.data(), u"abc"), w.data());
    EXPECT_EQ(lstrcatW(w.data(), u"def"), w.data());
    EXPECT_EQ(std::u16string_view(w.data()), u"abcdef");
    EXPECT_EQ(lstrcpynW(w.data(), u"xyz", 1), w.data());
    EXPECT_EQ(w[0], 0);
    EXPECT_EQ(lstrlenA("abc"), 3);
    EXPECT_EQ(lstrlenW(u"abc"), 3);
    EXPECT_EQ(lstrlenA(nullptr), 0);
    EXPECT_EQ(lstrcpyA(nullptr, "abc"), nullptr);
    EXPECT_EQ(lstrcatW(w.data(), nullptr), nullptr);
    EXPECT_EQ(lstrcmpA("abc", "abc"), 0);
    EXPECT_LT(lstrcmpA("abc", "ABC"), 0);
    EXPECT_LT(lstrcmpA("abc", "ABD"), 0);
    EXPECT_GT(lstrcmpW(u"B", u"a"), 0);
    EXPECT_LT(lstrcmpA("ab", "abc"), 0);
    EXPECT_EQ(lstrcmpiA("\u00c4bC", "\u00e4Bc"), 0);
    EXPECT_EQ(lstrcmpiW(u"\u00c4bC", u"\u00e4Bc"), 0);
    EXPECT_LT(lstrcmpA(nullptr, ""), 0);
    EXPECT_EQ(lstrcmpiW(nullptr, nullptr), 0);
}

TEST(Win32Text, WideStrings) {
    std::array<WCHAR, 16> out{};
    EXPECT_EQ(_tcslen(u"abc"), 3u);
    _tcscpy(out.data(), u"abc");
    _tcscat(out.data(), u"def");
    EXPECT_EQ(_tcscmp(out.data(), u"abcdef"), 0);
    EXPECT_LT(_tcscmp(u"ab", u"abc"), 0);
    EXPECT_GT(_tcscmp(u"b", u"ab"), 0);
    EXPECT_EQ(_tcsncmp(u"abx", u"aby", 2), 0);
    EXPECT_EQ(_tcsicmp(u"\u00c4B", u"\u00e4b"), 0);
    EXPECT_EQ(_tcsnicmp(u"ABx", u"abY", 2), 0);
    EXPECT_EQ(_tcschr(out.data(), u'c'), out.data() + 2);
    EXPECT_EQ(_tcschr(out.data(), u'\0'), out.data() + 6);
    EXPECT_EQ(_tcschr(out.data(), u'z'), nullptr);
    EXPECT_EQ(_tcsrchr(u"abab", u'z'), nullptr);
    EXPECT_EQ(*_tcsrchr(u"abac", u'a'), u'a');
    EXPECT_EQ(_tcsstr(out.data(), u"cd"), out.data() + 2);
    EXPECT_EQ(_tcsstr(out.data(), u""), out.data());
    EXPECT_EQ(_tcsstr(out.data(), u"dc"), nullptr);
    EXPECT_EQ(_tcspbrk(out.data(), u"xe"), out.data() + 4);
    EXPECT_EQ(_tcsspn(u"aab", u"a"), 2u);
    EXPECT_EQ(_tcscspn(u"aab", u"xyz"), 3u);
    _tcsncpy(out.data(), u"xy", 4);
    EXPECT_EQ(std::u16string_view(out.data(), 7), u"xy\0\0ef\0"sv);
    WCHAR list[] = u",a,,b";
    WCHAR* rest = nullptr;
    EXPECT_EQ(_tcscmp(_tcstok_s(list, u",", &rest), u"a"), 0);
    EXPECT_EQ(_tcscmp(_tcstok_s(nullptr, u",", &rest), u"b"), 0);
    EXPECT_EQ(_tcstok_s(nullptr, u",", &rest), nullptr);
    EXPECT_EQ(_tcstok_s(nullptr, u",", &rest), nullptr);
    WCHAR* const copy = _tcsdup(u"copy");
    EXPECT_EQ(_tcscmp(copy, u"copy"), 0);
    std::free(copy);
}

TEST(Win32Text, CaseChangesInPlace) {
    std::u16string wide_text = u"a\u00e4\u0436Z\U0001d11e1";
    EXPECT_EQ(_tcsupr(wide_text.data()), wide_text.data());
    EXPECT_EQ(wide_text, u"A\u00c4\u0416Z\U0001d11e1");
    EXPECT_EQ(_tcslwr(wide_text.data()), wide_text.data());
    EXPECT_EQ(wide_text, u"a\u00e4\u0436z\U0001d11e1");
    std::string narrow_text = "aZ\xc3\xa4[{1";
    EXPECT_EQ(comap_tcsupr(narrow_text.data()), narrow_text.data());
    EXPECT_EQ(narrow_text, "AZ\xc3\xa4[{1");
    EXPECT_EQ(comap_tcslwr(narrow_text.data()), narrow_text.data());
    EXPECT_EQ(narrow_text, "az\xc3\xa4[{1");
}

TEST(Win32Text, EnvironmentAndCommands) {
    ASSERT_EQ(::setenv("COMAP_TEST_\u00e4", "first \u20ac", 1), 0);
    const WCHAR* const first = _tgetenv(u"COMAP_TEST_\u00e4");
    ASSERT_NE(first, nullptr);
    ASSERT_EQ(::setenv("COMAP_TEST_\u00e4", "", 1), 0);
    EXPECT_EQ(std::u16string_view(_tgetenv(u"COMAP_TEST_\u00e4")), u"");
    EXPECT_EQ(std::u16string_view(first), u"first \u20ac");
    ::unsetenv("COMAP_TEST_\u00e4");
    EXPECT_EQ(_tgetenv(u"COMAP_TEST_\u00e4"), nullptr);
    EXPECT_EQ(_tgetenv(u"\xd800"), nullptr);
    EXPECT_EQ(WEXITSTATUS(_tsystem(u"test \u00e4 = '\u00e4' && exit 3")), 3);
    EXPECT_NE(_tsystem(nullptr), 0);
}

TEST(Win32Text, WideNumbers) {
    const WCHAR text[] = u" -12\u00e4";
    WCHAR* end = nullptr;
    EXPECT_EQ(_tcstol(text, &end, 10), -12);
    EXPECT_EQ(end, text + 4);
    EXPECT_EQ(_tcstol(u"\u00e4", &end, 10), 0);
    EXPECT_EQ(_tcstoul(u"0xff", nullptr, 0), 255u);
    EXPECT_EQ(_tcstoi64(u"-9000000000", nullptr, 10), -9000000000);
    EXPECT_EQ(_ttoi(u"42x"), 42);
    EXPECT_DOUBLE_EQ(_tcstod(u"2.5", nullptr), 2.5);
}

TEST(Win32Text, CheckedCopiesLeaveAnEmptyTextWhereTheyFail) {
    TCHAR out[4] = u"#";
    EXPECT_EQ(_tcscpy_s(out, u"abc"), 0);
    EXPECT_EQ(std::u16string_view(out), u"abc");
    EXPECT_EQ(_tcscat_s(out, u"d"), ERANGE);
    EXPECT_EQ(out[0], 0);
    EXPECT_EQ(_tcscpy_s(out, 4, u"abcd"), ERANGE);
    EXPECT_EQ(out[0], 0);
    EXPECT_EQ(_tcscpy_s(out, 4, nullptr), EINVAL);
    EXPECT_EQ(_tcscpy_s(nullptr, 4, u""), EINVAL);
    EXPECT_EQ(_tcscpy_s(out, 0, u""), EINVAL);
    EXPECT_EQ(_tcsncpy_s(out, 4, u"abcdef", 2), 0);
    EXPECT_EQ(std::u16string_view(out), u"ab");
    EXPECT_EQ(_tcscat_s(out, 4, u"c"), 0);
    EXPECT_EQ(std::u16string_view(out), u"abc");
    EXPECT_EQ(_tcsncpy_s(out, 4, u"wxyz", _TRUNCATE), 0);
    EXPECT_EQ(std::u16string_view(out), u"wxy");
}

TEST(Win32Text, WideLinesOfAFile) {
    std::FILE* const file = std::tmpfile();
    ASSERT_NE(file, nullptr);
    _fputts(u"a\u00e4\U0001d11e\nz\xd800", file);
    std::rewind(file);
    std::array<WCHAR, 8> out{};
    EXPECT_EQ(_fgetts(out.data(), 4, file), out.data());  // the pair has no room here
    EXPECT_EQ(std::u16string_view(out.data()), u"a\u00e4");
    EXPECT_EQ(_fgetts(out.data(), 8, file), out.data());
    EXPECT_EQ(std::u16string_view(out.data()), u"\U0001d11e\n");
    EXPECT_EQ(_fgetts(out.data(), 8, file), out.data());
    EXPECT_EQ(std::u16string_view(out.data()), u"z\ufffd");
    EXPECT_EQ(_fgetts(out.data(), 8, file), nullptr);
    std::fclose(file);
}

}  // namespace
