// SPDX-License-Identifier: Apache-2.0
#include "win32/printing.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <type_traits>

#include <tchar.h>
#include "win32/text.hpp"

namespace comap::win32 {
namespace {

constexpr int kFieldMax = 1 << 20;  // widths and precisions beyond this are cut: nobody means them

// Where a conversion gets its arguments.
class ListedArguments {
  public:
    explicit ListedArguments(va_list list) { va_copy(list_, list); }
    ~ListedArguments() { va_end(list_); }
    ListedArguments(const ListedArguments&) = delete;
    ListedArguments& operator=(const ListedArguments&) = delete;

    template <typename T>
    T next() {
        return va_arg(list_, T);
    }

  private:
    va_list list_;
};

class GivenValues {
  public:
    explicit GivenValues(std::span<const ULONG_PTR> values) : values_(values) {}

    template <typename T>
    T next() {
        const ULONG_PTR value = index_ < values_.size() ? values_[index_++] : 0;
        if constexpr (std::is_pointer_v<T>)
            return reinterpret_cast<T>(value);
        else
            return static_cast<T>(value);
    }

  private:
    std::span<const ULONG_PTR> values_;
    std::size_t index_ = 0;
};

enum class Size : std::uint8_t { normal, byte, half, wide, bits64, pointer, long_double };

// What stands between '%' and the letter of the conversion, and that letter.
struct Conversion {
    std::string flags;  // of "-+ #0", each once
    int width = 0;
    int precision = -1;  // -1: none
    Size size = Size::normal;
    char letter = '\0';

    bool has(char flag) const { return flags.find(flag) != std::string::npos; }
};

template <typename T, typename Arguments>
class Printer {
  public:
    Printer(const T* format, Arguments& arguments) : at_(format), arguments_(arguments) {}

    std::basic_string<T> run() {
        while (*at_ != T{}) {
            const T unit = *at_++;
            if (unit != '%')
                out_ += unit;
            else
                convert();
        }
        return std::move(out_);
    }

  private:
    using Other = std::conditional_t<sizeof(T) == 1, WCHAR, char>;

    bool take(char wanted) {
        if (*at_ != static_cast<T>(wanted)) return false;
        ++at_;
        return true;
    }

    bool take(std::string_view wanted) {
        for (std::size_t i = 0; i < wanted.size(); ++i)
            if (at_[i] != static_cast<T>(wanted[i])) return false;
        at_ += wanted.size();
        return true;
    }

    int take_number() {
        if (take('*')) return std::clamp(arguments_.template next<int>(), -kFieldMax, kFieldMax);
        int number = 0;
        for (; *at_ >= '0' && *at_ <= '9'; ++at_) number = std::min(number * 10 + static_cast<int>(*at_ - '0'), kFieldMax);
        return number;
    }

    Size take_size() {
        if (take("I64") || take("ll") || take('j') || take('q')) return Size::bits64;
        if (take("I32")) return Size::normal;
        if (take('I') || take('z') || take('t')) return Size::pointer;
        if (take("hh")) return Size::byte;
        if (take('h')) return Size::half;
        if (take('L')) return Size::long_double;
        return take('l') || take('w') ? Size::wide : Size::normal;
    }

    Conversion take_conversion() {
        Conversion conversion;
        for (;; ++at_) {
            const char flag = *at_ < 0x80 ? static_cast<char>(*at_) : '\0';
            if (flag == '\0' || std::strchr("-+ #0", flag) == nullptr) break;
            if (!conversion.has(flag)) conversion.flags += flag;
        }
        conversion.width = take_number();
        if (conversion.width < 0) {
            conversion.flags += '-';
            conversion.width = -conversion.width;
        }
        if (take('.')) conversion.precision = std::max(take_number(), -1);
        conversion.size = take_size();
        if (*at_ != T{}) conversion.letter = *at_ < 0x80 ? static_cast<char>(*at_) : '?';
        return conversion;
    }

