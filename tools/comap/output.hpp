// SPDX-License-Identifier: Apache-2.0
// Standard output: buffered, and its failures remembered. A failed write makes the tool fail, except that a reader who has
// gone ends it quietly, as SIGPIPE would, after what it holds was let go in order.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace comap::tool {

enum class Style { plain, bold, dim, red, green, yellow };

class Output {
  public:
    // `color`: "auto", "always" or "never".
    void use_color(const std::string& color);

    // Bytes go out when enough are there, or with flush().
    void write(std::string_view bytes);

    template <typename... Arguments>
    void print(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
        write(fmt::format(format, std::forward<Arguments>(arguments)...));
    }

    // Returns whether everything so far was written.
    bool flush();
    bool has_failed() const { return os_error_ != 0; }

    // `text`, coloured if colours are wanted.
    std::string styled(std::string_view text, Style style) const;

    // Flushes; `status`, or what a failed write makes of it.
    int finish(int status);

  private:
    void write_through(std::string_view bytes);
    std::string buffer_;
    int os_error_ = 0;
    bool is_colored_ = false;
};

}  // namespace comap::tool
