// SPDX-License-Identifier: Apache-2.0
#include <tchar.h>
#include <windows.h>

#include <array>
#include <climits>
#include <cstdio>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace {

using namespace std::string_view_literals;

template <typename... Arguments>
std::string narrow(const char* format, Arguments... arguments) {
    std::array<char, 4096> out{};
    const int length = comap_tsprintf(out.data(), format, arguments...);
    EXPECT_EQ(static_cast<std::size_t>(length), std::string_view(out.data()).size());
    return out.data();
}

template <typename... Arguments>
std::u16string wide(const WCHAR* format, Arguments... arguments) {
    std::array<WCHAR, 4096> out{};
    const int length = comap_wsprintf(out.data(), format, arguments...);
    EXPECT_EQ(static_cast<std::size_t>(length), std::u16string_view(out.data()).size());
    return out.data();
}

TEST(Win32Printing, AFormatMeansStringsOfItsOwnKind) {
    EXPECT_EQ(narrow("%s|%S|%hs|%ls|%ws|%hS|%lS", "a", u"b\u20ac", "c", u"d", u"e", "f", u"g"), "a|b\u20ac|c|d|e|f|g");
    EXPECT_EQ(wide(u"%s|%S|%hs|%ls|%ws|%hS|%lS", u"a", "b\u20ac", "c", u"d", u"e", "f", u"g"), u"a|b\u20ac|c|d|e|f|g");
    EXPECT_EQ(narrow("%c%C%hc%lc", 'a', u'\u20ac', 'c', u'd'), "a\u20accd");
    EXPECT_EQ(wide(u"%c%C%hc%lc", u'\u20ac', 'b', 'c', u'd'), u"\u20acbcd");
    EXPECT_EQ(wide(u"%C", '\xe4'), u"\ufffd");
}

TEST(Win32Printing, WidthsAndPrecisions) {
    EXPECT_EQ(narrow("[%5s][%-5s][%.2s][%5.1s][%*s][%-*s][%.*s]", "ab", "ab", "abc", "abc", 3, "x", 3, "x", 1, "xyz"),
              "[   ab][ab   ][ab][    a][  x][x  ][x]");
    EXPECT_EQ(wide(u"[%5s][%-5s][%.2s][%.2S][%*s]", u"ab", u"ab", u"abc", "abc", -3, u"x"), u"[   ab][ab   ][ab][ab][x  ]");
    EXPECT_EQ(narrow("[%.4S][%.0S]", u"\u20ac\u20ac", u"x"), "[\u20ac][]");
    const std::array<WCHAR, 2> unended{u'a', u'b'};
    EXPECT_EQ(wide(u"%.2s", unended.data()), u"ab");
    EXPECT_EQ(narrow("%.2S", unended.data()), "ab");
    const char* const none = nullptr;
    const WCHAR* const wide_none = nullptr;
    EXPECT_EQ(narrow("%s %.3s %S", none, none, wide_none), "(null) (nu (null)");
}

TEST(Win32Printing, Numbers) {
    EXPECT_EQ(narrow("%d %i %u %x %X %o", -1, 2, 3u, 255u, 255u, 8u), "-1 2 3 ff FF 10");
    EXPECT_EQ(narrow("%5d|%-5d|%05d|%+d|% d|%#x|%.3d", 42, 42, 42, 42, 42, 255, 7), "   42|42   |00042|+42| 42|0xff|007");
    EXPECT_EQ(wide(u"%ld %lu %lx", -1, 4000000000u, 0xdeadbeefu), u"-1 4000000000 deadbeef");  // 32 bits each
    EXPECT_EQ(narrow("%hd %hhd %hu %hhu", 65535, 255, 65537, 257), "-1 -1 1 1");
    EXPECT_EQ(narrow("%lld %I64d %I64u %llx %jd", LLONG_MIN, -1LL, ULLONG_MAX, ~0ULL, 5LL),
              "-9223372036854775808 -1 18446744073709551615 ffffffffffffffff 5");
    EXPECT_EQ(wide(u"%I32d %Iu %zu %td", -1, SIZE_T{7}, SIZE_T{8}, SSIZE_T{-9}), u"-1 7 8 -9");
    EXPECT_EQ(narrow("%d %d %d %d %d %d %d %d", 1, 2, 3, 4, 5, 6, 7, 8), "1 2 3 4 5 6 7 8");
    EXPECT_EQ(narrow("%f %.2f %e %g %5.1f %.0f", 1.5, 2.345, 1e10, 0.0001, 3.14, 2.5), "1.500000 2.35 1.000000e+10 0.0001   3.1 2");
    EXPECT_EQ(wide(u"%.1f %d %.1Lf", 1.25, 7, 2.5L), u"1.2 7 2.5");
    const std::string address = narrow("%p", reinterpret_cast<void*>(0x2a));
    EXPECT_EQ(address, std::string(2 * sizeof(void*) - 2, '0') + '2' + 'A');
}