    void convert() {
        const Conversion conversion = take_conversion();
        if (*at_ == T{}) return;  // the format ends within it
        const T letter = *at_++;
        switch (conversion.letter) {
            case 'd':
            case 'i': return add_number(conversion, 'd', next_signed(conversion.size));
            case 'u':
            case 'o':
            case 'x':
            case 'X': return add_number(conversion, conversion.letter, static_cast<long long>(next_unsigned(conversion.size)));
            case 'p': return add_address(conversion);
            case 'e':
            case 'E':
            case 'f':
            case 'F':
            case 'g':
            case 'G':
            case 'a':
            case 'A': return add_real(conversion);
            case 'c':
            case 'C': return add_character(conversion);
            case 's':
            case 'S': return add_string(conversion);
            case 'n': return static_cast<void>(arguments_.template next<void*>());  // writes nothing, for safety
            default: out_ += letter;  // "%%", and what is no conversion
        }
    }

    long long next_signed(Size size) {
        if (size == Size::bits64) return arguments_.template next<long long>();
        if (size == Size::pointer) return arguments_.template next<SSIZE_T>();
        const int value = arguments_.template next<int>();
        if (size == Size::byte) return static_cast<signed char>(value);
        return size == Size::half ? static_cast<short>(value) : value;
    }

    unsigned long long next_unsigned(Size size) {
        if (size == Size::bits64) return arguments_.template next<unsigned long long>();
        if (size == Size::pointer) return arguments_.template next<SIZE_T>();
        const auto value = arguments_.template next<unsigned int>();
        if (size == Size::byte) return static_cast<unsigned char>(value);
        return size == Size::half ? static_cast<unsigned short>(value) : value;
    }

    // Lets the C library print one value: "%", the flags, width and precision, then `tail`.
    template <typename Value>
    void add_by_library(const Conversion& conversion, std::string_view tail, Value value) {
        const std::string format = "%" + conversion.flags + "*.*" + std::string(tail);
        const int length = std::snprintf(nullptr, 0, format.c_str(), conversion.width, conversion.precision, value);
        if (length < 0) return;
        std::string text(static_cast<std::size_t>(length), '\0');
        std::snprintf(text.data(), text.size() + 1, format.c_str(), conversion.width, conversion.precision, value);
        out_ += text_as<T>(text);
    }

    void add_number(const Conversion& conversion, char letter, long long value) {
        add_by_library(conversion, std::string("ll") + letter, value);
    }

    void add_address(Conversion conversion) {
        conversion.precision = 2 * static_cast<int>(sizeof(void*));
        conversion.flags.erase(std::remove(conversion.flags.begin(), conversion.flags.end(), '0'), conversion.flags.end());
        add_number(conversion, 'X', static_cast<long long>(reinterpret_cast<ULONG_PTR>(arguments_.template next<void*>())));
    }

    void add_real(const Conversion& conversion) {
        if (conversion.size == Size::long_double)
            add_by_library(conversion, std::string("L") + conversion.letter, arguments_.template next<long double>());
        else
            add_by_library(conversion, std::string(1, conversion.letter), arguments_.template next<double>());
    }

    // The capital letter means the other kind of string; h and l say which, whatever the letter.
    static bool is_wide(const Conversion& conversion) {
        if (conversion.size == Size::wide) return true;
        if (conversion.size == Size::half) return false;
        const bool is_capital = conversion.letter == 'S' || conversion.letter == 'C';
        return (sizeof(T) != 1) != is_capital;
    }

    void add_character(const Conversion& conversion) {
        const int value = arguments_.template next<int>();
        std::basic_string<T> text;
        if (is_wide(conversion) == (sizeof(T) != 1)) {
            text = static_cast<T>(value);
        } else {
            const auto unit = static_cast<Other>(value);
            const Other* at = &unit;
            append_code_point(text, take_code_point(at, at + 1).value_or(kReplacement));
        }
        add_padded(conversion, text);
    }

