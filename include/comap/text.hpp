// SPDX-License-Identifier: Apache-2.0
// Text: a named UTF-8 text with its length and version. A reader always gets one whole value, also while a writer writes
// or after it was killed halfway. Several processes may write.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <comap/section.hpp>

namespace comap {

struct TextOptions {
    std::uint32_t capacity_bytes = 64 * 1024;  // longest value, UTF-8 bytes
    std::uint32_t mode = 0600;
    bool keep = false;
};

struct TextValue {
    std::string value;
    std::uint32_t version = 0;
};

struct TextLength {
    std::size_t length_bytes = 0;
    std::uint32_t version = 0;
};

// A handle to a text. Its const functions may be called by several threads at once.
class COMAP_API Text {
  public:
    Text() = default;
    ~Text();
    Text(Text&& other) noexcept;
    Text& operator=(Text&& other) noexcept;

    // A new text is empty, at version 0. Errors: as Section::create.
    static Result<Text> create(std::string_view name, const TextOptions& options = {},
                               Context& context = Context::standard());
    // Errors: as Section::open; layout_mismatch (a section that holds something else).
    static Result<Text> open(std::string_view name, const OpenOptions& options = {}, Context& context = Context::standard());
    static Result<Text> open_or_create(std::string_view name, const TextOptions& options = {},
                                       Context& context = Context::standard());

    explicit operator bool() const { return object_ != nullptr; }
    const std::string& name() const;
    bool was_created() const;
    std::uint32_t capacity_bytes() const;
    Result<ObjectInfo> info() const;

    // Replaces the value; returns its version. Blocks while another process writes, at most until the deadline.
    // Errors: too_long (both lengths; nothing is cut), invalid_argument (not UTF-8), permission_denied (read-only handle),
    // busy (a writer was stopped in the middle); the old value then stays.
    Result<std::uint32_t> set(std::string_view value, Deadline deadline = default_deadline()) const;

    // Adds to the end of the value, as one step. Errors: as set.
    Result<std::uint32_t> append(std::string_view value, Deadline deadline = default_deadline()) const;

    // The whole value. Never blocks on a writer. Errors: corrupt; busy (for two seconds every value was overwritten while it
    // was copied, which honest writers do not manage).
    Result<TextValue> get() const;

    // The same into the caller's memory; no allocation. Errors: too_long (both lengths); `out` then holds nothing useful.
    Result<TextLength> get(std::span<char> out) const;

    Result<std::uint32_t> version() const;
    Result<Wait> wait(std::uint32_t seen, Deadline deadline, WaitFor what = WaitFor::change) const;
    Result<void> set_keep(bool keep);
    void close();

    // Two seconds from now.
    static Deadline default_deadline();

    const std::shared_ptr<internal::Object>& object() const { return object_; }

  private:
    struct Mapping;
    explicit Text(std::shared_ptr<Mapping> mapping);
    static Result<Text> map(std::shared_ptr<internal::Object> object);
    std::shared_ptr<internal::Object> object_;
    std::shared_ptr<Mapping> mapping_;
};

// Strict conversions: unpaired surrogates and malformed UTF-8 are invalid_argument, with the position of the first one.
COMAP_API Result<std::u16string> utf16_from_utf8(std::string_view utf8);
COMAP_API Result<std::string> utf8_from_utf16(std::u16string_view utf16);

}  // namespace comap
