// SPDX-License-Identifier: Apache-2.0
// The few plain system calls that several commands share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace comap::tool {

// Owns a descriptor.
class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() { close(); }
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        if (this != &other) {
            close();
            number_ = std::exchange(other.number_, -1);
        }
        return *this;
    }
    int number() const { return number_; }
    explicit operator bool() const { return number_ >= 0; }
    void close();

  private:
    int number_ = -1;
};

// Where 0, 1 or 2 is closed, nothing else gets that number, and reading and writing it fail as before. To be called first.
void keep_closed_streams_closed();

// "No space left on device"
std::string system_text(int os_error);

// Best effort: there is nowhere to report a failure to.
void write_error_stream(std::string_view text);

// The bytes of a small file (of /proc, /sys or /etc), or nothing.
std::optional<std::string> file_text(const std::string& path);

// The first number of such a file.
std::optional<std::uint64_t> file_number(const std::string& path);

struct SpaceBytes {
    std::uint64_t total = 0;
    std::uint64_t available = 0;
};

// Of the file system that `path` is on.
std::optional<SpaceBytes> space_of(const std::string& path);

// "alice", or the number.
std::string user_name(std::uint32_t uid);

bool is_terminal(int descriptor);

}  // namespace comap::tool