    void add_string(const Conversion& conversion) {
        const void* const value = arguments_.template next<const void*>();
        if (!value)
            add_padded(conversion, text_as<T>(std::string_view("(null)").substr(0, static_cast<std::size_t>(conversion.precision))));
        else if (is_wide(conversion) == (sizeof(T) != 1))
            add_padded(conversion, same_string(static_cast<const T*>(value), conversion.precision));
        else
            add_padded(conversion, other_string(static_cast<const Other*>(value), conversion.precision));
    }

    // A precision bounds what is read: the string then needs no NUL.
    static std::basic_string<T> same_string(const T* text, int precision) {
        const auto count_max = static_cast<std::size_t>(precision);  // -1: no bound
        std::size_t count = 0;
        while (count < count_max && text[count] != T{}) ++count;
        return std::basic_string<T>(text, count);
    }

    static std::basic_string<T> other_string(const Other* text, int precision) {
        std::basic_string<T> out;
        while (*text != Other{}) {
            std::basic_string<T> next;
            append_code_point(next, take_code_point(text, text + 4).value_or(kReplacement));  // reads no unit beyond a NUL
            if (out.size() + next.size() > static_cast<std::size_t>(precision)) break;
            out += next;
            if (out.size() == static_cast<std::size_t>(precision)) break;
        }
        return out;
    }

    void add_padded(const Conversion& conversion, const std::basic_string<T>& text) {
        const auto width = static_cast<std::size_t>(conversion.width);
        const std::basic_string<T> padding(width > text.size() ? width - text.size() : 0, static_cast<T>(' '));
        out_ += conversion.has('-') ? text + padding : padding + text;
    }

    const T* at_;
    Arguments& arguments_;
    std::basic_string<T> out_;
};

template <typename T>
void copy_with_end(T* out, const std::basic_string<T>& text, std::size_t count) {
    std::memcpy(out, text.data(), count * sizeof(T));
    out[count] = T{};
}

template <typename T>
int print_to(FILE* file, const T* format, va_list arguments) {
    const std::basic_string<T> text = print(format, arguments);
    std::string bytes;
    if constexpr (sizeof(T) == 1)
        bytes = text;
    else
        bytes = utf8_mended(text);
    return std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() ? static_cast<int>(text.size()) : -1;
}

template <typename T>
int print_unbounded(T* out, const T* format, va_list arguments) {
    const std::basic_string<T> text = print(format, arguments);
    copy_with_end(out, text, text.size());
    return static_cast<int>(text.size());
}

// -1 where it does not fit; the text is then cut, and a text that just fits has no end: so Microsoft documents _snprintf.
template <typename T>
int print_bounded(T* out, std::size_t count, const T* format, va_list arguments) {
    const std::basic_string<T> text = print(format, arguments);
    if (!out && count == 0) return static_cast<int>(text.size());
    if (text.size() < count)
        copy_with_end(out, text, text.size());
    else
        std::memcpy(out, text.data(), count * sizeof(T));
    return text.size() <= count ? static_cast<int>(text.size()) : -1;
}

// A text that does not fit leaves an empty one.
template <typename T>
int print_safely(T* out, std::size_t count, const T* format, va_list arguments) {
    if (!out || count == 0 || !format) {
        errno = EINVAL;
        return -1;
    }
    const std::basic_string<T> text = print(format, arguments);
    const bool fits = text.size() < count;
    copy_with_end(out, text, fits ? text.size() : 0);
    if (!fits) errno = ERANGE;
    return fits ? static_cast<int>(text.size()) : -1;
}

// At most `length_max` characters (all that fit: _TRUNCATE), always with an end; -1 if the text was cut.
template <typename T>
int print_cut(T* out, std::size_t count, std::size_t length_max, const T* format, va_list arguments) {
    if (!out || count == 0 || !format) {
        errno = EINVAL;
        return -1;
    }
    const std::basic_string<T> text = print(format, arguments);
    const std::size_t wanted = std::min(text.size(), length_max);
    const bool is_too_long = wanted >= count && length_max != _TRUNCATE;
    if (is_too_long) errno = ERANGE;
    copy_with_end(out, text, is_too_long ? 0 : std::min(wanted, count - 1));
    return text.size() < count && text.size() <= length_max ? static_cast<int>(text.size()) : -1;
}

constexpr std::size_t kWsprintfMax = 1023;

template <typename T>
int print_for_window(T* out, const T* format, va_list arguments) {
    if (!out || !format) return 0;
    const std::basic_string<T> text = print(format, arguments);
    const std::size_t count = std::min(text.size(), kWsprintfMax);
    copy_with_end(out, text, count);
    return static_cast<int>(count);
}

}  // namespace

template <typename T>
std::basic_string<T> print(const T* format, va_list arguments) {
    ListedArguments listed(arguments);
    return Printer<T, ListedArguments>(format, listed).run();
}

template <typename T>
std::basic_string<T> print_values(const T* format, std::span<const ULONG_PTR> values) {
    GivenValues given(values);
    return Printer<T, GivenValues>(format, given).run();
}

template std::string print(const char*, va_list);
template std::u16string print(const WCHAR*, va_list);
template std::string print_values(const char*, std::span<const ULONG_PTR>);
template std::u16string print_values(const WCHAR*, std::span<const ULONG_PTR>);

}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

