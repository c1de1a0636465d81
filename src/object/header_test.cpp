// SPDX-License-Identifier: Apache-2.0
#include "object/header.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "support/process.hpp"

namespace comap::internal {
namespace {

Header sample() {
    Header header;
    header.size_bytes = 1000;
    header.created_ns = 123456789;
    header.name = "prices";
    return header;
}

Result<Header> parse(const std::string& bytes, std::uint64_t file_size = 8192) {
    return parse_header(std::as_bytes(std::span(bytes)), file_size, "prices");
}

TEST(Header, ComesBackAsWritten) {
    Header header = sample();
    header.flags = kFlagFile | kFlagLazy;
    header.path = "/data/prices.bin";
    header.file_device = 7;
    header.file_inode = 8;
    header.file_offset_bytes = 12288;
    const auto parsed = parse(header_bytes(header));
    ASSERT_OK(parsed);
    EXPECT_EQ(parsed->name, header.name);
    EXPECT_EQ(parsed->path, header.path);
    EXPECT_EQ(parsed->size_bytes, 1000u);
    EXPECT_EQ(parsed->created_ns, 123456789u);
    EXPECT_EQ(parsed->flags, header.flags);
    EXPECT_EQ(parsed->file_device, 7u);
    EXPECT_EQ(parsed->file_inode, 8u);
    EXPECT_EQ(parsed->file_offset_bytes, 12288u);
}

TEST(Header, OtherFormatVersionsAreNamed) {
    std::string bytes = header_bytes(sample());
    bytes[8] = 9;
    const auto parsed = parse(bytes);
    EXPECT_CODE(Code::version_mismatch, parsed);
    EXPECT_NE(parsed.error().message.find("version 9"), std::string::npos);
}

template <typename T>
std::string with(std::size_t offset, T value) {
    std::string bytes = header_bytes(sample());
    std::memcpy(bytes.data() + offset, &value, sizeof value);
    return bytes;
}

TEST(Header, ImpossibleFieldsAreCorrupt) {
    EXPECT_OK(parse(header_bytes(sample())));
    EXPECT_CODE(Code::corrupt, parse(""));
    EXPECT_CODE(Code::corrupt, parse(std::string(4096, '\0')));
    EXPECT_CODE(Code::corrupt, parse(header_bytes(sample()).substr(0, 100)));
    EXPECT_CODE(Code::corrupt, parse(header_bytes(sample()), 100));
    EXPECT_CODE(Code::corrupt, parse(header_bytes(sample()), 4096));            // no room for the body
    EXPECT_CODE(Code::corrupt, parse(with(12, 77u)));                           // kind
    EXPECT_CODE(Code::corrupt, parse(with(16, 77u)));                           // layout
    EXPECT_CODE(Code::corrupt, parse(with(20, 0x8000u)));                       // flags
    EXPECT_CODE(Code::corrupt, parse(with(24, std::uint64_t{0})));              // size
    EXPECT_CODE(Code::corrupt, parse(with(24, std::uint64_t{5000})));
    EXPECT_CODE(Code::corrupt, parse(with(24, UINT64_MAX)));
    EXPECT_CODE(Code::corrupt, parse(with(40, std::uint64_t{1})));              // bytes with a capacity
    EXPECT_CODE(Code::corrupt, parse(with(56, 241u)));                          // name size
    EXPECT_CODE(Code::corrupt, parse(with(56, 0xffff'ffffu)));
    EXPECT_CODE(Code::corrupt, parse(with(60, 1u)));                            // path size without a path
    EXPECT_CODE(Code::corrupt, parse(with(60, 0xffff'ffffu)));
    EXPECT_CODE(Code::corrupt, parse(with(20, kFlagFile)));                     // a file without a path
}

TEST(Header, RandomBytesNeverCrash) {
    std::minstd_rand random(1);
    for (int round = 0; round < 20000; ++round) {
        std::string bytes = header_bytes(sample());
        bytes.resize(2048);
        for (int change = 0; change < 1 + round % 8; ++change) bytes[8 + random() % 400] = static_cast<char>(random());
        const auto parsed = parse(bytes, random() % 20000);
        if (!parsed) { EXPECT_TRUE(parsed.error().code == Code::corrupt || parsed.error().code == Code::version_mismatch); }
    }
}

TEST(Header, TheFormatIsFixed) {
    // The bytes of version 1: a change here is a new format version, with a note in FORMAT.md.
    const std::string bytes = header_bytes(sample());
    EXPECT_EQ(bytes.substr(0, 8), "COMAPOBJ");
    EXPECT_EQ(bytes.substr(8, 16), std::string("\1\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0", 16));
    EXPECT_EQ(bytes.substr(24, 8), std::string("\xe8\3\0\0\0\0\0\0", 8));
    EXPECT_EQ(bytes.substr(128, 7), std::string("prices\0", 7));
    EXPECT_EQ(text_body_bytes(65536), 4u * (64 + 65536));
    EXPECT_EQ(text_body_bytes(1), 4u * 128);
}

}  // namespace
}  // namespace comap::internal
