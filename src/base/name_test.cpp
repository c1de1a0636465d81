// SPDX-License-Identifier: Apache-2.0
#include "base/name.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/utf.hpp"
#include "support/process.hpp"

namespace comap::internal {
namespace {

TEST(Name, ScopesAreTakenFromThePrefix) {
    EXPECT_EQ(parse_name("x")->scope, Scope::local);
    EXPECT_EQ(parse_name("Local\\x")->base, "x");
    EXPECT_EQ(parse_name("Global\\x")->scope, Scope::global);
    EXPECT_EQ(parse_name("Global\\x")->full(), "Global\\x");
    EXPECT_EQ(parse_name("Local\\x")->full(), "x");
}

TEST(Name, WhatIsNoNameIsRefused) {
    for (const std::string& name : {std::string(""), std::string("Local\\"), std::string("a\\b"), std::string("a\0b", 3),
                                    std::string(241, 'x'), std::string("\xff"), std::string("caf\xc3")})
        EXPECT_CODE(Code::invalid_argument, parse_name(name));
}

TEST(Name, FileNamesCannotClimbOutAndComeBackWhole) {
    const std::vector<std::string> names = {"plain", "..", ".", ".hidden", "a/b", "../../etc", "100%", "#12", "a#", "tab\there", "del\x7f",
                                            "preise.täglich", "日本語", std::string(240, 'x'), "%41", "%~"};
    for (const std::string& name : names) {
        const std::string file_name = file_name_of(name);
        EXPECT_EQ(file_name.find('/'), std::string::npos) << name;
        EXPECT_NE(file_name[0], '.') << name;
        EXPECT_NE(file_name[0], '#') << name;
        EXPECT_LE(file_name.size(), kFileNameBytesMax);
        EXPECT_EQ(base_of(file_name), name);
    }
}

TEST(Name, WhatIsTooLongForAFileNameIsHashed) {
    const std::string many_slashes(100, '/');
    const std::string file_name = file_name_of(many_slashes);
    EXPECT_LE(file_name.size(), kFileNameBytesMax);
    EXPECT_TRUE(is_hashed(file_name));
    EXPECT_EQ(base_of(file_name), std::nullopt);
    EXPECT_NE(file_name, file_name_of(many_slashes + "/"));
    EXPECT_EQ(file_name.substr(0, 9), "%2F%2F%2F");
    EXPECT_FALSE(is_hashed(file_name_of("x")));
}

TEST(Name, TheHashIsPartOfTheFormat) {
    // Fixed once and for all: another value would hide the objects of older programs.
    EXPECT_EQ(file_name_of(std::string(90, '/')).substr(198), "%~" + file_name_of(std::string(90, '/')).substr(200));
    EXPECT_EQ(file_name_of(std::string(90, '/')).size(), 198u + 2 + 32);
}

TEST(Name, OnlyOurOwnFileNamesAreDecoded) {
    for (const char* const file_name : {"%4", "%zz", "%41", "a%2fb", ".x", "#1", "%"}) EXPECT_EQ(base_of(file_name), std::nullopt) << file_name;
}

TEST(Utf, FindsTheFirstInvalidByte) {
    EXPECT_EQ(first_invalid_utf8("plain ascii, longer than a word"), std::nullopt);
    EXPECT_EQ(first_invalid_utf8("grüße, 日本語, 🦀"), std::nullopt);
    EXPECT_EQ(first_invalid_utf8(std::string("01234567\xc3(")), 8u);
    EXPECT_EQ(first_invalid_utf8("\xed\xa0\x80"), 0u);          // a surrogate
    EXPECT_EQ(first_invalid_utf8("\xf4\x90\x80\x80"), 0u);      // beyond U+10FFFF
    EXPECT_EQ(first_invalid_utf8("\xc0\xaf"), 0u);              // longer than needed
    EXPECT_EQ(first_invalid_utf8("ok\xe2\x82"), 2u);            // cut off
}

TEST(Utf, ConvertsBothWaysAndRefusesHalves) {
    const std::string text = "a ä € 🦀";
    const auto wide = utf16_from_utf8(text);
    ASSERT_OK(wide);
    EXPECT_EQ(*wide, u"a ä € 🦀");
    EXPECT_EQ(*utf8_from_utf16(*wide), text);
    EXPECT_CODE(Code::invalid_argument, utf16_from_utf8("\xff"));
    for (const std::u16string& half : {std::u16string(1, 0xd83e), std::u16string(1, 0xdd80), std::u16string{0xd83e, u'x'}})
        EXPECT_CODE(Code::invalid_argument, utf8_from_utf16(half));
}

}  // namespace
}  // namespace comap::internal