TEST(Win32Printing, OddFormats) {
    EXPECT_EQ(narrow("100%% %y %"), "100% y ");
    EXPECT_EQ(narrow("%5"), "");
    EXPECT_EQ(wide(u"%l"), u"");
    int untouched = 7;
    EXPECT_EQ(narrow("a%nb%d", &untouched, 3), "ab3");
    EXPECT_EQ(untouched, 7);
}

TEST(Win32Printing, BoundsAsDocumented) {
    std::array<char, 6> out;
    const auto shows = [&] { return std::string_view(out.data(), out.size()); };
    out.fill('#');
    EXPECT_EQ(comap_tsnprintf(out.data(), 3, "%s", "abcd"), -1);
    EXPECT_EQ(shows(), "abc###");
    out.fill('#');
    EXPECT_EQ(comap_tsnprintf(out.data(), 3, "%s", "abc"), 3);
    EXPECT_EQ(shows(), "abc###");
    out.fill('#');
    EXPECT_EQ(comap_tsnprintf(out.data(), 3, "%s", "ab"), 2);
    EXPECT_EQ(shows(), "ab\0###"sv);
    EXPECT_EQ(comap_tsnprintf(nullptr, 0, "%s", "abcd"), 4);
    out.fill('#');
    EXPECT_EQ(comap_tsprintf_s(out.data(), 3, "%s", "abc"), -1);
    EXPECT_EQ(shows(), "\0#####"sv);
    EXPECT_EQ(comap_tsprintf_s(out.data(), 4, "%s", "abc"), 3);
    EXPECT_EQ(shows(), "abc\0##"sv);
    EXPECT_EQ(comap_tsprintf_s(nullptr, 4, "x"), -1);
    EXPECT_EQ(comap_tsnprintf_s(out.data(), 6, 2, "%s", "wxyz"), -1);
    EXPECT_STREQ(out.data(), "wx");
    EXPECT_EQ(comap_tsnprintf_s(out.data(), 3, _TRUNCATE, "%s", "wxyz"), -1);
    EXPECT_STREQ(out.data(), "wx");
    EXPECT_EQ(comap_tsnprintf_s(out.data(), 3, 3, "%s", "wxyz"), -1);
    EXPECT_STREQ(out.data(), "");
    char array[4];
    EXPECT_EQ(_stprintf_s(array, "%d", 123), 3);
    EXPECT_EQ(_stprintf_s(array, "%d", 1234), -1);
}

TEST(Win32Printing, ToFiles) {
    std::FILE* const file = std::tmpfile();
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(comap_wfprintf(file, u"%s \u20ac\n", u"wide"), 7);
    EXPECT_EQ(comap_tfprintf(file, "%S\n", u"\U0001d11e"), 5);
    std::rewind(file);
    std::array<char, 32> line{};
    EXPECT_STREQ(std::fgets(line.data(), 32, file), "wide \u20ac\n");
    EXPECT_STREQ(std::fgets(line.data(), 32, file), "\U0001d11e\n");
    std::fclose(file);
}

TEST(Win32Printing, WsprintfStopsAt1024) {
    std::array<char, 2048> out;
    out.fill('#');
    EXPECT_EQ(wsprintfA(out.data(), "%s", std::string(1500, 'a').c_str()), 1023);
    EXPECT_EQ(std::string_view(out.data()).size(), 1023u);
    EXPECT_EQ(out[1024], '#');
    std::array<WCHAR, 16> w{};
    EXPECT_EQ(wsprintfW(w.data(), u"%s %lu", u"code", DWORD{5}), 6);
    EXPECT_EQ(std::u16string_view(w.data()), u"code 5");
}

}  // namespace
