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

TEST(Header, MutexesEventsAndSemaphoresHaveNoBody) {
    for (const Kind kind : {Kind::mutex, Kind::event, Kind::semaphore}) {
        Header header = sample();
        header.kind = kind;
        header.size_bytes = 0;
        const auto parsed = parse(header_bytes(header), 4096);
        ASSERT_OK(parsed);
        EXPECT_EQ(parsed->kind, kind);
        EXPECT_EQ(parsed->size_bytes, 0u);
        EXPECT_OK(parse(header_bytes(header), 8192));
        EXPECT_CODE(Code::corrupt, parse(header_bytes(header), 4095));
        const auto with_body = [&](auto change) {
            Header wrong = header;
            change(wrong);
            return parse(header_bytes(wrong));
        };
        EXPECT_CODE(Code::corrupt, with_body([](Header& wrong) { wrong.size_bytes = 1; }));
        EXPECT_CODE(Code::corrupt, with_body([](Header& wrong) { wrong.size_bytes = UINT64_MAX; }));
        EXPECT_CODE(Code::corrupt, with_body([](Header& wrong) { wrong.flags = kFlagLazy; }));
        EXPECT_CODE(Code::corrupt, with_body([](Header& wrong) { wrong.layout = Layout::text; }));
        EXPECT_CODE(Code::corrupt, with_body([](Header& wrong) { wrong.capacity_bytes = 5; }));
        EXPECT_CODE(Code::corrupt, with_body([](Header& wrong) {
            wrong.flags = kFlagFile;
            wrong.path = "/data/prices.bin";
        }));
        EXPECT_OK(with_body([](Header& right) { right.flags = kFlagAlwaysWake; }));
    }
    EXPECT_CODE(Code::corrupt, parse(with(12, 0u)));
    EXPECT_CODE(Code::corrupt, parse(with(12, 5u)));
    EXPECT_CODE(Code::corrupt, parse(with(12, 2u)));  // a mutex of 1000 bytes
}

TEST(Header, TheBlockOfAMutexAnEventOrASemaphoreIsFixed) {
    // The bytes of version 1, as those of the header.
    SyncBlock block{};
    block.kind.store(2, std::memory_order_relaxed);
    block.parameter = 0x04030201;
    block.state.store(0x1817'1615'1413'1211u, std::memory_order_relaxed);
    block.mark.store(0x24232221, std::memory_order_relaxed);
    block.lock.store(0x34333231, std::memory_order_relaxed);
    const std::string bytes(reinterpret_cast<const char*>(&block), sizeof block);
    ASSERT_EQ(bytes.size(), 64u);
    EXPECT_EQ(bytes.substr(0, 8), std::string("\2\0\0\0\1\2\3\4", 8));
    EXPECT_EQ(bytes.substr(8, 8), "\x11\x12\x13\x14\x15\x16\x17\x18");
    EXPECT_EQ(bytes.substr(16, 4), "\x21\x22\x23\x24");
    EXPECT_EQ(bytes.substr(20, 12), std::string(12, '\0'));
    EXPECT_EQ(bytes.substr(32, 4), "\x31\x32\x33\x34");
    EXPECT_EQ(kSyncBlockInPage, 4032u);
}

TEST(Header, TheBlockIsDescribed) {
    const auto described = [](Kind kind, std::uint32_t parameter, std::uint64_t state, std::uint32_t mark, std::uint32_t lock) {
        SyncBlock block{};
        block.parameter = parameter;
        block.state.store(state, std::memory_order_relaxed);
        block.mark.store(mark, std::memory_order_relaxed);
        block.lock.store(lock, std::memory_order_relaxed);
        ObjectInfo info;
        info.kind = kind;
        describe_sync(block, info);
        return info;
    };
    EXPECT_EQ(described(Kind::mutex, 0, 0, 0, 0).owner_thread, 0u);
    EXPECT_EQ(described(Kind::mutex, 0, 0, 0xca00'0007u, 7).owner_thread, 7u);
    EXPECT_EQ(described(Kind::mutex, 0, 0, 0, 7).owner_thread, 0u);  // only reserved
    EXPECT_TRUE(described(Kind::mutex, 0, 0, 0xca00'0007u, 1u << 30).is_abandoned);
    EXPECT_FALSE(described(Kind::mutex, 0, 0, 0, 1u << 30).is_abandoned);
    EXPECT_TRUE(described(Kind::mutex, 0, 0, 0xca00'0007u, 1u << 31 | 7).may_have_sleepers);
    EXPECT_TRUE(described(Kind::event, 1, 2, 0, 0).is_manual);
    EXPECT_TRUE(described(Kind::event, 1, 2, 0, 0).is_set);
    EXPECT_FALSE(described(Kind::event, 0, 1, 0, 0).is_set);
    EXPECT_TRUE(described(Kind::event, 0, 1, 0, 0).may_have_sleepers);
    EXPECT_FALSE(described(Kind::event, 0, 3, 0, 0).may_have_sleepers);
    EXPECT_EQ(described(Kind::semaphore, 9, 5 << 3, 0, 0).count, 5u);
    EXPECT_EQ(described(Kind::semaphore, 9, 5 << 3, 0, 0).maximum, 9u);
    EXPECT_EQ(described(Kind::semaphore, 9, 5 << 3 | 1, 0, 0).count, 0u);  // hidden until they are shown
    EXPECT_EQ(described(Kind::semaphore, 9, 5 << 3 | 3, 0, 0).count, 5u);
    EXPECT_EQ(described(Kind::semaphore, 9, std::uint64_t{0x7fff'ffff} << 3, 0, 0).count, 0x7fff'ffffu);
}

TEST(Header, ACellForSeveralWritersSaysHowMany) {
    Header header = sample();
    header.layout = Layout::cell;
    header.format = "<T{Q:a:}";
    header.capacity_bytes = 8;
    header.slot_count = 4;
    header.size_bytes = cell_body_bytes(8, 4, 0);
    EXPECT_EQ(header.size_bytes, 4u * 64);
    EXPECT_OK(parse(header_bytes(header), 1 << 20));
    header.flags = kFlagManyWriters;
    for (const std::uint32_t writers : {0u, 1u, 2u, 3u, 64u, 65u, 0x4000'0002u, UINT32_MAX}) {
        header.writer_count = writers;
        header.size_bytes = cell_body_bytes(8, 4, writers);
        const auto parsed = parse(header_bytes(header), std::uint64_t{1} << 50);
        if (writers >= 2 && writers <= 64) {
            ASSERT_OK(parsed);
            EXPECT_EQ(parsed->writer_count, writers);
            EXPECT_EQ(header.size_bytes, 64u + std::uint64_t{writers} * 4 * 64);
        } else {
            EXPECT_CODE(Code::corrupt, parsed);
        }
    }
    header.writer_count = 3;
    header.size_bytes = cell_body_bytes(8, 4, 2);
    EXPECT_CODE(Code::corrupt, parse(header_bytes(header), 1 << 20));
    header.writer_count = 2;
    EXPECT_EQ(header_bytes(header).substr(408, 8), std::string("\2\0\0\0\0\0\0\0", 8));
    EXPECT_EQ(cell_directory_bytes(4, 2), 64u);
    EXPECT_EQ(cell_directory_bytes(65536, 2), 65536u * 8);
    EXPECT_EQ(cell_directory_bytes(65536, 1), 0u);
    EXPECT_EQ(cell_body_bytes(std::uint64_t{1} << 30, 65536, 64), 65536u * 8 + (std::uint64_t{1} << 30) * 65536 * 64);
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
