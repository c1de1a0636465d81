// SPDX-License-Identifier: Apache-2.0
#include "format.hpp"

#include <array>
#include <charconv>
#include <ctime>

#include <fmt/format.h>

#include "unicode.hpp"

namespace comap::tool {
namespace {

constexpr std::uint64_t kSizeMax = INT64_MAX;  // a file offset
constexpr std::string_view kUnits = "KMGTP";

tl::unexpected<Error> not_a_size(std::string_view text, std::string_view why) {
    return tl::unexpected(Error{Code::invalid_argument, 0, "",
                                fmt::format("'{}' {}; give a number of bytes up to {}, or one with K, M, G or T (64K, 1M)",
                                            escaped(text), why, kSizeMax)});
}

// How many bits the unit shifts by; -1 if it is none.
int unit_shift(std::string_view unit) {
    if (unit.empty()) return 0;
    const auto upper = static_cast<char>(unit[0] >= 'a' && unit[0] <= 'z' ? unit[0] - 'a' + 'A' : unit[0]);
    const auto index = kUnits.find(upper);
    const auto rest = unit.substr(1);
    if (index == std::string_view::npos || !(rest.empty() || rest == "iB" || rest == "B")) return -1;
    return static_cast<int>(index + 1) * 10;
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
    if (text.starts_with('-')) return not_a_size(text, "is negative");
    const bool is_hexadecimal = text.starts_with("0x");
    const char* const first = text.data() + (is_hexadecimal ? 2 : 0);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(first, text.data() + text.size(), number, is_hexadecimal ? 16 : 10);
    if (error == std::errc::result_out_of_range) return not_a_size(text, "is too large");
    const int shift = unit_shift({end, static_cast<std::size_t>(text.data() + text.size() - end)});
    if (error != std::errc{} || shift < 0) return not_a_size(text, "is not a size");
    if (number > (kSizeMax >> shift)) return not_a_size(text, "is too large");
    return number << shift;
}

Result<std::uint32_t> parse_mode(std::string_view text) {
    std::uint32_t mode = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    if (error == std::errc{} && end == text.data() + text.size() && mode <= 0777) return mode;
    return tl::unexpected(Error{Code::invalid_argument, 0, "",
                                fmt::format("'{}' is not a mode; give octal permission bits such as 0600 or 0644", escaped(text))});
}

std::string human_size(std::uint64_t size_bytes) {
    if (size_bytes < 1024) return std::to_string(size_bytes);
    double value = static_cast<double>(size_bytes);
    std::size_t unit = 0;
    for (value /= 1024; value >= 999.5 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
    const bool is_short = value < 9.95 && value != static_cast<double>(static_cast<std::uint64_t>(value));
    return fmt::format("{:.{}f}{}", value, is_short ? 1 : 0, kUnits[unit]);
}

std::string full_size(std::uint64_t size_bytes) {
    if (size_bytes < 1024) return counted(size_bytes, "byte");
    return fmt::format("{} ({} bytes)", human_size(size_bytes), size_bytes);
}

std::string iso_time(std::uint64_t nanoseconds_since_1970) {
    const auto seconds = static_cast<std::time_t>(nanoseconds_since_1970 / 1'000'000'000);
    std::tm utc = {};
    std::array<char, 64> text;
    if (::gmtime_r(&seconds, &utc) == nullptr) return "-";
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

std::string octal(std::uint32_t mode) { return fmt::format("{:04o}", mode); }

std::string counted(std::uint64_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace comap::tool
