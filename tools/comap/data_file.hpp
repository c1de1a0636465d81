// SPDX-License-Identifier: Apache-2.0
// Files of ours: recordings and dumps. Both begin with a magic, a version and a header in JSON; FORMAT.md describes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <comap/error.hpp>

#include "object_json.hpp"
#include "output.hpp"
#include "system.hpp"

namespace comap::tool {

inline constexpr std::uint32_t kDataFileVersion = 1;
inline constexpr std::size_t kMagicBytes = 8;
inline constexpr std::string_view kRecordingMagic = "COMAPREC";
inline constexpr std::string_view kDumpMagic = "COMAPDMP";

// Little-endian.
void append_number(std::string& bytes, std::uint64_t number, std::size_t size_bytes);
std::uint64_t number_in(std::string_view bytes, std::size_t at, std::size_t size_bytes);

// Written from its beginning, which empties it. "-": standard output.
class DataWriter {
  public:
    static Result<DataWriter> create(Output& out, const std::string& path);

    // Errors: os_error. A failure of standard output is remembered there: is_open() is false then.
    Result<void> write(std::string_view bytes);
    Result<void> write_head(std::string_view magic, const Json& header);
    Result<void> flush();
    bool is_open() const { return !is_standard_ || !out_->has_failed(); }

  private:
    Result<void> write_through(std::string_view bytes);
    Output* out_ = nullptr;
    std::string path_;
    Descriptor file_;
    bool is_standard_ = false;
    std::string buffer_;
};

// Read from its beginning. "-": standard input.
class DataReader {
  public:
    static Result<DataReader> open(const std::string& path);

    // The next bytes, fewer at the end. They stay until the next call.
    Result<std::string_view> read(std::size_t size_bytes);

    // The header. Errors: corrupt, version_mismatch.
    Result<Json> read_head(std::string_view magic);

    // Back to behind the head. Errors: os_error (a pipe).
    Result<void> rewind();
    tl::unexpected<Error> corrupt(std::string_view what) const;
    const std::string& shown_path() const { return shown_path_; }

  private:
    std::string shown_path_;
    Descriptor file_;
    int number_ = -1;
    std::string buffer_;
    std::size_t at_ = 0;
    std::uint64_t head_bytes_ = 0;
};

// What a header says; `otherwise` if it does not, or something else.
std::uint64_t number_of(const Json& header, const char* key, std::uint64_t otherwise = 0);
std::string text_of(const Json& header, const char* key);
bool flag_of(const Json& header, const char* key);

}  // namespace comap::tool