// The calls that take their arguments directly, each over the one that takes a list.
#define COMAP_LISTED(call)               \
    va_list arguments;                   \
    va_start(arguments, format);         \
    const int printed = call;            \
    va_end(arguments);                   \
    return printed

#define COMAP_PRINTING(prefix, T)                                                                                              \
    int prefix##vprintf(const T* format, va_list arguments) { return print_to(stdout, format, arguments); }                    \
    int prefix##vfprintf(FILE* file, const T* format, va_list arguments) { return print_to(file, format, arguments); }         \
    int prefix##vsprintf(T* out, const T* format, va_list arguments) { return print_unbounded(out, format, arguments); }       \
    int prefix##vsnprintf(T* out, size_t count, const T* format, va_list arguments) {                                          \
        return print_bounded(out, count, format, arguments);                                                                   \
    }                                                                                                                          \
    int prefix##vsprintf_s(T* out, size_t count, const T* format, va_list arguments) {                                         \
        return print_safely(out, count, format, arguments);                                                                    \
    }                                                                                                                          \
    int prefix##vsnprintf_s(T* out, size_t count, size_t length_max, const T* format, va_list arguments) {                     \
        return print_cut(out, count, length_max, format, arguments);                                                           \
    }                                                                                                                          \
    int prefix##printf(const T* format, ...) { COMAP_LISTED(print_to(stdout, format, arguments)); }                            \
    int prefix##fprintf(FILE* file, const T* format, ...) { COMAP_LISTED(print_to(file, format, arguments)); }                 \
    int prefix##sprintf(T* out, const T* format, ...) { COMAP_LISTED(print_unbounded(out, format, arguments)); }               \
    int prefix##snprintf(T* out, size_t count, const T* format, ...) {                                                         \
        COMAP_LISTED(print_bounded(out, count, format, arguments));                                                            \
    }                                                                                                                          \
    int prefix##sprintf_s(T* out, size_t count, const T* format, ...) {                                                        \
        COMAP_LISTED(print_safely(out, count, format, arguments));                                                             \
    }                                                                                                                          \
    int prefix##snprintf_s(T* out, size_t count, size_t length_max, const T* format, ...) {                                    \
        COMAP_LISTED(print_cut(out, count, length_max, format, arguments));                                                    \
    }

COMAP_PRINTING(comap_t, char)
COMAP_PRINTING(comap_w, WCHAR)

int wvsprintfA(LPSTR out, LPCSTR format, va_list arguments) { return print_for_window(out, format, arguments); }
int wvsprintfW(LPWSTR out, LPCWSTR format, va_list arguments) { return print_for_window(out, format, arguments); }
int wsprintfA(LPSTR out, LPCSTR format, ...) { COMAP_LISTED(print_for_window(out, format, arguments)); }
int wsprintfW(LPWSTR out, LPCWSTR format, ...) { COMAP_LISTED(print_for_window(out, format, arguments)); }

}  // extern "C"
