// SPDX-License-Identifier: Apache-2.0
#include <windows.h>

#include <array>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>

namespace {

constexpr DWORD kPoison = 0xdeadbeef;

// The text of a message, or "" with the error set.
std::string message(DWORD flags, const void* source, DWORD code = 0, va_list* arguments = nullptr) {
    std::array<char, 512> out;
    out.fill('#');
    SetLastError(kPoison);
    const DWORD length = FormatMessageA(flags, source, code, 0, out.data(), 512, arguments);
    if (length == 0) {
        EXPECT_EQ(out[0], GetLastError() == kPoison ? '\0' : '#');
        return {};
    }
    EXPECT_EQ(GetLastError(), kPoison);
    EXPECT_EQ(std::string_view(out.data()).size(), length);
    return out.data();
}

std::string message_with(const char* source, DWORD flags, std::initializer_list<DWORD_PTR> values) {
    return message(FORMAT_MESSAGE_FROM_STRING | FORMAT_MESSAGE_ARGUMENT_ARRAY | flags, source, 0,
                   reinterpret_cast<va_list*>(const_cast<DWORD_PTR*>(values.begin())));
}

std::string message_listed(const char* source, ...) {
    va_list arguments;
    va_start(arguments, source);
    const std::string text = message(FORMAT_MESSAGE_FROM_STRING, source, 0, &arguments);
    va_end(arguments);
    return text;
}

DWORD_PTR value(const void* pointer) { return reinterpret_cast<DWORD_PTR>(pointer); }

TEST(Win32Errors, EachThreadHasItsOwn) {
    SetLastError(1);
    DWORD first = kPoison;
    std::thread([&] {
        first = GetLastError();
        SetLastError(2);
    }).join();
    EXPECT_EQ(first, 0u);
    EXPECT_EQ(GetLastError(), 1u);
}

TEST(Win32Errors, EveryCodeOfTheHeaderHasAText) {
    std::ifstream header(COMAP_WIN32_INCLUDE "/winerror.h");
    int seen = 0;
    for (std::string line; std::getline(header, line);) {
        std::istringstream words(line);
        std::string define, name;
        DWORD code = 0;
        const bool is_number = static_cast<bool>(words >> define >> name >> code) && define == "#define";
        if (!is_number || !(name.starts_with("ERROR_") || name.starts_with("WAIT_"))) continue;
        const std::string text = message(FORMAT_MESSAGE_FROM_SYSTEM, nullptr, code);
        EXPECT_GT(text.size(), 10u) << name;
        EXPECT_EQ(text.substr(text.size() - std::min<std::size_t>(text.size(), 3)), ".\r\n") << name;
        ++seen;
    }
    EXPECT_GT(seen, 70);
}

TEST(Win32Errors, SystemMessages) {
    const std::string denied = message(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr, ERROR_ACCESS_DENIED);
    EXPECT_NE(denied, "");
    EXPECT_EQ(message(FORMAT_MESSAGE_FROM_SYSTEM, nullptr, 0x80070005u), denied);
    EXPECT_EQ(message(FORMAT_MESSAGE_FROM_SYSTEM, nullptr, 0xdeadbeefu), "");
    EXPECT_EQ(GetLastError(), DWORD{ERROR_MR_MID_NOT_FOUND});
    EXPECT_EQ(message(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_MAX_WIDTH_MASK, nullptr, ERROR_ACCESS_DENIED),
              denied.substr(0, denied.size() - 2) + " ");
}

TEST(Win32Errors, WideMessagesAreTheSame) {
    std::array<WCHAR, 256> out{};
    const DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM, nullptr, ERROR_ACCESS_DENIED, 0, out.data(), 256, nullptr);
    const std::string narrow = message(FORMAT_MESSAGE_FROM_SYSTEM, nullptr, ERROR_ACCESS_DENIED);
    EXPECT_EQ(std::u16string(out.data(), length), std::u16string(narrow.begin(), narrow.end()));
}

TEST(Win32Errors, AllocatesTheBuffer) {
    LPSTR text = nullptr;
    const DWORD length = FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_ALLOCATE_BUFFER, nullptr, ERROR_FILE_NOT_FOUND,
                                        MAKELANGID(LANG_NEUTRAL, SUBLANG_DEFAULT), reinterpret_cast<LPSTR>(&text), 0, nullptr);
    ASSERT_NE(text, nullptr);
    EXPECT_EQ(std::string_view(text).size(), length);
    EXPECT_EQ(LocalFree(text), nullptr);
}

TEST(Win32Errors, FormatMessageRefusesBadArguments) {
    std::array<char, 4> small{'#'};
    const auto error = [&](DWORD flags, const void* source, char* out, DWORD count) {
        SetLastError(kPoison);
        EXPECT_EQ(FormatMessageA(flags, source, 5, 0, out, count, nullptr), 0u);
        return GetLastError();
    };
    EXPECT_EQ(error(FORMAT_MESSAGE_FROM_SYSTEM, nullptr, nullptr, 100), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(error(0, nullptr, small.data(), 4), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(error(FORMAT_MESSAGE_FROM_STRING, nullptr, small.data(), 4), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(error(FORMAT_MESSAGE_FROM_SYSTEM, nullptr, small.data(), 4), DWORD{ERROR_INSUFFICIENT_BUFFER});
    EXPECT_EQ(error(FORMAT_MESSAGE_FROM_SYSTEM, nullptr, small.data(), 0), DWORD{ERROR_INSUFFICIENT_BUFFER});
    EXPECT_EQ(small[0], '#');
}

TEST(Win32Errors, Inserts) {
    EXPECT_EQ(message_with("%2 and %1", 0, {value("one"), value("two")}), "two and one");
    EXPECT_EQ(message_with("%1!d! %2!5.1s!| %3!08X!", 0, {static_cast<DWORD_PTR>(-7), value("abc"), 0xbeef}), "-7     a| 0000BEEF");
    EXPECT_EQ(message_with("%1!*d!", 0, {4, 42}), "  42");
    EXPECT_EQ(message_with("%1!S!", 0, {value(u"wide")}), "wide");
    EXPECT_EQ(message_with("%10", 0, {0, 0, 0, 0, 0, 0, 0, 0, 0, value("ten")}), "ten");
    EXPECT_EQ(message_listed("%1 %3!d! %2", "a", "b", 3), "a 3 b");
    EXPECT_EQ(message_with("100%% a%nb%!c%tX%r.% %0 never", 0, {}), "100% a\r\nb!c\tX\r. ");
    EXPECT_EQ(message_with("%1 %2!d!", FORMAT_MESSAGE_IGNORE_INSERTS, {}), "%1 %2!d!");
    EXPECT_EQ(message(FORMAT_MESSAGE_FROM_STRING, "%1"), "");
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(message_with("%1!d", 0, {1}), "");
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_PARAMETER});
}

TEST(Win32Errors, Widths) {
    EXPECT_EQ(message_with("one two three four", 8, {}), "one two\r\nthree\r\nfour");
    EXPECT_EQ(message_with("one\r\ntwo%nthree", FORMAT_MESSAGE_MAX_WIDTH_MASK, {}), "one two\r\nthree");
    EXPECT_EQ(message_with("one\ntwo", 0, {}), "one\r\ntwo");
    EXPECT_EQ(message_with("longword more", 3, {}), "longword\r\nmore");
}

}  // namespace
