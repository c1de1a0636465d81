// SPDX-License-Identifier: Apache-2.0
#include <comap/record.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <random>
#include <string>
#include <utf8.h>

#include "support/process.hpp"

namespace comap::test {
namespace {

enum class Side : std::uint8_t { buy, sell };
enum class Level : std::int64_t { low, high };

struct Everything {
    std::int64_t i8;
    std::uint64_t u8;
    double f8;
    std::int32_t i4;
    std::uint32_t u4;
    float f4;
    std::int16_t i2;
    std::uint16_t u2;
    std::int8_t i1;
    std::uint8_t u1;
    bool b1;
    Side side;
    Padding<4> end;
};
COMAP_RECORD(Everything, i8, u8, f8, i4, u4, f4, i2, u2, i1, u1, b1, side, end);

struct Point {
    float x, y;
};
COMAP_RECORD(Point, x, y);

struct Line2 {
    Point from, to;
    std::array<Point, 3> between;
    Point more[2];
    Level level;
};
COMAP_RECORD(Line2, from, to, between, more, level);

struct Arrays {
    double row[4];
    std::array<std::int16_t, 4> short_row;
    double matrix[2][3];
    std::array<std::array<std::uint8_t, 2>, 4> bytes;
    std::array<std::uint32_t, 2> mixed[3];
    FixedText<16> names[2];
};
COMAP_RECORD(Arrays, row, short_row, matrix, bytes, mixed, names);

struct Padded {
    std::uint8_t flag;
    Padding<3> gap;
    std::uint32_t number;
    FixedText<5> text;
    Padding<3> end;
};
COMAP_RECORD(Padded, flag, gap, number, text, end);

struct PaddedTwice {
    std::uint8_t flag;
    Padding<1> gap[3];
    std::uint32_t number;
    std::array<Padding<2>, 2> end;
};
COMAP_RECORD(PaddedTwice, flag, gap, number, end);

struct One {
    std::uint8_t only;
};
COMAP_RECORD(One, only);

// Many fields: the macro goes on as long as there are some.
struct Many {
    std::uint8_t a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9;
};
COMAP_RECORD(Many, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);

RecordType type_of(std::string_view format) {
    auto type = RecordType::parse(format);
    EXPECT_OK(type);
    return type ? std::move(*type) : RecordType();
}

// The sentence of the error, which must be invalid_argument.
std::string refusal(const Result<RecordType>& type) {
    if (type) return "accepted as " + type->format();
    EXPECT_EQ(code_name(type.error().code), code_name(Code::invalid_argument));
    return type.error().message;
}

// In the canonical spelling the order of bytes stands first: behind the { NumPy takes it only where no array follows.
std::string form(std::string_view fields) { return "<T{" + std::string(fields) + "}"; }

bool is_utf8(const std::string& text) { return utf8::is_valid(text.begin(), text.end()); }

// The message has these words and, after them, this place.
void expect_refused(std::string_view format, const std::string& why, std::size_t at) {
    const std::string message = refusal(RecordType::parse(format));
    EXPECT_NE(message.find(why), std::string::npos) << format << ": " << message;
    EXPECT_NE(message.find("(at byte " + std::to_string(at) + ")"), std::string::npos) << format << ": " << message;
}

// What holds of every type that was accepted, whoever wrote it.
void expect_sound(const RecordType& type) {
    ASSERT_GT(type.size_bytes(), 0u);
    ASSERT_LE(type.size_bytes(), kRecordBytesMax);
    ASSERT_LE(type.format().size(), kRecordFormatMax);
    const auto again = RecordType::parse(type.format());
    ASSERT_TRUE(again.has_value()) << type.format() << ": " << again.error().message;
    ASSERT_EQ(again->format(), type.format());
    ASSERT_EQ(again->size_bytes(), type.size_bytes());
    ASSERT_EQ(type.first_difference(*again, false), "");
    ASSERT_EQ(again->first_difference(type, true), "");
    std::uint64_t end = 0;
    for (const RecordField& field : type.fields()) {
        ASSERT_GE(field.offset_bytes, end);
        ASSERT_GT(field.size_bytes, 0u);
        end = field.offset_bytes + field.count() * field.size_bytes;
        ASSERT_LE(end, type.size_bytes());
        ASSERT_TRUE(field.kind == FieldKind::record || field.fields.empty());
    }
}

TEST(Record, FormatsOfEveryType) {
    EXPECT_EQ(record_format<Everything>(), form("q:i8:Q:u8:d:f8:i:i4:I:u4:f:f4:h:i2:H:u2:b:i1:B:u1:?:b1:B:side:4x"));
    EXPECT_EQ(record_format<Point>(), form("f:x:f:y:"));
    EXPECT_EQ(record_format<Line2>(), form("T{f:x:f:y:}:from:T{f:x:f:y:}:to:(3)T{f:x:f:y:}:between:(2)T{f:x:f:y:}:more:q:level:"));
    EXPECT_EQ(record_format<Arrays>(), form("(4)d:row:(4)h:short_row:(2,3)d:matrix:(4,2)B:bytes:(3,2)I:mixed:(2)16s:names:"));
    EXPECT_EQ(record_format<Padded>(), form("B:flag:3xI:number:5s:text:3x"));
    EXPECT_EQ(record_format<One>(), form("B:only:"));
}

template <typename T>
void expect_described() {
    const RecordType type = type_of(record_format<T>());
    EXPECT_EQ(type.format(), record_format<T>());
    EXPECT_EQ(type.size_bytes(), sizeof(T));
    expect_sound(type);
}

TEST(Record, WhatCompilersMakeIsCanonicalAndOfTheSameSize) {
    expect_described<Everything>();
    expect_described<Point>();
    expect_described<Line2>();
    expect_described<Arrays>();
    expect_described<Padded>();
    expect_described<One>();
    expect_described<Many>();
    EXPECT_EQ(type_of(record_format<Many>()).fields().size(), 30u);
    const RecordType padded = type_of(record_format<Padded>());
    EXPECT_EQ(padded.fields()[1].offset_bytes, offsetof(Padded, number));
    EXPECT_EQ(padded.fields()[2].offset_bytes, offsetof(Padded, text));
    EXPECT_EQ(padded.fields().size(), 3u);
}

TEST(Record, ArraysOfPaddingArePadding) {
    const RecordType type = type_of(record_format<PaddedTwice>());
    EXPECT_EQ(type.format(), form("B:flag:3xI:number:4x"));
    EXPECT_EQ(type.size_bytes(), sizeof(PaddedTwice));
}

TEST(Record, FieldsSayWhatTheyAre) {
    const RecordType type = type_of(record_format<Arrays>());
    const RecordField& matrix = type.fields()[2];
    EXPECT_EQ(matrix.name, "matrix");
    EXPECT_EQ(matrix.kind, FieldKind::floating);
    EXPECT_EQ(matrix.shape, (std::vector<std::uint32_t>{2, 3}));
    EXPECT_EQ(matrix.count(), 6u);
    EXPECT_EQ(matrix.size_bytes, 8u);
    EXPECT_EQ(matrix.offset_bytes, offsetof(Arrays, matrix));
    const RecordField& names = type.fields()[5];
    EXPECT_EQ(names.kind, FieldKind::text);
    EXPECT_EQ(names.size_bytes, 16u);
    EXPECT_EQ(names.count(), 2u);
    const RecordType line = type_of(record_format<Line2>());
    EXPECT_EQ(line.fields()[2].fields[1].name, "y");
    EXPECT_EQ(line.fields()[2].fields[1].offset_bytes, 4u);
    EXPECT_EQ(line.fields()[2].offset_bytes, offsetof(Line2, between));
    const RecordType all = type_of(record_format<Everything>());
    EXPECT_EQ(all.fields()[10].kind, FieldKind::boolean);
    EXPECT_EQ(all.fields()[0].kind, FieldKind::signed_integer);
    EXPECT_EQ(all.fields()[11].kind, FieldKind::unsigned_integer);
}

TEST(Record, OtherSpellingsBecomeTheCanonicalOne) {
    const auto canonical = [](std::string_view format) { return type_of(format).format(); };
    EXPECT_EQ(canonical("T{<d:a:}"), form("d:a:"));
    EXPECT_EQ(canonical("T{=d:a:}"), form("d:a:"));
    EXPECT_EQ(canonical("T{d:a:}"), form("d:a:"));
    EXPECT_EQ(canonical("<T{d:a:}"), form("d:a:"));
    EXPECT_EQ(canonical("=T{=d:a:<i:b:}"), form("d:a:i:b:"));
    EXPECT_EQ(canonical("T{<3d:a:}"), form("(3)d:a:"));
    EXPECT_EQ(canonical("T{<1d:a:}"), form("(1)d:a:"));
    EXPECT_EQ(canonical("T{<(2)3d:a:}"), form("(2,3)d:a:"));
    EXPECT_EQ(canonical("T{<(2)<d:a:}"), form("(2)d:a:"));
    EXPECT_EQ(canonical("T{<003d:a:}"), form("(3)d:a:"));
    EXPECT_EQ(canonical("T{<l:a:L:b:}"), form("i:a:I:b:"));
    EXPECT_EQ(canonical("T{<s:a:}"), form("1s:a:"));
    EXPECT_EQ(canonical("T{<xxB:a:}"), form("2xB:a:"));
    EXPECT_EQ(canonical("T{<x2xB:a:(3)2xx}"), form("3xB:a:7x"));
    EXPECT_EQ(canonical("T{<2T{<h:p:x}:a:}"), form("(2)T{h:p:1x}:a:"));
    EXPECT_EQ(canonical("T{<T{4x}:hidden:}"), form("T{4x}:hidden:"));
    EXPECT_EQ(canonical("T{<d:größe:}"), form("d:größe:"));
}

TEST(Record, EveryMistakeIsNamedWithItsPlace) {
    expect_refused("", "does not begin with T{", 0);
    expect_refused("d", "does not begin with T{", 0);
    expect_refused("T", "does not begin with T{", 1);
    expect_refused("T{", "ends too early", 2);
    expect_refused("T{<", "ends too early", 3);
    expect_refused("T{}", "no fields", 3);
    expect_refused("T{<}", "'}' is no type", 3);
    expect_refused("T{<d:a:", "ends too early", 7);
    expect_refused("T{<d:a:}x", "after its end", 8);
    expect_refused("T{<d:a:}}", "after its end", 8);
    expect_refused("T{<d}", "no name", 4);
    expect_refused("T{<da:}", "no name", 4);
    expect_refused("T{<d:a}", "does not end with :", 5);
    expect_refused("T{<d::}", "0 bytes", 5);
    expect_refused("T{<d:" + std::string(65, 'n') + ":}", "65 bytes", 5);
    EXPECT_OK(RecordType::parse("T{<d:" + std::string(64, 'n') + ":}"));
    for (const char* const bad : {" ", "a b", "a\n", "a\x7f", "a{", "a}", "a=", "a,b", "a.b", "a[", "a]"})
        expect_refused(std::string("T{<d:") + bad + ":}", "character that cannot be in one", 5);
    expect_refused("T{<d:a:i:a:}", "two fields have the name 'a'", 9);
    expect_refused("T{<@d:a:}", "'@' is no type", 3);
    expect_refused("T{>d:a:}", "'>' is no type", 2);
    expect_refused("T{!d:a:}", "'!' is no type", 2);
    for (const char* const bad : {"g", "e", "P", "O", "n", "N", "c", "Z", "p", "w", "u", "t", "&"}) expect_refused(std::string("T{<") + bad + ":a:}", "is no type", 3);
    expect_refused("T{<0d:a:}", "a number from 1", 3);
    expect_refused("T{<0s:a:}", "a number from 1", 3);
    expect_refused("T{<4294967296d:a:}", "a number from 1", 3);
    expect_refused("T{<99999999999999999999999d:a:}", "a number from 1", 3);
    expect_refused("T{<4294967295d:a:}", "too large", 14);
    expect_refused("T{<()d:a:}", "a number from 1", 4);
    expect_refused("T{<(0)d:a:}", "a number from 1", 4);
    expect_refused("T{<(-1)d:a:}", "a number from 1", 4);
    expect_refused("T{<(2,)d:a:}", "a number from 1", 6);
    expect_refused("T{<(2d:a:}", "does not end with )", 5);
    expect_refused("T{<(2;3)d:a:}", "does not end with )", 5);
    expect_refused("T{<(1,1,1,1,1)d:a:}", "more than 4 dimensions", 13);
    EXPECT_OK(RecordType::parse("T{<(1,1,1,1)d:a:}"));
    expect_refused("T{<(2)(3)d:a:}", "'(' is no type", 6);
    expect_refused("T{<3", "ends too early", 4);
    expect_refused("T{<T:a:}", "a { is expected", 4);
    expect_refused("T{<T{}:a:}", "no fields", 6);
    expect_refused("T{<T{d}:a:}", "no name", 6);
    EXPECT_NE(refusal(RecordType::parse("T{<4x}")).find("no fields"), std::string::npos);
    EXPECT_NE(refusal(RecordType::parse(std::string(kRecordFormatMax + 1, 'x'))).find("1921 bytes"), std::string::npos);
}

// A number before the letter is one more dimension.
TEST(Record, ARepeatCountIsADimensionToo) {
    const std::string message = refusal(RecordType::parse("T{<(1,1,1,1)2d:a:}"));
    EXPECT_NE(message.find("more than 4 dimensions"), std::string::npos) << message;
    expect_sound(type_of("T{<(1,1,1)2d:a:}"));
}

TEST(Record, SizesUpToTheLargest) {
    EXPECT_EQ(type_of("T{<1073741824s:a:}").size_bytes(), kRecordBytesMax);
    EXPECT_EQ(type_of("T{<1073741823s:a:B:b:}").size_bytes(), kRecordBytesMax);
}

TEST(Record, HugeNumbersAreRefused) {
    const auto nested = [](const std::string& inner) { return "T{<65535T{65535T{65535" + inner + ":a:}:b:}:c:}"; };
    for (const std::string& format : {std::string("T{<1073741825s:a:}"), std::string("T{<(1073741824)2s:a:}"), std::string("T{<1073741824s:a:B:b:}"),
                                      std::string("T{<1073741824xB:b:}"), std::string("T{<(4294967295,4294967295,4294967295,4294967295)d:a:}"),
                                      std::string("T{<(65536,65536)B:a:}"), std::string("T{<(4294967295)4294967295s:a:}"), std::string("T{<4294967295x4294967295xB:a:}"),
                                      nested("d")})
        EXPECT_NE(refusal(RecordType::parse(format)).find("too large"), std::string::npos) << format;
    EXPECT_EQ(type_of("T{<(1024,1024,1024)B:a:}").size_bytes(), kRecordBytesMax);
}

TEST(Record, NestingHasAnEnd) {
    const auto nested = [](std::size_t depth) {
        std::string format;
        for (std::size_t i = 0; i < depth; ++i) format += "T{";
        format += "B:a:";
        for (std::size_t i = 1; i < depth; ++i) format += "}:a:";
        return format + "}";
    };
    for (std::size_t depth = 1; depth <= 8; ++depth) expect_sound(type_of(nested(depth)));
    for (const std::size_t depth : {9u, 10u, 100u, 200u})
        EXPECT_NE(refusal(RecordType::parse(nested(depth))).find("nested more than 8 deep"), std::string::npos) << depth;
    std::string open;
    while (open.size() + 2 <= kRecordFormatMax) open += "T{";
    EXPECT_NE(refusal(RecordType::parse(open)).find("nested more than 8 deep"), std::string::npos);
}

// The canonical spelling may be longer than what was given.
TEST(Record, ATooLongCanonicalFormIsRefused) {
    std::string format = "T{<";
    std::size_t count = 0;
    while (format.size() + 8 <= kRecordFormatMax) format += "s:" + std::to_string(100 + count++) + ":";
    format += "}";
    ASSERT_LE(format.size(), kRecordFormatMax);
    EXPECT_NE(refusal(RecordType::parse(format)).find("at most 1920"), std::string::npos);
    std::string fits = "T{<";
    for (count = 0; fits.size() + 8 <= kRecordFormatMax; ++count) fits += "B:" + std::to_string(100 + count) + ":";
    expect_sound(type_of(fits + "}"));
}

TEST(Record, AnyBytesAreAnswered) {
    std::minstd_rand random(5);
    constexpr std::string_view kLetters = "T{}<=:x?bhiqBHIQfdslL()0123456789,ab\xc3\xbc@";
    std::size_t accepted = 0;
    for (int round = 0; round < 60'000; ++round) {
        std::string format;
        if (round % 3 == 0) {  // any bytes
            format = "T{<";
            for (std::size_t i = random() % 40; i > 0; --i) format += static_cast<char>(random());
        } else if (round % 3 == 1) {  // any letters that have a meaning
            format = "T{";
            for (std::size_t i = random() % 40; i > 0; --i) format += kLetters[random() % kLetters.size()];
            format += ":a:}";
        } else {  // a good one, damaged
            format = std::string(random() % 2 == 0 ? record_format<Line2>() : record_format<Padded>());
            for (std::size_t i = 1 + random() % 3; i > 0; --i) {
                const std::size_t at = random() % format.size();
                const std::size_t how = random() % 3;
                if (how == 0) format[at] = kLetters[random() % kLetters.size()];
                if (how == 1) format.erase(at, 1);
                if (how == 2) format.insert(at, 1, kLetters[random() % kLetters.size()]);
            }
        }
        const auto type = RecordType::parse(format);
        if (!type) {
            ASSERT_EQ(type.error().code, Code::invalid_argument);
            ASSERT_TRUE(is_utf8(type.error().message)) << format;
            continue;
        }
        ++accepted;
        expect_sound(*type);
        if (HasFatalFailure()) FAIL() << format;
    }
    EXPECT_GT(accepted, 1000u);
}

// A description comes from a file that anybody may have written; its names are shown to people.
TEST(Record, NamesAreUtf8) {
    EXPECT_OK(RecordType::parse("T{<d:\xc3\xa4:}"));
    for (const std::string_view bad : {"\xff", "a\xc3", "\x80", "\xc3\xc3", "\xed\xa0\x80"}) {
        const std::string message = refusal(RecordType::parse("T{<d:" + std::string(bad) + ":}"));
        EXPECT_NE(message.find("cannot be used"), std::string::npos);
        EXPECT_TRUE(is_utf8(message));
    }
}

TEST(Record, ShortListsOfEveryType) {
    const auto format = [](std::string_view list) {
        const auto type = RecordType::from_list(list);
        EXPECT_OK(type);
        return type ? type->format() : "";
    };
    EXPECT_EQ(format("a:i1,b:i2,c:i4,d:i8,e:u1,f:u2,g:u4,h:u8,i:f4,j:f8,k:b1,l:s5"),
              form("b:a:h:b:i:c:q:d:B:e:H:f:I:g:Q:h:f:i:d:j:?:k:5s:l:"));
    EXPECT_EQ(format("t:f8,bid:f8,flags:u1[4],symbol:s16"), form("d:t:d:bid:(4)B:flags:16s:symbol:"));
    EXPECT_EQ(format("m:f4[2,3],n:u2"), form("(2,3)f:m:H:n:"));
    EXPECT_EQ(format("names:s8[3]"), form("(3)8s:names:"));
    EXPECT_EQ(format("a:u1,x3,b:u4"), form("B:a:3xI:b:"));
    EXPECT_EQ(format("a:u1,gap:x3,b:u4,end:x2[2]"), form("B:a:3xI:b:4x"));
    EXPECT_EQ(format("x:f8,x1:f8"), form("d:x:d:x1:"));
    EXPECT_EQ(format("größe:f8"), form("d:größe:"));
}

TEST(Record, MistakesInShortListsAreNamed) {
    const auto expect_list_refused = [](std::string_view list, const std::string& why) {
        const std::string message = refusal(RecordType::from_list(list));
        EXPECT_NE(message.find(why), std::string::npos) << list << ": " << message;
        EXPECT_TRUE(is_utf8(message));
    };
    expect_list_refused("", "it has no type");
    expect_list_refused("a", "it has no type");
    expect_list_refused("x", "it has no type");
    expect_list_refused("xy", "it has no type");
    expect_list_refused("a:f8,", "it has no type");
    expect_list_refused(",a:f8", "it has no type");
    expect_list_refused("a:f8,,b:f8", "it has no type");
    expect_list_refused("a:", "its type is none of");
    expect_list_refused("a:f", "its type is none of");
    expect_list_refused("a:f16", "its type is none of");
    expect_list_refused("a:F8", "its type is none of");
    expect_list_refused("a: f8", "its type is none of");
    expect_list_refused("a:b:f8", "its type is none of");
    expect_list_refused("a:s", "its type is none of");
    expect_list_refused("a:sx", "a number of bytes is expected");
    expect_list_refused("a:x-1", "a number of bytes is expected");
    expect_list_refused("a:s0", "a number from 1");
    expect_list_refused("x0,a:u1", "a number from 1");
    expect_list_refused("a:s99999999999", "a number from 1");
    expect_list_refused("a:f8[", "its [ has no ]");
    expect_list_refused("a:f8[2", "its [ has no ]");
    expect_list_refused("a:f8[2,b:f8", "its [ has no ]");
    expect_list_refused("a:f8[2]x", "its [ has no ]");
    expect_list_refused("a:f8[]", "cannot be used");
    expect_list_refused("a:f8[0]", "cannot be used");
    expect_list_refused("a:f8[2][3]", "cannot be used");
    expect_list_refused("a:f8[1,1,1,1,1]", "more than 4 dimensions");
    expect_list_refused("a:f8]", "its type is none of");
    expect_list_refused(":f8", "0 bytes");
    expect_list_refused("a b:f8", "character that cannot be in one");
    expect_list_refused("a:f8,a:f4", "two fields have the name 'a'");
    expect_list_refused("a:s1073741825", "too large");
    expect_list_refused("x4", "no fields");
    expect_list_refused("\xff:f8[", "");
    expect_list_refused("a:\xff", "");
    std::string many = "f0:f8";
    for (int i = 1; i < 2000; ++i) many += ",f" + std::to_string(i) + ":f8";
    expect_list_refused(many, "at most 1920");
}

// What stands in brackets is a shape and nothing else.
TEST(Record, AShortListCannotHideFieldsInBrackets) {
    for (const std::string_view list : {"a:f8[2)d:z:(3]", "a:f8[2)3x(1]", "a:s4[1)d:q:(1]", "a:f8[2)d:a1:d:b1:(1]"})
        EXPECT_NE(refusal(RecordType::from_list(list)).find("cannot be used"), std::string::npos) << list;
}

TEST(Record, AnyListIsAnswered) {
    std::minstd_rand random(6);
    constexpr std::string_view kLetters = "abfiusx01248:,[]()T{}\xff ";
    for (int round = 0; round < 30'000; ++round) {
        std::string list;
        for (std::size_t i = random() % 24; i > 0; --i) list += kLetters[random() % kLetters.size()];
        const auto type = RecordType::from_list(list);
        if (type) expect_sound(*type);
        else ASSERT_EQ(type.error().code, Code::invalid_argument);
        if (HasFatalFailure()) FAIL() << list;
    }
}

TEST(Record, TheFirstDifferenceIsNamed) {
    const auto difference = [](std::string_view ours, std::string_view theirs, bool allow_longer = false) {
        return type_of(ours).first_difference(type_of(theirs), allow_longer);
    };
    const std::string_view quote = "T{<d:bid:d:ask:16s:symbol:}";
    EXPECT_EQ(difference(quote, quote), "");
    EXPECT_EQ(difference(quote, "T{<d:bid:d:offer:16s:symbol:}"), "field 2 is 'offer', not 'ask'");
    EXPECT_EQ(difference(quote, "T{<d:bid:f:ask:16s:symbol:}"), "field 'ask' is f4, not f8");
    EXPECT_EQ(difference(quote, "T{<d:bid:q:ask:16s:symbol:}"), "field 'ask' is i8, not f8");
    EXPECT_EQ(difference(quote, "T{<d:bid:d:ask:8s:symbol:}"), "field 'symbol' is s8, not s16");
    EXPECT_EQ(difference(quote, "T{<d:bid:d:ask:16B:symbol:}"), "field 'symbol' is u1[16], not s16");
    EXPECT_EQ(difference(quote, "T{<d:bid:d:ask:}"), "field 3, 'symbol' (s16), is missing");
    EXPECT_EQ(difference(quote, "T{<d:bid:d:ask:16s:symbol:(2,2)I:more:}"), "field 4, 'more' (u4[2,2]), is one too many");
    EXPECT_EQ(difference("T{<3d:a:}", "T{<d:a:}"), "field 'a' is f8, not f8[3]");
    EXPECT_EQ(difference("T{<3d:a:}", "T{<(1,3)d:a:}"), "field 'a' is f8[1,3], not f8[3]");
    EXPECT_EQ(difference("T{<?:a:}", "T{<B:a:}"), "field 'a' is u1, not b1");
    EXPECT_EQ(difference("T{<B:a:3xI:b:}", "T{<B:a:I:b:}"), "field 'b' is at byte 1, not 4");
    EXPECT_EQ(difference("T{<I:b:}", "T{<I:b:4x}"), "it has 8 bytes, not 4");
    EXPECT_EQ(difference("T{<I:b:4x}", "T{<I:b:}"), "it has 4 bytes, not 8");

    const std::string_view line = "T{<T{f:x:f:y:}:from:T{f:x:f:y:}:to:}";
    EXPECT_EQ(difference(line, "T{<T{f:x:f:y:}:from:T{f:x:f:z:}:to:}"), "field 2 is 'to.z', not 'to.y'");
    EXPECT_EQ(difference(line, "T{<T{f:x:d:y:}:from:T{f:x:f:y:}:to:}"), "field 'from.y' is f8, not f4");
    EXPECT_EQ(difference(line, "T{<T{f:x:f:y:f:z:}:from:T{f:x:f:y:}:to:}"), "field 3, 'from.z' (f4), is one too many");
    EXPECT_EQ(difference(line, "T{<T{f:x:}:from:T{f:x:f:y:}:to:}"), "field 2, 'from.y' (f4), is missing");
    EXPECT_EQ(difference(line, "T{<T{f:x:4xf:y:}:from:T{f:x:f:y:}:to:}"), "field 'from.y' is at byte 8, not 4");
    EXPECT_EQ(difference(line, "T{<T{f:x:f:y:4x}:from:T{f:x:f:y:}:to:}"), "field 'from' is record of 12 bytes, not record of 8 bytes");
    EXPECT_EQ(difference(line, "T{<2T{f:x:f:y:}:from:T{f:x:f:y:}:to:}"), "field 'from' is record of 8 bytes[2], not record of 8 bytes");
    EXPECT_EQ(difference(line, "T{<d:from:T{f:x:f:y:}:to:}"), "field 'from' is f8, not record of 8 bytes");
    EXPECT_EQ(difference("T{<T{T{B:c:}:b:}:a:}", "T{<T{T{b:c:}:b:}:a:}"), "field 'a.b.c' is i1, not u1");
}

TEST(Record, LongerOnesMayBeAllowed) {
    const RecordType ours = type_of("T{<d:bid:d:ask:}");
    EXPECT_EQ(ours.first_difference(type_of("T{<d:bid:d:ask:I:size:}"), true), "");
    EXPECT_EQ(ours.first_difference(type_of("T{<d:bid:d:ask:8x}"), true), "");
    EXPECT_EQ(ours.first_difference(ours, true), "");
    EXPECT_NE(ours.first_difference(type_of("T{<d:bid:}"), true), "");
    EXPECT_NE(ours.first_difference(type_of("T{<d:bid:d:size:d:ask:}"), true), "");
    EXPECT_NE(ours.first_difference(type_of("T{<d:bid:4xd:ask:I:size:}"), true), "");
    EXPECT_NE(type_of("T{<d:a:8x}").first_difference(type_of("T{<d:a:}"), true), "");
    EXPECT_EQ(type_of("T{<d:a:8x}").first_difference(type_of("T{<d:a:d:b:}"), true), "");
    // Within a nested record they would move what is behind it.
    EXPECT_NE(type_of("T{<T{B:a:}:n:}").first_difference(type_of("T{<T{B:a:B:b:}:n:}"), true), "");
}

TEST(FixedTextTest, KeepsWhatFits) {
    FixedText<8> text;
    EXPECT_EQ(text.view(), "");
    EXPECT_TRUE(text.assign("12345678"));
    EXPECT_EQ(text.view(), "12345678");
    EXPECT_TRUE(text.assign("short"));
    EXPECT_EQ(text.view(), "short");
    EXPECT_EQ(std::string(text.bytes, 8), std::string("short\0\0\0", 8));
    EXPECT_FALSE(text.assign("123456789"));
    EXPECT_EQ(text.view(), "12345678");
    EXPECT_TRUE(text.assign(""));
    EXPECT_EQ(text.view(), "");
    static_assert(FixedText<4>("abcd").view() == "abcd");
    static_assert(FixedText<4>("abcde") == FixedText<4>("abcd"));
    static_assert(sizeof(FixedText<5>) == 5);
    EXPECT_EQ(std::string_view(FixedText<3>("xyz")), "xyz");
}

TEST(FixedTextTest, IsCutAtWholeCharacters) {
    const std::string_view all = "aä€😀z";  // 1, 2, 3, 4, 1 bytes
    const auto cut = [&](auto text) { return std::pair(std::string(text.view()), text.assign(all)); };
    EXPECT_EQ(cut(FixedText<1>(all)), std::pair(std::string("a"), false));
    EXPECT_EQ(cut(FixedText<2>(all)), std::pair(std::string("a"), false));
    EXPECT_EQ(cut(FixedText<3>(all)), std::pair(std::string("aä"), false));
    EXPECT_EQ(cut(FixedText<4>(all)), std::pair(std::string("aä"), false));
    EXPECT_EQ(cut(FixedText<5>(all)), std::pair(std::string("aä"), false));
    EXPECT_EQ(cut(FixedText<6>(all)), std::pair(std::string("aä€"), false));
    EXPECT_EQ(cut(FixedText<9>(all)), std::pair(std::string("aä€"), false));
    EXPECT_EQ(cut(FixedText<10>(all)), std::pair(std::string("aä€😀"), false));
    EXPECT_EQ(cut(FixedText<11>(all)), std::pair(std::string(all), true));
    EXPECT_EQ(FixedText<3>("\x80\x80\x80\x80").view(), "");
}

}  // namespace
}  // namespace comap::test
